//! Watchers that post the signed blocks of a sequencer that does not.

use crate::{
    preconfirmations::{pass_until, preconfirming, send, until_included},
    support::{
        ADVANCE, DevnetRollup, PATIENCE, is_settled, json_response, provider_of, refusal, until,
        until_settled, until_status,
    },
    watching::{Bonded, Watching, metric},
};
use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, B256, Bytes, keccak256};
use alloy_provider::{Provider as _, ext::AnvilApi as _};
use alloy_rpc_types_eth::TransactionReceipt;
use enshrine_rollup::{
    Config, Role, RollupNode, SequencerConfig, Signer, SubmitterConfig, WatchConfig, WatchEvent,
};
use eyre::{OptionExt as _, Result, ensure};
use parking_lot::Mutex;
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use testkit::{ETHER, Interception, Key, Proxy, Timeout};

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
        Self::changed(|sequencing| {
            if !preconfirms {
                sequencing.preconfirm = None;
            }
        })
        .await
    }

    async fn changed(change: impl FnOnce(&mut SequencerConfig)) -> Result<Self> {
        let bonded = Bonded::under_hybrid(&["alice"], BOND).await?;
        bonded.deposit(BOND).await?;
        let (proxy, folder) = (of_l1(&bonded.rollup)?, tempfile::tempdir()?);
        let mut config = preconfirming(&bonded.rollup, folder.path(), Duration::from_millis(300))?;
        if let Role::Sequencer(sequencing) = &mut config.role {
            change(sequencing);
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

    /// Keeps the sequencer's transactions from L1, which it does not notice. Returns them.
    fn hold(&self) -> Arc<Mutex<Vec<Bytes>>> {
        let withheld = Arc::<Mutex<Vec<Bytes>>>::default();
        let own = Arc::clone(&withheld);
        self.proxy.intercept(move |request| {
            let call: Value = serde_json::from_str(request).ok()?;
            let is_sent = call["method"] == "eth_sendRawTransaction";
            let raw: Bytes = call["params"][0].as_str().filter(|_| is_sent)?.parse().ok()?;
            let hash = keccak256(&raw);
            own.lock().push(raw);
            Some(Interception::Answer(json_response(request, hash)))
        });
        withheld
    }

    /// Starts a watcher that posts blocks from the account of this key.
    async fn watch(&self, secret: B256) -> Result<Watching> {
        self.watch_by(secret, SubmitterConfig::default()).await
    }

    /// Like [`Self::watch`], with these fees and limits.
    async fn watch_by(&self, secret: B256, submitter: SubmitterConfig) -> Result<Watching> {
        let reporter = Some(Signer::new("reporter_key", secret)?);
        let watch = WatchConfig { reporter, submitter, post: true, ..WatchConfig::default() };
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
        pass_until(&self.bonded.rollup, &watching.node, head.header.timestamp + age).await
    }

    async fn stop(self, watching: Watching) {
        for node in [self.node, watching.node] {
            node.stop().await;
        }
    }
}

fn of_l1(rollup: &DevnetRollup) -> Result<Proxy> {
    Ok(rollup.behind_proxy(Role::Follower { sequencer: None })?.0)
}

/// Key of an account with ether on L1.
fn rich_key(rollup: &DevnetRollup) -> B256 {
    B256::from_slice(&rollup.l1.keys()[2].to_bytes()[..])
}

#[tokio::test(flavor = "multi_thread")]
async fn withheld_blocks_are_posted_by_watcher() -> Result<()> {
    let withholding = Withholding::new(true).await?;
    let mut watching = withholding.watch(rich_key(&withholding.bonded.rollup)).await?;
    withholding.withhold();
    let mut sent = withholding.make(0, 3, &watching).await?;
    let head = withholding.node.status().unsafe_head;
    withholding.pass(&watching, POST_DELAY + GRACE - 10).await?;
    watching.until_judged(&withholding.bonded.rollup).await?;
    assert_eq!(watching.node.status().safe_head.number, 0, "too early");
    withholding.pass(&watching, POST_DELAY + GRACE + 1).await?;
    until("the blocks on L1", &withholding.node, || async {
        Ok(withholding.node.status().safe_head == head)
    })
    .await?;
    let posted = watching.until_event(WatchEvent::Posted)?;
    assert_eq!((posted.number, posted.block_hash, posted.fault), (3, head.hash, "withheld"));
    assert_eq!(metric(&watching.node, "rollup_watch_posted").await?, 3);

    // The sequencer continues from that block, and no block is late.
    withholding.proxy.honest();
    sent.extend(withholding.make(3, 1, &watching).await?);
    until("settlement", &withholding.node, || async { Ok(is_settled(&withholding.node)) }).await?;
    withholding.pass(&watching, 2_000).await?;
    withholding.bonded.rollup.next_second().await?;
    let l2 = provider_of(&withholding.node)?;
    for hash in sent {
        ensure!(l2.get_transaction_receipt(hash).await?.is_some(), "{hash} is lost");
    }
    assert!(withholding.node.status().fault.is_none(), "{:?}", withholding.node.status());
    assert_eq!(withholding.node.status().overtaken, 0);
    assert!(watching.reports().iter().all(|report| report.event == WatchEvent::Posted));
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
    let provider = &withholding.bonded.rollup.provider;
    provider.anvil_set_balance(poor, alloy_primitives::U256::from(10 * ETHER)).await?;
    until("the block on L1", &watching.node, || async {
        withholding.bonded.rollup.next_second().await?;
        Ok(watching.node.status().safe_head.number == 1)
    })
    .await?;
    withholding.stop(watching).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn watcher_posts_nothing_beside_working_sequencer() -> Result<()> {
    let withholding = Withholding::new(true).await?;
    let mut watching = withholding.watch(rich_key(&withholding.bonded.rollup)).await?;
    withholding.make(0, 2, &watching).await?;
    until("settlement", &watching.node, || async { Ok(is_settled(&watching.node)) }).await?;
    withholding.pass(&watching, POST_DELAY + GRACE + 1).await?;
    withholding.bonded.rollup.next_second().await?;
    watching.until_judged(&withholding.bonded.rollup).await?;
    assert_eq!(watching.reports(), []);
    let rollup = &withholding.bonded.rollup;
    assert_eq!(rollup.provider.get_transaction_count(rollup.l1.addresses()[2]).await?, 0);
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
    let mut watching = withholding.watch(rich_key(&withholding.bonded.rollup)).await?;
    withholding.withhold();
    withholding.make(0, 2, &watching).await?;
    withholding.pass(&watching, POST_DELAY + GRACE + 1).await?;
    withholding.bonded.rollup.next_second().await?;
    watching.until_judged(&withholding.bonded.rollup).await?;
    assert_eq!(watching.node.status().safe_head.number, 0);
    assert_eq!(watching.reports(), []);
    withholding.stop(watching).await;
    Ok(())
}

/// Maximum cost of the transactions of an account to a contract, in wei.
async fn most_spent(rollup: &DevnetRollup, from: Address, to: Address) -> Result<u128> {
    let mut sum = 0;
    for number in 0..=rollup.provider.get_block_number().await? {
        let block = rollup.provider.get_block_by_number(number.into()).full().await?;
        for sent in block.ok_or_eyre("no block")?.transactions.into_transactions() {
            if (sent.inner.signer(), sent.to()) == (from, Some(to)) {
                sum += u128::from(sent.gas_limit()) * sent.max_fee_per_gas();
            }
        }
    }
    Ok(sum)
}

/// Has sequencer and watcher post a block in one L1 block, and then the sequencer withhold another
/// one. Returns the last report of the watcher, and the maximum cost of its first transaction.
async fn post_both(
    is_watcher_first: bool,
    daily_limit: u128,
) -> Result<(enshrine_rollup::WatchReport, u128)> {
    const GWEI: u128 = 1_000_000_000;
    let tip = if is_watcher_first { GWEI } else { 3 * GWEI };
    let withholding = Withholding::changed(|sequencing| {
        let submitter = &mut sequencing.submitter;
        // L1 includes the withheld transaction, not one with higher fees.
        (submitter.tip, submitter.bump_after) = (tip, 1_000);
    })
    .await?;
    let (rollup, node) = (&withholding.bonded.rollup, &withholding.node);
    let submitter = SubmitterConfig { tip: 2 * GWEI, daily_limit, ..SubmitterConfig::default() };
    let mut watching = withholding.watch_by(rich_key(rollup), submitter).await?;
    let watcher = rollup.l1.addresses()[2];
    let policy = contracts::Deployment::read(&rollup.deployment())?.policy;

    let withheld = withholding.hold();
    let mut sent = withholding.make(0, 1, &watching).await?;
    let head = node.status().unsafe_head;
    until("the sequencer's transaction", node, || async {
        rollup.next_second().await?;
        Ok(!withheld.lock().is_empty())
    })
    .await?;
    rollup.provider.anvil_set_auto_mine(false).await?;
    withholding.pass(&watching, POST_DELAY + GRACE + 1).await?;
    until("the watcher's transaction", &watching.node, || async {
        Ok(rollup.provider.get_transaction_count(watcher).pending().await? == 1)
    })
    .await?;
    let raw = withheld.lock().last().cloned().unwrap_or_default();
    let _ = rollup.provider.send_raw_transaction(&raw).await?;
    rollup.provider.anvil_mine(Some(1), None).await?;
    withholding.proxy.honest();
    rollup.provider.anvil_set_auto_mine(true).await?;
    let receipts = rollup.provider.get_block_receipts(Default::default()).await?;
    let receipts = receipts.ok_or_eyre("no receipts")?;
    assert_eq!(receipts.len(), 2);
    let of = |account: Address| -> Result<&TransactionReceipt> {
        receipts.iter().find(|receipt| receipt.from == account).ok_or_eyre("not in the L1 block")
    };
    let (ours, theirs) = (of(watcher)?, of(ADVANCE)?);
    assert_eq!((ours.status(), theirs.status()), (is_watcher_first, !is_watcher_first));
    let (succeeded, failed) = if is_watcher_first { (ours, theirs) } else { (theirs, ours) };
    assert!(failed.gas_used < succeeded.gas_used, "{failed:?}");

    // Both find the block on L1, and the watcher knows the outcome of its transaction.
    for both in [node, &watching.node] {
        until("the block on L1", both, || async { Ok(both.status().safe_head == head) }).await?;
    }
    let (event, reason) = match is_watcher_first {
        true => (WatchEvent::Posted, None),
        false => (WatchEvent::NotPosted, Some("the transaction failed on L1")),
    };
    let report = watching.until_event(event)?;
    assert_eq!((report.number, report.block_hash), (1, head.hash));
    assert_eq!(
        (report.transaction, report.reason.as_deref()),
        (Some(ours.transaction_hash), reason)
    );
    let cost = most_spent(rollup, watcher, policy).await?;

    // The sequencer continues from that block.
    sent.extend(withholding.make(1, 1, &watching).await?);
    until_settled("settlement", node).await?;
    let l2 = provider_of(node)?;
    for hash in sent {
        ensure!(l2.get_transaction_receipt(hash).await?.is_some(), "{hash} is lost");
    }
    let status = node.status();
    assert_eq!((status.fault, status.overtaken), (None, 0));
    let expected = most_spent(rollup, ADVANCE, withholding.bonded.contract).await?;
    until_status("the cost of both transactions", node, |status| {
        status.submitter.is_some_and(|submitter| submitter.spent_today == expected)
    })
    .await?;
    assert_eq!(watching.reports().len(), 1, "{:?}", watching.seen);

    withholding.withhold();
    withholding.make(2, 1, &watching).await?;
    withholding.pass(&watching, POST_DELAY + GRACE + 1).await?;
    let timeout = Timeout::begin();
    while watching.reports().len() < 2 {
        ensure!(timeout.lasts(), "no second report: {:?}", watching.seen);
        rollup.next_second().await?;
        watching.until_judged(rollup).await?;
    }
    let last = watching.seen.last().cloned().ok_or_eyre("no report")?;
    assert_eq!(last.number, 3);
    assert_eq!(withholding.bonded.bond().await?, BOND);
    withholding.stop(watching).await;
    Ok((last, cost))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_posts_in_l1_block_succeeds() -> Result<()> {
    let limit = SubmitterConfig::default().daily_limit;
    let (first, _) = post_both(true, limit).await?;
    assert_eq!(first.event, WatchEvent::Posted);
    // A transaction that fails does not keep the watcher from the next block, but counts: half of
    // this limit is less than two of them.
    let (last, cost) = post_both(false, limit).await?;
    assert_eq!(last.event, WatchEvent::Posted);
    let (last, _) = post_both(false, 3 * cost).await?;
    assert_eq!(last.event, WatchEvent::NotPosted);
    let reason = last.reason.unwrap_or_default();
    assert!(reason.contains("wei were spent on L1 in a day"), "{reason}");
    Ok(())
}

impl Watching {
    /// Waits for a report of this event, and returns it.
    fn until_event(&mut self, event: WatchEvent) -> Result<enshrine_rollup::WatchReport> {
        loop {
            if let Some(report) = self.reports().iter().find(|report| report.event == event) {
                return Ok(report.clone());
            }
            self.seen.push(self.reports.recv_timeout(PATIENCE)?);
        }
    }
}
