//! Transactions sent to a follower, and the pool across role changes.

use crate::support::{
    DevnetRollup, admin_config, admin_of, is_settled, one_wei, provider_of, until, until_included,
    until_posted_balance, until_settled, until_status, until_synced,
};
use alloy_eips::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_provider::{Provider as _, RootProvider};
use enshrine_rollup::{Prices, Role, RollupNode};
use eyre::{Result, bail};
use serde_json::{Value, json};
use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use testkit::{DelayedLink, ETHER, Key, Timeout, rich};

const NO_SEQUENCER: i64 = -32_031;
/// Number of waiting transactions at a role change.
const WAITING: u64 = 64;

/// Environment variable for the number of transactions during role changes, for each latency.
const TRANSACTIONS: &str = "ENSHRINE_HANDOVER_TRANSACTIONS";
/// Environment variable for the number of role changes during the load, for each latency.
const CHANGES: &str = "ENSHRINE_HANDOVER_CHANGES";
/// Milliseconds between the two nodes, in each direction.
const LATENCIES: [u64; 3] = [0, 20, 120];
const CLIENTS: u64 = 10;

fn transfer(from: &Key, nonce: u64) -> Vec<u8> {
    let to = Address::repeat_byte(0xb0);
    one_wei(from, nonce, to).encoded_2718()
}

async fn send(node: &RootProvider, raw: Vec<u8>) -> Result<B256> {
    Ok(node.raw_request("eth_sendRawTransaction".into(), (Bytes::from(raw),)).await?)
}

/// Sends a transaction that must be rejected; returns code and message of the error.
async fn refusal_of(node: &RootProvider, raw: Vec<u8>) -> Result<(i64, String)> {
    let sent =
        node.raw_request::<_, B256>("eth_sendRawTransaction".into(), (Bytes::from(raw),)).await;
    let Err(error) = sent else { bail!("the transaction was accepted") };
    let Some(response) = error.as_error_resp() else { bail!("no JSON-RPC error: {error}") };
    Ok((response.code, response.message.to_string()))
}

#[tokio::test(flavor = "multi_thread")]
async fn follower_forwards_sends_or_rejects_without_sequencer() -> Result<()> {
    let alice = Key::named("alice");
    let rollup = DevnetRollup::with(vec![(alice.address(), rich(ETHER))]).await?;
    let mut config = rollup.sequencer_config()?;
    // A minimum price that the follower does not know.
    config.prices = Prices { gas: 1, ..Prices::default() };
    let sequencer = rollup.start(config).await?;
    let follower = rollup.follower(Some(&sequencer)).await?;
    let (l2, followed) = (provider_of(&sequencer)?, provider_of(&follower)?);
    until_synced(&follower).await?;

    let hash = send(&followed, transfer(&alice, 0)).await?;
    until_included("the transfer", &sequencer, hash).await?;
    // The nonce is used, which the follower may not know yet.
    assert_eq!(
        refusal_of(&followed, transfer(&alice, 0)).await?,
        refusal_of(&l2, transfer(&alice, 0)).await?
    );

    // Without a response from the sequencer the follower acknowledges nothing.
    sequencer.stop().await;
    let (code, message) = refusal_of(&followed, transfer(&alice, 1)).await?;
    assert_eq!(code, NO_SEQUENCER, "{message}");
    follower.stop().await;

    let alone = rollup.follower(None).await?;
    let (code, message) = refusal_of(&provider_of(&alone)?, transfer(&alice, 1)).await?;
    assert_eq!(code, NO_SEQUENCER, "{message}");
    alone.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn demoted_sequencer_hands_pool_to_next() -> Result<()> {
    let keys: Vec<Key> = (0..4).map(|index| Key::named(&format!("user {index}"))).collect();
    let accounts = keys.iter().map(|key| (key.address(), rich(ETHER))).collect();
    let rollup = DevnetRollup::with(accounts).await?;
    let mut slow = rollup.sequencer_config()?;
    slow.block_time = Duration::from_secs(3_600);
    let mut config = rollup.config(Role::Sequencer(Box::new(slow)));
    config.admin = Some(admin_config()?);
    let first = RollupNode::start(config).await?;
    until_synced(&first).await?;
    let url = |node: &RollupNode| format!("ws://{}", node.server().addresses()[0]);
    let mut config = rollup.config(Role::Follower { sequencer: Some(url(&first)) });
    config.standby = Some(Box::new(rollup.sequencer_config()?));
    config.admin = Some(admin_config()?);
    let second = RollupNode::start(config).await?;
    until_synced(&second).await?;

    // Half of the transactions are sent through the follower.
    let (l2, followed) = (provider_of(&first)?, provider_of(&second)?);
    for nonce in 0..WAITING / keys.len() as u64 {
        for (index, key) in keys.iter().enumerate() {
            send(if index % 2 == 0 { &l2 } else { &followed }, transfer(key, nonce)).await?;
        }
    }
    let of_first = admin_of(&first)?;
    let _: Value = of_first.raw_request("rollup_demote".into(), json!([url(&second)])).await?;
    until_status("the role", &first, |status| status.role == rpc_types::Role::Follower).await?;
    let of_second = admin_of(&second)?;
    let _: Value = of_second.raw_request("rollup_promote".into(), json!([])).await?;
    let to = Address::repeat_byte(0xb0);
    until_posted_balance("all transfers on L1", &second, to, U256::from(WAITING)).await?;
    first.stop().await;
    second.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn displaced_transactions_reach_the_next_leader() -> Result<()> {
    let alice = Key::named("alice");
    let rollup = DevnetRollup::with(vec![(alice.address(), rich(ETHER))]).await?;
    let url = |node: &RollupNode| format!("ws://{}", node.server().addresses()[0]);
    let mut config = rollup.config(rollup.sequencer_role()?);
    config.admin = Some(admin_config()?);
    let first = RollupNode::start(config).await?;
    // The second node does not follow the first, so it never receives its unposted blocks.
    let mut config = rollup.config(Role::Follower { sequencer: None });
    config.standby = Some(Box::new(rollup.sequencer_config()?));
    config.admin = Some(admin_config()?);
    let second = RollupNode::start(config).await?;
    for node in [&first, &second] {
        until_synced(node).await?;
    }
    let (of_first, of_second) = (admin_of(&first)?, admin_of(&second)?);
    let _: Value = of_first.raw_request("admin_stopPosting".into(), json!([])).await?;
    let l2 = provider_of(&first)?;
    let mut sent = Vec::new();
    for nonce in 0..5 {
        sent.push(send(&l2, transfer(&alice, nonce)).await?);
    }
    let newest = sent[4];
    until_included("a block", &first, newest).await?;

    let _: Value = of_first.raw_request("rollup_demote".into(), json!([url(&second)])).await?;
    // A block of the new sequencer at the same height replaces the old one's blocks.
    let _: Value = of_second.raw_request("rollup_promote".into(), json!([])).await?;
    rollup.deposit(Address::repeat_byte(0xd0), U256::ONE).await?;
    for node in [&first, &second] {
        let provider = provider_of(node)?;
        until("all transfers on L1", node, || async {
            for hash in &sent {
                if provider.get_transaction_receipt(*hash).await?.is_none() {
                    return Ok(false);
                }
            }
            Ok(is_settled(&second))
        })
        .await?;
    }
    first.stop().await;
    second.stop().await;
    Ok(())
}

/// Sends transactions one by one to both nodes in turn and repeats rejected ones. Returns the
/// acknowledged hashes and the number of rejections.
async fn send_all(
    key: Key,
    count: u64,
    nodes: [RootProvider; 2],
    sent: Arc<AtomicU64>,
) -> Result<(Vec<B256>, u64)> {
    let (mut acknowledged, mut refusals) = (Vec::new(), 0);
    let timeout = Timeout::of(4 * Timeout::LIMIT);
    for nonce in 0..count {
        let raw = transfer(&key, nonce);
        loop {
            let node = &nodes[usize::try_from(nonce + refusals)? % 2];
            let method = "eth_sendRawTransaction".into();
            match node.raw_request::<_, B256>(method, (Bytes::from(raw.clone()),)).await {
                Ok(hash) => {
                    acknowledged.push(hash);
                    break;
                }
                // An earlier attempt was accepted although it got no response.
                Err(error) if error.to_string().contains("already known") => break,
                Err(error) if error.to_string().contains("nonce too low") => break,
                Err(error) if !timeout.lasts() => return Err(error.into()),
                Err(_) => refusals += 1,
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        sent.fetch_add(1, Ordering::Relaxed);
    }
    Ok((acknowledged, refusals))
}

#[tokio::test(flavor = "multi_thread")]
async fn role_changes_under_load_strand_no_transaction() -> Result<()> {
    let total = env::var(TRANSACTIONS).map_or(Ok(150), |total| total.parse())?;
    let changes = env::var(CHANGES).map_or(Ok(2), |changes| changes.parse())?;
    for latency in LATENCIES {
        change_roles(total, changes, Duration::from_millis(latency)).await?;
    }
    Ok(())
}

/// Sends this many transactions by clients that never wait, while two nodes with this latency
/// between them change roles.
async fn change_roles(total: u64, changes: u64, latency: Duration) -> Result<()> {
    let keys: Vec<Key> = (0..CLIENTS).map(|at| Key::named(&format!("client {at}"))).collect();
    let accounts = keys.iter().map(|key| (key.address(), rich(ETHER))).collect();
    let rollup = DevnetRollup::with(accounts).await?;
    let mut config = rollup.config(rollup.sequencer_role()?);
    config.admin = Some(admin_config()?);
    let first = RollupNode::start(config).await?;
    let link_to = |node: &RollupNode| DelayedLink::start(node.server().addresses()[0], latency);
    let to_first = link_to(&first)?.ws_url();
    let mut config = rollup.config(Role::Follower { sequencer: Some(to_first.clone()) });
    config.standby = Some(Box::new(rollup.sequencer_config()?));
    config.admin = Some(admin_config()?);
    let second = RollupNode::start(config).await?;
    for node in [&first, &second] {
        until_synced(node).await?;
    }
    let sent = Arc::new(AtomicU64::new(0));
    let clients: Vec<_> = keys
        .into_iter()
        .map(|key| {
            let nodes = [provider_of(&first)?, provider_of(&second)?];
            Ok(tokio::spawn(send_all(key, total / CLIENTS, nodes, Arc::clone(&sent))))
        })
        .collect::<Result<_>>()?;

    let to_second = link_to(&second)?.ws_url();
    let (mut leads, mut follows) = (&first, &second);
    for change in 1..=changes {
        let due = change * total / (changes + 1);
        let to_next = if change % 2 == 1 { &to_second } else { &to_first };
        until("the load", leads, || async { Ok(sent.load(Ordering::Relaxed) >= due) }).await?;
        let (old, new) = (admin_of(leads)?, admin_of(follows)?);
        let _: Value = old.raw_request("rollup_demote".into(), json!([to_next])).await?;
        // The promotion is rejected while L1 transactions of the account are pending or the node
        // has not caught up.
        until("the promotion", follows, || async {
            let promoted = new.raw_request::<_, Value>("rollup_promote".into(), json!([])).await;
            Ok(promoted.is_ok() || follows.status().role == rpc_types::Role::Sequencer)
        })
        .await?;
        core::mem::swap(&mut leads, &mut follows);
    }
    let (mut waiting, mut refusals) = (Vec::new(), 0);
    for client in clients {
        let (acknowledged, refused) = client.await??;
        waiting.extend(acknowledged);
        refusals += refused;
    }
    let acknowledged = waiting.len();
    let l2 = provider_of(leads)?;
    let timeout = Timeout::begin();
    while !waiting.is_empty() && timeout.lasts() {
        let mut missing = Vec::new();
        for hash in waiting {
            if l2.get_transaction_receipt(hash).await?.is_none() {
                missing.push(hash);
            }
        }
        waiting = missing;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!(
        "{latency:?}, {changes} changes: {acknowledged} acknowledged, {refusals} refusals, {} stranded",
        waiting.len()
    );
    assert!(waiting.is_empty(), "{} of {acknowledged} stranded: {:?}", waiting.len(), waiting[0]);
    assert!(acknowledged as u64 > total / 2, "{acknowledged}");
    until_settled("all on L1", leads).await?;
    first.stop().await;
    second.stop().await;
    Ok(())
}
