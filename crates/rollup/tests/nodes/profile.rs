//! EXECUTE gas schedules: a node with L1's schedule settles, and one with another refuses to start.

use crate::{
    blobs_of_l1::with_beacon,
    preconfirmations::{Recording, preconfirming, send, state, until_included},
    support::{
        ADVANCE, DevnetRollup, Setup, is_settled, one_wei, provider_of, refusal, submit, until,
        until_settled, until_status, until_synced,
    },
};
use alloy_primitives::{Address, B256, U64, U256};
use alloy_provider::{Provider as _, RootProvider, ext::AnvilApi as _};
use enshrine_rollup::{Config, Role, RollupNode};
use eyre::{OptionExt as _, Result};
use preconf::HeaderSummary;
use std::{collections::BTreeSet, time::Duration};
use testkit::{ETHER, Interception, Key, rich};
use variants::{
    GasSchedule,
    market::{MARKET_ADDRESS, excess_at},
};

async fn rollup(schedule: GasSchedule) -> Result<DevnetRollup> {
    let setup = Setup::new().on(|l1| l1.with(move |config| config.execute_gas = schedule));
    setup.accounts(vec![(Key::named("alice").address(), rich(ETHER))]).deploy().await
}

fn config(rollup: &DevnetRollup, schedule: GasSchedule) -> Result<Config> {
    Ok(Config { execute_gas: schedule, ..rollup.config(rollup.sequencer_role()?) })
}

/// Sends a transfer from Alice with this nonce and waits until its block is on L1. Returns the
/// block's number and hash.
async fn settle(sequencer: &RollupNode, l2: &RootProvider, nonce: u64) -> Result<(u64, B256)> {
    let (alice, to) = (Key::named("alice"), Address::repeat_byte(0xb0));
    submit(l2, &one_wei(&alice, nonce, to)).await?;
    until("the block on L1", sequencer, || async {
        let is_there = l2.get_transaction_count(alice.address()).await? > nonce;
        Ok(is_there && is_settled(sequencer))
    })
    .await?;
    let block = sequencer.status().safe_head;
    Ok((block.number, block.hash))
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_settle_under_every_gas_schedule() -> Result<()> {
    const BLOCKS: u64 = 3;
    let other: GasSchedule = "25000+60".parse()?;
    let named = GasSchedule::NAMED.map(|(_, schedule)| schedule);
    for schedule in named.into_iter().chain([other]) {
        let rollup = rollup(schedule).await?;
        let sequencer = RollupNode::start(config(&rollup, schedule)?).await?;
        let l2 = provider_of(&sequencer)?;
        let mut settled = Vec::new();
        for nonce in 0..BLOCKS {
            settled.push(settle(&sequencer, &l2, nonce).await?);
        }
        for (number, hash) in settled {
            let found = l2.get_block_by_number(number.into()).await?;
            assert_eq!(found.map(|block| block.header.hash), Some(hash), "{schedule}");
        }
        sequencer.stop().await;
    }
    Ok(())
}

/// Base fee of L1 blocks in the market tests, in wei.
const BASE_FEE: u64 = 1_000_000_000;

/// Sets the EXECUTE gas price and the base fee, both of which fall while L1 blocks are nearly
/// empty.
async fn set_market(rollup: &DevnetRollup, price: u64) -> Result<()> {
    let excess = U256::from(excess_at(price));
    rollup.provider.anvil_set_storage_at(MARKET_ADDRESS, U256::ZERO, excess.into()).await?;
    rollup.provider.anvil_set_next_block_base_fee_per_gas(BASE_FEE.into()).await?;
    rollup.provider.anvil_mine(Some(1), None).await?;
    Ok(())
}

/// Settles some blocks at this price of EXECUTE gas, as calldata or in blobs. Returns the L1 gas
/// used.
async fn settle_at(schedule: GasSchedule, price: u64, by_blobs: bool) -> Result<u64> {
    const BLOCKS: u64 = 4;
    let accounts = vec![(Key::named("alice").address(), rich(ETHER))];
    let rollup = Setup::new().market(schedule).accounts(accounts).deploy().await?;
    set_market(&rollup, price).await?;
    let mut config = config(&rollup, schedule)?;
    if by_blobs {
        config = with_beacon(config, &rollup.l1.endpoint());
    }
    let sequencer = RollupNode::start(config).await?;
    let l2 = provider_of(&sequencer)?;
    let mut settled = Vec::new();
    for nonce in 0..BLOCKS {
        set_market(&rollup, price).await?;
        settled.push(settle(&sequencer, &l2, nonce).await?);
    }
    let mut gas = 0;
    for (number, hash) in settled {
        let number = format!("{number:#x}");
        let found: serde_json::Value =
            l2.raw_request("eth_getBlockByNumber".into(), (number, false)).await?;
        assert_eq!(found["hash"], serde_json::json!(hash), "a block was replaced");
        assert_eq!(found["l1BlobGasUsed"] != "0x0", by_blobs, "{found}");
        gas += serde_json::from_value::<U64>(found["l1GasUsed"].clone())?.to::<u64>();
    }
    sequencer.stop().await;
    Ok(gas)
}

/// Below, at and above the base fee.
#[tokio::test(flavor = "multi_thread")]
async fn blocks_settle_at_every_market_price() -> Result<()> {
    let other: GasSchedule = "25000+60".parse()?;
    // With the other schedule, calldata is cheaper for these small blocks.
    let ways = [(GasSchedule::DEFAULT, false), (GasSchedule::DEFAULT, true), (other, false)];
    for (schedule, by_blobs) in ways {
        let mut gas = Vec::new();
        for price in [BASE_FEE / 8, BASE_FEE, 4 * BASE_FEE] {
            gas.push(settle_at(schedule, price, by_blobs).await?);
        }
        // Control: L1 did charge three different prices.
        assert!(gas[0] <= gas[1] && gas[1] + gas[1] / 4 < gas[2], "{schedule}: {gas:?}");
    }
    Ok(())
}

/// The transaction fails, and the sequencer sends another one at the new price.
#[tokio::test(flavor = "multi_thread")]
async fn price_rise_in_flight_reverts_no_block() -> Result<()> {
    let schedule = GasSchedule::DEFAULT;
    let accounts = vec![(Key::named("alice").address(), rich(ETHER))];
    let rollup = Setup::new().market(schedule).accounts(accounts).deploy().await?;
    set_market(&rollup, BASE_FEE).await?;
    let sequencer = RollupNode::start(config(&rollup, schedule)?).await?;
    until_synced(&sequencer).await?;
    let l2 = provider_of(&sequencer)?;
    rollup.provider.anvil_set_auto_mine(false).await?;
    let alice = Key::named("alice");
    submit(&l2, &one_wei(&alice, 0, Address::repeat_byte(0xb0))).await?;
    until_status("an in-flight transaction", &sequencer, |status| {
        status.submitter.is_some_and(|submitter| submitter.in_flight.is_some())
    })
    .await?;
    let sealed = sequencer.status().unsafe_head;
    let account =
        sequencer.status().submitter.map(|submitter| submitter.address).unwrap_or_default();
    // Far above the price in the plan, so the transaction runs out of gas.
    let excess = U256::from(excess_at(20 * BASE_FEE));
    rollup.provider.anvil_set_storage_at(MARKET_ADDRESS, U256::ZERO, excess.into()).await?;
    rollup.provider.anvil_mine(Some(1), None).await?;
    rollup.provider.anvil_set_auto_mine(true).await?;
    until_status("the block on L1", &sequencer, |status| status.safe_head == sealed).await?;
    let sent = rollup.provider.get_transaction_count(account).await?;
    assert!(sent >= 2, "{sent} transactions: the first one did not fail");
    sequencer.stop().await;
    Ok(())
}

/// Waits until the node signs prefixes, or does not because of the price.
async fn until_signing(node: &RollupNode, signs: bool) -> Result<()> {
    until("the effect of the price", node, || async {
        let (is_on, reason) = state(node).await?;
        Ok(is_on == signs && (is_on || reason.contains("EXECUTE gas")))
    })
    .await
}

/// Returns the number of the block of a new transfer from Alice.
async fn next_block(node: &RollupNode, nonce: u64) -> Result<u64> {
    let l2 = provider_of(node)?;
    let sent = send(&l2, "alice", nonce).await?;
    until_included(node, sent).await?;
    let receipt = l2.get_transaction_receipt(sent).await?.ok_or_eyre("no receipt")?;
    receipt.block_number.ok_or_eyre("no block")
}

/// Signed blocks might then become too expensive for an L1 transaction, which breaks the promise.
#[tokio::test(flavor = "multi_thread")]
async fn price_risen_by_half_stops_signatures() -> Result<()> {
    let accounts = vec![(Key::named("alice").address(), rich(ETHER))];
    let setup = Setup::new().market(GasSchedule::DEFAULT).accounts(accounts);
    let rollup = setup.sequencer(ADVANCE).deploy().await?;
    // The price falls by the same factor in each empty L1 block.
    let set_percent = async |percent: u64| set_market(&rollup, BASE_FEE / 100 * percent).await;
    set_percent(100).await?;
    let folder = tempfile::tempdir()?;
    let (proxy, Config { l1, .. }) = rollup.behind_proxy(Role::Follower { sequencer: None })?;
    let config = preconfirming(&rollup, folder.path(), Duration::from_millis(300))?;
    let node = RollupNode::start(Config { l1, ..config }).await?;
    until_status("the start", &node, |status| status.synced).await?;
    until("signatures", &node, || async { Ok(state(&node).await.is_ok_and(|state| state.0)) })
        .await?;
    let recording = Recording::start(&node).await?;
    proxy.intercept(|request| {
        let is_sent = request.contains("eth_sendRawTransaction");
        is_sent.then(|| Interception::Answer(refusal(request, "not now")))
    });
    let mut signed = BTreeSet::from([next_block(&node, 0).await?]);
    set_percent(145).await?;
    until_synced(&node).await?;
    until_signing(&node, true).await?;
    signed.insert(next_block(&node, 1).await?);

    set_percent(155).await?;
    until_signing(&node, false).await?;
    let unsigned = next_block(&node, 2).await?;
    // The users' transactions are included as before, and L1 gets the blocks.
    set_percent(145).await?;
    until_signing(&node, true).await?;
    signed.insert(next_block(&node, 3).await?);
    set_percent(155).await?;
    until_signing(&node, false).await?;
    proxy.honest();
    until_settled("the blocks on L1", &node).await?;
    // No signed block is left that would have to pay this price.
    set_percent(155).await?;
    until_signing(&node, true).await?;
    signed.insert(next_block(&node, 4).await?);

    let updates = recording.end().await;
    let numbers = updates.iter().map(|update| Ok(HeaderSummary::read(&update.header)?.number));
    let numbers = numbers.collect::<Result<BTreeSet<_>>>()?;
    assert_eq!(numbers, signed);
    assert!(!signed.contains(&unsigned));
    node.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn start_rejects_other_gas_schedule_than_l1() -> Result<()> {
    let rollup = rollup(GasSchedule::ETHREX).await?;
    let started = RollupNode::start(config(&rollup, GasSchedule::DEFAULT)?).await;
    let error = started.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("ethrex") && error.contains("default"), "{error}");
    let sequencer = RollupNode::start(config(&rollup, GasSchedule::ETHREX)?).await?;
    sequencer.stop().await;
    Ok(())
}
