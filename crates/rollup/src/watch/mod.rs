//! Watcher of a sequencer, which stores signed messages, checks them as `PreconfBonds` does, and
//! submits evidence of faults.
//!
//! A watcher is a follower. The [`PrefixClient`](crate::prefix::PrefixClient) passes it each
//! update, including those that the follower rejects. A thread checks new messages, and all of them
//! at each L1 block.

mod book;
mod checker;
mod event;
mod file;
mod post;
mod report;
mod retry;
mod watched;

pub use event::{WatchEvent, WatchReport};

use crate::{
    L1Error, RollupRules, SubmitterConfig, SubmitterError,
    l1::{L1Client, L1View, Quorum},
    l2::{FeedError, signed_blocks::FeedTrust},
    service::{data_dir::WATCH_SPENDING, node_handle::NodeHandle, supervisor::Actor},
    signer::Signer,
    submitter::CallSender,
};
use alloy_primitives::{Address, B256};
use book::{Book, NotStored};
use chain::{Block, ChainReader};
use checker::{Accounts, FaultChecker, Found};
use contracts::{Deployment, advance_plan::L1Limits, bindings::IPreconfBonds};
use disk::DiskError;
use event::name;
use file::WatchFile;
use node::Node;
use parking_lot::Mutex;
use post::Poster;
use preconf::{Domain, HeaderSummary, PrefixUpdate, evidence::SignedHeader};
use report::Reporter;
use rpc::{Gauge, Telemetry};
use std::{
    cmp::Reverse,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::Sender,
    },
    thread,
    time::Duration,
};

/// Pause between two turns of the thread.
const PAUSE: Duration = Duration::from_millis(50);
/// Number of L2 blocks after a posted block for which evidence about it can be proven.
const PROVABLE: u64 = 16_381;
/// Maximum number of blocks after the follower's head for which messages about unknown parents are
/// stored.
const MAX_AHEAD: u64 = 64;
/// Maximum number of signers whose liable accounts are cached.
const MAX_SIGNERS: usize = 64;

/// Configuration of a watcher.
#[derive(Debug, Clone, Default)]
pub struct WatchConfig {
    /// Key of the account that submits evidence; `None` only reports it to the operator.
    pub reporter: Option<Signer>,
    /// Fees and spending limits of its L1 transactions.
    pub submitter: SubmitterConfig,
    /// Submits evidence even if the reward is less than the cost.
    pub at_a_loss: bool,
    /// Posts signed blocks that the sequencer does not post, from the account of `reporter`.
    pub post: bool,
    /// Receiver of all reports.
    pub reports: Option<Sender<WatchReport>>,
}

#[derive(Debug)]
pub(crate) struct Watch {
    book: Mutex<Book>,
    rollup: Address,
    domain: Domain,
    /// Number of received updates.
    updates: AtomicU64,
    /// Increases with each stored message.
    version: AtomicU64,
}

/// An update whose preceding transactions are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WatchGap {
    pub(crate) first: u32,
    pub(crate) known: usize,
}

impl Watch {
    /// Opens the file of messages, if there is one.
    ///
    /// # Errors
    ///
    /// [`DiskError::Io`].
    pub(crate) fn open(
        path: Option<&Path>,
        rollup: Address,
        domain: Domain,
    ) -> Result<Self, DiskError> {
        let book = match path {
            Some(path) => {
                let (file, all) = WatchFile::open(path, rollup, &domain)?;
                Book::restored(file, all)
            }
            None => Book::default(),
        };
        let (updates, version) = Default::default();
        Ok(Self { book: Mutex::new(book), rollup, domain, updates, version })
    }

    /// Stores an update that an admitted account has signed, even if its block is not the next one.
    /// May wait for L1.
    ///
    /// # Errors
    ///
    /// [`WatchGap`] if the complete prefix must be requested.
    pub(crate) fn store(
        &self,
        update: &PrefixUpdate,
        trust: &FeedTrust,
        chain: &ChainReader,
        view: Option<&L1View>,
    ) -> Result<(), WatchGap> {
        self.updates.fetch_add(1, Ordering::Relaxed);
        let Ok((header, signer)) = self.admit(update, trust) else { return Ok(()) };
        let parent = chain.find_block(&header.parent);
        let (has_parent, head) = (matches!(parent, Ok(Some(_))), chain.head().header.number);
        let is_possible = match parent {
            Ok(Some(parent)) => header.number == parent.header.number.saturating_add(1),
            // A block whose parent is not in the chain only matters while its number is open.
            Ok(None) => {
                (head..head.saturating_add(MAX_AHEAD)).contains(&(header.number.saturating_sub(1)))
            }
            Err(error) => {
                tracing::warn!(%error, "failed to read the parent of a watched block");
                true
            }
        };
        if header.number == 0 || !is_possible {
            return Ok(());
        }
        let is_on_l1 = |number, hash| view.is_none_or(|view| view.is_canonical(number, hash));
        let stored = self.book.lock().keep(update, header, signer, has_parent, &is_on_l1);
        match stored {
            Ok(is_new) => {
                self.version.fetch_add(u64::from(is_new), Ordering::Relaxed);
                Ok(())
            }
            Err(NotStored::Gap { first, known }) => Err(WatchGap { first, known }),
            Err(NotStored::Garbage) => Ok(()),
        }
    }

    /// Returns the header and the signer of an update, if it binds an account of the sequencer.
    fn admit(
        &self,
        update: &PrefixUpdate,
        trust: &FeedTrust,
    ) -> Result<(HeaderSummary, Address), FeedError> {
        let malformed = |error: String| FeedError::Malformed(error);
        let message = &update.message;
        let header = HeaderSummary::read(&update.header);
        let header = header.map_err(|error| malformed(error.to_string()))?;
        if header.hash != message.block_hash || message.rollup != self.rollup {
            return Err(malformed(format!("a message about {}", message.block_hash)));
        }
        let signer = message.signer(&self.domain, update.signature.as_slice());
        let signer = signer.map_err(|error| malformed(error.to_string()))?;
        match trust.admits(signer, header.number) {
            // Without a response of L1, an earlier admission counts, since this may be the only
            // copy.
            Err(FeedError::Policy(_) | FeedError::NotOpen)
                if self.book.lock().has_signer(&signer) => {}
            admitted => admitted?,
        }
        Ok((header, signer))
    }

    /// Returns a message in force that promises the block as sealed, with its signer.
    ///
    /// The message with the newest condition comes first. After each rejection by L1, the next one
    /// is used, since the policy may no longer admit a signer.
    fn sealed_message(
        &self,
        block: &Block,
        view: &L1View,
        rejections: usize,
    ) -> Option<(Address, SignedHeader)> {
        let book = self.book.lock();
        let all = book.at(block.header.number, block.header.parent_hash);
        let sealed = all.filter(|watched| {
            watched.header.hash == block.hash && watched.signed.message.is_sealed
        });
        let in_force = sealed.filter(|watched| {
            let (number, hash) = watched.condition();
            watched.signed.message.is_unconditional() || view.is_canonical(number, hash)
        });
        let mut all: Vec<_> = in_force.collect();
        all.sort_by_key(|watched| Reverse(watched.condition().0));
        let chosen = all.get(rejections.checked_rem(all.len())?)?;
        Some((chosen.signer, chosen.signed.clone()))
    }

    /// Records whether the follower's execution of the block resulted in the signed header.
    pub(crate) fn on_executed(&self, hash: &B256, is_true: bool) {
        let mut book = self.book.lock();
        if is_true {
            book.on_executed(hash);
        } else {
            book.on_false_result(hash);
            self.version.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The thread that checks messages and submits evidence.
#[derive(Debug)]
pub(crate) struct Watcher {
    watch: Arc<Watch>,
    node: Arc<Node>,
    checker: FaultChecker,
    reporter: Reporter,
    accounts: Accounts,
    levels: WatchLevels,
    /// L1 head and version of the book at the last check.
    checked_at: (Option<B256>, u64),
    /// Number and hash of that head.
    last_head: Option<(u64, B256)>,
    /// Head of the follower's chain when parents were last looked up.
    chain_head: Option<B256>,
    /// `true` if the chain lacked L2 blocks on L1 at the last check.
    is_behind: bool,
}

impl Watcher {
    /// Creates a watcher of a rollup with these rules.
    pub(crate) fn new(
        watch: Arc<Watch>,
        node: Arc<Node>,
        client: Arc<L1Client>,
        config: WatchConfig,
        (deployment, rules): (&Deployment, &RollupRules),
        (limits, levels): (L1Limits, WatchLevels),
        data_dir: Option<&Path>,
    ) -> Result<Self, SubmitterError> {
        let WatchConfig { reporter, submitter, at_a_loss, post, reports } = config;
        let domain = watch.domain;
        let sender =
            reporter.map(|key| CallSender::new(key, deployment.l1_chain_id, submitter, limits));
        let sender = match (sender, data_dir) {
            (Some(sender), Some(folder)) => {
                Some(sender.with_spending(&folder.join(WATCH_SPENDING))?)
            }
            (sender, _) => sender,
        };
        let poster = post.then(|| Poster::new(Arc::clone(&watch), *rules, limits));
        let checker = FaultChecker {
            domain,
            chain_id: deployment.l2_chain_id,
            post_within: rules.max_lag / 2,
        };
        let reporter = Reporter::new(client, domain, sender, at_a_loss, reports);
        let reporter = reporter.with_poster(poster);
        let reader = node.read(|node| node.chain.reader().clone());
        let is_known = |hash: &B256| reader.find_block(hash).is_ok_and(|found| found.is_some());
        watch.book.lock().check_unknown(is_known);
        let (accounts, checked_at, last_head) = Default::default();
        let (chain_head, is_behind) = Default::default();
        Ok(Self {
            watch,
            node,
            checker,
            reporter,
            accounts,
            levels,
            checked_at,
            last_head,
            chain_head,
            is_behind,
        })
    }

    /// Runs until `stop` is set.
    pub(crate) fn work(mut self, shared: &NodeHandle, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            shared.supervisor.advanced(Actor::Watcher);
            let view = shared.view.lock().clone();
            // Until L1 has been read, old blocks look late.
            if let Some(view) = view.filter(|_| shared.status.lock().synced) {
                self.check(&view);
                let chain = self.node.read(|node| node.chain.reader().clone());
                self.reporter.step(&view, &chain);
            }
            let head = self.last_head.map_or(0, |(number, _)| number);
            self.levels.show(&self.watch, &self.reporter, head);
            thread::sleep(PAUSE);
        }
    }

    fn check(&mut self, view: &L1View) {
        let chain = self.node.read(|node| node.chain.reader().clone());
        let watch = Arc::clone(&self.watch);
        let book = &watch.book;
        let head = view.head().map(|head| (head.number, head.hash));
        let version = watch.version.load(Ordering::Relaxed);
        let is_new = self.checked_at != (head.map(|head| head.1), version);
        if self.checked_at.0 != head.map(|head| head.1) {
            book.lock().recheck_doubtful();
        }
        let head_hash = Some(chain.head().hash);
        if self.chain_head != head_hash {
            book.lock()
                .find_parents(|hash| chain.find_block(hash).is_ok_and(|block| block.is_some()));
            self.chain_head = head_hash;
        }
        let mut found = self.checker.find_lies(book, &chain, view, &self.accounts);
        if is_new {
            book.lock().trim(&|number, hash| view.is_canonical(number, hash));
            if self.checked_at.0 != head.map(|head| head.1) {
                // A registration is permanent.
                self.accounts.retain(|signer, account| signer != account);
            }
            self.learn_accounts();
            if self.last_head.is_some_and(|(number, hash)| !view.is_canonical(number, hash)) {
                book.lock().recheck();
            }
            found.extend(self.checker.equivocations(book, &chain, view, &self.accounts));
            found.extend(self.checker.late(book, view, &self.accounts));
        }
        if is_new || self.is_behind {
            let is_complete = self.checker.broken(book, &chain, view, &self.accounts, &mut found);
            self.is_behind = !is_complete.unwrap_or_else(|error| {
                tracing::warn!(%error, "failed to read a block of the rollup");
                true
            });
        }
        for fault in found {
            if let Some(dropped) = self.reporter.add(fault, view) {
                let Found { accusation, offence } = dropped;
                let hash = accusation.first().message.block_hash;
                book.lock().reopen(accusation.fault(), offence.number, hash);
            }
        }
        (self.checked_at, self.last_head) = ((head.map(|head| head.1), version), head);
        let safe = view.advanced_head().map_or(0, |head| head.number);
        book.lock().forget_before(safe.saturating_sub(PROVABLE));
    }

    /// Requests the accounts that are liable for new signers.
    fn learn_accounts(&mut self) {
        let unknown = self.watch.book.lock().signers_besides(&self.accounts);
        for signer in unknown.into_iter().take(MAX_SIGNERS.saturating_sub(self.accounts.len())) {
            let bonds = self.reporter.bonds;
            let account =
                self.reporter.client.majority(Quorum::Responding, |provider| async move {
                    Ok::<_, L1Error>(
                        IPreconfBonds::new(bonds, provider).accountOf(signer).call().await?,
                    )
                });
            match account {
                Ok(account) => {
                    self.accounts.insert(signer, account);
                    if account != signer {
                        self.watch.book.lock().recheck_all();
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, %signer, "failed to read the account of a signer");
                }
            }
        }
    }
}

/// Gauges of a watcher for `/metrics`.
#[derive(Debug)]
pub(crate) struct WatchLevels {
    updates: Gauge,
    stored: Gauge,
    bytes: Gauge,
    evidence: [Gauge; 4],
    sent: Gauge,
    accepted: Gauge,
    posted: Gauge,
    l1_head: Gauge,
}

impl WatchLevels {
    pub(crate) fn new(telemetry: &mut Telemetry) -> Self {
        use preconf::faults::Fault::{Broken, Equivocation, Late, Lie};
        let mut gauge = |name: &str, help: &str| telemetry.gauge(name, help);
        Self {
            updates: gauge("rollup_watch_updates", "Signed prefixes that were received"),
            stored: gauge("rollup_watch_kept", "Signed prefixes that were stored and checked"),
            bytes: gauge("rollup_watch_bytes", "Bytes of the signed prefixes in memory"),
            evidence: [Equivocation, Broken, Lie, Late].map(|fault| {
                let name = format!("rollup_watch_evidence_{}", name(fault));
                gauge(&name, "Faults of this kind that were found")
            }),
            sent: gauge("rollup_watch_sent", "Accusations that L1 has included"),
            accepted: gauge("rollup_watch_accepted", "Accusations that L1 has accepted"),
            posted: gauge("rollup_watch_posted", "Blocks that were posted for the sequencer"),
            l1_head: gauge("rollup_watch_l1_head", "L1 block at the last check"),
        }
    }

    fn show(&self, watch: &Watch, reporter: &Reporter, l1_head: u64) {
        self.updates.set(watch.updates.load(Ordering::Relaxed));
        self.stored.set(watch.version.load(Ordering::Relaxed));
        self.bytes.set(watch.book.lock().bytes() as u64);
        for (gauge, count) in self.evidence.iter().zip(reporter.evidence) {
            gauge.set(count);
        }
        self.sent.set(reporter.sent);
        self.accepted.set(reporter.accepted);
        self.posted.set(reporter.posted());
        self.l1_head.set(l1_head);
    }
}

#[cfg(test)]
mod tests;
