//! Watchers that post the signed blocks of a sequencer that does not.

use crate::{
    preconfirmations::{pass_until, preconfirming, send, until_included},
    support::{PATIENCE, World, is_settled, provider_of, refusal, until},
    watching::{Bonded, Watching, metric},
};
use alloy_primitives::B256;
use alloy_provider::{Provider as _, ext::AnvilApi as _};
use enshrine_rollup::{Config, Role, RollupNode, Signer, WatchConfig, WatchEvent};
use eyre::{OptionExt as _, Result, ensure};
use std::time::Duration;
use testkit::{ETHER, Interception, Key, Proxy};

const BOND: u128 = 10 * ETHER;
/// Age from which the policy lets any account post a block.
const POST_DELAY: u64 = 300;
/// Further seconds for which the watcher waits.
const GRACE: u64 = 60;

/// A sequencer with a bond under `HybridSequencing`, whose transactions need not reach L1.
struct Withholding {
    bonded: Bonded,
    node: RollupNode,
    proxy: Proxy,
    _folder: tempfile::TempDir,
}

impl Withholding {
    async fn new(preconfirms: bool) -> Result<Self> {
        let bonded = Bonded::under_hybrid(&["alice"], BOND).await?;
        bonded.deposit(BOND).await?;
        let (proxy, folder) = (of_l1(&bonded.world)?, tempfile::tempdir()?);
        let mut config = preconfirming(&bonded.world, folder.path(), Duration::from_millis(300))?;
        if let Role::Sequencer(sequencing) = &mut config.role
            && !preconfirms
        {
            sequencing.preconfirm = None;
        }
        let node = RollupNode::start(Config { l1: vec![proxy.url()], ..config }).await?;
        Ok(Self { bonded, node, proxy, _folder: folder })
    }

    /// Keeps the sequencer's transactions from L1.
    fn withhold(&self) {
        self.proxy.intercept(|request| {
            let is_sent = request.contains("eth_sendRawTransaction");
            is_sent.then(|| Interception::Answer(refusal(request, "not now")))
        });
    }

    /// Starts a watcher that posts blocks from the account of this key.
    async fn watch(&self, secret: B256) -> Result<Watching> {
        let reporter = Some(Signer::new("reporter_key", secret)?);
        let watch = WatchConfig { reporter, post: true, ..WatchConfig::default() };
        self.bonded.watch_by(&self.node, None, watch).await
    }

    /// Has blocks made with one transaction each, from this nonce on.
    async fn make(&self, first: u64, count: u64, watching: &Watching) -> Result<Vec<B256>> {
        let mut all = Vec::new();
        for nonce in first..first + count {
            let sent = send(&provider_of(&self.node)?, "alice", nonce).await?;
            until_included(&self.node, sent).await?;
            all.push(sent);
        }
        let head = self.node.status().unsafe_head;
        until("the blocks", &watching.node, || async {
            Ok(watching.node.status().unsafe_head == head)
        })
        .await?;
        Ok(all)
    }

    /// Moves L1's time to this age of the newest block.
    async fn pass(&self, watching: &Watching, age: u64) -> Result<()> {
        let l2 = provider_of(&self.node)?;
        let head = l2.get_block_by_number(Default::default()).await?.ok_or_eyre("no head")?;
        pass_until(&self.bonded.world, &watching.node, head.header.timestamp + age).await
    }

    async fn stop(self, watching: Watching) {
        for node in [self.node, watching.node] {
            node.stop().await;
        }
    }
}

fn of_l1(world: &World) -> Result<Proxy> {
    Ok(world.behind_proxy(Role::Follower { sequencer: None })?.0)
}

/// Key of an account with ether on L1.
fn rich_key(world: &World) -> B256 {
    B256::from_slice(&world.l1.keys()[2].to_bytes()[..])
}

#[tokio::test(flavor = "multi_thread")]
async fn withheld_blocks_are_posted_by_watcher() -> Result<()> {
    let withholding = Withholding::new(true).await?;
    let mut watching = withholding.watch(rich_key(&withholding.bonded.world)).await?;
    withholding.withhold();
    let mut sent = withholding.make(0, 3, &watching).await?;
    let head = withholding.node.status().unsafe_head;
    withholding.pass(&watching, POST_DELAY + GRACE - 10).await?;
    watching.until_judged(&withholding.bonded.world).await?;
    assert_eq!(watching.node.status().safe_head.number, 0, "too early");
    withholding.pass(&watching, POST_DELAY + GRACE + 1).await?;
    until("the blocks on L1", &withholding.node, || async {
        Ok(withholding.node.status().safe_head == head)
    })
    .await?;
    let posted = watching.until_event(WatchEvent::Posted)?;
    assert_eq!((posted.number, posted.block_hash, posted.fault), (3, head.hash, "withheld"));
    assert_eq!(metric(&watching.node, "rollup_watch_posted").await?, 3);

    // The sequencer goes on from there, and nothing is late.
    withholding.proxy.honest();
    sent.extend(withholding.make(3, 1, &watching).await?);
    until("settlement", &withholding.node, || async { Ok(is_settled(&withholding.node)) }).await?;
    withholding.pass(&watching, 2_000).await?;
    withholding.bonded.world.next_second().await?;
    let l2 = provider_of(&withholding.node)?;
    for hash in sent {
        ensure!(l2.get_transaction_receipt(hash).await?.is_some(), "{hash} is lost");
    }
    assert!(withholding.node.status().fault.is_none(), "{:?}", withholding.node.status());
    assert_eq!(withholding.node.status().overtaken, 0);
    assert!(watching.reports().iter().all(|it| it.event == WatchEvent::Posted));
    assert_eq!(withholding.bonded.bond().await?, BOND);
    withholding.stop(watching).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn account_without_ether_posts_nothing() -> Result<()> {
    let withholding = Withholding::new(true).await?;
    let mut watching = withholding.watch(Key::named("poor").secret()).await?;
    withholding.withhold();
    withholding.make(0, 1, &watching).await?;
    withholding.pass(&watching, POST_DELAY + GRACE + 1).await?;
    let refused = watching.until_event(WatchEvent::NotPosted)?;
    let reason = refused.reason.unwrap_or_default();
    assert!(reason.contains("has 0 wei on L1"), "{reason}");
    assert_eq!(watching.node.status().safe_head.number, 0);
    // Once the account has some, the blocks are posted.
    let poor = Key::named("poor").address();
    let provider = &withholding.bonded.world.provider;
    provider.anvil_set_balance(poor, alloy_primitives::U256::from(10 * ETHER)).await?;
    until("the block on L1", &watching.node, || async {
        withholding.bonded.world.next_second().await?;
        Ok(watching.node.status().safe_head.number == 1)
    })
    .await?;
    withholding.stop(watching).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn watcher_posts_nothing_beside_working_sequencer() -> Result<()> {
    let withholding = Withholding::new(true).await?;
    let mut watching = withholding.watch(rich_key(&withholding.bonded.world)).await?;
    withholding.make(0, 2, &watching).await?;
    until("settlement", &watching.node, || async { Ok(is_settled(&watching.node)) }).await?;
    withholding.pass(&watching, POST_DELAY + GRACE + 1).await?;
    withholding.bonded.world.next_second().await?;
    watching.until_judged(&withholding.bonded.world).await?;
    assert_eq!(watching.reports(), []);
    let world = &withholding.bonded.world;
    assert_eq!(world.provider.get_transaction_count(world.l1.addresses()[2]).await?, 0);
    // Nor later, until the sequencer withholds one.
    withholding.withhold();
    withholding.make(2, 1, &watching).await?;
    withholding.pass(&watching, POST_DELAY + GRACE + 1).await?;
    assert_eq!(watching.until_event(WatchEvent::Posted)?.number, 3);
    withholding.stop(watching).await;
    Ok(())
}

/// Blocks that the sequencer serves without a promise are its own affair.
#[tokio::test(flavor = "multi_thread")]
async fn blocks_without_promise_are_not_posted() -> Result<()> {
    let withholding = Withholding::new(false).await?;
    let mut watching = withholding.watch(rich_key(&withholding.bonded.world)).await?;
    withholding.withhold();
    withholding.make(0, 2, &watching).await?;
    withholding.pass(&watching, POST_DELAY + GRACE + 1).await?;
    withholding.bonded.world.next_second().await?;
    watching.until_judged(&withholding.bonded.world).await?;
    assert_eq!(watching.node.status().safe_head.number, 0);
    assert_eq!(watching.reports(), []);
    withholding.stop(watching).await;
    Ok(())
}

impl Watching {
    /// Waits for a report of this event, and returns it.
    fn until_event(&mut self, event: WatchEvent) -> Result<enshrine_rollup::WatchReport> {
        loop {
            if let Some(report) = self.reports().iter().find(|it| it.event == event) {
                return Ok(report.clone());
            }
            self.seen.push(self.reports.recv_timeout(PATIENCE)?);
        }
    }
}
