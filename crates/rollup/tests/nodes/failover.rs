//! Preconfirmations of sequencers with a lease: the next leader keeps the promises of the last one.

use crate::{
    preconfirmations::{
        LONG, Recording, preconfirming, require_no_evidence, rollup, send, until_included,
        until_preconfirmed, whole,
    },
    support::{DevnetRollup, is_settled, provider_of, until},
};
use alloy_primitives::{Address, U256};
use alloy_provider::{Provider as _, ext::AnvilApi as _};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use enshrine_rollup::{Config, LeaseConfig, RollupNode};
use eyre::{OptionExt as _, Result, ensure};
use serde_json::json;
use std::{path::Path, time::Duration};
use tempfile::TempDir;
use testkit::{Cable, Etcd};

/// A sequencer with a lease, and the link to its etcd.
struct Member {
    node: RollupNode,
    cable: Cable,
}

impl Member {
    async fn start(
        rollup: &DevnetRollup,
        etcd: &Etcd,
        folder: &Path,
        block_time: Duration,
    ) -> Result<Self> {
        let cable = Cable::to(etcd.ports()[0])?;
        let lease = LeaseConfig {
            endpoints: vec![format!("http://127.0.0.1:{}", cable.port())],
            credentials: None,
            ca: None,
            identity: None,
            url: "ws://127.0.0.1:9545".to_owned(),
            work_timeout: Duration::from_secs(3_600),
        };
        let config = preconfirming(rollup, folder, block_time)?;
        let node = RollupNode::start(Config { lease: Some(lease), ..config }).await?;
        Ok(Self { node, cable })
    }

    async fn until_leads(&self) -> Result<()> {
        until("the lease", &self.node, || async {
            Ok(self.node.status().role == rpc_types::Role::Sequencer)
        })
        .await
    }

    /// Waits until the node knows all signatures, and the parent of the next block is shared.
    async fn until_preconfirming(&self) -> Result<()> {
        until("preconfirmations", &self.node, || async {
            Ok(self.node.status().preconfirming.is_some_and(|status| status.on))
        })
        .await
    }
}

/// Two members of which the first leads and preconfirms, with long blocks.
struct Pair {
    rollup: DevnetRollup,
    etcd: Etcd,
    first: Member,
    second: Member,
    _folders: [TempDir; 2],
}

impl Pair {
    /// Returns `None` if etcd is not installed.
    async fn start(what: &str) -> Result<Option<Self>> {
        let Some(etcd) = Etcd::start(1, what)? else { return Ok(None) };
        let rollup = rollup(&["alice", "bob", "carol"]).await?;
        let folders = [tempfile::tempdir()?, tempfile::tempdir()?];
        // etcd has no journal, so the first leader signs nothing before a block of it is on L1.
        let short = Duration::from_millis(200);
        let first = Member::start(&rollup, &etcd, folders[0].path(), short).await?;
        rollup.deposit(Address::repeat_byte(0xda), U256::ONE).await?;
        first.until_leads().await?;
        first.until_preconfirming().await?;
        let recorded = send(&provider_of(&first.node)?, "carol", 0).await?;
        until_included(&first.node, recorded).await?;
        until("settlement", &first.node, || async { Ok(is_settled(&first.node)) }).await?;
        first.node.stop().await;
        let first = Member::start(&rollup, &etcd, folders[0].path(), LONG).await?;
        first.until_leads().await?;
        let second = Member::start(&rollup, &etcd, folders[1].path(), LONG).await?;
        Ok(Some(Self { rollup, etcd, first, second, _folders: folders }))
    }

    /// Number of records in etcd.
    fn records(&self) -> Result<u64> {
        let [key, range_end] =
            ["enshrine/records/", "enshrine/records0"].map(|key| BASE64.encode(key));
        let range = json!({ "key": key, "range_end": range_end, "count_only": true });
        let response = self.etcd.post(0, "/v3/kv/range", &range).ok_or_eyre("no response")?;
        Ok(response["count"].as_str().ok_or_eyre("no count")?.parse()?)
    }

    async fn stop(self) {
        self.first.node.stop().await;
        self.second.node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn next_leader_seals_prefix_of_last_one() -> Result<()> {
    let Some(pair) = Pair::start("failover of preconfirmations").await? else { return Ok(()) };
    let Pair { rollup, first, second, .. } = &pair;
    let recordings = [Recording::start(&first.node).await?, Recording::start(&second.node).await?];

    let mut promised = Vec::new();
    for nonce in 0..3 {
        promised.push(send(&provider_of(&first.node)?, "alice", nonce).await?);
        until_preconfirmed(&first.node, promised[nonce as usize]).await?;
    }
    let head = first.node.status().unsafe_head.number;
    first.cable.cut();
    second.until_leads().await?;
    for hash in &promised {
        until_included(&second.node, *hash).await?;
    }
    // The first node has dropped the open block, and follows.
    until("the end of the term", &first.node, || async {
        Ok(first.node.status().role == rpc_types::Role::Follower)
    })
    .await?;
    assert_eq!(first.node.status().unsafe_head.number, head);

    // The sealed block has a time at the end of its long slot, and L1 follows.
    rollup.provider.anvil_increase_time(2 * LONG.as_secs()).await?;
    rollup.provider.anvil_mine(Some(1), None).await?;
    second.until_preconfirming().await?;
    let hash = send(&provider_of(&second.node)?, "bob", 0).await?;
    until_preconfirmed(&second.node, hash).await?;
    let [by_first, by_second] = recordings;
    let [by_first, by_second] = [by_first.end().await, by_second.end().await];
    let last = [whole(&by_first)?, whole(&by_second)?];
    let (header, is_sealed, _) = last[0].last().ok_or_eyre("no prefix of the first leader")?;
    assert!(!is_sealed);
    let (sealed, is_sealed, _) = last[1].first().ok_or_eyre("no prefix of the second leader")?;
    assert!(is_sealed, "the recorded prefix is sealed at once");
    assert_eq!(header.hash, sealed.hash);
    require_no_evidence(rollup, &[by_first, by_second].concat()).await?;
    pair.stop().await;
    Ok(())
}

/// The record exists, but its prefix was not signed, since the response was lost. Then the leader
/// is cut off from etcd.
#[tokio::test(flavor = "multi_thread")]
async fn record_without_response_binds_next_leader() -> Result<()> {
    let Some(pair) = Pair::start("a lost response of etcd").await? else { return Ok(()) };
    let Pair { rollup, first, second, .. } = &pair;
    let recordings = [Recording::start(&first.node).await?, Recording::start(&second.node).await?];
    let signed = send(&provider_of(&first.node)?, "alice", 0).await?;
    until_preconfirmed(&first.node, signed).await?;
    let records = pair.records()?;
    first.cable.withhold_responses_from(BASE64.encode("enshrine/record").as_bytes());
    let recorded = send(&provider_of(&first.node)?, "alice", 1).await?;
    until("the record", &first.node, || async { Ok(pair.records()? > records) }).await?;
    first.cable.cut();
    second.until_leads().await?;
    until_included(&second.node, recorded).await?;

    // The first node gets the same block from L1.
    rollup.provider.anvil_increase_time(2 * LONG.as_secs()).await?;
    rollup.provider.anvil_mine(Some(1), None).await?;
    let mut blocks = Vec::new();
    for (node, hash) in [(second, signed), (second, recorded), (first, signed), (first, recorded)] {
        until_included(&node.node, hash).await?;
        let receipt = provider_of(&node.node)?.get_transaction_receipt(hash).await?;
        blocks.push(receipt.ok_or_eyre("no receipt")?.block_hash);
    }
    ensure!(blocks.iter().all(|block| *block == blocks[0]), "in different blocks: {blocks:?}");
    let [by_first, by_second] = recordings;
    let [by_first, by_second] = [by_first.end().await, by_second.end().await];
    let last = [whole(&by_first)?, whole(&by_second)?];
    let (prefix, is_sealed, ours) = last[0].last().ok_or_eyre("no prefix of the first leader")?;
    assert!(!is_sealed);
    let (sealed, is_sealed, theirs) = last[1].first().ok_or_eyre("no prefix of the second")?;
    assert!(is_sealed, "the recorded prefix is sealed at once");
    assert_eq!((Some(sealed.hash), prefix.environment), (blocks[0], sealed.environment));
    assert_eq!((&theirs[..ours.len()], theirs.len()), (&ours[..], ours.len() + 1));
    require_no_evidence(rollup, &[by_first, by_second].concat()).await?;
    pair.stop().await;
    Ok(())
}
