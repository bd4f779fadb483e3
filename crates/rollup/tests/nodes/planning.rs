//! Planning of L1 transactions from cached measurements, without executing a block again.

use crate::support::{
    DevnetRollup, Setup, provider_of, refusal, signed_with, submit, until, until_nonce,
    until_settled,
};
use alloy_primitives::{Address, Bytes};
use alloy_provider::RootProvider;
use enshrine_rollup::{Config, L1Limits, Role, RollupNode};
use eyre::{OptionExt as _, Result};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use testkit::{ETHER, Key, rich};

/// Sends a transfer with this gas limit, and waits for its block.
async fn next_block(
    sequencer: &RollupNode,
    l2: &RootProvider,
    nonce: u64,
    gas_limit: u64,
) -> Result<()> {
    let alice = Key::named("alice");
    let to = Address::repeat_byte(0xb0);
    let transfer = signed_with(&alice, nonce, to, 1, Bytes::new(), gas_limit);
    submit(l2, &transfer).await?;
    until_nonce("a block with the transfer", sequencer, alice.address(), nonce + 1).await
}

fn executions(sequencer: &RollupNode) -> Result<u64> {
    let submitter = sequencer.status().submitter.ok_or_eyre("not a sequencer")?;
    Ok(submitter.planning_executions)
}

fn evidence_made(sequencer: &RollupNode) -> Result<u64> {
    let submitter = sequencer.status().submitter.ok_or_eyre("not a sequencer")?;
    Ok(submitter.evidence_made)
}

#[tokio::test(flavor = "multi_thread")]
async fn planning_reuses_execution_and_evidence_of_sealing() -> Result<()> {
    /// Maximum number of blocks in one `advance`.
    const BLOCKS: u64 = 32;
    let accounts = vec![(Key::named("alice").address(), rich(ETHER))];
    let rollup = Setup::new().blobs().accounts(accounts).deploy().await?;
    let mut config = rollup.sequencer_config()?;
    // Blocks are posted once this many wait, or once their gas fills a transaction.
    config.submit_interval = Duration::from_secs(3_600);
    let config = rollup.config(Role::Sequencer(Box::new(config)));
    let l1_limits = L1Limits { gas: 1 << 30, bytes: 1 << 20 };
    let config = Config { l1_limits, l1_beacon: vec![rollup.l1.endpoint()], ..config };
    let sequencer = RollupNode::start(config).await?;
    let l2 = provider_of(&sequencer)?;
    for nonce in 0..BLOCKS {
        next_block(&sequencer, &l2, nonce, 21_000).await?;
        // Each block needs its own timestamp, so L1's time advances by a second.
        rollup.next_second().await?;
    }
    until_settled("all blocks on L1", &sequencer).await?;
    assert_eq!(executions(&sequencer)?, 0);
    // Sealing, planning and posting all need the evidence of each waiting block; it is built once.
    assert_eq!(evidence_made(&sequencer)?, BLOCKS);
    sequencer.stop().await;
    Ok(())
}

/// A posting plan after a restart does not depend on `eth_estimateGas`.
#[tokio::test(flavor = "multi_thread")]
async fn restart_measures_each_waiting_block_once() -> Result<()> {
    const BLOCKS: u64 = 8;
    let accounts = vec![(Key::named("alice").address(), rich(ETHER))];
    let rollup = DevnetRollup::with(accounts).await?;
    let folder = tempfile::tempdir()?;
    let (proxy, config) = rollup.behind_proxy(rollup.sequencer_role()?)?;
    let config = Config { data_dir: Some(folder.path().to_owned()), ..config };
    let refuse = |request: &str| {
        let is_send = request.contains("eth_sendRawTransaction");
        is_send.then(|| refusal(request, "not now"))
    };
    proxy.intercept(refuse);
    let sequencer = RollupNode::start(config.clone()).await?;
    let l2 = provider_of(&sequencer)?;
    for nonce in 0..BLOCKS {
        next_block(&sequencer, &l2, nonce, 4_000_000).await?;
    }
    assert_eq!(executions(&sequencer)?, 0);
    sequencer.stop().await;

    // Together the blocks may need more gas than an L1 transaction can have. The node computes how
    // many fit without a request to L1.
    let (requests, tried) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let (estimates, sends) = (Arc::clone(&requests), Arc::clone(&tried));
    proxy.intercept(move |request| {
        if request.contains("eth_estimateGas") {
            estimates.fetch_add(1, Ordering::SeqCst);
        }
        let refused = refuse(request);
        if refused.is_some() {
            sends.fetch_add(1, Ordering::SeqCst);
        }
        refused
    });
    let sequencer = RollupNode::start(config).await?;
    until("some tries", &sequencer, || async { Ok(tried.load(Ordering::SeqCst) > 3) }).await?;
    assert_eq!(requests.load(Ordering::SeqCst), 0);
    proxy.honest();
    until_settled("all blocks on L1", &sequencer).await?;
    assert_eq!(sequencer.status().safe_head.number, BLOCKS);
    // One execution to measure reads and writes, and one to measure the EXECUTE gas.
    assert!(executions(&sequencer)? <= 2 * BLOCKS, "{:?}", sequencer.status());
    assert!(evidence_made(&sequencer)? <= BLOCKS, "{:?}", sequencer.status());
    sequencer.stop().await;
    Ok(())
}
