//! The thread that makes or follows blocks, depending on the node's role. It uses the L1 snapshots
//! of the thread `l1`, so that only a role change may have to wait for L1.

mod active_role;
mod competitors;
mod leadership;
mod promotion;
mod publish;
mod role_change;
mod start;

pub(crate) use active_role::ActiveRole;
pub(crate) use start::Start;

use competitors::Competitors;
use leadership::Leadership;
use promotion::Promotion;
use publish::publish_status;

use crate::{
    L1Client, L1Reader, RollupError,
    l1::{
        poller::{L1Poller, L1Polls, Sequencing},
        sync_state::L1SyncState,
    },
    l2::{
        pool_log::{KeptPool, PoolLog},
        signed_blocks::BlockSigning,
        syncer::L2Syncer,
    },
    lease::Fence,
    rpc::admin::{AdminRequest, sequencer_at},
    service::{error::ServiceError, metrics::Levels, node_handle::NodeHandle, supervisor::Actor},
};
use alloy_primitives::{Address, Bytes};
use chain::RecoveredTransaction;
use client::RedactedUrl;
use std::{
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

pub(crate) use crate::l1::poller::MAX_RETRY_INTERVAL;

/// Pause between two turns without work.
const PAUSE: Duration = Duration::from_millis(20);

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
    competitors: Competitors,
    /// Blocks that this node has yet to sign.
    signing: BlockSigning,
    /// A pending promotion, with its checks.
    promotion: Option<Promotion>,
    /// `true` after a failed seal, until one succeeds. Kept across turns, since most turns do not
    /// try to seal.
    pub(crate) sealing_failed: bool,
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
        let leadership = Leadership::new(is_sequencer);
        let has_lease = start.lease.is_some();
        let mut worker = Self {
            start,
            client,
            polls,
            reads_blobs,
            active_role: None,
            leadership,
            fence: Fence::default(),
            pool_log,
            kept,
            competitors: Competitors::default(),
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

    /// Detects a competing sequencer whose blocks replaced this node's on L1. If the peer is one,
    /// this node follows it. Otherwise it counts blocks posted by its own account: another node has
    /// its keys.
    fn yield_to_another(&mut self) {
        let Some(ActiveRole::Sequencer(sequencer)) = &mut self.active_role else {
            self.competitors.forget_request();
            return;
        };
        if self.competitors.is_idle()
            && let Some(transaction) = sequencer.overtaken_by.take()
        {
            // With a lease the peer is not requested: the lease determines more reliably which node
            // makes blocks.
            let peer = self.start.peer.clone().filter(|_| self.start.lease.is_none());
            let (client, runtime) = (Arc::clone(&self.client), self.start.runtime.clone());
            self.competitors.ask(transaction, peer, client, runtime);
        }
        if let Some(head) = self.competitors.peer(self.account()) {
            let url = self.start.peer.as_deref().map(RedactedUrl::new);
            tracing::error!(?url, head, "another sequencer is active, following it");
            self.step_down();
        }
    }

    /// Account that posts blocks, if this node has its key.
    fn account(&self) -> Option<Address> {
        self.start.sequencing.as_ref().map(|it| it.advance_key.address())
    }

    /// Returns the fault of a sequencer whose keys another node also uses.
    fn shares_keys(&self) -> Option<ServiceError> {
        // After a takeover by lease, transactions that the previous leader had in flight do not
        // count.
        let config = self.start.sequencing.as_deref().filter(|_| self.start.lease.is_some());
        let left_over = config.map_or(0, |config| config.submitter.max_in_flight as u64);
        self.competitors.shares_keys(self.account(), left_over)
    }

    /// Runs the node until it is stopped.
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
                Ok(inputs) => {
                    let role = self.active_role.as_mut();
                    taken = role.map_or(Ok(()), |role| role.take_unsafe(&inputs));
                }
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
            let overtaken = self.competitors.overtaken();
            publish_status(shared, self.current_role(), overtaken, l1_sync.is_synced, fault);
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
                if let Some(role) = &mut self.active_role {
                    role.take_over(polled);
                }
                self.show_view(shared);
            }
            Some(Err(failed)) => l1_sync.unread = Some(failed),
            None => {}
        }
        let Some((_, pause)) = l1_sync.again.filter(|(at, _)| *at <= Instant::now()) else {
            return;
        };
        match self.active_role.as_mut().map_or(Ok(()), ActiveRole::follow_l1) {
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

    fn sync(&self) -> &L2Syncer {
        self.current_role().sync()
    }

    fn current_role(&self) -> &ActiveRole {
        match &self.active_role {
            Some(role) => role,
            None => unreachable!("the role is absent only during a role change"),
        }
    }

    /// Publishes the view of L1 to the RPC methods before blocks are built or executed with it, so
    /// that the methods know all messages of a block.
    fn show_view(&self, shared: &NodeHandle) {
        *shared.view.lock() = Some(Arc::clone(&self.sync().view));
    }
}
