//! An L1 with less capacity than the L2 needs: the L2 slows down, and no block is reverted.

use crate::support::{
    DevnetRollup, Setup, is_settled, json_response, provider_of, refusal, signed_with, until,
    until_nonce, until_settled, until_status, until_synced, with_blobs,
};
use alloy_eips::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes};
use alloy_provider::ext::AnvilApi as _;
use alloy_provider::{Provider, RootProvider};
use enshrine_rollup::{BacklogConfig, Config, Role, RollupNode};
use eyre::{OptionExt as _, Result, ensure};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use testkit::{ETHER, Key, rich};
use variants::Dialects;

/// Sends a transfer from Alice whose gas limit fills a block. Returns the error if the node rejects
/// it.
async fn send(l2: &RootProvider, nonce: u64) -> Result<(), Value> {
    let to = Address::repeat_byte(0xb0);
    let transfer = signed_with(&Key::named("alice"), nonce, to, 1, Bytes::new(), 9_900_000);
    match l2.send_raw_transaction(&transfer.encoded_2718()).await {
        Ok(_) => Ok(()),
        Err(error) => Err(match error.as_error_resp() {
            Some(error) => serde_json::json!({
                "code": error.code,
                "message": error.message,
                "data": error.data.as_ref().and_then(|data| serde_json::from_str(data.get()).ok())
                    .unwrap_or(Value::Null),
            }),
            None => Value::from(error.to_string()),
        }),
    }
}

/// Returns the hashes of all blocks up to `last`.
async fn hashes(l2: &RootProvider, last: u64) -> Result<Vec<B256>> {
    let mut all = Vec::new();
    for number in 1..=last {
        let block = l2.get_block_by_number(number.into()).await?;
        all.push(block.ok_or_eyre("a block is missing")?.header.hash);
    }
    Ok(all)
}

async fn next_transfer(sequencer: &RollupNode, nonce: u64) -> Result<()> {
    until_nonce("the transfer in a block", sequencer, Key::named("alice").address(), nonce + 1)
        .await
}

/// While sealing is paused, the node rejects transactions with the reason.
#[tokio::test(flavor = "multi_thread")]
async fn sealing_stops_before_backlog_exceeds_l1_capacity() -> Result<()> {
    let accounts = vec![(Key::named("alice").address(), rich(ETHER))];
    let rollup = DevnetRollup::with(accounts).await?;
    let mut config = rollup.sequencer_config()?;
    // A small backlog limit, because L1 has included no transaction yet.
    config.backlog =
        BacklogConfig { max_age: Some(Duration::from_secs(60)), ..BacklogConfig::default() };
    let (proxy, config) = rollup.behind_proxy(Role::Sequencer(Box::new(config)))?;
    proxy.intercept(|request| {
        let is_send = request.contains("eth_sendRawTransaction");
        is_send.then(|| refusal(request, "not now"))
    });
    let sequencer = RollupNode::start(config).await?;
    let l2 = provider_of(&sequencer)?;

    // Each block fills one L1 transaction. Sealing stops when another block might expire.
    let mut nonce = 0;
    let reason = loop {
        if let Err(reason) = send(&l2, nonce).await {
            break reason;
        }
        nonce += 1;
        ensure!(nonce < 200, "the node rejects nothing: {:?}", sequencer.status());
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert_eq!(reason["code"], -32_005, "{reason}");
    let [got, limit] = ["got", "limit"].map(|name| reason["data"][name].as_u64());
    assert!(got > limit && limit.is_some(), "{reason}");
    assert!(
        reason["message"].as_str().is_some_and(|text| text.contains("wait for L1")),
        "{reason}"
    );
    // The block that was being sealed may appear after the rejection.
    until("the budget of all blocks", &sequencer, || async {
        let budget: Value = l2.raw_request("rollup_budget".into(), ()).await?;
        let head = sequencer.status().unsafe_head.number;
        Ok(budget["backlog"]["blocks"] == format!("{head:#x}"))
    })
    .await?;
    let sealed = sequencer.status().unsafe_head.number;
    assert!(sealed > 0, "no block was sealed");
    let before = hashes(&l2, sealed).await?;

    // No further block is sealed while L1 includes nothing.
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(sequencer.status().unsafe_head.number, sealed);
    }
    proxy.honest();
    // Accepted transactions are included, and no sealed block has been replaced.
    next_transfer(&sequencer, nonce - 1).await?;
    until_settled("all blocks on L1", &sequencer).await?;
    assert_eq!(hashes(&l2, sealed).await?, before, "a block was replaced");
    // The rejected transaction is accepted now, and so are further ones.
    for nonce in nonce..nonce + 3 {
        until("the transfer to be accepted", &sequencer, || async {
            Ok(send(&l2, nonce).await.is_ok())
        })
        .await?;
        next_transfer(&sequencer, nonce).await?;
    }
    sequencer.stop().await;
    Ok(())
}

/// Maximum lag of an L2 block, in seconds.
const MAX_LAG: u64 = 90;
/// Number of L1 seconds per `advance` transaction that L1 includes.
const SLOT: u64 = 3;
/// Number of L2 transactions, each of which has the gas limit of a whole block and so needs its own
/// L1 transaction. Together they take 1.5 times [`MAX_LAG`].
const BURST: u64 = 45;

/// Sends a burst of full blocks, more than L1 can include before they expire. L1's time advances
/// only with the blocks that the test mines, so the speed of the machine does not matter.
async fn a_burst_ends_with_no_block_undone(blobs: bool) -> Result<()> {
    let accounts = vec![(Key::named("alice").address(), rich(ETHER))];
    let dialects = if blobs { with_blobs() } else { Dialects::default() };
    let rollup = Setup::new()
        .on(|l1| l1.with(move |config| config.execute_dialects = dialects))
        .accounts(accounts)
        .change(|rollup| rollup.with(|config| config.max_lag = MAX_LAG))
        .deploy()
        .await?;
    rollup.provider.anvil_set_block_timestamp_interval(1).await?;
    let mut config = rollup.sequencer_config()?;
    config.block_time = Duration::from_millis(1);
    config.submit_interval = Duration::from_millis(20);
    config.submitter.bump_after = 1_000;
    let (proxy, config) = rollup.behind_proxy(Role::Sequencer(Box::new(config)))?;
    let l1_beacon = if blobs { vec![rollup.l1.endpoint()] } else { Vec::new() };
    let config = Config { l1_beacon, poll_interval: Duration::from_millis(10), ..config };
    let has_room = Arc::new(AtomicBool::new(false));
    let accepts = Arc::clone(&has_room);
    proxy.intercept(move |request| {
        let is_send = request.contains("eth_sendRawTransaction");
        // The L1 node accepts the transaction into its pool, but no builder includes it. The
        // submitter sends it again with each block.
        let waits = is_send && !accepts.swap(false, Ordering::SeqCst);
        waits.then(|| json_response(request, format!("{:?}", B256::ZERO)))
    });
    let sequencer = RollupNode::start(config).await?;
    let l2 = provider_of(&sequencer)?;
    until_synced(&sequencer).await?;

    let (mut sent, mut refused, mut found) = (0, 0, BTreeMap::new());
    let alice = Key::named("alice").address();
    for second in 0.. {
        ensure!(second < 40 * BURST, "the burst does not end: {:?}", sequencer.status());
        if sent < BURST {
            match send(&l2, sent).await {
                Ok(()) => sent += 1,
                Err(_) => refused += 1,
            }
        }
        if second % SLOT == 0 {
            has_room.store(true, Ordering::SeqCst);
        }
        let head = rollup.provider.get_block_number().await?;
        rollup.provider.anvil_mine(Some(1), None).await?;
        until_status("the second", &sequencer, |status| {
            status.l1_head.is_some_and(|read| read.number > head)
        })
        .await?;
        // Waits until a pending transaction has used the slot, however slow this machine is.
        until_status("a transaction", &sequencer, |status| {
            !has_room.load(Ordering::SeqCst) || status.safe_head == status.unsafe_head
        })
        .await?;
        // Every block that was ever the head must stay canonical.
        let status = sequencer.status();
        let first = found.last_key_value().map_or(1, |(number, _)| number + 1);
        for number in first..=status.unsafe_head.number {
            let block = l2.get_block_by_number(number.into()).await?;
            found.insert(number, block.ok_or_eyre("a block is missing")?.header.hash);
        }
        if sent == BURST
            && l2.get_transaction_count(alice).await? == BURST
            && is_settled(&sequencer)
        {
            break;
        }
    }
    assert!(refused > 0, "the burst was too small: nothing was rejected");
    let last = sequencer.status().unsafe_head.number;
    assert_eq!(
        found.into_values().collect::<Vec<_>>(),
        hashes(&l2, last).await?,
        "a block was reverted"
    );
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn calldata_burst_of_full_blocks_reverts_no_block() -> Result<()> {
    a_burst_ends_with_no_block_undone(false).await
}

#[tokio::test(flavor = "multi_thread")]
async fn blob_burst_of_full_blocks_reverts_no_block() -> Result<()> {
    a_burst_ends_with_no_block_undone(true).await
}
