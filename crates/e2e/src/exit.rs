//! A rollup that is no longer advanced: anyone closes it, and its users are paid on L1 by proofs
//! against the last state.

mod tokens;

use self::tokens::Holder;
use alloy_primitives::{Address, Bytes, TxKind, U256, hex, utils::format_ether};
use alloy_sol_types::{SolCall, SolError, SolValue as _};
use contracts::{
    L2_MESSENGER, alias_account,
    bindings::{
        IL1MessageQueue::{self, QueueClosed},
        INativeRollup::{self, Evidence},
        IRollupExit::{AlreadyExited, CallerNotAccount, NotLost},
    },
    code_reference::PROXY,
    exit::{AccountExit, Closing, ExitError, MessageReturn, RELAYED_SLOT, messenger_slots},
};
use execute::Execute;
use eyre::{OptionExt as _, Result, ensure};
use testkit::localnet::{devnet, report::Report, units::grouped};
use testkit::{Artifacts, ETHER, InProcessRollup, Key, L1, RollupFixture, Transaction};
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

/// Runs this part.
pub(crate) fn run(in_process: bool, report: &mut Report) -> Result<()> {
    report.part("A rollup that is no longer advanced");
    let (alice, bob, carol) = (Key::named("alice"), Key::named("bob"), Key::named("carol"));
    let mut rollup = create(in_process, report)?;
    let multisig = multisig(&mut rollup, &alice, &bob)?;
    let account = alias_account(multisig);
    deposit(&mut rollup, &alice, account, alice.address(), 2 * ETHER)?;
    let holder = Holder::create(&mut rollup, Key::named("dave"))?;
    let mute = alice.address().create(1);
    let deployment = holder.deployment(&mut rollup)?;
    last_block(&mut rollup, deployment, &alice, bob.address())?;
    report.built(
        "a last block: Alice pays Bob 1 ETH and a contract 1 ETH, and a multisig on L1 has deposited 2 ETH to \
         its alias account"
            .to_owned(),
    );
    let unrelayed = rollup.sent.len();
    deposit(&mut rollup, &alice, bob.address(), alice.address(), 3 * ETHER)?;
    holder.deposit(&mut rollup)?;
    report.built(
        "Alice deposits 3 ETH, and a token holder deposits more units, but the operator stops permanently"
            .to_owned(),
    );
    let advance = next_block(&rollup, unrelayed)?;

    let closing =
        Closing::new(rollup.l2.state_root(), rollup.l2.prove(L2_MESSENGER, &[RELAYED_SLOT])?)?;
    let exit = rollup.contracts.exit;
    let not_lost = refused::<NotLost>(&rollup, &carol, exit, &closing.calldata)?;
    let from: u64 = not_lost.from.saturating_to();
    rollup.l1.skip(from - 1 - rollup.l1.next_timestamp());
    refused::<NotLost>(&rollup, &carol, exit, &closing.calldata)?;
    let to = rollup.contracts.address;
    let tried = rollup.l1.try_call(carol.address(), to, U256::ZERO, advance.clone())?;
    ensure!(tried.success, "a block by anyone would not keep the rollup open: {tried:?}");
    rollup.l1.skip(1);
    let gas = call(&mut rollup, &carol, exit, &closing.calldata)?;
    report.survived(format!(
        "after {} days without a block, and not a second earlier, another account closes the rollup for {} L1 gas",
        LOST_AFTER / 86_400,
        grouped(gas)
    ));
    refuse_progress(&rollup, &alice, &advance, report)?;
    let before = escrow(&rollup)?;
    pay_accounts(&mut rollup, [&alice, &bob, &carol], multisig, report)?;
    let error = rollup.exit(mute, None)?.err().ok_or_eyre("a contract of the L2 is paid")?;
    ensure!(matches!(error, ExitError::Contract { .. }), "another error: {error}");
    report.shown(format!("no proof pays the contract: {error}"));
    holder.leave(&mut rollup, &carol, report)?;
    return_message(&mut rollup, &alice, unrelayed as u64, report)?;
    holder.take_back(&mut rollup, unrelayed as u64 + 1, report)?;
    let paid = before - escrow(&rollup)?;
    report.shown(format!(
        "the escrow has paid {} of {} ETH, and keeps that of contracts, of accounts that have not left, and \
         burned fees",
        shown(paid),
        shown(before)
    ));
    Ok(())
}

/// Deploys the rollup, whose escrow backs its genesis.
fn create(in_process: bool, report: &mut Report) -> Result<InProcessRollup> {
    let (operator, names) = (Key::named("operator"), ["operator", "alice", "bob", "carol", "dave"]);
    let fork = ProtocolFork::Osaka;
    let dialects = Dialects::usual(&[DialectName::Specs]);
    let l1 = devnet::l1(in_process, L1_CHAIN, Execute::on(fork), &dialects, &names)?;
    let time = l1.chain().head().header.timestamp;
    let mut rollup = RollupFixture::new(L2_CHAIN, fork, time)?
        // Almost all chains have the CREATE2 proxy, which deploys the code of bridged tokens.
        .accounts(L1::genesis(fork, L1_CHAIN, &[]).alloc.remove_entry(&PROXY))
        .rich(["alice"], 10 * ETHER)
        .rich(["operator", "dave"], ETHER)
        .with(|config| config.lost_after = Some(LOST_AFTER))
        .deploy_on(l1, operator)?;
    let (queue, back) = (rollup.contracts.message_queue, IL1MessageQueue::backCall {});
    rollup.l1.transact(&rollup.operator, queue, U256::from(GENESIS), &back)?;
    report.built(format!("NativeRollup deployed with the exit {}", rollup.contracts.exit));
    Ok(rollup)
}

/// Deploys a multisig on L1.
fn multisig(rollup: &mut InProcessRollup, first: &Key, second: &Key) -> Result<Address> {
    let tools = Toolchain::ensure(&progress_to_stderr)?;
    let made = Artifacts::compile_files(&tools, &["test/utils/Multisig.sol"])?;
    let code = made.get("Multisig")?.init_code.to_vec();
    let owners = (first.address(), second.address()).abi_encode_params();
    Ok(rollup.l1.deploy(first, [code, owners].concat().into())?)
}

/// Sends wei to an account on the L2.
fn deposit(
    rollup: &mut InProcessRollup,
    from: &Key,
    to: Address,
    refund_to: Address,
    wei: u128,
) -> Result<()> {
    let call = IL1MessageQueue::sendCall {
        to,
        refundTo: refund_to,
        gasLimit: 0,
        fee: 0,
        data: Bytes::new(),
    };
    Ok(rollup.send(from, rollup.contracts.message_queue, U256::from(wei), &call)?)
}

/// Advances the rollup by a block that relays all messages after these transactions, and in
/// which Alice pays Bob and a new contract.
fn last_block(
    rollup: &mut InProcessRollup,
    mut transactions: Vec<Transaction>,
    alice: &Key,
    bob: Address,
) -> Result<()> {
    let newest = rollup.contracts.newest_anchor(&rollup.l1, 0)?;
    let (operator, wei) = (rollup.operator.clone(), U256::from(ETHER));
    transactions.extend([
        rollup.l2.prove_anchor(&operator, &newest.0)?,
        rollup.l2.relay(&operator, &rollup.messages_from(0), operator.address())?,
        rollup.l2.sign(alice, bob.into(), wei, Bytes::new(), 21_000)?,
        rollup.l2.sign(alice, TxKind::Create, wei, MUTE.into(), 100_000)?,
    ]);
    Ok(rollup.advance(newest, transactions)?)
}

/// Returns the call that advances the rollup by a valid block, which relays the messages from this
/// index on.
fn next_block(rollup: &InProcessRollup, unrelayed: usize) -> Result<Bytes> {
    let (anchor, update) = rollup.contracts.newest_anchor(&rollup.l1, 0)?;
    let messages = rollup.messages_from(unrelayed);
    let mut ahead = rollup.l2.detached();
    let transactions = vec![
        ahead.prove_anchor(&rollup.operator, &anchor)?,
        ahead.relay(&rollup.operator, &messages, rollup.operator.address())?,
    ];
    let time = ahead.chain().head().header.timestamp + LOST_AFTER;
    let block = ahead.seal_all(time, anchor.hash(), transactions)?;
    let inputs = vec![block.input()?.into()];
    ahead.append(block)?;
    let proof = ahead.prove(L2_MESSENGER, &[RELAYED_SLOT])?;
    let state: INativeRollup::Checkpoint =
        rollup.l1.read(rollup.contracts.message_queue, &IL1MessageQueue::checkpointCall {})?.into();
    let relay = INativeRollup::RelayProof {
        index: 0,
        accountProof: proof.nodes,
        storageProof: proof.slots.into_iter().flat_map(|slot| slot.nodes).collect(),
        before: state.clone(),
        next: state,
    };
    let evidence = Evidence { updates: vec![update], relays: vec![relay], ..Default::default() };
    Ok(INativeRollup::advanceCall { inputs, evidence }.abi_encode().into())
}

/// Checks that the closed rollup accepts neither a block nor a message.
fn refuse_progress(
    rollup: &InProcessRollup,
    alice: &Key,
    advance: &Bytes,
    report: &mut Report,
) -> Result<()> {
    refused::<QueueClosed>(rollup, alice, rollup.contracts.address, advance)?;
    let to = alice.address();
    let send =
        IL1MessageQueue::sendCall { to, refundTo: to, gasLimit: 0, fee: 0, data: Bytes::new() };
    let (queue, send) = (rollup.contracts.message_queue, send.abi_encode().into());
    refused::<IL1MessageQueue::CheckpointsExhausted>(rollup, alice, queue, &send)?;
    report.refused("the closed rollup accepts no block, and its queue no message".to_owned());
    Ok(())
}

/// Pays Alice and Bob, and a multisig for its alias account.
fn pay_accounts(
    rollup: &mut InProcessRollup,
    [alice, bob, carol]: [&Key; 3],
    multisig: Address,
    report: &mut Report,
) -> Result<()> {
    let exit = rollup.exit(alice.address(), None)??;
    let (gas, amount) = pay(rollup, carol, &exit)?;
    report.shown(format!(
        "another account has Alice's {} ETH paid to her on L1 for {} L1 gas",
        shown(amount),
        grouped(gas)
    ));
    refused::<AlreadyExited>(rollup, carol, rollup.contracts.exit, &exit.calldata)?;
    report.refused("a second payment to Alice is rejected".to_owned());
    let exit = rollup.exit(bob.address(), None)??;
    refused::<CallerNotAccount>(rollup, carol, rollup.contracts.exit, &exit.calldata)?;
    let (_, amount) = pay(rollup, bob, &exit)?;
    report.shown(format!(
        "Bob has signed nothing on the L2, so only Bob himself can claim his {} ETH",
        shown(amount)
    ));
    let exit = rollup.exit(alias_account(multisig), Some(multisig))??;
    let (_, amount) = pay(rollup, carol, &exit)?;
    report.shown(format!("the multisig is paid the {} ETH of its alias account", shown(amount)));
    Ok(())
}

/// Returns the ETH of a message that was never relayed.
fn return_message(
    rollup: &mut InProcessRollup,
    alice: &Key,
    index: u64,
    report: &mut Report,
) -> Result<()> {
    let search = rollup.search(index)?;
    let expected = IL1MessageQueue::checkpointCall {};
    let expected = rollup.l1.read(rollup.contracts.message_queue, &expected)?;
    ensure!(*search.state() == expected, "the queue has {} messages", expected.count);
    let found = search.finish()?;
    let proof = rollup.l2.prove(L2_MESSENGER, &messenger_slots(&found.message))?;
    let returned = MessageReturn::new(rollup.l2.state_root(), &found, &proof)?;
    let (before, exit) = (escrow(rollup)?, rollup.contracts.exit);
    call(rollup, alice, exit, &returned.calldata)?;
    ensure!(before - escrow(rollup)? == returned.amount, "another amount was returned");
    report.shown(format!(
        "Alice's deposit, which no block has relayed, is returned: {} ETH",
        shown(returned.amount)
    ));
    Ok(())
}

fn escrow(rollup: &InProcessRollup) -> Result<U256> {
    Ok(rollup.l1.chain().balance(rollup.contracts.message_queue)?)
}

/// Sends a payment; returns its gas and its amount.
fn pay(rollup: &mut InProcessRollup, from: &Key, exit: &AccountExit) -> Result<(u64, U256)> {
    let to = rollup.contracts.exit;
    let before = (escrow(rollup)?, rollup.l1.chain().balance(exit.recipient)?);
    let gas = call(rollup, from, to, &exit.calldata)?;
    ensure!(before.0 - escrow(rollup)? == exit.amount, "another amount was paid");
    if exit.recipient != from.address() {
        let got = rollup.l1.chain().balance(exit.recipient)?;
        ensure!(got == before.1 + exit.amount, "{} has {got} wei", exit.recipient);
    }
    Ok((gas, exit.amount))
}

/// Sends calldata to a contract; returns the transaction's gas.
fn call(rollup: &mut InProcessRollup, from: &Key, to: Address, calldata: &Bytes) -> Result<u64> {
    Ok(rollup.l1.transact_raw(from, to, U256::ZERO, calldata.clone())?.gas_used)
}

/// Checks that a contract rejects calldata with this error.
fn refused<E: SolError>(
    rollup: &InProcessRollup,
    from: &Key,
    to: Address,
    calldata: &Bytes,
) -> Result<E> {
    Ok(rollup.l1.try_reverted(from.address(), to, calldata.clone())?)
}

/// Formats an amount of wei in ether.
fn shown(wei: U256) -> String {
    let text = format_ether(wei);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
