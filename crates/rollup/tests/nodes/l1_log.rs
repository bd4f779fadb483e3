//! The log of L1's history yields the same view as reading L1.

use crate::support::{
    DevnetRollup, provider_of, signed, signed_with, until, until_posted_balance, until_synced,
};
use alloy_eips::Encodable2718;
use alloy_primitives::{Address, Bytes, U256};
use alloy_provider::{Provider, ext::AnvilApi};
use contracts::Deployment;
use devnet::Devnet;
use enshrine_rollup::{L1Client, L1Error, L1Reader, L1View, Role, RollupNode};
use eyre::{OptionExt, Result};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};
use tempfile::TempDir;
use testkit::{ETHER, FORCED_GAS, Key, Proxy};

/// L1 requests of a node: block numbers, and the count of requests for receipts and transactions.
#[derive(Debug, Default, Clone)]
struct Requests {
    numbers: Vec<u64>,
    bodies: usize,
}

/// Starts to record which blocks are requested through a proxy.
fn record(proxy: &Proxy) -> Arc<Mutex<Requests>> {
    let requests = Arc::<Mutex<Requests>>::default();
    let recorded = Arc::clone(&requests);
    proxy.set(move |request, response| {
        let request: Value = serde_json::from_str(request).unwrap();
        let mut requests = recorded.lock().unwrap();
        let number = request["params"][0].as_str().and_then(|hex| hex.strip_prefix("0x"));
        match request["method"].as_str() {
            Some("eth_getBlockByNumber") => {
                let number = number.and_then(|digits| u64::from_str_radix(digits, 16).ok());
                requests.numbers.extend(number);
            }
            Some("eth_getBlockReceipts" | "eth_getBlockByHash") => requests.bodies += 1,
            _ => {}
        }
        Some(response)
    });
    requests
}

/// A deployment and the URL of its L1.
#[derive(Clone)]
struct Seen {
    url: String,
    deployment: Deployment,
}

impl Seen {
    fn of(rollup: &DevnetRollup) -> Result<Self> {
        Ok(Self { url: rollup.l1.endpoint(), deployment: Deployment::read(&rollup.deployment())? })
    }

    fn behind(&self, proxy: &Proxy) -> Self {
        Self { url: proxy.url(), ..self.clone() }
    }

    /// Reads all of L1, starting from the log if there is one, and returns the view's facts.
    async fn read(&self, log: Option<&Path>) -> Result<String> {
        let (source, log) = (self.clone(), log.map(PathBuf::from));
        let read = tokio::task::spawn_blocking(move || {
            let mut view = source.view(log.as_deref())?;
            while view.poll(&|_| true)?.more {}
            Ok::<_, L1Error>(facts(view.view()))
        });
        Ok(read.await??)
    }

    fn view(&self, log: Option<&Path>) -> Result<L1Reader, L1Error> {
        let client = L1Client::new(&[&self.url], Duration::from_secs(10))?;
        let view = L1Reader::new(client, self.deployment.clone());
        match log {
            Some(path) => view.with_log(path, &|_| true),
            None => Ok(view),
        }
    }
}

/// Formats all facts of a view for comparison.
fn facts(view: &L1View) -> String {
    let head = view.head().map_or(0, |head| head.number);
    let headers: Vec<_> = (0..=head).rev().take(1_024).map(|number| view.header(number)).collect();
    let messages: Vec<_> = view.messages().range(0, u64::MAX).collect();
    let states: Vec<_> =
        (0..=view.messages().len()).map(|count| view.messages().around(count)).collect();
    let advanced = view.advanced_head();
    let hashes: Vec<_> = (0..=advanced.map_or(0, |head| head.number))
        .map(|number| view.advanced_hash(number))
        .collect();
    let forced = (view.forced_from(0).collect::<Vec<_>>(), view.forced_next());
    let finalized = (view.finalized(), view.finalized_head());
    format!("{headers:?} {messages:?} {states:?} {advanced:?} {hashes:?} {forced:?} {finalized:?}")
}

/// Creates an L1 with deposits, forced transactions and L2 blocks.
async fn rollup_with_history() -> Result<DevnetRollup> {
    let rollup = DevnetRollup::new().await?;
    // Keeps the deployment below the deepest reorg.
    rollup.provider.anvil_mine(Some(70), None).await?;
    let sequencer = rollup.sequencer().await?;
    let alice = Key::named("alice");
    let l2 = provider_of(&sequencer)?;
    for count in 1..=3_u128 {
        rollup.deposit(alice.address(), U256::from(ETHER)).await?;
        until_posted_balance(
            "a deposit on L1",
            &sequencer,
            alice.address(),
            U256::from(count * ETHER),
        )
        .await?;
    }
    let forced = signed(&l2, &alice, Address::repeat_byte(2), 1, Bytes::new(), FORCED_GAS).await?;
    rollup.force(forced.encoded_2718()).await?;
    until("the forced transaction", &sequencer, || async {
        let status: Value =
            l2.raw_request("rollup_getForced".into(), ("0x0",)).await.unwrap_or_default();
        Ok(status["outcome"] == "included")
    })
    .await?;
    sequencer.stop().await;
    // A forced transaction that is not yet included.
    let waits = signed_with(&alice, 9, Address::repeat_byte(2), 1, Bytes::new(), FORCED_GAS);
    rollup.force(waits.encoded_2718()).await?;
    Ok(rollup)
}

/// Returns such an L1, what a reader needs to read it, and the path of its log in a temporary
/// folder.
async fn written_log() -> Result<(DevnetRollup, Seen, TempDir, PathBuf)> {
    let rollup = rollup_with_history().await?;
    let source = Seen::of(&rollup)?;
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("l1.log");
    Ok((rollup, source, folder, log))
}

#[tokio::test(flavor = "multi_thread")]
async fn logged_l1_blocks_are_not_fetched_again() -> Result<()> {
    let (rollup, source, _folder, log) = written_log().await?;
    let server = rollup.l1.server().ok_or_eyre("the devnet serves HTTP")?;
    let proxy = Proxy::start(server.addresses()[0])?;
    let head = rollup.provider.get_block_number().await?;

    let requests = record(&proxy);
    let first = source.behind(&proxy).read(Some(&log)).await?;
    let all = requests.lock().unwrap().clone();
    assert_eq!(all.numbers.len() as u64, head + 1 - source.deployment.l1_block);
    assert!(all.bodies > 8, "{all:?}");

    let requests = record(&proxy);
    let again = source.behind(&proxy).read(Some(&log)).await?;
    let none = requests.lock().unwrap().clone();
    assert!(none.numbers.is_empty() && none.bodies == 0, "{none:?}");

    // The new blocks, and the last one before them.
    rollup.provider.anvil_mine(Some(5), None).await?;
    rollup.deposit(Address::repeat_byte(3), U256::ONE).await?;
    let requests = record(&proxy);
    let later = source.behind(&proxy).read(Some(&log)).await?;
    let some = requests.lock().unwrap().clone();
    let mut numbers = some.numbers;
    numbers.sort_unstable();
    assert_eq!(numbers, (head..=head + 6).collect::<Vec<_>>());
    assert_eq!(some.bodies, 2, "the block with the deposit, and its receipts");

    let fresh = source.read(None).await?;
    assert_eq!(later, fresh);
    assert_eq!(again, first);
    assert_ne!(first, fresh);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn reorged_l1_is_read_from_last_common_block() -> Result<()> {
    let (rollup, source, _folder, log) = written_log().await?;
    let server = rollup.l1.server().ok_or_eyre("the devnet serves HTTP")?;
    let proxy = Proxy::start(server.addresses()[0])?;
    for depth in [1_u64, 2, 7, 64] {
        // The oldest replaced block contains a deposit, so that the new one has another hash.
        rollup.deposit(Address::repeat_byte(4), U256::from(depth)).await?;
        rollup.provider.anvil_mine(Some(depth - 1), None).await?;
        let before = source.read(Some(&log)).await?;
        let head = rollup.provider.get_block_number().await?;
        rollup.reorg(depth).await?;
        let requests = record(&proxy);
        let after = source.behind(&proxy).read(Some(&log)).await?;
        let requests = requests.lock().unwrap().clone();
        assert_eq!(after, source.read(None).await?, "{depth}");
        assert_ne!(after, before);
        // The reader finds the last common block by doubling steps and bisection, not block by
        // block, and does not read all common blocks again.
        let common = head - depth;
        let old = requests.numbers.iter().filter(|number| **number <= common).count();
        assert!((1..=8).contains(&old), "{depth}: {requests:?}");
        // The log now describes the new chain.
        assert_eq!(source.read(Some(&log)).await?, after);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn restart_follows_reorg_too_deep_for_running_reader() -> Result<()> {
    let (rollup, source, _folder, log) = written_log().await?;
    rollup.deposit(Address::repeat_byte(6), U256::ONE).await?;
    rollup.provider.anvil_mine(Some(1_399), None).await?;
    source.read(Some(&log)).await?;
    let (running, path) = (source.clone(), log.clone());
    let running = tokio::task::spawn_blocking(move || {
        let mut view = running.view(Some(&path))?;
        while view.poll(&|_| true)?.more {}
        Ok::<_, L1Error>(view)
    });
    let mut running = running.await??;
    rollup.reorg(1_400).await?;
    let refused = tokio::task::spawn_blocking(move || running.poll(&|_| true).map(drop)).await?;
    assert!(refused.unwrap_err().to_string().contains("reorganised below block"));
    assert_eq!(source.read(Some(&log)).await?, source.read(None).await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_truncated_or_foreign_log_is_ignored() -> Result<()> {
    let (_rollup, source, _folder, log) = written_log().await?;
    let expected = source.read(Some(&log)).await?;
    let whole = fs::read(&log)?;
    for part in 0..40 {
        let at = whole.len() * part / 40;
        fs::write(&log, &whole[..at])?;
        assert_eq!(source.read(Some(&log)).await?, expected, "cut at {at}");
        let mut flipped = whole.clone();
        flipped[at + 1] ^= 1 << (part % 8);
        fs::write(&log, &flipped)?;
        assert_eq!(source.read(Some(&log)).await?, expected, "flipped at {at}");
        assert_eq!(fs::read(&log)?, whole, "the log was not restored");
    }
    // A log of another deployment is ignored and replaced.
    let mut other = source.clone();
    other.deployment.message_queue = Address::repeat_byte(5);
    let without = other.read(None).await?;
    assert_ne!(without, expected);
    assert_eq!(other.read(Some(&log)).await?, without);
    assert_eq!(source.read(Some(&log)).await?, expected);
    // The same deployment on an L1 that has none of the logged blocks.
    let elsewhere = Devnet::builder().mainnet().timestamp(1_000_000_000).spawn().await?;
    elsewhere.provider().anvil_mine(Some(200), None).await?;
    let moved = Seen { url: elsewhere.endpoint(), ..source.clone() };
    assert_eq!(moved.read(Some(&log)).await?, moved.read(None).await?);
    assert_eq!(source.read(Some(&log)).await?, expected);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn stale_records_after_power_loss_are_truncated() -> Result<()> {
    let (rollup, source, _folder, log) = written_log().await?;
    // A block without events of the rollup, so that its record is as long as that of an empty
    // block.
    rollup.l1_call(Address::repeat_byte(8), U256::ONE, Vec::new()).await?;
    rollup.provider.anvil_mine(Some(5), None).await?;
    source.read(Some(&log)).await?;
    let before = fs::read(&log)?;
    let head = rollup.provider.get_block_number().await?;
    rollup.reorg(6).await?;
    fs::remove_file(&log)?;
    let after = source.read(Some(&log)).await?;
    let whole = fs::read(&log)?;
    // The last records are those of the other chain. They have the same length and position, and
    // each is intact.
    let stale = whole.len() - 3 * 121;
    assert!(before.len() == whole.len() && before[stale..] != whole[stale..]);
    fs::write(&log, [&whole[..stale], &before[stale..]].concat())?;
    let (opened, path) = (source.clone(), log.clone());
    let read = tokio::task::spawn_blocking(move || {
        let view = opened.view(Some(&path))?;
        Ok::<_, L1Error>(view.view().head().map(|head| head.number))
    });
    assert_eq!(read.await??, Some(head - 3));
    assert_eq!(source.read(Some(&log)).await?, after);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn restarted_follower_fetches_no_known_block() -> Result<()> {
    let rollup = rollup_with_history().await?;
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let (proxy, mut config) = rollup.behind_proxy(Role::Follower { sequencer: None })?;
    config.data_dir = Some(data.clone());
    let safe = |node: &RollupNode| (node.status().safe_head, node.status().unsafe_head);
    let mut first_heads = None;
    for chain in ["none", "whole", "lost"] {
        if chain == "lost" {
            for part in ["blocks", "state"] {
                fs::remove_dir_all(data.join(part))?;
            }
        }
        let requests = record(&proxy);
        let follower = RollupNode::start(config.clone()).await?;
        until_synced(&follower).await?;
        let (heads, bodies) = (safe(&follower), requests.lock().unwrap().bodies);
        assert!(heads.0.number >= 3 && heads.0 == heads.1, "{heads:?}");
        assert_eq!(*first_heads.get_or_insert(heads), heads);
        assert_eq!(
            bodies == 0,
            chain == "whole",
            "{bodies} requests for block bodies with chain data {chain}"
        );
        follower.stop().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn follower_drops_blocks_reorged_out_while_stopped() -> Result<()> {
    let rollup = rollup_with_history().await?;
    let folder = tempfile::tempdir()?;
    let mut config = rollup.config(Role::Follower { sequencer: None });
    config.data_dir = Some(folder.path().join("data"));
    let follower = RollupNode::start(config.clone()).await?;
    until_synced(&follower).await?;
    let before = follower.status().unsafe_head;
    follower.stop().await;
    rollup.reorg(8).await?;
    let (again, fresh) = (RollupNode::start(config).await?, rollup.follower(None).await?);
    for node in [&again, &fresh] {
        until_synced(node).await?;
    }
    let after = again.status().unsafe_head;
    assert!(after.number < before.number, "{after:?}");
    assert_eq!((after, again.status().safe_head), (fresh.status().unsafe_head, after));
    fresh.stop().await;
    again.stop().await;
    Ok(())
}
