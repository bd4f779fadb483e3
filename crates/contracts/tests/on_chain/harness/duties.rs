//! Duties of a block: overdue messages and forced transactions.

use super::support::{ETHER, TestRollup};
use alloy_consensus::TxEip1559;
use alloy_primitives::{B256, Bytes, U256};
use alloy_sol_types::SolEvent;
use enshrine_contracts::bindings::{
    IForcedInbox, IL1MessageQueue,
    INativeRollup::{self, Discharge, Evidence, ForcedBatch, Outcome},
};
use eyre::{OptionExt, Result};
use testkit::{Key, Transaction};
use wire::ProtocolFork;

pub(super) const DAY: u64 = 86_400;

pub(super) fn batch(discharges: Vec<Discharge>) -> Evidence {
    let batch = ForcedBatch { index: 0, discharges, next: vec![] };
    Evidence { forced: vec![batch], ..Default::default() }
}

/// Signs a transfer from Alice with this nonce and fee cap.
fn transfer(harness: &TestRollup, nonce: u64, max_fee_per_gas: u128) -> Transaction {
    harness.alice.sign(TxEip1559 {
        chain_id: super::support::L2_CHAIN,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas,
        max_priority_fee_per_gas: 0,
        to: Key::named("bob").address().into(),
        value: U256::ONE,
        ..Default::default()
    })
}

const GENEROUS: u128 = 100_000_000_000;

#[test]
fn due_forced_transaction_must_be_included() -> Result<()> {
    let mut harness = TestRollup::new(ProtocolFork::Osaka)?;
    let forced = transfer(&harness, 0, GENEROUS);
    let entry = harness.submit(&forced)?;
    assert_eq!(entry.hash, *forced.tx_hash());
    assert_eq!(entry.sender, harness.alice.address());

    harness.pass(DAY)?;
    // A block without the transaction, with and without a batch of discharges.
    let before = harness.seal(harness.l1.chain().head().header.timestamp, vec![])?.input()?;
    let error =
        harness.assert_refused::<INativeRollup::ForcedTransactionOmitted>(before.clone())?;
    assert_eq!(error.index, 0);
    let said = batch(vec![]);
    harness.assert_refused_with::<INativeRollup::ForcedTransactionOmitted>(before, said)?;
    // False excuses.
    let empty = harness.seal(harness.l1.chain().head().header.timestamp, vec![])?;
    let mut l2 = harness.l2.chain().detached();
    l2.append(empty.clone())?;
    let still = l2.prove(l2.head(), entry.sender, &[])?.nodes;
    let input = empty.input()?;
    let invalid = Discharge {
        transaction: entry.clone(),
        outcome: Outcome::Invalid,
        position: 0,
        accountProof: still,
        code: Bytes::new(),
    };
    let said = batch(vec![invalid]);
    harness.assert_refused_with::<INativeRollup::StillValid>(input.clone(), said)?;
    let said = batch(vec![harness.discharge(&entry, Outcome::Underpriced)?]);
    harness.assert_refused_with::<INativeRollup::PricedEnough>(input.clone(), said)?;
    let said = batch(vec![harness.discharge(&entry, Outcome::Expired)?]);
    harness.assert_refused_with::<INativeRollup::NotExpired>(input.clone(), said)?;
    let said = batch(vec![harness.discharge(&entry, Outcome::NoRoom)?]);
    harness.assert_refused_with::<INativeRollup::RoomLeft>(input, said)?;

    // A block with it as the second transaction.
    let bob = Key::named("operator");
    let own = harness.l2.sign(&bob, bob.address().into(), U256::ZERO, Bytes::new(), 21_000)?;
    let block = harness.block_now(vec![own, forced])?;
    let mut discharge = harness.discharge(&entry, Outcome::Included)?;
    let said = batch(vec![discharge.clone()]);
    let input = block.input()?;
    let error = harness.assert_refused_with::<INativeRollup::NotIncluded>(input.clone(), said)?;
    assert_eq!(error.expected, entry.hash);
    discharge.position = 1;
    let mut another = discharge.clone();
    another.transaction.hash = *block.block.transactions[0].hash();
    another.position = 0;
    let said = batch(vec![another]);
    harness.assert_refused_with::<IForcedInbox::NotSubmitted>(input.clone(), said)?;
    let sent = harness.advance_with(vec![input], batch(vec![discharge]))?;
    let event = sent
        .receipt
        .logs
        .iter()
        .find_map(|log| IForcedInbox::ForcedDischarged::decode_log(log).ok());
    assert_eq!(event.ok_or_eyre("no event")?.hash, entry.hash);
    harness.assert_head_is(&block)?;
    let duties = harness.l1.read(harness.rollup.address, &INativeRollup::dutiesCall {})?;
    assert_eq!(duties.forcedNext, 1);

    // The next block needs no evidence.
    harness.pass(0)?;
    let block = harness.block_now(vec![])?;
    harness.advance(vec![block.input()?], vec![])?;
    Ok(())
}

#[test]
fn invalid_or_underpriced_forced_transactions_are_discharged() -> Result<()> {
    let mut harness = TestRollup::new(ProtocolFork::Osaka)?;
    let used = harness.submit(&transfer(&harness, 0, GENEROUS))?;
    let cheap = harness.submit(&transfer(&harness, 1, 0))?;
    let poor = harness.submit(&transfer(&harness, 1, 1_000_000_000_000_000))?;
    // Another transaction uses the first nonce.
    let (alice, bob) = (harness.alice.clone(), Key::named("bob").address());
    let other = harness.l2.sign(&alice, bob.into(), U256::from(7), Bytes::new(), 21_000)?;
    let block = harness.block_now(vec![other])?;
    harness.advance(vec![block.input()?], vec![])?;

    harness.pass(DAY)?;
    let block = harness.block_now(vec![])?;
    let discharges = vec![
        harness.discharge(&used, Outcome::Invalid)?,
        harness.discharge(&cheap, Outcome::Underpriced)?,
        harness.discharge(&poor, Outcome::Invalid)?,
    ];
    // An incomplete list and a wrong order are rejected.
    let some = batch(discharges[..2].to_vec());
    let input = block.input()?;
    harness.assert_refused_with::<INativeRollup::ForcedTransactionOmitted>(input.clone(), some)?;
    let swapped = batch(vec![discharges[1].clone(), discharges[0].clone()]);
    harness.assert_refused_with::<IForcedInbox::NotSubmitted>(input.clone(), swapped)?;
    harness.advance_with(vec![input], batch(discharges))?;
    let duties = harness.l1.read(harness.rollup.address, &INativeRollup::dutiesCall {})?;
    assert_eq!(duties.forcedNext, 3);
    for index in 0..3 {
        let call = IForcedInbox::commitmentCall { index };
        assert_eq!(harness.l1.read(harness.rollup.forced, &call)?, B256::ZERO);
    }
    Ok(())
}

#[test]
fn early_discharge_of_forced_transaction_is_rejected() -> Result<()> {
    let mut harness = TestRollup::new(ProtocolFork::Osaka)?;
    let forced = transfer(&harness, 0, 0);
    let entry = harness.submit(&forced)?;
    let block = harness.block_now(vec![])?;
    let said = batch(vec![harness.discharge(&entry, Outcome::Underpriced)?]);
    harness.assert_refused_with::<INativeRollup::NotDue>(block.input()?, said)?;
    harness.advance(vec![block.input()?], vec![])?;

    let other = harness.submit(&transfer(&harness, 0, GENEROUS))?;
    harness.pass(0)?;
    let block = harness.block_now(vec![transfer(&harness, 0, GENEROUS)])?;
    let included = harness.discharge(&other, Outcome::Included)?;
    let said = batch(vec![included]);
    // The transaction before it in the queue must be discharged first.
    harness.assert_refused_with::<IForcedInbox::NotSubmitted>(block.input()?, said)?;
    harness.advance(vec![block.input()?], vec![])?;
    Ok(())
}

#[test]
fn overdue_message_must_be_relayed() -> Result<()> {
    let mut harness = TestRollup::new(ProtocolFork::Osaka)?;
    let charlie = Key::named("charlie").address();
    let empty = harness.checkpoint()?;
    let (message, first) = harness.deposit(charlie)?;
    harness.pass(DAY)?;

    let late = harness.seal(harness.l1.chain().head().header.timestamp, vec![])?;
    let error = harness.assert_refused::<INativeRollup::RelayProofMissing>(late.input()?)?;
    assert_eq!(error.relayed, 0);
    let mut other = harness.l2.detached();
    other.append(late.clone())?;
    let real = core::mem::replace(&mut harness.l2, other);
    let said = harness.relay_proof(&empty, &first)?;
    harness.assert_refused_with::<INativeRollup::MessagesOverdue>(late.input()?, said)?;
    harness.l2 = real;

    let (anchor, update) = harness.rollup.newest_anchor(&harness.l1, 0)?;
    harness.anchor = anchor.hash();
    let operator = harness.operator.clone();
    let transactions = vec![
        harness.l2.prove_anchor(&operator, &anchor)?,
        harness.l2.relay(&operator, &[message], operator.address())?,
    ];
    let block = harness.block_now(transactions)?;
    let mut said = harness.relay_proof(&first, &empty)?;
    said.updates.push(update.clone());
    // The proof must name the checkpoints before and after the count.
    let mut wrong = harness.relay_proof(&empty, &first)?;
    wrong.updates.push(update);
    let input = block.input()?;
    harness
        .assert_refused_with::<IL1MessageQueue::CheckpointsDoNotEnclose>(input.clone(), wrong)?;
    harness.advance_with(vec![input], said)?;
    assert_eq!(harness.l2.chain().balance(charlie)?, U256::from(ETHER));
    let duties = harness.l1.read(harness.rollup.address, &INativeRollup::dutiesCall {})?;
    assert_eq!(duties.relayed, 1);

    // With no pending messages, nothing is due a day later.
    harness.pass(DAY + 100)?;
    for _ in 0..2 {
        let block = harness.block_now(vec![])?;
        harness.advance(vec![block.input()?], vec![])?;
        harness.pass(0)?;
    }
    Ok(())
}
