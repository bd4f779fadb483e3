//! A sequencer that signs a header with a false log. A follower executes the transactions and finds
//! the lie, EXECUTE on L1 proves it, and the sequencer loses its bond.

use alloy_eips::eip2718::Decodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::{SolCall as _, SolError, SolEvent as _, SolValue as _};
use chain::{Block, ExecutedBlock};
use contracts::{
    L2_MESSENGER, accuse_calldata,
    bindings::{
        IHybridSequencing::BondTooSmall,
        IL2Messenger::{self, MessageSent},
        INativeRollup::{self, Evidence},
        IPreconfBonds::{self, OutcomesEqual, Slashed},
    },
};
use execute::Execute;
use eyre::{OptionExt as _, Result, ensure};
use preconf::{
    ClientView, Domain, Preconfirmation, PrefixUpdate, accept,
    evidence::{Accusation, SignedHeader},
    faults::Context,
};
use testkit::localnet::{devnet, report::Report, units::grouped};
use testkit::{
    Artifacts, ETHER, Key, L1, L2, Rollup, RollupFixture, TRANSACTION_GAS_CAP, Transaction,
};
use toolchain::progress_to_stderr;
use variants::{DialectName, Dialects};
use wire::ProtocolFork;

const L1_CHAIN: u64 = 31_337;
const L2_CHAIN: u64 = 8_079;
const FORK: ProtocolFork = ProtocolFork::Osaka;
/// Bond of the sequencer, in wei.
const BOND: u128 = 10 * ETHER;
/// Withdrawn amount in wei, and the amount in the false log.
const WITHDRAWN: u128 = ETHER;
const CLAIMED: u128 = 100 * ETHER;
/// Age of the head in seconds from which any account may advance, and of a signed block from which
/// any account may post it.
const TIMEOUT: u64 = 6_300;
const POST_DELAY: u64 = 300;
/// Seconds after a block's timestamp at which a promise ends: half of the rollup's maximum lag.
const POST_WITHIN: u64 = 1_800;
const SALT: B256 = B256::repeat_byte(0x5a);

/// A rollup whose sequencer has a bond.
struct BondedRollup {
    l1: L1,
    l2: L2,
    rollup: Rollup,
    bonds: Address,
    sequencer: Key,
}

/// Runs this part.
pub(crate) fn run(in_process: bool, report: &mut Report) -> Result<()> {
    report.part("A sequencer that lies about a log");
    let mut rollup = BondedRollup::create(in_process, report)?;
    let (alice, watcher) = (Key::named("alice"), Key::named("watcher"));
    let first = rollup.seal(vec![])?;
    rollup.advance(&first)?;
    rollup.l2.append(first)?;
    // A follower has the same blocks, and its own copy of them.
    let follower = rollup.l2.detached();

    let valid = rollup.withdrawal(&alice)?;
    let honest = rollup.sign(&valid, &valid.block)?;
    ensure!(
        rollup.follow(&follower, &honest.encode()?)?.is_none(),
        "an honest prefix was reported as a lie"
    );
    let lying = rollup.sign(&valid, &with_false_log(&valid.block)?)?;
    report.built(format!(
        "the sequencer signs a prefix in which Alice withdraws {} ETH; in the signed receipts it is {} ETH",
        WITHDRAWN / ETHER,
        CLAIMED / ETHER
    ));
    let accusation = rollup
        .follow(&follower, &lying.encode()?)?
        .ok_or_eyre("a follower accepts a header with a false log")?;
    report.refused(
        "a follower executes the prefix, gets other receipts, and keeps the signature as evidence"
            .to_owned(),
    );

    let Accusation::Lie { header, input, .. } = &accusation else {
        return Err(eyre::eyre!("another fault than a lie"));
    };
    let (header, input) = (header.clone(), input.clone());
    let of_honest = Accusation::Lie { signed: SignedHeader::from(&honest), header, input };
    rollup.refused::<OutcomesEqual>(
        watcher.address(),
        rollup.bonds,
        accuse_calldata(of_honest, SALT),
    )?;
    report.refused("evidence against the honest header of the same block is rejected".to_owned());

    let (gas, slashed) = rollup.accuse(&watcher, accusation)?;
    ensure!(slashed.account == rollup.sequencer.address(), "another account is slashed");
    ensure!(slashed.reward == U256::from(BOND / 10), "the reward is {}", slashed.reward);
    ensure!(rollup.bond()? == 0, "the sequencer still has {} wei", rollup.bond()?);
    report.shown(format!(
        "the follower commits, accuses a block later, and EXECUTE on L1 proves the lie for {} gas: {} ETH are burned, \
         and {} ETH are its reward",
        grouped(gas),
        slashed.burned / U256::from(ETHER),
        slashed.reward / U256::from(ETHER)
    ));
    let inputs = vec![valid.input()?.into()];
    let advance = INativeRollup::advanceCall { inputs, evidence: Evidence::default() };
    let sequencer = rollup.sequencer.address();
    rollup.refused::<BondTooSmall>(sequencer, rollup.rollup.address, advance.abi_encode())?;
    report.refused("without a bond the sequencer can no longer advance the rollup".to_owned());
    Ok(())
}

impl BondedRollup {
    fn create(in_process: bool, report: &mut Report) -> Result<Self> {
        let (operator, sequencer) = (Key::named("operator"), Key::named("sequencer"));
        let names = ["operator", "sequencer", "watcher"];
        let dialects = Dialects::usual(&[DialectName::Specs]);
        let mut l1 = devnet::l1(in_process, L1_CHAIN, Execute::on(FORK), &dialects, &names)?;
        let artifacts = Artifacts::load(&progress_to_stderr)?;
        let code = artifacts.get("PreconfBonds")?.init_code.clone();
        let bonds = l1.deploy(&operator, code)?;
        let code = artifacts.get("HybridSequencing")?.init_code.to_vec();
        let (recipient, min_bond) = (Address::ZERO, U256::from(BOND));
        let arguments = (sequencer.address(), recipient, TIMEOUT, POST_DELAY, bonds, min_bond)
            .abi_encode_params();
        let policy = l1.deploy(&operator, [code, arguments].concat().into())?;
        let deposit = IPreconfBonds::depositCall { account: sequencer.address() };
        l1.transact(&sequencer, bonds, min_bond, &deposit)?;
        let time = l1.chain().head().header.timestamp;
        let (l2, rollup) = RollupFixture::new(L2_CHAIN, FORK, time)?
            .rich(["alice"], 10 * ETHER)
            .with(|config| config.policy = policy)
            .deploy_in(&mut l1, &operator)?;
        report.built(format!(
            "a rollup under HybridSequencing, whose sequencer has a bond of {} ETH in PreconfBonds {bonds}",
            BOND / ETHER
        ));
        Ok(Self { l1, l2, rollup, bonds, sequencer })
    }

    const fn domain(&self) -> Domain {
        Domain { l1_chain_id: L1_CHAIN, contract: self.bonds }
    }

    /// Seals a block, which is not appended, one second after the head.
    fn seal(&self, transactions: Vec<Transaction>) -> Result<ExecutedBlock> {
        Ok(self.l2.seal_all(self.l2.next_timestamp(), B256::ZERO, transactions)?)
    }

    /// Seals a block with a withdrawal.
    fn withdrawal(&mut self, from: &Key) -> Result<ExecutedBlock> {
        let (to, value) = (from.address(), U256::from(WITHDRAWN));
        let call =
            IL2Messenger::sendCall { to, refundTo: to, gasLimit: 0, fee: 0, data: Bytes::new() };
        let data = call.abi_encode().into();
        let transaction = self.l2.sign(from, L2_MESSENGER.into(), value, data, 500_000)?;
        self.seal(vec![transaction])
    }

    /// Posts a block as the sequencer.
    fn advance(&mut self, block: &ExecutedBlock) -> Result<()> {
        let input = block.input()?;
        self.rollup.advance(&mut self.l1, &self.sequencer, input, Evidence::default())?;
        Ok(())
    }

    /// Signs this header as a prefix with the transactions of a block.
    fn sign(&self, of: &ExecutedBlock, signed: &Block) -> Result<PrefixUpdate> {
        let message = Preconfirmation {
            rollup: self.rollup.address,
            block_hash: signed.header.hash_slow(),
            schema: FORK.schema(),
            is_sealed: false,
            l1_block: 0,
            l1_hash: B256::ZERO,
        };
        let digest = message.digest(&self.domain());
        Ok(PrefixUpdate {
            message,
            signature: self.sequencer.sign_digest(&digest).as_bytes().into(),
            header: alloy_rlp::encode(&signed.header).into(),
            first: 0,
            transactions: of.block.raw_transactions(),
            tip: 0,
            floor: 0,
        })
    }

    /// Checks a published prefix as a follower does. Returns evidence if only the execution gives
    /// another header.
    fn follow(&self, follower: &L2, published: &[u8]) -> Result<Option<Accusation>> {
        let update = PrefixUpdate::decode(&Bytes::copy_from_slice(published))?;
        let head = &follower.chain().head();
        let view = ClientView {
            domain: self.domain(),
            rollup: self.rollup.address,
            head: head.hash,
            number: head.header.number,
            schema_at: &|_| Some(FORK.schema()),
            l1_head: self.l1.chain().head().header.number,
            is_canonical: &|_, _| false,
        };
        let (header, signer) = accept(&update, &view)?;
        ensure!(signer == self.sequencer.address(), "signed by {signer}");
        let transactions = update.transactions.iter();
        let transactions = transactions.map(|raw| Transaction::decode_2718_exact(raw));
        let transactions = transactions.collect::<Result<Vec<_>, _>>()?;
        let built = follower.seal_all(header.timestamp, B256::ZERO, transactions)?;
        let executed = &built.block.header;
        if executed.hash_slow() == header.hash {
            return Ok(None);
        }
        let (accusation, _) = Accusation::lie(
            &SignedHeader::from(&update),
            alloy_rlp::encode(executed).into(),
            built.input()?.into(),
            L2_CHAIN,
            &Context {
                domain: self.domain(),
                account_of: &|signer| signer,
                l1_hash: &|_| None,
                post_within: POST_WITHIN,
            },
        )?;
        Ok(Some(accusation))
    }

    /// Commits to evidence and submits it. Returns the gas of the accusation and its event.
    fn accuse(&mut self, reporter: &Key, accusation: Accusation) -> Result<(u64, Slashed)> {
        let commitment = accusation.commitment(&self.domain(), reporter.address(), SALT);
        let commit = IPreconfBonds::commitCall { commitment };
        self.l1.transact(reporter, self.bonds, U256::ZERO, &commit)?;
        let input = accuse_calldata(accusation, SALT).into();
        let to = self.bonds.into();
        let sent = self.l1.send(reporter, to, U256::ZERO, input, TRANSACTION_GAS_CAP)?;
        ensure!(sent.receipt.success, "L1 rejects the evidence");
        let log = sent.receipt.logs.first().ok_or_eyre("no event of a penalty")?;
        Ok((sent.gas_used, Slashed::decode_log(log)?.data))
    }

    /// Returns the bond of the sequencer in wei.
    fn bond(&self) -> Result<u128> {
        let call = IPreconfBonds::bondsCall { account: self.sequencer.address() };
        Ok(self.l1.read(self.bonds, &call)?.amount)
    }

    /// Checks that a call fails with this error.
    fn refused<E: SolError>(&self, from: Address, to: Address, data: Vec<u8>) -> Result<E> {
        Ok(self.l1.try_reverted(from, to, data.into())?)
    }
}

/// Returns the block with receipts in which a message to L1 has another value. All inputs of the
/// execution are the same.
fn with_false_log(block: &Block) -> Result<Block> {
    let mut lying = block.clone();
    let mut executed = lying.executed.clone();
    let mut logs = executed.receipts.iter_mut().flat_map(|receipt| &mut receipt.logs);
    let sent = logs.find(|log| log.address == L2_MESSENGER);
    let log = sent.ok_or_eyre("no message to L1")?;
    let mut event = MessageSent::decode_log(log)?.data;
    event.value = CLAIMED;
    log.data = event.encode_log_data();
    (lying.header.receipts_root, lying.header.logs_bloom) = executed.receipts_root_and_bloom();
    ensure!(lying.header.receipts_root != block.header.receipts_root, "the log is true");
    Ok(lying)
}
