//! Evidence built by `preconf` from what a follower has received, judged by the real
//! `PreconfBonds`.

use super::support::{ETHER, TestRollup};
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::SolEvent as _;
use chain::{Block, ExecutedBlock};
use enshrine_contracts::{
    accuse_calldata,
    bindings::IPreconfBonds::{self, Slashed},
    canonical_block,
};
use eyre::{OptionExt as _, Result};
use preconf::{
    Domain, Preconfirmation,
    evidence::{Accusation, CanonicalBlock, SignedBlock, SignedHeader},
    faults::{Context, Refusal, TransactionEvidence},
};
use testkit::{Artifacts, Key, Transaction};
use wire::ProtocolFork;

const FORK: ProtocolFork = ProtocolFork::Osaka;
const L1_CHAIN: u64 = 31_337;
/// Half of the maximum lag of the fixture.
const POST_WITHIN: u64 = 1_800;
const BOND: u128 = 10 * ETHER;
const SALT: B256 = B256::repeat_byte(0x5a);

/// A rollup whose sequencer has a bond.
struct Bonded {
    harness: TestRollup,
    bonds: Address,
    sequencer: Key,
}

/// A signed block with its transactions.
struct Promised {
    signed: SignedHeader,
    transactions: Vec<Bytes>,
}

impl Promised {
    const fn block(&self) -> SignedBlock<'_> {
        SignedBlock { signed: &self.signed, transactions: self.transactions.as_slice() }
    }
}

impl Bonded {
    fn new() -> Result<Self> {
        let mut harness = TestRollup::new(FORK)?;
        let artifacts = Artifacts::load(&toolchain::progress_to_stderr)?;
        let code = artifacts.get("PreconfBonds")?.init_code.clone();
        let sequencer = Key::named("operator");
        let bonds = harness.l1.deploy(&harness.operator, code)?;
        let call = IPreconfBonds::depositCall { account: sequencer.address() };
        harness.l1.transact(&sequencer, bonds, U256::from(BOND), &call)?;
        Ok(Self { harness, bonds, sequencer })
    }

    const fn domain(&self) -> Domain {
        Domain { l1_chain_id: L1_CHAIN, contract: self.bonds }
    }

    fn judge<T>(&self, judge: impl FnOnce(&Context<'_>) -> T) -> T {
        judge(&Context {
            domain: self.domain(),
            account_of: &|signer| signer,
            l1_hash: &|_| None,
            post_within: POST_WITHIN,
        })
    }

    fn promise(&self, block: &Block, is_sealed: bool) -> Promised {
        let message = Preconfirmation {
            rollup: self.harness.rollup.address,
            block_hash: block.header.hash_slow(),
            schema: FORK.schema(),
            is_sealed,
            l1_block: 0,
            l1_hash: B256::ZERO,
        };
        let digest = message.digest(&self.domain());
        let signature = self.sequencer.sign_digest(&digest).as_bytes().into();
        let header = alloy_rlp::encode(&block.header).into();
        let signed = SignedHeader { message, signature, header };
        Promised { signed, transactions: block.raw_transactions() }
    }

    /// Two transfers of Alice, of which either can be the first.
    fn transfers(&mut self) -> Result<[Transaction; 2]> {
        self.harness.l2.forget_pending();
        let first = self.harness.transfer()?;
        self.harness.l2.forget_pending();
        let to = Address::repeat_byte(7);
        let alice = &self.harness.alice;
        let other = self.harness.l2.sign(alice, to.into(), U256::ONE, Bytes::new(), 21_000)?;
        Ok([first, other])
    }

    /// Seals a block, which is not appended, one second after the head.
    fn seal(&self, transactions: Vec<Transaction>) -> Result<ExecutedBlock> {
        let time = self.harness.l2.next_timestamp();
        self.harness.seal(time, transactions)
    }

    fn post(&mut self, block: &ExecutedBlock) -> Result<()> {
        self.harness.l2.append(block.clone())?;
        self.harness.advance(vec![block.input()?], vec![])?;
        Ok(())
    }

    fn amount(&self) -> Result<u128> {
        let call = IPreconfBonds::bondsCall { account: self.sequencer.address() };
        Ok(self.harness.l1.read(self.bonds, &call)?.amount)
    }

    /// Commits to evidence and submits it. Requires that the contract punishes the fault and pays
    /// the reward.
    fn assert_slashed(&mut self, accusation: Accusation, penalty: u128) -> Result<()> {
        let (reporter, before) = (Key::named("alice"), self.amount()?);
        let commitment = accusation.commitment(&self.domain(), reporter.address(), SALT);
        let fault = accusation.fault() as u8;
        let commit = IPreconfBonds::commitCall { commitment };
        self.harness.l1.transact(&reporter, self.bonds, U256::ZERO, &commit)?;
        let input = accuse_calldata(accusation, SALT).into();
        let to = self.bonds.into();
        let sent = self.harness.l1.send(&reporter, to, U256::ZERO, input, 1 << 24)?;
        assert!(sent.receipt.success, "fault {fault} is refused");
        let log = sent.receipt.logs.first().ok_or_eyre("no event")?;
        let event = Slashed::decode_log(log)?;
        assert_eq!((event.fault as u8, event.account), (fault, self.sequencer.address()));
        assert_eq!(event.reward, U256::from(penalty / 10));
        assert_eq!(self.amount()?, before - penalty);
        Ok(())
    }

    /// Requires that the contract refuses evidence.
    fn assert_refused(&self, accusation: Accusation) -> Result<()> {
        let (from, data) = (Key::named("alice").address(), accuse_calldata(accusation, SALT));
        let tried = self.harness.l1.try_call(from, self.bonds, U256::ZERO, data.into())?;
        assert!(!tried.success);
        Ok(())
    }
}

#[test]
fn contract_slashes_equivocations_built_from_messages() -> Result<()> {
    for is_sealed in [true, false] {
        let mut bonded = Bonded::new()?;
        let [first, other] = bonded.transfers()?;
        let (a, b) = (bonded.seal(vec![first.clone()])?, bonded.seal(vec![other])?);
        let empty = bonded.seal(vec![])?;
        let [a, b] = [a, b].map(|built| bonded.promise(&built.block, is_sealed));
        // A prefix, and a block that goes on.
        let prefix = bonded.promise(&empty.block, false);
        let honest =
            bonded.judge(|context| Accusation::equivocation(prefix.block(), a.block(), context));
        assert_eq!(honest.map(drop), Err(Refusal::NotInConflict));
        bonded.assert_refused(Accusation::Equivocation {
            a: prefix.signed,
            b: a.signed.clone(),
            transaction: TransactionEvidence {
                index: 0,
                ours: Vec::new(),
                theirs: preconf::prove_transaction(&a.transactions, 0),
            },
        })?;
        let (accusation, _) =
            bonded.judge(|context| Accusation::equivocation(a.block(), b.block(), context))?;
        let Accusation::Equivocation { transaction, .. } = &accusation else { unreachable!() };
        assert_eq!(transaction.ours.is_empty(), is_sealed);
        bonded.assert_slashed(accusation, BOND)?;
    }
    Ok(())
}

#[test]
fn contract_slashes_broken_promises_with_proofs() -> Result<()> {
    for is_sealed in [true, false] {
        for is_head in [true, false] {
            let mut bonded = Bonded::new()?;
            let [first, other] = bonded.transfers()?;
            let (posted, promised) = (bonded.seal(vec![other])?, bonded.seal(vec![first])?);
            let (honest, broken) = (
                bonded.promise(&posted.block, is_sealed),
                bonded.promise(&promised.block, is_sealed),
            );
            bonded.post(&posted)?;
            let next = bonded.seal(vec![])?;
            if !is_head {
                bonded.post(&next)?;
            }
            let witness = (!is_head).then_some(&next.block);
            let canonical = canonical_block(bonded.harness.l2.chain(), &posted.block, witness)?;
            let theirs = posted.block.raw_transactions();
            let judge = |promise: &Promised, canonical: CanonicalBlock| {
                bonded.judge(|context| {
                    Accusation::broken(promise.block(), canonical, &theirs, context)
                })
            };
            let refused = judge(&honest, canonical.clone());
            assert_eq!(refused.map(drop), Err(Refusal::NotInConflict));
            let (accusation, _) = judge(&broken, canonical.clone())?;
            bonded.assert_refused(Accusation::Broken {
                signed: honest.signed,
                canonical: canonical.clone(),
                transaction: TransactionEvidence::default(),
            })?;
            // The witness proves the hash, not what the reporter says.
            bonded.assert_refused(Accusation::Broken {
                signed: broken.signed,
                canonical: CanonicalBlock { witness_block: 9, ..canonical },
                transaction: TransactionEvidence::default(),
            })?;
            bonded.assert_slashed(accusation, BOND)?;
        }
    }
    Ok(())
}

#[test]
fn contract_slashes_lies_about_state_and_receipts() -> Result<()> {
    let lies: [fn(&mut Block); 2] = [
        |block| block.header.state_root = B256::repeat_byte(1),
        |block| block.header.receipts_root = B256::repeat_byte(1),
    ];
    for lie in lies {
        let mut bonded = Bonded::new()?;
        let [transfer, _] = bonded.transfers()?;
        let valid = bonded.seal(vec![transfer])?;
        let header = Bytes::from(alloy_rlp::encode(&valid.block.header));
        let input = Bytes::from(valid.input()?);
        let mut lying = valid.block.clone();
        lie(&mut lying);
        let [honest, lying] = [&valid.block, &lying].map(|block| bonded.promise(block, false));
        let chain_id = valid.chain_id;
        let judge = |promise: &Promised| {
            let (header, input) = (header.clone(), input.clone());
            bonded
                .judge(|context| Accusation::lie(&promise.signed, header, input, chain_id, context))
        };
        assert!(judge(&honest).is_err());
        let (accusation, _) = judge(&lying)?;
        let signed = honest.signed;
        bonded.assert_refused(Accusation::Lie { signed, header, input })?;
        bonded.assert_slashed(accusation, BOND)?;
    }
    Ok(())
}

#[test]
fn contract_slashes_late_block_once() -> Result<()> {
    let mut bonded = Bonded::new()?;
    let block = bonded.seal(vec![])?;
    let promised = bonded.promise(&block.block, true);
    bonded.assert_refused(Accusation::Late { signed: promised.signed.clone() })?;
    bonded.harness.l1.skip(POST_WITHIN);
    let now = bonded.harness.l1.next_timestamp();
    let (accusation, _) =
        bonded.judge(|context| Accusation::late(&promised.signed, 0, now, 0, context))?;
    bonded.assert_slashed(accusation, BOND / 20)?;
    bonded.assert_refused(Accusation::Late { signed: promised.signed })
}
