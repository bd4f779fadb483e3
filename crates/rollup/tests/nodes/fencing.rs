//! The check of the fencing token right before a block is sealed and before it is posted.

use crate::support::{DevnetRollup, admin_config, admin_of, until, until_settled, until_status};
use alloy_primitives::{Address, U256};
use alloy_provider::{Provider as _, RootProvider};
use enshrine_rollup::{LeaseConfig, RollupNode};
use eyre::Result;
use serde_json::Value;
use std::time::Duration;
use testkit::{Cable, Etcd};

/// A sequencer with a lease, and the link to its etcd.
struct LeasedSequencer {
    node: RollupNode,
    admin: RootProvider,
    cable: Cable,
    _etcd: Etcd,
}

impl LeasedSequencer {
    /// Starts a sequencer that holds the lease. Returns `None` if etcd is not installed.
    async fn start(rollup: &DevnetRollup) -> Result<Option<Self>> {
        let Some(etcd) = Etcd::start(1, "fencing of blocks and of L1 transactions")? else {
            return Ok(None);
        };
        let cable = Cable::to(etcd.ports()[0])?;
        let mut config = rollup.config(rollup.sequencer_role()?);
        config.admin = Some(admin_config()?);
        config.lease = Some(LeaseConfig {
            endpoints: vec![format!("http://127.0.0.1:{}", cable.port())],
            credentials: None,
            ca: None,
            identity: None,
            url: "ws://127.0.0.1:9545".to_owned(),
            work_timeout: Duration::from_secs(10),
        });
        let node = RollupNode::start(config).await?;
        let admin = admin_of(&node)?;
        let leased = Self { node, admin, cable, _etcd: etcd };
        leased.until_leads().await?;
        Ok(Some(leased))
    }

    async fn until_leads(&self) -> Result<()> {
        until_status("the lease", &self.node, |status| status.role == rpc_types::Role::Sequencer)
            .await
    }

    async fn switch(&self, method: &'static str) -> Result<()> {
        self.admin.raw_request::<_, Value>(method.into(), ()).await?;
        Ok(())
    }

    /// Cuts etcd off, calls a method, and waits until the term has ended. The node has some seconds
    /// to act, in which only the check of the token keeps it from doing so.
    async fn call_without_etcd(&self, method: &'static str) -> Result<()> {
        self.cable.cut();
        self.switch(method).await?;
        until_status("the end of the term", &self.node, |status| {
            status.role == rpc_types::Role::Follower
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn block_requires_check_of_fencing_token() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let Some(leased) = LeasedSequencer::start(&rollup).await? else { return Ok(()) };
    let head = || leased.node.status().unsafe_head.number;
    leased.switch("admin_stopSealing").await?;
    let receipt = rollup.deposit(Address::repeat_byte(0xb0), U256::ONE).await?;
    until("the deposit", &leased.node, || async {
        let l1_head = leased.node.status().l1_head;
        Ok(l1_head.map(|head| head.number) >= receipt.block_number)
    })
    .await?;
    assert_eq!(head(), 0);
    leased.call_without_etcd("admin_startSealing").await?;
    assert_eq!(head(), 0);
    leased.cable.mend();
    until("a block", &leased.node, || async { Ok(head() > 0) }).await?;
    leased.node.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn posting_requires_check_of_fencing_token() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let Some(leased) = LeasedSequencer::start(&rollup).await? else { return Ok(()) };
    let status = || leased.node.status();
    let nonce = || rollup.provider.get_transaction_count(rollup.l1.addresses()[1]).pending();
    let before = nonce().await?;
    leased.switch("admin_stopPosting").await?;
    rollup.deposit(Address::repeat_byte(0xb0), U256::ONE).await?;
    until("a block", &leased.node, || async { Ok(status().unsafe_head.number > 0) }).await?;
    leased.call_without_etcd("admin_startPosting").await?;
    assert_eq!((nonce().await?, status().safe_head.number), (before, 0));
    leased.cable.mend();
    until_settled("the block on L1", &leased.node).await?;
    assert!(status().safe_head.number > 0);
    leased.node.stop().await;
    Ok(())
}
