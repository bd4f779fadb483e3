//! A rollup that nobody advances any more: anyone closes it, and its users are paid on L1 by proofs
//! against the last state.

mod tokens;

use self::tokens::Holder;
use alloy_primitives::{Address, Bytes, TxKind, U256, hex, utils::format_ether};
use alloy_sol_types::{SolCall, SolError, SolValue as _};
use chain::CallOutcome;
use contracts::{
    L2_MESSENGER, Message, alias_account,
    bindings::{
        IL1MessageQueue::{self, QueueClosed},
        INativeRollup::{self, Evidence},
        IRollupExit::{AlreadyExited, CallerNotAccount, NotLost},
    },
    code_reference::PROXY,
    exit::{
        AccountExit, Closing, ExitError, MessageReturn, MessageSearch, RELAYED_SLOT,
        messenger_slots,
    },
};
use execute::Execute;
use eyre::{OptionExt as _, Result, ensure};
use testkit::localnet::{devnet, report::Report, units::grouped};
use testkit::{Artifacts, ETHER, Key, L1, L2, Rollup, RollupFixture, Transaction};
use toolchain::{Toolchain, progress_to_stderr};
use variants::{DialectName, Dialects};
use wire::ProtocolFork;

const L1_CHAIN: u64 = 31_337;
const L2_CHAIN: u64 = 8_079;
/// Seconds without a block after which the rollup can be closed: the minimum.
const LOST_AFTER: u64 = 30 * 86_400;
/// Wei in the L2 genesis, for Alice, the operator and Dave.
const GENESIS: u128 = 12 * ETHER;
/// Init code of a contract without functions, which has the code 0x00.
const MUTE: &[u8] = &hex!("6001 5f f3");

/// The rollup and its two chains.
struct World {
    l1: L1,
    l2: L2,
    rollup: Rollup,
    operator: Key,
    /// Messages to the L2, with number and timestamp of their L1 block.
    sent: Vec<(Message, u64, u64)>,
    /// Number of messages that the last block has relayed.
    relayed: usize,
}

/// Runs this part.
pub(crate) fn run(in_process: bool, report: &mut Report) -> Result<()> {
    report.part("A rollup that nobody advances any more");
    let (alice, bob, carol) = (Key::named("alice"), Key::named("bob"), Key::named("carol"));
    let mut world = World::create(in_process, report)?;
    let multisig = world.multisig(&alice, &bob)?;
    let account = alias_account(multisig);
    world.deposit(&alice, account, alice.address(), 2 * ETHER)?;
    let holder = Holder::create(&mut world, Key::named("dave"))?;
    let mute = alice.address().create(1);
    let deployment = holder.deployment(&mut world)?;
    world.last_block(deployment, &alice, bob.address())?;
    report.built(
        "a last block: Alice pays Bob 1 ETH and a contract 1 ETH, and a multisig on L1 has deposited 2 ETH to \
         its alias account"
            .to_owned(),
    );
    let unrelayed = world.sent.len() as u64;
    world.deposit(&alice, bob.address(), alice.address(), 3 * ETHER)?;
    holder.deposit(&mut world)?;
    report.built(
        "Alice deposits 3 ETH, and the holder of a token more of it, but the operator stops for good"
            .to_owned(),
    );
    let advance = world.next_block()?;

    let closing =
        Closing::new(world.l2.state_root(), world.l2.prove(L2_MESSENGER, &[RELAYED_SLOT])?)?;
    let exit = world.rollup.exit;
    let not_lost = world.refused::<NotLost>(&carol, exit, &closing.calldata)?;
    let from: u64 = not_lost.from.saturating_to();
    world.l1.skip(from - 1 - world.l1.next_timestamp());
    world.refused::<NotLost>(&carol, exit, &closing.calldata)?;
    let tried = world.try_call(&carol, world.rollup.address, &advance)?;
    ensure!(tried.success, "one block of anyone would not keep the rollup open: {tried:?}");
    world.l1.skip(1);
    let gas = world.call(&carol, exit, &closing.calldata)?;
    report.survived(format!(
        "after {} days without a block, and not a second earlier, a stranger closes the rollup for {} L1 gas",
        LOST_AFTER / 86_400,
        grouped(gas)
    ));
    world.refuse_progress(&alice, &advance, report)?;
    let escrow = world.escrow()?;
    world.pay_accounts([&alice, &bob, &carol], multisig, report)?;
    let error = world.exit(mute, None)?.err().ok_or_eyre("a contract of the L2 is paid")?;
    ensure!(matches!(error, ExitError::Contract { .. }), "another error: {error}");
    report.shown(format!("no proof pays the contract: {error}"));
    holder.leave(&mut world, &carol, report)?;
    world.return_message(&alice, unrelayed, report)?;
    holder.take_back(&mut world, unrelayed + 1, report)?;
    let paid = escrow - world.escrow()?;
    report.shown(format!(
        "the escrow has paid {} of {} ETH, and keeps that of contracts, of accounts that have not left, and \
         burned fees",
        shown(paid),
        shown(escrow)
    ));
    Ok(())
}

impl World {
    fn create(in_process: bool, report: &mut Report) -> Result<Self> {
        let (operator, names) =
            (Key::named("operator"), ["operator", "alice", "bob", "carol", "dave"]);
        let fork = ProtocolFork::Osaka;
        let dialects = Dialects::usual(&[DialectName::Specs]);
        let mut l1 = devnet::l1(in_process, L1_CHAIN, Execute::on(fork), &dialects, &names)?;
        let time = l1.chain().head().header.timestamp;
        let (l2, rollup) = RollupFixture::new(L2_CHAIN, fork, time)?
            // Almost all chains have the CREATE2 proxy, which deploys the code of bridged tokens.
            .accounts(L1::genesis(L1_CHAIN, &[]).alloc.remove_entry(&PROXY))
            .rich(["alice"], 10 * ETHER)
            .rich(["operator", "dave"], ETHER)
            .with(|config| config.lost_after = Some(LOST_AFTER))
            .deploy_in(&mut l1, &operator)?;
        let back = IL1MessageQueue::backCall {};
        l1.transact(&operator, rollup.message_queue, U256::from(GENESIS), &back)?;
        report.built(format!("NativeRollup deployed with the exit {}", rollup.exit));
        Ok(Self { l1, l2, rollup, operator, sent: Vec::new(), relayed: 0 })
    }

    /// Deploys a multisig on L1.
    fn multisig(&mut self, first: &Key, second: &Key) -> Result<Address> {
        let tools = Toolchain::ensure(&progress_to_stderr)?;
        let made = Artifacts::compile_files(&tools, &["test/utils/Multisig.sol"])?;
        let code = made.get("Multisig")?.init_code.to_vec();
        let owners = (first.address(), second.address()).abi_encode_params();
        Ok(self.l1.deploy(first, [code, owners].concat().into())?)
    }

    /// Sends wei to an account on the L2.
    fn deposit(&mut self, from: &Key, to: Address, refund_to: Address, wei: u128) -> Result<()> {
        let call = IL1MessageQueue::sendCall {
            to,
            refundTo: refund_to,
            gasLimit: 0,
            fee: 0,
            data: Bytes::new(),
        };
        self.send(from, self.rollup.message_queue, U256::from(wei), &call)
    }

    /// Calls a contract that sends a message to the L2.
    fn send<C: SolCall>(&mut self, from: &Key, to: Address, wei: U256, call: &C) -> Result<()> {
        let sent = self.l1.transact(from, to, wei, call)?;
        let (number, time) = (sent.block.header.number, sent.block.header.timestamp);
        let messages = self.rollup.messages_in(&sent.block);
        self.sent.extend(messages.into_iter().map(|message| (message, number, time)));
        Ok(())
    }

    /// Advances the rollup by a block that relays all messages after these transactions, and in
    /// which Alice pays Bob and a new contract.
    fn last_block(
        &mut self,
        mut transactions: Vec<Transaction>,
        alice: &Key,
        bob: Address,
    ) -> Result<()> {
        let (anchor, update) = self.rollup.newest_anchor(&self.l1, 0)?;
        let messages: Vec<_> = self.sent.iter().map(|(message, ..)| message.clone()).collect();
        let (operator, wei) = (self.operator.clone(), U256::from(ETHER));
        transactions.extend([
            self.l2.prove_anchor(&operator, &anchor)?,
            self.l2.relay(&operator, &messages, operator.address())?,
            self.l2.sign(alice, bob.into(), wei, Bytes::new(), 21_000)?,
            self.l2.sign(alice, TxKind::Create, wei, MUTE.into(), 100_000)?,
        ]);
        let time = self.l2.next_timestamp();
        let block = self.l2.seal_successes(time, anchor.hash(), transactions)?;
        let evidence = Evidence { updates: vec![update], ..Default::default() };
        self.rollup.advance(&mut self.l1, &operator, block.input()?, evidence)?;
        self.l2.append(block)?;
        self.relayed = self.sent.len();
        Ok(())
    }

    /// Returns the call that advances the rollup by a valid block, which relays the other messages.
    fn next_block(&self) -> Result<Bytes> {
        let (anchor, update) = self.rollup.newest_anchor(&self.l1, 0)?;
        let messages = &self.sent[self.relayed..];
        let messages: Vec<_> = messages.iter().map(|(message, ..)| message.clone()).collect();
        let mut ahead = self.l2.detached();
        let transactions = vec![
            ahead.prove_anchor(&self.operator, &anchor)?,
            ahead.relay(&self.operator, &messages, self.operator.address())?,
        ];
        let time = ahead.chain().head().header.timestamp + LOST_AFTER;
        let block = ahead.seal_all(time, anchor.hash(), transactions)?;
        let inputs = vec![block.input()?.into()];
        ahead.append(block)?;
        let proof = ahead.prove(L2_MESSENGER, &[RELAYED_SLOT])?;
        let state: INativeRollup::Checkpoint =
            self.l1.read(self.rollup.message_queue, &IL1MessageQueue::checkpointCall {})?.into();
        let relay = INativeRollup::RelayProof {
            index: 0,
            accountProof: proof.nodes,
            storageProof: proof.slots.into_iter().flat_map(|slot| slot.nodes).collect(),
            before: state.clone(),
            next: state,
        };
        let evidence =
            Evidence { updates: vec![update], relays: vec![relay], ..Default::default() };
        Ok(INativeRollup::advanceCall { inputs, evidence }.abi_encode().into())
    }

    /// Checks that the closed rollup accepts neither a block nor a message.
    fn refuse_progress(&self, alice: &Key, advance: &Bytes, report: &mut Report) -> Result<()> {
        self.refused::<QueueClosed>(alice, self.rollup.address, advance)?;
        let to = alice.address();
        let send =
            IL1MessageQueue::sendCall { to, refundTo: to, gasLimit: 0, fee: 0, data: Bytes::new() };
        let (queue, send) = (self.rollup.message_queue, send.abi_encode().into());
        self.refused::<IL1MessageQueue::CheckpointsExhausted>(alice, queue, &send)?;
        report.refused("the closed rollup accepts no block, and its queue no message".to_owned());
        Ok(())
    }

    /// Pays Alice and Bob, and a multisig for its alias account.
    fn pay_accounts(
        &mut self,
        [alice, bob, carol]: [&Key; 3],
        multisig: Address,
        report: &mut Report,
    ) -> Result<()> {
        let exit = self.exit(alice.address(), None)??;
        let (gas, amount) = self.pay(carol, &exit)?;
        report.shown(format!(
            "anyone has Alice's {} ETH paid to her on L1, for {} L1 gas",
            shown(amount),
            grouped(gas)
        ));
        self.refused::<AlreadyExited>(carol, self.rollup.exit, &exit.calldata)?;
        report.refused("a second payment of Alice is rejected".to_owned());
        let exit = self.exit(bob.address(), None)??;
        self.refused::<CallerNotAccount>(carol, self.rollup.exit, &exit.calldata)?;
        let (_, amount) = self.pay(bob, &exit)?;
        report.shown(format!(
            "Bob has signed nothing on the L2, so that only he himself is paid his {} ETH",
            shown(amount)
        ));
        let exit = self.exit(alias_account(multisig), Some(multisig))??;
        let (_, amount) = self.pay(carol, &exit)?;
        report
            .shown(format!("the multisig is paid the {} ETH of its alias account", shown(amount)));
        Ok(())
    }

    /// Returns the ETH of a message that was never relayed.
    fn return_message(&mut self, alice: &Key, index: u64, report: &mut Report) -> Result<()> {
        let search = self.search(index)?;
        let expected = IL1MessageQueue::checkpointCall {};
        let expected = self.l1.read(self.rollup.message_queue, &expected)?;
        ensure!(*search.state() == expected, "the queue has {} messages", expected.count);
        let found = search.finish()?;
        let proof = self.l2.prove(L2_MESSENGER, &messenger_slots(&found.message))?;
        let returned = MessageReturn::new(self.l2.state_root(), &found, &proof)?;
        let before = self.escrow()?;
        self.call(alice, self.rollup.exit, &returned.calldata)?;
        ensure!(before - self.escrow()? == returned.amount, "another amount was returned");
        report.shown(format!(
            "Alice's deposit, which no block has relayed, is returned: {} ETH",
            shown(returned.amount)
        ));
        Ok(())
    }

    fn search(&self, index: u64) -> Result<MessageSearch> {
        let mut search = MessageSearch::new(index);
        for (message, l1_block, timestamp) in &self.sent {
            search.push(message.clone(), *l1_block, *timestamp)?;
        }
        Ok(search)
    }

    fn exit(
        &self,
        address: Address,
        l1: Option<Address>,
    ) -> Result<Result<AccountExit, ExitError>> {
        let (code, proof) = (self.l2.chain().code(address)?, self.l2.prove(address, &[])?);
        Ok(AccountExit::new(self.l2.state_root(), address, l1, &code, proof))
    }

    fn escrow(&self) -> Result<U256> {
        Ok(self.l1.chain().balance(self.rollup.message_queue)?)
    }

    /// Sends a payment; returns its gas and its amount.
    fn pay(&mut self, from: &Key, exit: &AccountExit) -> Result<(u64, U256)> {
        let before = (self.escrow()?, self.l1.chain().balance(exit.recipient)?);
        let gas = self.call(from, self.rollup.exit, &exit.calldata)?;
        ensure!(before.0 - self.escrow()? == exit.amount, "another amount was paid");
        if exit.recipient != from.address() {
            let got = self.l1.chain().balance(exit.recipient)?;
            ensure!(got == before.1 + exit.amount, "{} has {got} wei", exit.recipient);
        }
        Ok((gas, exit.amount))
    }

    /// Simulates a call in the next block.
    fn try_call(&self, from: &Key, to: Address, calldata: &Bytes) -> Result<CallOutcome> {
        Ok(self.l1.try_call(from.address(), to, U256::ZERO, calldata.clone())?)
    }

    /// Sends calldata to a contract; returns the transaction's gas.
    fn call(&mut self, from: &Key, to: Address, calldata: &Bytes) -> Result<u64> {
        Ok(self.l1.transact_raw(from, to, U256::ZERO, calldata.clone())?.gas_used)
    }

    /// Checks that a contract rejects calldata with this error.
    fn refused<E: SolError>(&self, from: &Key, to: Address, calldata: &Bytes) -> Result<E> {
        Ok(self.l1.try_reverted(from.address(), to, calldata.clone())?)
    }
}

/// Formats an amount of wei in ether.
fn shown(wei: U256) -> String {
    let text = format_ether(wei);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
