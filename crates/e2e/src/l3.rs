//! A rollup on a rollup: an L2 with EXECUTE, an L3 on it, and a withdrawal from the L3 through the
//! L2 to L1.

use crate::in_process::forgeries::{ExecuteFailed, forged};
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::{SolCall as _, SolError as _, SolEvent as _};
use chain::Block;
use contracts::{
    L2_MESSENGER, Message,
    bindings::{
        IL1MessageQueue, IL2Messenger,
        INativeRollup::{self, AnchorUpdate, Evidence},
    },
    capacity::{ENVELOPE_BYTES, TRANSACTION_BYTES},
    logged_message, message_proof, sent_slot,
};
use execute::Execute;
use eyre::{OptionExt as _, Result, ensure};
use testkit::localnet::{
    devnet,
    report::Report,
    units::{bytes, grouped},
};
use testkit::{ETHER, HarnessError, Key, L1, L2, Rollup, RollupFixture, Sent, TRANSACTION_GAS_CAP};
use variants::{DialectCall, DialectName, Dialects, Nested};
use wire::ProtocolFork;

const L1_CHAIN: u64 = 31_337;
const L2_CHAIN: u64 = 8_079;
const L3_CHAIN: u64 = 80_791;
/// Gas limit of L2 blocks, each of which an L1 transaction verifies.
const L2_GAS_LIMIT: u64 = 10_000_000;
/// Gas limit of L3 blocks, each of which an L2 transaction verifies.
const L3_GAS_LIMIT: u64 = 10_000_000;
/// Withdrawn amount in wei.
const WITHDRAWN: u128 = ETHER;

/// A rollup on its parent chain.
struct Posted {
    rollup: Rollup,
    /// Anchor of its blocks.
    anchor: B256,
    /// Evidence of the anchor, until a block has submitted it.
    update: Option<AnchorUpdate>,
}

impl Posted {
    /// Deploys a rollup on its parent chain, and funds its escrow, because the balances in its
    /// genesis were not deposited.
    fn create(fixture: RollupFixture, parent: &mut L1, operator: &Key) -> Result<(L2, Self)> {
        let (chain, rollup) = fixture.deploy_in(parent, operator)?;
        let (anchor, update) = rollup.newest_anchor(parent, 0)?;
        let to = operator.address();
        let deposit =
            IL1MessageQueue::sendCall { to, refundTo: to, gasLimit: 0, fee: 0, data: Bytes::new() };
        parent.transact(operator, rollup.message_queue, U256::from(2 * WITHDRAWN), &deposit)?;
        Ok((chain, Self { rollup, anchor: anchor.hash(), update: Some(update) }))
    }

    /// Returns the call that advances the rollup by one input.
    fn call(&self, input: Bytes) -> INativeRollup::advanceCall {
        let updates = self.update.iter().cloned().collect();
        let evidence = Evidence { updates, ..Default::default() };
        INativeRollup::advanceCall { inputs: vec![input], evidence }
    }

    /// Advances the rollup by one input.
    fn advance(&mut self, parent: &mut L1, operator: &Key, input: Bytes) -> Result<Sent> {
        let call = self.call(input);
        self.update = None;
        Ok(parent.transact(operator, self.rollup.address, U256::ZERO, &call)?)
    }

    /// Claims a message on the parent chain with a proof against the rollup's latest state.
    fn claim(
        &self,
        parent: &mut L1,
        claimant: &Key,
        chain: &chain::Chain,
        message: &Message,
    ) -> Result<()> {
        let head = chain.head();
        let proof = chain.prove(head, L2_MESSENGER, &[sent_slot(message.index)])?;
        let call = IL1MessageQueue::claimCall {
            message: message.into(),
            proof: message_proof(head.header.number, proof),
            feeRecipient: claimant.address(),
        };
        parent.transact(claimant, self.rollup.message_queue, U256::ZERO, &call)?;
        Ok(())
    }
}

/// The three chains.
struct ThreeChains {
    l1: L1,
    /// The L2, which is the parent chain of the L3.
    l2: L1,
    l3: L2,
    on_l1: Posted,
    on_l2: Posted,
    operator: Key,
    /// Number of the last L2 block that is on L1.
    posted: u64,
}

/// Runs this part.
pub(crate) fn run(in_process: bool, report: &mut Report) -> Result<()> {
    report.part("A rollup on a rollup");
    let mut chains = ThreeChains::create(in_process, report)?;
    let alice = Key::named("alice");
    let carol = Key::named("carol").address();

    let withdrawal = |to: Address| IL2Messenger::sendCall {
        to,
        refundTo: to,
        gasLimit: 0,
        fee: 0,
        data: Bytes::new(),
    };
    let value = U256::from(WITHDRAWN);
    let data = withdrawal(alice.address()).abi_encode().into();
    let transaction = chains.l3.sign(&alice, L2_MESSENGER.into(), value, data, 500_000)?;
    let message = chains.advance_l3(vec![transaction], report)?;
    chains.refuse_a_forged_l3_block(&alice)?;
    report.shown("the L2's EXECUTE rejects an L3 block with another state root".to_owned());

    let before = chains.l2.chain().balance(alice.address())?;
    chains.on_l2.claim(&mut chains.l2, &alice, chains.l3.chain(), &message)?;
    chains.post(report)?;
    let after = chains.l2.chain().balance(alice.address())?;
    ensure!(
        after > before,
        "after the claim of {value} wei Alice has {after} wei, before {before}"
    );
    report.shown("Alice claims her withdrawal from the L3 on the L2".to_owned());

    let sent = chains.l2.transact(&alice, L2_MESSENGER, value, &withdrawal(carol))?;
    let message = message_in(&sent.block)?;
    chains.post(report)?;
    chains.on_l1.claim(&mut chains.l1, &alice, chains.l2.chain(), &message)?;
    let got = chains.l1.chain().balance(carol)?;
    ensure!(got == value, "Carol has {got} wei on L1");
    report.shown("and withdraws it to L1: Carol has 1 ETH on L1 that came from the L3".to_owned());
    chains.fill(&alice, report)
}

impl ThreeChains {
    fn create(in_process: bool, report: &mut Report) -> Result<Self> {
        let operator = Key::named("operator");
        let names = ["operator", "alice"];
        let execute = Execute::default();
        let dialects = Dialects::usual(&[DialectName::Nested, DialectName::Blobs]);
        let l1 = devnet::l1(in_process, L1_CHAIN, execute.clone(), &dialects, &names)?;
        if let Some(devnet) = l1.node() {
            let url = devnet.client().url();
            report.built(format!("a devnet with nested EXECUTE listens at {url}"));
        }
        let mut l1 = l1.with_dialects(execute.clone(), &dialects);
        let time = l1.chain().head().header.timestamp;
        let fixture = |chain, gas_limit| {
            let fixture = RollupFixture::new(chain, ProtocolFork::Osaka, time)?;
            eyre::Ok(fixture.gas_limit(gas_limit).rich(names, 100 * ETHER))
        };
        let schema = Nested::schema(ProtocolFork::Osaka);
        let l2 = fixture(L2_CHAIN, L2_GAS_LIMIT)?.with(|config| config.schema = schema);
        let (l2, on_l1) = Posted::create(l2, &mut l1, &operator)?;
        let mut l2 = L1::on_l2(l2, Nested::execute_of_l2(&execute), on_l1.anchor);
        let (l3, on_l2) = Posted::create(fixture(L3_CHAIN, L3_GAS_LIMIT)?, &mut l2, &operator)?;
        let mut chains = Self { l1, l2, l3, on_l1, on_l2, operator, posted: 0 };
        chains.post(report)?;
        report.built(format!(
            "an L2 that has EXECUTE, and an L3 whose rollup contract is on the L2 at {}; L1 has verified the {} blocks \
             of its deployment",
            chains.on_l2.rollup.address, chains.posted,
        ));
        Ok(chains)
    }

    /// Posts all L2 blocks that are not on L1 yet. Returns the L1 gas of the last one.
    fn post(&mut self, report: &Report) -> Result<u64> {
        let mut gas_used = 0;
        while self.posted < self.l2.chain().head().header.number {
            let number = self.posted + 1;
            report.doing(&format!("L2 block {number}"));
            let input = self.l2_input(number)?;
            let sent = self.on_l1.advance(&mut self.l1, &self.operator, input)?;
            ensure!(sent.gas_used <= TRANSACTION_GAS_CAP, "EIP-7825");
            (self.posted, gas_used) = (number, sent.gas_used);
        }
        Ok(gas_used)
    }

    /// Returns the input of an L2 block for the EXECUTE of L1.
    fn l2_input(&self, number: u64) -> Result<Bytes> {
        let block = self.l2.chain().canonical_block(number)?.ok_or_eyre("no such L2 block")?;
        let witness = self.l2.chain().witness_of(&block)?.ok_or_eyre("no witness")?;
        let input = block.input(ProtocolFork::Osaka, L2_CHAIN, &witness)?;
        Ok(DialectName::Nested.encode(&input)?.calldata.into())
    }

    /// Verifies an L2 block by a blob transaction on a discarded block of L1. Returns its gas.
    fn try_by_blobs(&self, input: &[u8]) -> Result<u64> {
        let DialectCall { calldata, blobs } = DialectName::Blobs.encode(input)?;
        let (call, to) = (self.on_l1.call(calldata.into()), self.on_l1.rollup.address);
        let receipt =
            self.l1.try_with_blobs(&self.operator, to, call.abi_encode().into(), &blobs)?;
        ensure!(receipt.success, "L1 rejects an L2 block of {} bytes in blobs", input.len());
        Ok(receipt.cumulative_gas_used)
    }

    /// Seals an L3 block, verifies it on the L2, and verifies that L2 block on L1. Returns the
    /// message that the block sends.
    fn advance_l3(
        &mut self,
        transactions: Vec<testkit::Transaction>,
        report: &mut Report,
    ) -> Result<Message> {
        let block = self.l3.seal_all(self.l3.next_timestamp(), self.on_l2.anchor, transactions)?;
        let input = Bytes::from(block.input()?);
        let size = input.len();
        let on_l2 = self.on_l2.advance(&mut self.l2, &self.operator, input)?;
        let block = self.l3.append(block)?;
        let before = self.posted;
        let l1_gas = self.post(report)?;
        ensure!(self.posted == before + 1, "expected a single L2 block with the L3 block");
        report.shown(format!(
            "an L3 block of {} gas is {} in an L2 transaction of {} gas, and L1 verifies that L2 block for {} gas",
            grouped(block.header.gas_used),
            bytes(size),
            grouped(on_l2.gas_used),
            grouped(l1_gas),
        ));
        message_in(&block)
    }

    /// Increases the number of transfers in an L3 block while an L2 transaction, with the gas of a
    /// whole block, can verify it, and an L1 transaction can verify that L2 block from calldata. L1
    /// verifies the first L2 block that is too long for calldata from blobs.
    fn fill(&mut self, alice: &Key, report: &mut Report) -> Result<()> {
        let (mut largest, mut by_blobs) = (None, None);
        let mut count = 8;
        let limit = loop {
            let transfers = (0..count).map(|index| {
                let to = Key::named(&format!("payee {count} {index}")).address();
                self.l3.sign(alice, to.into(), U256::from(1), Bytes::new(), 21_000)
            });
            let transfers = transfers.collect::<Result<Vec<_>, _>>()?;
            let block = self.l3.seal_all(self.l3.next_timestamp(), self.on_l2.anchor, transfers)?;
            let input = Bytes::from(block.input()?);
            let size = input.len();
            let on_l2 = match self.on_l2.advance(&mut self.l2, &self.operator, input) {
                Ok(sent) => sent,
                Err(error) if is_short_of_gas(&error) => break "the gas limit of an L2 transaction",
                Err(error) => return Err(error),
            };
            let input = self.l2_input(self.posted + 1)?;
            if self.on_l1.call(input.clone()).abi_encoded_size() + ENVELOPE_BYTES
                > TRANSACTION_BYTES
            {
                by_blobs = Some((count, size, on_l2.gas_used, self.try_by_blobs(&input)?));
                break "the size limit of an L1 transaction";
            }
            self.l3.append(block)?;
            largest = Some((count, size, on_l2.gas_used, self.post(report)?));
            count += count / 4;
        };
        let block = |(transfers, size, l2_gas, l1_gas)| {
            format!(
                "an L3 block of {transfers} transfers to new accounts ({}, {} L2 gas, {} L1 gas)",
                bytes(size),
                grouped(l2_gas),
                grouped(l1_gas),
            )
        };
        let largest = block(largest.ok_or_eyre("no L3 block fits")?);
        report
            .shown(format!("one L1 transaction verifies {largest}; a quarter more exceed {limit}"));
        let by_blobs = block(by_blobs.ok_or_eyre("no L2 block is too long for calldata")?);
        report.shown(format!("one L1 transaction with blobs verifies {by_blobs}"));
        Ok(())
    }

    /// Checks that the L2 rejects an L3 block with another state root.
    fn refuse_a_forged_l3_block(&mut self, alice: &Key) -> Result<()> {
        let bob = Key::named("bob").address();
        let transfer = self.l3.sign(alice, bob.into(), U256::from(1), Bytes::new(), 21_000)?;
        let block =
            self.l3.seal_all(self.l3.next_timestamp(), self.on_l2.anchor, vec![transfer])?;
        let honest = block.input()?;
        let forged = forged(&honest, |input| {
            input.request.payload.state_root = B256::repeat_byte(0xee);
        })?;
        ensure!(!self.l2_accepts(forged)?, "the L2 accepts a forged L3 block");
        ensure!(self.l2_accepts(honest)?, "the L2 rejects an honest L3 block");
        self.l3.forget_pending();
        Ok(())
    }

    /// Returns `true` if the rollup contract on the L2 would accept this input.
    fn l2_accepts(&self, input: Vec<u8>) -> Result<bool> {
        let call = INativeRollup::advanceCall {
            inputs: vec![input.into()],
            evidence: Evidence::default(),
        };
        let (from, to) = (self.operator.address(), self.on_l2.rollup.address);
        let outcome = self.l2.try_call(from, to, U256::ZERO, call.abi_encode().into())?;
        ensure!(
            outcome.success || outcome.output == ExecuteFailed {}.abi_encode(),
            "rejected before EXECUTE: {}",
            outcome.output
        );
        Ok(outcome.success)
    }
}

/// Returns `true` if EXECUTE failed. The inputs are honest, so the reason is too little gas.
fn is_short_of_gas(error: &eyre::Report) -> bool {
    let refusal = ExecuteFailed {}.abi_encode();
    matches!(error.downcast_ref(), Some(HarnessError::Reverted { output, .. }) if **output == refusal)
}

/// Returns the only message to the parent chain that a block sends.
fn message_in(block: &Block) -> Result<Message> {
    let logs = block.executed.receipts.iter().flat_map(|receipt| &receipt.logs);
    let sent = logs.filter(|log| log.address == L2_MESSENGER).collect::<Vec<_>>();
    ensure!(sent.len() == 1, "{} messages", sent.len());
    let index = IL2Messenger::MessageSent::decode_log(sent[0])?.index;
    Ok(logged_message(sent[0], index)?)
}
