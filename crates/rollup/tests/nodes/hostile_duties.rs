//! Forced transactions, messages and anchors, chosen so that L1 would reject a sequencer's blocks.

use crate::support::{
    DevnetRollup, L2_CHAIN, head_time, is_settled, provider_of, signed_with, submit, until,
    until_balance, until_l1_head, with_much_code,
};
use alloy_consensus::TxLegacy;
use alloy_eips::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, keccak256};
use alloy_provider::{Provider as _, RootProvider, ext::AnvilApi as _};
use alloy_rpc_types_eth::{Filter, Log};
use alloy_sol_types::SolCall as _;
use chain::{ChainConfig, spec_of};
use contracts::{
    Anchor, Deployment,
    bindings::{
        IL1MessageQueue,
        INativeRollup::{Checkpoint, Evidence, Outcome, advanceCall},
    },
    capacity::minimum_forced_gas,
};
use enshrine_rollup::{RollupNode, SequencerConfig};
use eyre::{OptionExt as _, Result};
use serde_json::Value;
use testkit::{ETHER, FORCED_GAS, Key, L2, Transaction, rich};

const DAY: u64 = 86_400;
/// Time for which an entry is overdue until the policy opens.
const OPEN_AFTER: u64 = 7_200;
const BOB: Address = Address::repeat_byte(0xb0);

/// A contract whose calls read more than fits into an `advance`.
const READER: Address = Address::repeat_byte(0xee);

/// Deploys a rollup with funded accounts that other transactions do not use, and [`READER`].
async fn rollup() -> Result<DevnetRollup> {
    let account = |name| (Key::named(name).address(), rich(ETHER));
    let mut accounts = with_much_code(READER);
    accounts.extend(["alice", "mallory", "eve"].map(account));
    DevnetRollup::with(accounts).await
}

async fn pass(rollup: &DevnetRollup, seconds: u64) -> Result<()> {
    rollup.provider.anvil_increase_time(seconds).await?;
    rollup.provider.anvil_mine(Some(1), None).await?;
    Ok(())
}

/// Signs a transfer that can also be forced.
fn transfer(from: &str, nonce: u64) -> Transaction {
    signed_with(&Key::named(from), nonce, BOB, 1, Bytes::new(), FORCED_GAS)
}

/// Returns data for a forced transfer, almost the longest that the maximum gas limit allows, and the
/// minimum gas limit for it.
fn longest() -> (Bytes, u64) {
    let data = Bytes::from(vec![1; 1_000]);
    let gas = minimum_forced_gas(data.len());
    (data, gas)
}

async fn is_included(l2: &RootProvider, transaction: &Transaction) -> Result<bool> {
    Ok(l2.get_transaction_receipt(*transaction.hash()).await?.is_some())
}

/// Sends a transfer of Alice, and waits until it is on L1.
async fn users_are_served(rollup: &DevnetRollup, sequencer: &RollupNode, nonce: u64) -> Result<()> {
    let l2 = provider_of(sequencer)?;
    let own = transfer("alice", nonce);
    submit(&l2, &own).await?;
    until("a user's transfer on L1", sequencer, || async {
        rollup.next_second().await?;
        Ok(is_included(&l2, &own).await? && is_settled(sequencer))
    })
    .await
}

/// Waits until a forced transaction is included before it is due, and for blocks afterwards.
async fn is_forced_in_time(
    rollup: &DevnetRollup,
    sequencer: RollupNode,
    owed: &Transaction,
) -> Result<()> {
    let l2 = provider_of(&sequencer)?;
    until("the forced transfer", &sequencer, || is_included(&l2, owed)).await?;
    pass(rollup, DAY + 1).await?;
    users_are_served(rollup, &sequencer, 0).await?;
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn underpriced_forced_transaction_hides_no_other() -> Result<()> {
    let rollup = rollup().await?;
    let sequencer = rollup.sequencer().await?;
    let free = Key::named("mallory").sign(TxLegacy {
        chain_id: Some(L2_CHAIN),
        gas_limit: FORCED_GAS,
        to: TxKind::Call(BOB),
        ..Default::default()
    });
    let owed = transfer("mallory", 0);
    rollup.force(free.encoded_2718()).await?;
    rollup.force(owed.encoded_2718()).await?;
    is_forced_in_time(&rollup, sequencer, &owed).await
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_forced_transactions_use_no_room() -> Result<()> {
    let rollup = rollup().await?;
    let sequencer = rollup.sequencer().await?;
    let (data, gas) = longest();
    for _ in 0..9 {
        // Its nonce is far in the future.
        let invalid = signed_with(&Key::named("mallory"), 9, BOB, 1, data.clone(), gas);
        rollup.force(invalid.encoded_2718()).await?;
    }
    let owed = transfer("eve", 0);
    rollup.force(owed.encoded_2718()).await?;
    is_forced_in_time(&rollup, sequencer, &owed).await
}

/// The proofs of all their senders do not fit into a transaction on L1.
#[tokio::test(flavor = "multi_thread")]
async fn invalid_forced_transactions_of_many_senders() -> Result<()> {
    // With as many accounts, a proof has some 1,500 bytes.
    let others = (0..4_096_u64).map(|seed| Address::from_word(keccak256(seed.to_be_bytes())));
    let accounts = [Key::named("alice").address()].into_iter().chain(others);
    let accounts = accounts.map(|account| (account, rich(ETHER))).collect();
    let rollup = DevnetRollup::with(accounts).await?;
    let sequencer = rollup.sequencer().await?;
    for number in 0..64 {
        let invalid = transfer(&format!("stranger {number}"), 0);
        rollup.force(invalid.encoded_2718()).await?;
    }
    // L1's time is ahead of the clock by the blocks of these submissions.
    pass(&rollup, DAY + 600).await?;
    users_are_served(&rollup, &sequencer, 0).await?;
    sequencer.stop().await;
    Ok(())
}

/// Nothing else is to be done, and the idle interval does not end during the test.
#[tokio::test(flavor = "multi_thread")]
async fn idle_sequencer_discharges_all_invalid_transactions() -> Result<()> {
    const COUNT: usize = 100;
    let rollup = rollup().await?;
    let sequencer = rollup.sequencer().await?;
    let mut last = 0;
    for number in 0..COUNT {
        let invalid = transfer(&format!("stranger {number}"), 0);
        let receipt = rollup.force(invalid.encoded_2718()).await?;
        last = receipt.block_number.ok_or_eyre("pending")?;
    }
    // None is due yet, so no block is sealed for them.
    until_l1_head(&rollup, &sequencer).await?;
    assert_eq!(sequencer.status().unsafe_head.number, 0);

    let time_at = async |number: u64| -> Result<u64> {
        let block = rollup.provider.get_block_by_number(number.into()).await?;
        Ok(block.ok_or_eyre("no block")?.header.timestamp)
    };
    let until_due = DAY + 1;
    pass(&rollup, until_due).await?;
    let filter =
        Filter::new().address(rollup.forced).event("ForcedDischarged(uint64,bytes32,uint8)");
    until("the discharges", &sequencer, || async {
        rollup.next_second().await?;
        let all = rollup.provider.get_logs(&filter.clone().from_block(last)).await?;
        let is_final = |log: &Log| log.data().data.last() != Some(&(Outcome::NoRoom as u8));
        Ok(all.iter().filter(|log| is_final(log)).count() == COUNT && is_settled(&sequencer))
    })
    .await?;
    let head = rollup.provider.get_block_number().await?;
    let passed = time_at(head).await? - time_at(last).await? - until_due;
    assert!(passed < OPEN_AFTER / 2, "{passed} of {OPEN_AFTER}");
    // No further block is sealed for an empty queue.
    let before = sequencer.status().unsafe_head.number;
    assert!(before >= COUNT as u64 / 8, "{before}");
    for _ in 0..5 {
        rollup.next_second().await?;
        until_l1_head(&rollup, &sequencer).await?;
    }
    assert_eq!(sequencer.status().unsafe_head.number, before);
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn forced_transaction_made_valid_by_its_block() -> Result<()> {
    let rollup = rollup().await?;
    let sequencer = rollup.sequencer().await?;
    let owed = [transfer("mallory", 1), transfer("mallory", 2)];
    for owed in &owed {
        rollup.force(owed.encoded_2718()).await?;
    }
    pass(&rollup, DAY + 1).await?;
    let l2 = provider_of(&sequencer)?;
    let first = transfer("mallory", 0);
    submit(&l2, &first).await?;
    until("all of them", &sequencer, || async {
        rollup.next_second().await?;
        Ok(is_included(&l2, &owed[1]).await? && is_settled(&sequencer))
    })
    .await?;
    assert!(is_included(&l2, &first).await? && is_included(&l2, &owed[0]).await?);
    users_are_served(&rollup, &sequencer, 0).await?;
    sequencer.stop().await;
    Ok(())
}

/// The last of the queue has the sender's next nonce: a block that includes it makes the one before
/// it valid, and so on. All of them do not fit into a transaction on L1.
#[tokio::test(flavor = "multi_thread")]
async fn forced_transactions_in_reverse_order_of_nonces() -> Result<()> {
    const COUNT: u64 = 121;
    let rollup = rollup().await?;
    let sequencer = rollup.sequencer().await?;
    let (data, gas) = longest();
    let before = head_time(&rollup.provider).await?;
    for nonce in (1..=COUNT).rev() {
        let owed = signed_with(&Key::named("mallory"), nonce, BOB, 1, data.clone(), gas);
        rollup.force(owed.encoded_2718()).await?;
    }
    let passed = head_time(&rollup.provider).await? - before;
    // The transaction with the nonce before them is in a block just before they are due.
    pass(&rollup, DAY - passed - 60).await?;
    let l2 = provider_of(&sequencer)?;
    let first = transfer("mallory", 0);
    submit(&l2, &first).await?;
    until("the first nonce", &sequencer, || async {
        rollup.next_second().await?;
        is_included(&l2, &first).await
    })
    .await?;
    // The time of L1's submissions is ahead of its clock.
    pass(&rollup, 300).await?;
    users_are_served(&rollup, &sequencer, 0).await?;
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn overdue_messages_that_do_not_fit_are_parked() -> Result<()> {
    const COUNT: u64 = 9;
    let rollup = rollup().await?;
    // The limits of a block's relays are 6,000,000 gas and 24,000 bytes, and no block can deliver
    // a message to `READER`.
    for index in 0..COUNT {
        let (to, size, gas_limit) = match index % 3 {
            0 => (BOB, 10_000, 0),
            1 => (BOB, 0, 1_000_000),
            _ => (READER, 0, 200_000),
        };
        let call = IL1MessageQueue::sendCall {
            to,
            refundTo: BOB,
            gasLimit: gas_limit,
            fee: 0,
            data: vec![1; size].into(),
        };
        rollup.l1_call(rollup.message_queue, U256::from(ETHER), call.abi_encode()).await?;
    }
    pass(&rollup, DAY).await?;
    let sequencer = rollup.sequencer().await?;
    users_are_served(&rollup, &sequencer, 0).await?;
    let l2 = provider_of(&sequencer)?;
    until("the messages", &sequencer, || async {
        rollup.next_second().await?;
        let index = format!("{:#x}", COUNT - 1);
        let last: Value = l2.raw_request("rollup_getMessage".into(), ("l1ToL2", index)).await?;
        let last = &last["state"];
        Ok(*last != "sent" && *last != "anchored" && is_settled(&sequencer))
    })
    .await?;
    sequencer.stop().await;
    Ok(())
}

/// Adds a block whose anchor names the newest L1 block and no messages, and is not proven on the
/// L2.
async fn add_unproven_anchor(rollup: &DevnetRollup) -> Result<()> {
    let deployment = Deployment::read(&rollup.deployment())?;
    let newest = rollup.provider.get_block_by_number(Default::default()).await?;
    let newest = newest.ok_or_eyre("no head")?.header;
    let anchor = Anchor {
        l1_block_number: newest.number,
        l1_block_hash: newest.hash,
        message_count: 0,
        message_root: B256::ZERO,
    };
    let spec = spec_of(&deployment.genesis.config);
    let l2 = L2::configured(&deployment.genesis, ChainConfig::new(spec))?;
    let input = l2.seal_all(newest.timestamp, anchor.hash(), Vec::new())?.input()?;
    let nothing = Checkpoint { id: 0, count: 0, l1Block: 0, timestamp: 0, root: B256::ZERO };
    let evidence = Evidence { updates: vec![anchor.update(0, &nothing)], ..Evidence::default() };
    let call = advanceCall { inputs: vec![input.into()], evidence };
    rollup.l1_call(deployment.rollup, U256::ZERO, call.abi_encode()).await?;
    Ok(())
}

/// L1 rejects an anchor with an earlier L1 block, which a node with confirmations would choose.
#[tokio::test(flavor = "multi_thread")]
async fn unproven_anchor_of_stranger_stops_no_sequencer() -> Result<()> {
    const CONFIRMATIONS: u64 = 8;
    let rollup = rollup().await?;
    let (to, value) = (Address::repeat_byte(0xbd), U256::from(ETHER));
    rollup.deposit(to, value).await?;
    rollup.provider.anvil_mine(Some(CONFIRMATIONS), None).await?;
    add_unproven_anchor(&rollup).await?;
    let config = rollup.sequencer_config()?;
    let config = SequencerConfig { confirmations: CONFIRMATIONS, ..config };
    let sequencer = rollup.start(config).await?;
    until_balance("the deposit", &sequencer, to, value).await?;
    let before = rollup.provider.get_block_number().await?;
    users_are_served(&rollup, &sequencer, 0).await?;
    // Each second of L1 has a block, and blocks that L1 rejects are replaced after an hour.
    let seconds = rollup.provider.get_block_number().await? - before;
    assert!(seconds < 1_800, "{seconds}");
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_that_no_block_includes_make_none() -> Result<()> {
    let rollup = rollup().await?;
    let sequencer = rollup.sequencer().await?;
    users_are_served(&rollup, &sequencer, 0).await?;
    let before = sequencer.status().unsafe_head.number;
    let l2 = provider_of(&sequencer)?;
    let gapped = transfer("mallory", 5);
    let too_large = signed_with(&Key::named("eve"), 0, READER, 0, Bytes::new(), 500_000);
    for sent in [&gapped, &too_large] {
        submit(&l2, sent).await?;
    }
    // Each second of L1 allows a block.
    for _ in 0..5 {
        rollup.next_second().await?;
        until_l1_head(&rollup, &sequencer).await?;
    }
    until("the rejection", &sequencer, || async {
        let status: Value =
            l2.raw_request("rollup_transactionStatus".into(), (too_large.hash(),)).await?;
        Ok(status["status"] == "dropped")
    })
    .await?;
    assert_eq!(sequencer.status().unsafe_head.number, before);
    users_are_served(&rollup, &sequencer, 1).await?;
    assert_eq!(sequencer.status().unsafe_head.number, before + 1);
    sequencer.stop().await;
    Ok(())
}
