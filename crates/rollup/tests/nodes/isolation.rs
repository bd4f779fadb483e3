//! Blocks that EXECUTE on L1 rejects although the node has executed them.

use crate::{
    preconfirmations::{preconfirming, rollup as preconfirming_rollup, until_preconfirmed},
    support::{DevnetRollup, one_wei, provider_of, submit, until, until_status},
};
use alloy_primitives::{Address, B256, U256, hex, keccak256};
use alloy_provider::{Provider as _, RootProvider, ext::AnvilApi as _};
use enshrine_rollup::{Config, RollupNode};
use eyre::{OptionExt as _, Result};
use serde_json::Value;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use testkit::{ETHER, Key, Proxy, id_of, rich};

const NAMES: [&str; 6] = ["alice", "bob", "carol", "mallory", "dave", "erin"];
const TO: Address = Address::repeat_byte(0xb0);
/// Recipient of the transaction that makes L1 reject a block.
const MARK: Address = Address::repeat_byte(0x6d);
/// Maximum lag of the rollup.
const MAX_LAG: u64 = 3_600;

/// Starts a sequencer whose L1 node is behind a proxy.
async fn rollup() -> Result<(DevnetRollup, Proxy, RollupNode)> {
    let rollup =
        DevnetRollup::with(NAMES.map(|name| (Key::named(name).address(), rich(ETHER))).into())
            .await?;
    let (proxy, config) = rollup.behind_proxy(rollup.sequencer_role()?)?;
    let sequencer = RollupNode::start(config).await?;
    Ok((rollup, proxy, sequencer))
}

/// Has L1 reject transactions whose data contains `what`, as EXECUTE would, and counts the
/// rejections.
fn refuse(proxy: &Proxy, what: String) -> Arc<AtomicUsize> {
    let count = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&count);
    proxy.intercept(move |request| {
        let is_tried = ["eth_estimateGas", "eth_call", "eth_sendRawTransaction"]
            .iter()
            .any(|method| request.contains(method));
        // Shorter requests are calls of view functions.
        let is_refused = is_tried && request.contains(&what) && request.len() > 2_000;
        is_refused.then(|| {
            counted.fetch_add(1, Ordering::SeqCst);
            let selector = &keccak256("ExecuteFailed()")[..4];
            let (id, data) = (id_of(request), hex::encode_prefixed(selector));
            format!(
                r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":3,"message":"execution reverted","data":"{data}"}}}}"#
            )
        })
    });
    count
}

async fn send(l2: &RootProvider, name: &str, nonce: u64, to: Address) -> Result<B256> {
    let transfer = one_wei(&Key::named(name), nonce, to);
    submit(l2, &transfer).await
}

async fn status(l2: &RootProvider, hash: B256) -> Result<Value> {
    Ok(l2.raw_request("rollup_transactionStatus".into(), (hash,)).await?)
}

async fn until_all_posted(node: &RollupNode, hashes: &[B256]) -> Result<()> {
    let l2 = provider_of(node)?;
    for hash in hashes {
        until("the transaction on L1", node, || async {
            let status = status(&l2, *hash).await?;
            eyre::ensure!(status["status"] != "dropped", "{hash}: {status}");
            Ok(status["status"] == "posted")
        })
        .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_refused_transaction_is_found_and_dropped() -> Result<()> {
    let (_rollup, proxy, sequencer) = rollup().await?;
    let l2 = provider_of(&sequencer)?;
    let refused = refuse(&proxy, "6d".repeat(20));
    let (mut honest, mut marked) = (Vec::new(), None);
    for nonce in 0..3 {
        for name in NAMES {
            let is_marked = name == "mallory" && nonce == 1;
            let hash = send(&l2, name, nonce, if is_marked { MARK } else { TO }).await?;
            match is_marked {
                true => marked = Some(hash),
                // Mallory's later transactions have a nonce gap once the marked one is dropped.
                false if name == "mallory" && nonce > 1 => {}
                false => honest.push(hash),
            }
        }
    }
    let marked = marked.ok_or_eyre("none is marked")?;
    until("the end of the search", &sequencer, || async {
        Ok(status(&l2, marked).await?["status"] == "dropped")
    })
    .await?;
    assert!(status(&l2, marked).await?.to_string().contains("EXECUTE on L1 rejects"));
    until_all_posted(&sequencer, &honest).await?;
    assert!(refused.load(Ordering::SeqCst) >= 3);
    assert_eq!(l2.get_balance(MARK).await?, U256::ZERO);
    // The account can use the nonce again, and blocks contain multiple transactions again.
    let again = send(&l2, "mallory", 1, TO).await?;
    let more = send(&l2, "alice", 3, TO).await?;
    until_all_posted(&sequencer, &[again, more]).await?;
    until_status("L1", &sequencer, |status| {
        status.safe_head == status.unsafe_head && status.fault.is_none()
    })
    .await?;
    sequencer.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_l1_that_refuses_all_drops_nothing() -> Result<()> {
    let (_rollup, proxy, sequencer) = rollup().await?;
    let l2 = provider_of(&sequencer)?;
    let refused = refuse(&proxy, String::new());
    let mut hashes = Vec::new();
    for name in NAMES {
        hashes.push(send(&l2, name, 0, TO).await?);
    }
    until_status("the fault", &sequencer, |status| status.fault.is_some()).await?;
    // More than a search needs: three rejections per halved block and three of the empty block.
    until("refusals", &sequencer, || async { Ok(refused.load(Ordering::SeqCst) > 24) }).await?;
    for hash in &hashes {
        assert_ne!(status(&l2, *hash).await?["status"], "dropped");
    }
    proxy.honest();
    until_all_posted(&sequencer, &hashes).await?;
    sequencer.stop().await;
    Ok(())
}

/// The node would seal the rejected block again and again. It breaks no promise for the search.
#[tokio::test(flavor = "multi_thread")]
async fn preconfirmed_block_is_not_sealed_again() -> Result<()> {
    let (rollup, folder) = (preconfirming_rollup(&["alice"]).await?, tempfile::tempdir()?);
    let config = preconfirming(&rollup, folder.path(), Duration::from_secs(1))?;
    let server = rollup.l1.server().ok_or_eyre("the devnet serves HTTP")?;
    let proxy = Proxy::start(server.addresses()[0])?;
    let sequencer = RollupNode::start(Config { l1: vec![proxy.url()], ..config }).await?;
    refuse(&proxy, String::new());
    let sent = send(&provider_of(&sequencer)?, "alice", 0, TO).await?;
    until_preconfirmed(&sequencer, sent).await?;
    let is_refused = |fault: &str| fault.contains("contradicts");
    until_status("the end of the promise is awaited", &sequencer, |status| {
        status.fault.as_deref().is_some_and(is_refused)
    })
    .await?;
    proxy.honest();
    rollup.provider.anvil_increase_time(2 * MAX_LAG).await?;
    rollup.provider.anvil_mine(Some(1), None).await?;
    until_status("another block", &sequencer, |status| status.safe_head.number > 0).await?;
    sequencer.stop().await;
    Ok(())
}
