//! The thread that makes or follows blocks, in one role or the other. It has L1 from the snapshots
//! of the thread `l1`, and waits for L1 only to change its role.

use crate::{
    Follower, L1Client, L1Profile, L1Reader, RollupError, RollupRules, Sequencer, SequencerConfig,
    Submitter,
    admin::{AdminRequest, Answer, Order, RoleError, sequencer_at},
    batcher::{Batcher, BatcherHandle},
    l1::poller::{L1Poll, L1Poller, L1Polls, Sequencing},
    l1_sync::L1SyncState,
    l2_syncer::{self, L2Syncer},
    leadership::Leadership,
    metrics::Levels,
    pool_log::{KeptPool, PoolLog},
    probe::{Probe, Unanswered},
    rpc_methods::Shared,
    service::supervisor::Room,
    signed_blocks::BlockSigning,
    status::BlockId,
    unsafe_block_client::UnsafeBlockClient,
};
use alloy_eips::{BlockId as L1BlockId, eip2718::Encodable2718 as _};
use alloy_primitives::{Address, B256, Bytes};
use chain::RecoveredTransaction;
use client::RedactedUrl;
use lease::Lease;
use node::Node;
use std::{
    io,
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

/// Newest blocks that a new sequencer signs, at least.
const SIGNED_AT_START: u64 = 64;
/// Pause without work.
const PAUSE: Duration = Duration::from_millis(20);

/// Common parts of both roles.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) rules: RollupRules,
    pub(crate) profile: L1Profile,
    pub(crate) node: Arc<Node>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) data_dir: Option<PathBuf>,
    /// File of the pool, in either role: once this node makes blocks, they include acknowledged
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
    /// Interval between two looks at L1.
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
    pool_log: Option<Arc<PoolLog>>,
    /// Deferred transactions for the next role.
    kept: Vec<RecoveredTransaction>,
    /// Start of the worker.
    pub(crate) started: Instant,
    /// Number of times, since the node began to make blocks, that other blocks of its account
    /// replaced its own on L1, and the last transaction with such blocks.
    overtaken: (u64, B256),
    /// Pending request for the node that made the blocks in this transaction, which replaced this
    /// node's.
    competitor: Option<(B256, Probe<CompetingSequencer>)>,
    /// Blocks that this node has yet to sign.
    signing: BlockSigning,
    /// A pending promotion, with the request for obstacles.
    promotion: Option<(Answer, Readied)>,
    /// `true` from a block that could not be sealed to one that was: most turns try nothing.
    pub(crate) sealing_failed: bool,
}

/// Request for obstacles to making blocks.
type Readied = Probe<Result<(), RoleError>>;

/// Maker of blocks that replaced this node's on L1.
#[derive(Debug)]
enum CompetingSequencer {
    /// The peer, whose head is this block.
    Peer(u64),
    /// An account, if L1 has told which.
    Account(Option<Address>),
}

impl Worker {
    /// Starts in a role, and starts reading L1. A node that is to make blocks while its peer makes
    /// them follows the peer.
    pub(crate) async fn start(
        mut start: Start,
        reader: L1Reader,
        is_sequencer: bool,
    ) -> Result<Self, RollupError> {
        let (pool_log, kept) = match start.kept_pool.take() {
            Some(KeptPool { log, refused }) => (Some(log), refused),
            None => (None, Vec::new()),
        };
        // Before anything is made: a sequencer that was replaced would seal blocks that L1 will not
        // take, under nonces of its operator.
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
        let room = L1Poller::new(reader, Arc::clone(&start.node), sequencing, rate);
        let polls = room.start(start.poll, Arc::clone(&start.stop), Arc::clone(&start.shared));
        let polls = polls.map_err(no_thread)?;
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
            pool_log,
            kept,
            overtaken,
            competitor: None,
            signing: BlockSigning::default(),
            promotion: None,
            started: Instant::now(),
            sealing_failed: false,
        };
        // With a lease, no node makes blocks before it has that.
        match (is_sequencer && other.is_none() && !has_lease)
            .then(|| worker.batcher(&sync))
            .flatten()
        {
            Some(batcher) => worker.lead(sync, batcher?),
            None => worker.follow(sync),
        }
        Ok(worker)
    }

    /// The batcher's thread; `None` for a node without keys for it.
    fn batcher(&self, sync: &L2Syncer) -> Option<Result<BatcherHandle, RollupError>> {
        let config = self.start.sequencing.as_deref()?;
        let (client, deployment) = (Arc::clone(&self.client), sync.view.deployment());
        let folder = self.start.data_dir.as_deref();
        let (rules, profile) = (self.start.rules, self.start.profile.clone());
        let batcher =
            Batcher::new(client, deployment, rules, config, profile, self.reads_blobs, folder);
        Some(
            batcher.and_then(|batcher| {
                batcher.start(Arc::clone(&self.start.shared)).map_err(no_thread)
            }),
        )
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
        let mut sequencer = Sequencer::new(sync, *rules, config, limits, pool_log, batcher, rate);
        sequencer.keep(core::mem::take(&mut self.kept));
        self.overtaken = (0, B256::ZERO);
        self.sealing_failed = false;
        self.sign_known(sequencer.sync());
        self.start.feed.rest();
        // Last: from here on users are answered as by a sequencer, and L1 is asked for the terms.
        self.start.shared.makes_blocks.store(true, Ordering::Relaxed);
        self.active_role = Some(ActiveRole::Sequencer(Box::new(sequencer)));
    }

    /// Signs the blocks that followers may lack: a new sequencer vouches for the chain that it
    /// continues.
    fn sign_known(&mut self, sync: &L2Syncer) {
        let chain = sync.chain();
        let head = chain.head().header.number;
        let safe = sync.view.advanced_head().map_or(0, |(number, _)| number);
        // Followers may be behind L1 too.
        let first = (safe + 1).min(head.saturating_sub(SIGNED_AT_START) + 1);
        for number in first.max(chain.first_number() + 1)..=head {
            // What cannot be read is served to nobody either.
            if let Ok(Some(hash)) = chain.canonical_hash(number) {
                self.signing.add(number, hash);
            }
        }
    }

    /// Switches to the role of a follower of the node that makes blocks.
    fn follow(&mut self, sync: L2Syncer) {
        let peer = self.start.peer.clone();
        let has_feed = peer.is_some() || self.start.has_callers || self.start.feed.has_relays();
        // First: a send that arrives now is forwarded, and not acknowledged by a node that seals no
        // more.
        self.start.shared.makes_blocks.store(false, Ordering::Relaxed);
        self.start.feed.follow(peer);
        let kept = core::mem::take(&mut self.kept);
        let follower = Follower::new(sync, has_feed, kept, self.pool_log.clone());
        self.active_role = Some(ActiveRole::Follower(Box::new(follower)));
    }

    /// Begins an order, or refuses it. For a promotion another thread first sends requests to L1
    /// and the peer.
    fn begin(&mut self, order: Order, answer: Answer, l1_sync: &L1SyncState) {
        match order {
            Order::Promote { .. } if self.start.lease.is_some() => {
                answer.send(Err(self.ask_to_lead()));
            }
            Order::Promote { force } => match self.ask_for_promotion(force, l1_sync) {
                Ok(probe) => self.promotion = Some((answer, probe)),
                Err(error) => answer.send(Err(error)),
            },
            Order::Demote { sequencer } => {
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

    /// Head at the role change.
    fn has_changed_role(&self) -> BlockId {
        let head = self.start.node.read(|node| Arc::clone(node.chain.head()));
        tracing::warn!(role = self.role(), head = head.header.number, "changed role");
        BlockId { number: head.header.number, hash: head.hash }
    }

    /// Checks the conditions of a promotion that the node itself knows.
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

    /// Asks the peer and L1 for obstacles to making blocks. The node follows blocks meanwhile.
    fn ask_for_promotion(&self, force: bool, l1_sync: &L1SyncState) -> Result<Readied, RoleError> {
        let account = self.may_be_promoted(l1_sync)?.advance_key.address();
        let (peer, client) = (self.start.peer.clone(), Arc::clone(&self.client));
        let (runtime, rules) = (self.start.runtime.clone(), self.start.rules);
        let view = &self.sync().view;
        let time = view.head().map_or(0, |head| head.timestamp);
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
            let latest = L1BlockId::latest();
            l2_syncer::admission(&client, rollup, account, &rules, latest)?.fee_recipient(time)?;
            Ok(())
        });
        probe.map_err(|error| RoleError::Unready(no_thread(error)))
    }

    /// Completes a promotion once the answers are there, unless there is an obstacle.
    fn go_on_with_promotion(&mut self, l1_sync: &L1SyncState) {
        let Some((answer, probe)) = self.promotion.take() else { return };
        let outcome = match probe.answer() {
            None => {
                self.promotion = Some((answer, probe));
                return;
            }
            Some(Ok(outcome)) => outcome,
            Some(Err(Unanswered)) => Err(RoleError::Silent),
        };
        // L1 may have been lost since it was asked.
        let outcome = outcome.and_then(|()| self.may_be_promoted(l1_sync).map(|_| ()));
        answer.send(outcome.and_then(|()| self.promote()));
    }

    /// Switches to the role of a sequencer, at this head.
    pub(crate) fn promote(&mut self) -> Result<BlockId, RoleError> {
        let batcher = self.batcher(self.sync()).ok_or(RoleError::NoKeys)??;
        if let Some(ActiveRole::Follower(follower)) = self.active_role.take() {
            let (sync, kept) = follower.into_parts();
            self.kept = kept;
            self.lead(sync, batcher);
        }
        Ok(self.has_changed_role())
    }

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

    /// Lets a sequencer whose blocks were replaced on L1 by its peer's follow the peer. Without
    /// such a peer it counts blocks that its own account has posted: another node has its keys.
    /// Another thread finds out who made them: the peer has three seconds to answer, and this node
    /// makes blocks meanwhile.
    fn yield_to_another(&mut self) {
        let Some(ActiveRole::Sequencer(sequencer)) = &mut self.active_role else {
            self.competitor = None;
            return;
        };
        if self.competitor.is_none()
            && let Some(transaction) = sequencer.overtaken_by.take()
        {
            // A lease says more surely than a node's answer who makes blocks.
            let peer = self.start.peer.clone().filter(|_| self.start.lease.is_none());
            let (client, runtime) = (Arc::clone(&self.client), self.start.runtime.clone());
            let probe = Probe::ask(move || {
                let head = peer.as_deref().and_then(|url| runtime.block_on(sequencer_at(url)));
                let sender = || client.sender_of(transaction).ok().flatten();
                head.map_or_else(|| CompetingSequencer::Account(sender()), CompetingSequencer::Peer)
            });
            // Without a thread it is asked at the next such block.
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
            // An account of another may make blocks too, where the policy lets it.
            (Ok(CompetingSequencer::Account(Some(sender))), Some(account)) if sender == account => {
                self.overtaken = (self.overtaken.0 + 1, transaction);
                tracing::error!(%account, %transaction, "L1 included blocks of this account that this node did not seal");
            }
            _ => {}
        }
    }

    /// The account that posts blocks, if this node has its key.
    fn account(&self) -> Option<Address> {
        self.start.sequencing.as_ref().map(|it| it.advance_key.address())
    }

    /// The fault of a sequencer whose keys another node uses too. A first time may be a transaction
    /// of its own from before it lost its chain. The second time one of the two has to stop, or
    /// both would continue to acknowledge what the other replaces.
    fn shares_keys(&self) -> Option<RollupError> {
        let ((times, transaction), account) = (self.overtaken, self.account()?);
        // A node that has taken over by a lease finds what the one before it had on its way to L1.
        let config = self.start.sequencing.as_deref().filter(|_| self.start.lease.is_some());
        let left_over = config.map_or(0, |config| config.submitter.max_in_flight as u64);
        (times > 1 + left_over).then_some(RollupError::SharedKeys { account, times, transaction })
    }

    const fn role(&self) -> &'static str {
        match self.active_role {
            Some(ActiveRole::Sequencer(_)) => "sequencer",
            _ => "follower",
        }
    }
}

#[allow(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn no_thread(error: io::Error) -> RollupError {
    RollupError::Config { field: "threads", reason: error.to_string() }
}

impl Worker {
    pub(crate) fn work(
        mut self,
        shared: &Shared,
        levels: &Levels,
        inputs: &Receiver<Vec<Bytes>>,
        asked: &Receiver<AdminRequest>,
    ) {
        let (mut l1_sync, pause) = (L1SyncState::new(), PAUSE.min(self.start.poll));
        self.show_view(shared);
        while !self.start.stop.load(Ordering::Relaxed) {
            shared.supervisor.advanced(Room::Blocks);
            self.read(shared, &mut l1_sync);
            let not_led = self.follow_lease(&l1_sync).err();
            let (mut outcome, mut not_submitted, mut not_relayed) = (Ok(()), None, None);
            let (shares_keys, may_lead) = (self.shares_keys(), self.may_lead());
            shared.shares_keys.store(shares_keys.is_some(), Ordering::Relaxed);
            if let Some(ActiveRole::Sequencer(sequencer)) = &mut self.active_role {
                // A view of L1 that contradicts itself may be a lie, and blocks on top of a lie are
                // undone.
                let may_seal = l1_sync.may_seal() && shares_keys.is_none() && may_lead;
                let switches = shared.controls.get();
                if may_seal && switches.sealing {
                    let unknown_fork = shared.unknown_fork.lock().clone();
                    outcome = sequencer.make_block(unknown_fork.as_ref()).map(|made| {
                        // Signed now, while this node leads: nobody accepts the block from a
                        // follower otherwise. If the disk hung meanwhile, another may lead.
                        let holds = self.start.lease.as_ref().is_none_or(Lease::is_held);
                        if let Some(block) = made.filter(|_| holds) {
                            self.signing.add(block.header.number, block.hash);
                            self.sealing_failed = false;
                        }
                    });
                    self.sealing_failed |= outcome.is_err();
                }
                // Blocks may go on for a while without L1; what is sent there may not be decided by
                // an old view, or it is paid for in vain.
                sequencer.submit(may_seal && l1_sync.unread.is_none() && switches.posting);
                not_submitted = sequencer.not_submitted();
                not_relayed = sequencer.not_relayed().map(|error| error.to_string());
                if let Some(error) = shares_keys {
                    outcome = Err(error);
                }
            }
            self.signing.advance(&shared.signed);
            // One order after another: the next may depend on what becomes of a promotion.
            self.go_on_with_promotion(&l1_sync);
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
            // One is shown: what stops block production first, then what stops the derivation, then
            // what waits for L1.
            let failed = outcome.and(taken).err().map(|error| error.to_string());
            let failed = failed.or_else(|| not_led.map(|error| error.to_string()));
            let unread = l1_sync.fault().or_else(|| self.silent_since_start(&l1_sync));
            let fault = failed.or(unread).or(not_submitted).or(not_relayed);
            if let Some(error) = &fault
                && shared.status.lock().fault.as_ref() != Some(error)
            {
                tracing::error!(error, "operation failed, retrying");
            }
            self.report_work(fault.is_some());
            self.tell(shared, l1_sync.is_synced, fault);
            levels.show(&shared.status(&self.sync().node));
        }
        // What they hold, files and the chain among it, is free for the next start then.
        if let Some(ActiveRole::Sequencer(sequencer)) = self.active_role {
            sequencer.end();
        }
        self.polls.end();
    }

    /// Takes a result of reading L1, and applies it.
    fn read(&mut self, shared: &Shared, l1_sync: &mut L1SyncState) {
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
                // A full disk or a missing blob may last: it is not tried fifty times a second.
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
            None => unreachable!("a role is given up for another at once"),
        }
    }

    fn follow_l1(&mut self) -> Result<(), RollupError> {
        match &mut self.active_role {
            Some(ActiveRole::Sequencer(sequencer)) => sequencer.follow_l1(),
            Some(ActiveRole::Follower(follower)) => follower.follow_l1(),
            None => Ok(()),
        }
    }

    fn take_unsafe(&mut self, inputs: &[Bytes]) -> Result<(), RollupError> {
        let Some(ActiveRole::Follower(follower)) = &mut self.active_role else { return Ok(()) };
        inputs.iter().try_for_each(|input| follower.take_unsafe(input).map(drop))
    }

    fn tell(&self, shared: &Shared, is_synced: bool, fault: Option<String>) {
        let L2Syncer { node, view, .. } = self.sync();
        let head = node.read(|node| Arc::clone(node.chain.head()));
        let genesis = (0, view.deployment().genesis_hash);
        let id = |(number, hash)| BlockId { number, hash };
        let mut status = shared.status.lock();
        // All under one lock: a reader never sees a safe head above the unsafe one.
        status.role = self.role();
        status.l1_head = view.head().map(|head| id((head.number, head.hash)));
        status.l1_timestamp = view.head().map_or(0, |head| head.timestamp);
        status.l1_finalized = view.finalized();
        status.l1_entries = view.held() as u64;
        status.overtaken = self.overtaken.0;
        status.unsafe_head = id((head.header.number, head.hash));
        status.safe_head = id(view.advanced_head().unwrap_or(genesis));
        status.finalized_head = id(view.finalized_head().unwrap_or(genesis));
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
        // Encoding them is work for each turn, so it is done when they have changed.
        if requeued.len() != waiting.len()
            || waiting.last().map(hash) != requeued.last().map(|(hash, _)| *hash)
        {
            let raw = |it: &RecoveredTransaction| Bytes::from(it.transaction.encoded_2718());
            *requeued = waiting.iter().map(|it| (hash(it), raw(it))).collect();
        }
        drop(requeued);
    }

    /// Shows the view of L1 before blocks are made or executed by it: or they have messages that no
    /// one knows yet.
    fn show_view(&self, shared: &Shared) {
        *shared.view.lock() = Some(Arc::clone(&self.sync().view));
    }
}
