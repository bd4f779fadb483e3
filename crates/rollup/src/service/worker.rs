//! The thread that makes or follows blocks, depending on the node's role. It uses the L1 snapshots
//! of the thread `l1`, so that only a role change may have to wait for L1.

mod leadership;

use leadership::Leadership;

use crate::{
    Follower, L1Client, L1Profile, L1Reader, L2Error, RollupError, RollupRules, Sequencer,
    SequencerConfig, Submitter,
    batcher::{Batcher, BatcherError, BatcherHandle},
    l1::{
        Quorum,
        poller::{L1Poll, L1Poller, L1Polls, Sequencing},
        rollup_contracts,
        sync_state::L1SyncState,
    },
    l2::{
        pool_log::{KeptPool, PoolLog},
        signed_blocks::BlockSigning,
        syncer::L2Syncer,
        unsafe_block_client::UnsafeBlockClient,
    },
    lease::{Fence, Lease},
    probe::{Probe, Unanswered},
    rpc::{
        admin::{AdminCommand, AdminRequest, Responder, sequencer_at},
        error::RoleError,
    },
    service::{error::ServiceError, metrics::Levels, node_handle::NodeHandle, supervisor::Actor},
};
use alloy_eips::{BlockId, BlockNumHash, eip2718::Encodable2718 as _};
use alloy_primitives::{Address, B256, Bytes};
use chain::RecoveredTransaction;
use client::RedactedUrl;
use node::Node;
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

pub(crate) use crate::l1::poller::MAX_RETRY_INTERVAL;

/// Minimum number of newest blocks that a new sequencer signs.
const SIGNED_AT_START: u64 = 64;
/// Pause between two turns without work.
const PAUSE: Duration = Duration::from_millis(20);

/// Common parts of both roles.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) rules: RollupRules,
    pub(crate) profile: L1Profile,
    pub(crate) node: Arc<Node>,
    pub(crate) shared: Arc<NodeHandle>,
    pub(crate) data_dir: Option<PathBuf>,
    /// The pool's file, in either role: once this node makes blocks, it includes the acknowledged
    /// transactions.
    pub(crate) kept_pool: Option<KeptPool>,
    /// Configuration of a sequencer, if the node can be one.
    pub(crate) sequencing: Option<Box<SequencerConfig>>,
    /// WebSocket URL of the sequencer, if this node is a follower.
    pub(crate) peer: Option<String>,
    /// Lease without which the node makes no blocks, if it has one.
    pub(crate) lease: Option<Lease>,
    /// `true` if callers of the Engine API supply blocks.
    pub(crate) has_callers: bool,
    pub(crate) feed: UnsafeBlockClient,
    pub(crate) runtime: tokio::runtime::Handle,
    /// Interval between two polls of L1.
    pub(crate) poll: Duration,
    /// Set when the node stops.
    pub(crate) stop: Arc<AtomicBool>,
}

/// The node's role with its state.
pub(crate) enum ActiveRole {
    Sequencer(Box<Sequencer>),
    Follower(Box<Follower>),
}

/// A running node.
pub(crate) struct Worker {
    pub(crate) start: Start,
    pub(crate) client: Arc<L1Client>,
    polls: L1Polls,
    reads_blobs: bool,
    /// Always present, except during a role change.
    pub(crate) active_role: Option<ActiveRole>,
    pub(crate) leadership: Leadership,
    /// Right to make blocks in the current term.
    pub(crate) fence: Fence,
    pool_log: Option<Arc<PoolLog>>,
    /// Deferred transactions for the next role.
    kept: Vec<RecoveredTransaction>,
    /// Start of the worker.
    pub(crate) started: Instant,
    /// Number of times since the node became sequencer that other blocks of its own account
    /// replaced its blocks on L1, and the hash of the last L1 transaction with such blocks.
    overtaken: (u64, B256),
    /// L1 transaction with blocks that replaced this node's, and the pending request for their
    /// sequencer.
    competitor: Option<(B256, Probe<CompetingSequencer>)>,
    /// Blocks that this node has yet to sign.
    signing: BlockSigning,
    /// A pending promotion, with its checks.
    promotion: Option<(Responder, Readied)>,
    /// `true` after a failed seal, until one succeeds. Kept across turns, since most turns do not
    /// try to seal.
    pub(crate) sealing_failed: bool,
}

/// Pending checks of the conditions for making blocks.
type Readied = Probe<Result<(), RoleError>>;

/// Sequencer of blocks that replaced this node's on L1.
#[derive(Debug)]
enum CompetingSequencer {
    /// The peer, with this block number as its head.
    Peer(u64),
    /// Sender of the L1 transaction, if L1 has returned it.
    Account(Option<Address>),
}

impl Worker {
    /// Starts the worker in its role, and the thread that reads L1. A node configured as sequencer
    /// starts as follower while its peer is an active sequencer.
    pub(crate) async fn start(
        mut start: Start,
        reader: L1Reader,
        is_sequencer: bool,
    ) -> Result<Self, RollupError> {
        let (pool_log, kept) = match start.kept_pool.take() {
            Some(KeptPool { log, refused }) => (Some(log), refused),
            None => (None, Vec::new()),
        };
        // Before any block is sealed: a replaced sequencer would seal blocks that L1 never
        // includes, and use up nonces of its operator in them.
        let other = match (is_sequencer, &start.peer) {
            (true, Some(peer)) => sequencer_at(peer).await,
            _ => None,
        };
        if let Some(head) = other {
            let peer = start.peer.as_deref().map(RedactedUrl::new);
            tracing::warn!(head, ?peer, "another sequencer is active, starting as follower");
        }
        let (client, reads_blobs) = (Arc::clone(reader.client()), reader.reads_blobs());
        let sync = L2Syncer::new(Arc::clone(&start.node), Arc::clone(reader.view()));
        let account = start.sequencing.as_ref().map(|it| it.advance_key.address());
        let sequencing = Sequencing { account, rules: start.rules };
        let rate = start.shared.rate.clone();
        let poller = L1Poller::new(reader, Arc::clone(&start.node), sequencing, rate);
        let polls = poller.start(start.poll, Arc::clone(&start.stop), Arc::clone(&start.shared));
        let polls = polls.map_err(ServiceError::NoThread)?;
        let (active_role, overtaken) = (None, (0, B256::ZERO));
        let leadership = Leadership::new(is_sequencer);
        let has_lease = start.lease.is_some();
        let mut worker = Self {
            start,
            client,
            polls,
            reads_blobs,
            active_role,
            leadership,
            fence: Fence::default(),
            pool_log,
            kept,
            overtaken,
            competitor: None,
            signing: BlockSigning::default(),
            promotion: None,
            started: Instant::now(),
            sealing_failed: false,
        };
        // With a lease, a node makes no blocks before it holds the lease.
        match (is_sequencer && other.is_none() && !has_lease)
            .then(|| worker.batcher(&sync))
            .flatten()
        {
            Some(batcher) => worker.lead(sync, batcher?),
            None => worker.follow(sync),
        }
        Ok(worker)
    }

    /// Starts the batcher's thread; `None` if the node has no keys for it.
    fn batcher(&self, sync: &L2Syncer) -> Option<Result<BatcherHandle, BatcherError>> {
        let config = self.start.sequencing.as_deref()?;
        let (client, deployment) = (Arc::clone(&self.client), sync.view.deployment());
        let folder = self.start.data_dir.as_deref();
        let (rules, profile) = (self.start.rules, self.start.profile.clone());
        let batcher =
            Batcher::new(client, deployment, rules, config, profile, self.reads_blobs, folder);
        Some(batcher.and_then(|batcher| {
            let batcher = batcher.with_fence(self.fence.clone());
            batcher.start(Arc::clone(&self.start.shared)).map_err(BatcherError::NoThread)
        }))
    }

    /// Switches to the role of a sequencer.
    fn lead(&mut self, sync: L2Syncer, batcher: BatcherHandle) {
        let Start { rules, profile, sequencing, .. } = &self.start;
        let Some(config) = sequencing.as_deref().cloned() else {
            self.follow(sync);
            return;
        };
        let (pool_log, rate) = (self.pool_log.clone(), self.start.shared.rate.clone());
        let limits = profile.limits;
        let sequencer = Sequencer::new(sync, *rules, config, limits, pool_log, batcher, rate);
        let mut sequencer = sequencer.with_fence(self.fence.clone());
        sequencer.keep(core::mem::take(&mut self.kept));
        self.overtaken = (0, B256::ZERO);
        self.sealing_failed = false;
        self.sign_known(sequencer.sync());
        self.start.feed.rest();
        // Last: from here on the node answers users as a sequencer, and polls include the terms.
        self.start.shared.makes_blocks.store(true, Ordering::Relaxed);
        self.active_role = Some(ActiveRole::Sequencer(Box::new(sequencer)));
    }

    /// Signs the blocks that followers may lack: a new sequencer vouches for the chain that it
    /// continues.
    fn sign_known(&mut self, sync: &L2Syncer) {
        let chain = sync.chain();
        let head = chain.head().header.number;
        let safe = sync.view.advanced_head().map_or(0, |head| head.number);
        // Followers may be behind L1 too.
        let first = (safe + 1).min(head.saturating_sub(SIGNED_AT_START) + 1);
        for number in first.max(chain.first_number() + 1)..=head {
            // An unreadable block is not served either.
            if let Ok(Some(hash)) = chain.canonical_hash(number) {
                self.signing.add(number, hash);
            }
        }
    }

    /// Switches to the role of a follower of the node that makes blocks.
    fn follow(&mut self, sync: L2Syncer) {
        let peer = self.start.peer.clone();
        let has_feed = peer.is_some() || self.start.has_callers || self.start.feed.has_relays();
        // First: from now on transactions are forwarded, and not acknowledged by a node that no
        // longer seals.
        self.start.shared.makes_blocks.store(false, Ordering::Relaxed);
        self.start.feed.follow(peer);
        let kept = core::mem::take(&mut self.kept);
        let follower = Follower::new(sync, has_feed, kept, self.pool_log.clone());
        self.active_role = Some(ActiveRole::Follower(Box::new(follower)));
    }

    /// Executes a command of the operator, or rejects it. For a promotion another thread first
    /// sends requests to L1 and the peer.
    fn begin(&mut self, order: AdminCommand, answer: Responder, l1_sync: &L1SyncState) {
        match order {
            AdminCommand::Promote { .. } if self.start.lease.is_some() => {
                answer.send(Err(self.ask_to_lead()));
            }
            AdminCommand::Promote { force } => match self.ask_for_promotion(force, l1_sync) {
                Ok(probe) => self.promotion = Some((answer, probe)),
                Err(error) => answer.send(Err(error)),
            },
            AdminCommand::Demote { sequencer } => {
                self.ask_no_more();
                if !matches!(self.active_role, Some(ActiveRole::Sequencer(_))) {
                    answer.send(Err(RoleError::Already { got: self.role() }));
                    return;
                }
                self.start.peer = sequencer.or_else(|| self.start.peer.take());
                self.step_down();
                answer.send(Ok(self.has_changed_role()));
            }
        }
    }

    /// Logs a role change, and returns the head at that time.
    fn has_changed_role(&self) -> BlockNumHash {
        let head = self.start.node.read(|node| Arc::clone(node.chain.head()));
        tracing::warn!(role = self.role(), head = head.header.number, "changed role");
        BlockNumHash { number: head.header.number, hash: head.hash }
    }

    /// Checks the conditions of a promotion that need no requests.
    pub(crate) fn may_be_promoted(
        &self,
        l1_sync: &L1SyncState,
    ) -> Result<&SequencerConfig, RoleError> {
        let Some(ActiveRole::Follower(follower)) = &self.active_role else {
            return Err(RoleError::Already { got: self.role() });
        };
        let config = self.start.sequencing.as_deref().ok_or(RoleError::NoKeys)?;
        let view = &follower.sync().view;
        let fault = l1_sync.fault();
        if !l1_sync.is_synced || fault.is_some() {
            let seen = (view.head().map_or(0, |head| head.number), view.latest());
            let failed = l1_sync.unread.as_ref().map(|failed| (failed.read, failed.latest));
            let (got, expected) = failed.unwrap_or(seen);
            return Err(RoleError::NotSynced { got, expected, fault });
        }
        Ok(config)
    }

    /// Checks on another thread that the peer is no active sequencer, that the account has no
    /// pending transactions on L1 unless `force` is set, and that L1 admits it. The node follows
    /// blocks meanwhile.
    fn ask_for_promotion(&self, force: bool, l1_sync: &L1SyncState) -> Result<Readied, RoleError> {
        let account = self.may_be_promoted(l1_sync)?.advance_key.address();
        let (peer, client) = (self.start.peer.clone(), Arc::clone(&self.client));
        let (runtime, rules) = (self.start.runtime.clone(), self.start.rules);
        let view = &self.sync().view;
        let time = view.head().map_or(0, |head| head.timestamp);
        // At a block that most L1 nodes have, so that they give equal answers.
        let at = view.head().map_or(BlockId::latest(), |head| head.hash.into());
        let rollup = view.deployment().rollup;
        let probe = Probe::ask(move || {
            if let Some(url) = peer
                && let Some(head) = runtime.block_on(sequencer_at(&url))
            {
                return Err(RoleError::SequencerLives { url: RedactedUrl::new(&url), head });
            }
            let (used, with_waiting) = Submitter::is_ready(&client, account)?;
            if used != with_waiting && !force {
                return Err(RoleError::Nonce { got: used, expected: with_waiting });
            }
            let admission = client.most(Quorum::Answering, |provider| {
                rollup_contracts::admission(provider, rollup, account, rules, at)
            });
            admission?.fee_recipient(time)?;
            Ok(())
        });
        probe.map_err(|error| RoleError::Unready(BatcherError::NoThread(error)))
    }

    /// Completes a promotion once its checks have passed, or rejects it.
    fn resume_promotion(&mut self, l1_sync: &L1SyncState) {
        let Some((answer, probe)) = self.promotion.take() else { return };
        let outcome = match probe.answer() {
            None => {
                self.promotion = Some((answer, probe));
                return;
            }
            Some(Ok(outcome)) => outcome,
            Some(Err(Unanswered)) => Err(RoleError::Silent),
        };
        // L1 may have become unreachable since the checks began.
        let outcome = outcome.and_then(|()| self.may_be_promoted(l1_sync).map(|_| ()));
        answer.send(outcome.and_then(|()| self.promote()));
    }

    /// Switches to the role of a sequencer, and returns the head from which it continues.
    pub(crate) fn promote(&mut self) -> Result<BlockNumHash, RoleError> {
        self.fence = self.start.lease.as_ref().map(Fence::of).unwrap_or_default();
        let batcher = self.batcher(self.sync()).ok_or(RoleError::NoKeys)??;
        if let Some(ActiveRole::Follower(follower)) = self.active_role.take() {
            let (sync, kept) = follower.into_parts();
            self.kept = kept;
            self.lead(sync, batcher);
        }
        Ok(self.has_changed_role())
    }

    /// Switches to the role of a follower, if the node is the sequencer.
    pub(crate) fn step_down(&mut self) {
        match self.active_role.take() {
            Some(ActiveRole::Sequencer(sequencer)) => {
                let (sync, kept) = sequencer.into_parts();
                self.kept = kept;
                self.follow(sync);
            }
            active_role => self.active_role = active_role,
        }
    }

    /// Detects a competing sequencer whose blocks replaced this node's on L1. If the peer is one,
    /// this node follows it. Otherwise it counts blocks posted by its own account: another node has
    /// its keys. Another thread sends the requests, since the peer has three seconds to answer;
    /// this node makes blocks meanwhile.
    fn yield_to_another(&mut self) {
        let Some(ActiveRole::Sequencer(sequencer)) = &mut self.active_role else {
            self.competitor = None;
            return;
        };
        if self.competitor.is_none()
            && let Some(transaction) = sequencer.overtaken_by.take()
        {
            // With a lease the peer is not requested: the lease determines more reliably which node
            // makes blocks.
            let peer = self.start.peer.clone().filter(|_| self.start.lease.is_none());
            let (client, runtime) = (Arc::clone(&self.client), self.start.runtime.clone());
            let probe = Probe::ask(move || {
                let head = peer.as_deref().and_then(|url| runtime.block_on(sequencer_at(url)));
                let sender = || client.sender_of(transaction).ok().flatten();
                head.map_or_else(|| CompetingSequencer::Account(sender()), CompetingSequencer::Peer)
            });
            // If no thread can be started, the next such block triggers the request again.
            self.competitor = probe.ok().map(|probe| (transaction, probe));
        }
        let Some((transaction, probe)) = &self.competitor else { return };
        let (transaction, Some(competitor)) = (*transaction, probe.answer()) else { return };
        self.competitor = None;
        match (competitor, self.account()) {
            (Ok(CompetingSequencer::Peer(head)), _) => {
                let url = self.start.peer.as_deref().map(RedactedUrl::new);
                tracing::error!(?url, head, "another sequencer is active, following it");
                self.step_down();
            }
            // Blocks of another account are legitimate if the policy admits it.
            (Ok(CompetingSequencer::Account(Some(sender))), Some(account)) if sender == account => {
                self.overtaken = (self.overtaken.0 + 1, transaction);
                tracing::error!(%account, %transaction, "L1 included blocks of this account that this node did not seal");
            }
            _ => {}
        }
    }

    /// Account that posts blocks, if this node has its key.
    fn account(&self) -> Option<Address> {
        self.start.sequencing.as_ref().map(|it| it.advance_key.address())
    }

    /// Returns the fault of a sequencer whose keys another node also uses. The first replacement
    /// may be a transaction of its own from before it lost its chain. From the second one on this
    /// node has to stop: otherwise both nodes would acknowledge transactions that the other one's
    /// blocks replace.
    fn shares_keys(&self) -> Option<ServiceError> {
        let ((times, transaction), account) = (self.overtaken, self.account()?);
        // After a takeover by lease, transactions that the previous leader had in flight do not
        // count.
        let config = self.start.sequencing.as_deref().filter(|_| self.start.lease.is_some());
        let left_over = config.map_or(0, |config| config.submitter.max_in_flight as u64);
        (times > 1 + left_over).then_some(ServiceError::SharedKeys { account, times, transaction })
    }

    const fn role(&self) -> &'static str {
        match self.active_role {
            Some(ActiveRole::Sequencer(_)) => "sequencer",
            _ => "follower",
        }
    }
}

impl Worker {
    pub(crate) fn work(
        mut self,
        shared: &NodeHandle,
        levels: &Levels,
        inputs: &Receiver<Vec<Bytes>>,
        asked: &Receiver<AdminRequest>,
    ) {
        let (mut l1_sync, pause) = (L1SyncState::new(), PAUSE.min(self.start.poll));
        self.show_view(shared);
        while !self.start.stop.load(Ordering::Relaxed) {
            shared.supervisor.advanced(Actor::Blocks);
            self.read(shared, &mut l1_sync);
            let not_led = self.follow_lease(&l1_sync).err();
            let (mut outcome, mut not_submitted, mut not_relayed) = (Ok(()), None, None);
            let (shares_keys, may_lead) = (self.shares_keys(), self.may_lead());
            shared.shares_keys.store(shares_keys.is_some(), Ordering::Relaxed);
            if let Some(ActiveRole::Sequencer(sequencer)) = &mut self.active_role {
                // An inconsistent view of L1 may be forged, and blocks built on it would be
                // reverted.
                let may_seal = l1_sync.may_seal() && shares_keys.is_none() && may_lead;
                let switches = shared.controls.get();
                if may_seal && switches.sealing {
                    let unknown_fork = shared.unknown_fork.lock().clone();
                    let made = sequencer.make_block(unknown_fork.as_ref());
                    outcome = made.map_err(RollupError::from).map(|made| {
                        // Signed only while this node still leads: if the disk hung during the
                        // append, another node may lead by now. Without the signature no node
                        // accepts the block.
                        let leads = self.fence.lasts_for(Duration::ZERO);
                        if let Some(block) = made.filter(|_| leads) {
                            self.signing.add(block.header.number, block.hash);
                            self.sealing_failed = false;
                        }
                    });
                    self.sealing_failed |= outcome.is_err();
                }
                // Blocks can be sealed for a while without L1, but posting with an outdated view
                // would waste fees.
                sequencer.submit(may_seal && l1_sync.unread.is_none() && switches.posting);
                not_submitted = sequencer.not_submitted();
                not_relayed = sequencer.not_relayed().map(|error| error.to_string());
                if let Some(error) = shares_keys {
                    outcome = Err(error.into());
                }
            }
            self.signing.advance(&shared.signed);
            // One command at a time: the next one may depend on the outcome of a promotion.
            self.resume_promotion(&l1_sync);
            while self.promotion.is_none()
                && let Ok(asked) = asked.try_recv()
            {
                if let Some((order, answer)) = asked.begin() {
                    self.begin(order, answer, &l1_sync);
                }
            }
            self.yield_to_another();
            let mut taken = Ok(());
            match inputs.recv_timeout(pause) {
                Ok(inputs) => taken = self.take_unsafe(&inputs),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => thread::sleep(pause),
            }
            // The status has one fault: first those that stop block production, then those that
            // stop derivation, then those that delay posting and relaying.
            let failed =
                outcome.and(taken.map_err(RollupError::from)).err().map(|error| error.to_string());
            let failed = failed.or_else(|| not_led.map(|error| error.to_string()));
            let unread = l1_sync.fault().or_else(|| self.silent_since_start(&l1_sync));
            let fault = failed.or(unread).or(not_submitted).or(not_relayed);
            if let Some(error) = &fault
                && shared.status.lock().fault.as_ref() != Some(error)
            {
                tracing::error!(error, "operation failed, retrying");
            }
            self.report_work(fault.is_some());
            self.publish_status(shared, l1_sync.is_synced, fault);
            levels.show(&shared.status(&self.sync().node));
        }
        // Both threads are joined, so that the files and the chain that they hold are released for
        // the next start.
        if let Some(ActiveRole::Sequencer(sequencer)) = self.active_role {
            sequencer.end();
        }
        self.polls.end();
    }

    /// Receives the next poll of L1, and applies it.
    fn read(&mut self, shared: &NodeHandle, l1_sync: &mut L1SyncState) {
        let poll = self.start.poll;
        match self.polls.next() {
            Some(Ok(polled)) => {
                (l1_sync.has_more, l1_sync.unread) = (polled.update.more, None);
                l1_sync.again = Some((Instant::now(), poll));
                self.take_over(polled);
                self.show_view(shared);
            }
            Some(Err(failed)) => l1_sync.unread = Some(failed),
            None => {}
        }
        let Some((_, pause)) = l1_sync.again.filter(|(at, _)| *at <= Instant::now()) else {
            return;
        };
        match self.follow_l1() {
            Ok(()) => {
                (l1_sync.again, l1_sync.not_followed) = (None, None);
                l1_sync.is_synced = !l1_sync.has_more;
            }
            Err(error) => {
                l1_sync.not_followed = Some(error.to_string());
                // A full disk or a missing blob may last, so the node retries with a backoff.
                let longer = (2 * pause).clamp(poll, MAX_RETRY_INTERVAL.max(poll));
                l1_sync.again = Some((Instant::now() + pause, longer));
            }
        }
    }

    fn take_over(&mut self, polled: L1Poll) {
        match &mut self.active_role {
            Some(ActiveRole::Sequencer(sequencer)) => sequencer.take_over(polled),
            Some(ActiveRole::Follower(follower)) => follower.take_over(polled),
            None => {}
        }
    }

    fn sync(&self) -> &L2Syncer {
        match &self.active_role {
            Some(ActiveRole::Sequencer(sequencer)) => sequencer.sync(),
            Some(ActiveRole::Follower(follower)) => follower.sync(),
            None => unreachable!("the role is absent only during a role change"),
        }
    }

    fn follow_l1(&mut self) -> Result<(), RollupError> {
        match &mut self.active_role {
            Some(ActiveRole::Sequencer(sequencer)) => Ok(sequencer.follow_l1()?),
            Some(ActiveRole::Follower(follower)) => Ok(follower.follow_l1()?),
            None => Ok(()),
        }
    }

    fn take_unsafe(&mut self, inputs: &[Bytes]) -> Result<(), L2Error> {
        let Some(ActiveRole::Follower(follower)) = &mut self.active_role else { return Ok(()) };
        inputs.iter().try_for_each(|input| follower.take_unsafe(input).map(drop))
    }

    fn publish_status(&self, shared: &NodeHandle, is_synced: bool, fault: Option<String>) {
        let L2Syncer { node, view, .. } = self.sync();
        let head = node.read(|node| Arc::clone(node.chain.head()));
        let genesis = BlockNumHash::new(0, view.deployment().genesis_hash);
        let mut status = shared.status.lock();
        // Under one lock, so that no reader sees a safe head above the unsafe one.
        status.role = self.role();
        status.l1_head = view.head().map(|head| BlockNumHash::new(head.number, head.hash));
        status.l1_timestamp = view.head().map_or(0, |head| head.timestamp);
        status.l1_finalized = view.finalized();
        status.l1_entries = view.held() as u64;
        status.overtaken = self.overtaken.0;
        status.unsafe_head = BlockNumHash::new(head.header.number, head.hash);
        status.safe_head = view.advanced_head().unwrap_or(genesis);
        status.finalized_head = view.finalized_head().unwrap_or(genesis);
        status.synced = is_synced;
        status.fault = fault;
        status.submitter = match &self.active_role {
            Some(ActiveRole::Sequencer(sequencer)) => Some(sequencer.submitter_status()),
            _ => None,
        };
        drop(status);
        let waiting = match &self.active_role {
            Some(ActiveRole::Sequencer(sequencer)) => sequencer.requeued(),
            Some(ActiveRole::Follower(follower)) => follower.requeued(),
            None => &[],
        };
        let hash = |it: &RecoveredTransaction| *it.transaction.hash();
        let mut requeued = shared.requeued.lock();
        // Encoded only when they have changed, and not at each turn.
        if requeued.len() != waiting.len()
            || waiting.last().map(hash) != requeued.last().map(|(hash, _)| *hash)
        {
            let raw = |it: &RecoveredTransaction| Bytes::from(it.transaction.encoded_2718());
            *requeued = waiting.iter().map(|it| (hash(it), raw(it))).collect();
        }
        drop(requeued);
    }

    /// Publishes the view of L1 to the RPC methods before blocks are built or executed with it, so
    /// that the methods know all messages of a block.
    fn show_view(&self, shared: &NodeHandle) {
        *shared.view.lock() = Some(Arc::clone(&self.sync().view));
    }
}
