//! The thread that builds or follows blocks, depending on the node's role. It uses the L1 snapshots
//! of the thread `l1`, so only role changes may wait for L1.

mod active_role;
mod competitors;
mod leadership;
mod promotion;
mod publish;
mod records;
mod roles;
mod start;

pub(crate) use active_role::ActiveRole;
pub(crate) use start::Start;

use leadership::Leadership;
use publish::publish_status;
use roles::RoleManager;

use crate::{
    L1Reader, L2Error, RollupError,
    fault_log::FaultLog,
    l1::{
        poller::{L1Poller, L1Polls, Sequencing},
        sync_state::L1SyncState,
    },
    l2::syncer::L2Syncer,
    rpc::admin::{AdminCommand, AdminRequest, sequencer_at},
    service::{error::ServiceError, metrics::Levels, node_handle::NodeHandle, supervisor::Actor},
    status::bounded_text,
};
use alloy_primitives::Bytes;
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
    roles: RoleManager,
    leadership: Leadership,
    polls: L1Polls,
    faults: FaultLog,
}

/// Faults of one turn of a sequencer.
struct SequencerTurn {
    sealed: Result<(), RollupError>,
    /// Reason why blocks are not submitted to L1.
    not_submitted: Option<String>,
    not_relayed: Option<String>,
}

impl Worker {
    /// Starts the worker in its role, and the thread that reads L1. A node configured as sequencer
    /// starts as a follower if its peer is an active sequencer.
    pub(crate) async fn start(
        start: Start,
        reader: L1Reader,
        is_sequencer: bool,
    ) -> Result<Self, RollupError> {
        // Must come before any block is sealed: a replaced sequencer would seal blocks that L1
        // never includes, and waste nonces of its operator.
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
        let account = start.sequencing.as_ref().map(|sequencing| sequencing.advance_key.address());
        let preconfirmations = start.preconfirmations.as_ref();
        let signing = preconfirmations.filter(|terms| terms.slice.is_some());
        let promiser = signing.map(|terms| terms.signer.promiser());
        let sequencing = Sequencing { account, rules: start.rules, promiser };
        let rate = start.shared.rate.clone();
        let poller = L1Poller::new(reader, Arc::clone(&start.node), sequencing, rate);
        let polls = poller.start(start.poll, Arc::clone(&start.stop), Arc::clone(&start.shared));
        let polls = polls.map_err(ServiceError::NoThread)?;
        let has_lease = start.lease.is_some();
        let mut roles = RoleManager::new(start, client, reads_blobs);
        // With a lease, a node builds no blocks before it holds the lease.
        match (is_sequencer && other.is_none() && !has_lease)
            .then(|| roles.batcher(&sync))
            .flatten()
        {
            Some(Ok(batcher)) => {
                roles.lead(sync, batcher, None);
            }
            Some(Err(error)) => {
                // The thread that reads L1 holds the chain.
                roles.start.stop.store(true, Ordering::Relaxed);
                let _ = tokio::task::spawn_blocking(move || polls.end()).await;
                return Err(error.into());
            }
            None => roles.follow(sync),
        }
        let leadership = Leadership::new(is_sequencer);
        Ok(Self { roles, leadership, polls, faults: FaultLog::new() })
    }

    /// Runs the node until it is stopped.
    pub(crate) fn work(
        mut self,
        shared: &NodeHandle,
        levels: &Levels,
        inputs: &Receiver<Vec<Bytes>>,
        commands: &Receiver<AdminRequest>,
    ) {
        let mut l1_sync = L1SyncState::new();
        self.show_view(shared);
        while !self.roles.start.stop.load(Ordering::Relaxed) {
            shared.supervisor.advanced(Actor::Blocks);
            self.read(shared, &mut l1_sync);
            let not_led = self.leadership.follow_lease(&mut self.roles, &l1_sync).err();
            let turn = self.seal_and_submit(shared, &l1_sync);
            self.roles.signing.advance(&shared.signed);
            self.run_commands(commands, &l1_sync);
            self.roles.follow_competitor();
            let imported = self.import_unsafe(inputs);
            self.roles.compact_pool_log();
            // The status has only one fault. Faults that stop block production come first, then
            // those that stop derivation, then those that delay posting and relaying.
            let sealed = turn.sealed.and(imported.map_err(RollupError::from));
            let failed = sealed.err().map(|error| error.to_string());
            let failed = failed.or_else(|| not_led.map(|error| error.to_string()));
            let silent = || self.leadership.silent_since_start(&self.roles, &l1_sync);
            let unread = l1_sync.fault().or_else(silent);
            let fault = failed.or(unread).or(turn.not_submitted).or(turn.not_relayed);
            let fault = fault.map(bounded_text);
            match &fault {
                Some(error) if self.faults.admit(error) => {
                    tracing::error!(error, "operation failed, retrying");
                }
                Some(_) => {}
                None => self.faults.clear(),
            }
            self.roles.report_work(fault.is_some());
            let overtaken = self.roles.overtaken();
            publish_status(shared, self.roles.current(), overtaken, l1_sync.is_synced, fault);
            levels.show(&shared.status(&self.roles.sync().node));
        }
        // Join both threads, so that they release the files and the chain for the next start.
        if let Some(ActiveRole::Sequencer(sequencer)) = self.roles.active {
            sequencer.end();
        }
        self.polls.end();
    }

    /// Seals a block if one is due, and submits sealed blocks to L1, if this node is the sequencer.
    fn seal_and_submit(&mut self, shared: &NodeHandle, l1_sync: &L1SyncState) -> SequencerTurn {
        let (shares_keys, may_lead) = (self.roles.shares_keys(), self.roles.may_lead());
        shared.shares_keys.store(shares_keys.is_some(), Ordering::Relaxed);
        let mut turn = SequencerTurn { sealed: Ok(()), not_submitted: None, not_relayed: None };
        let Some(ActiveRole::Sequencer(sequencer)) = &mut self.roles.active else {
            shared.byte_price.clear();
            return turn;
        };
        // An inconsistent view of L1 may be forged, and blocks built on it would be reverted.
        let may_seal = l1_sync.may_seal() && shares_keys.is_none() && may_lead;
        let switches = shared.controls.get();
        if may_seal && switches.sealing {
            let unknown_fork = shared.unknown_fork.lock().clone();
            let sealed = sequencer.make_block(unknown_fork.as_ref());
            self.roles.sealing_failed |= sealed.is_err();
            turn.sealed = sealed.map_err(RollupError::from).map(|sealed| {
                // Sign only while this node still leads. If the disk hung during the append,
                // another node may lead by now; without the signature, no node accepts this block.
                let leads = self.roles.fence.lasts_for(Duration::ZERO);
                if let Some(block) = sealed.filter(|_| leads) {
                    self.roles.signing.add(block.num_hash());
                    self.roles.sealing_failed = false;
                }
            });
        } else if may_lead && shares_keys.is_none() {
            // A promise remains binding even if the operator or L1 stops this sequencer.
            match sequencer.seal_open_block() {
                Ok(block) => self.roles.signing.extend(block.map(|block| block.num_hash())),
                Err(error) => turn.sealed = Err(error.into()),
            }
        }
        // Sealing may continue for a while without L1, but posting with an outdated view would
        // waste fees.
        sequencer.submit(may_seal && l1_sync.unread.is_none() && switches.posting);
        let base_fee = sequencer.sync().view.head().map_or(0, |head| head.base_fee);
        let (spent, limit) = sequencer.spending();
        shared.byte_price.update(spent, limit, base_fee);
        turn.not_submitted = sequencer.not_submitted();
        turn.not_relayed = sequencer.not_relayed().map(|error| error.to_string());
        if let Some(error) = shares_keys {
            turn.sealed = Err(error.into());
        }
        turn
    }

    /// Runs the commands of the operator one at a time, since the next one may depend on the
    /// outcome of a promotion.
    fn run_commands(&mut self, commands: &Receiver<AdminRequest>, l1_sync: &L1SyncState) {
        let Self { roles, leadership, .. } = self;
        roles.resume_promotion(l1_sync);
        while !roles.is_being_promoted()
            && let Ok(request) = commands.try_recv()
        {
            let Some((command, responder)) = request.begin() else { continue };
            match command {
                AdminCommand::Promote { .. } if roles.start.lease.is_some() => {
                    responder.send(Err(leadership.request(roles)));
                }
                AdminCommand::Promote { force } => {
                    roles.begin_promotion(force, responder, l1_sync);
                }
                AdminCommand::Demote { sequencer } => {
                    leadership.stop_requesting();
                    responder.send(roles.demote(sequencer));
                }
            }
        }
    }

    /// Waits for unsafe blocks of another node for at most [`PAUSE`], and imports them.
    fn import_unsafe(&mut self, inputs: &Receiver<Vec<Bytes>>) -> Result<(), L2Error> {
        let pause = PAUSE.min(self.roles.start.poll);
        match inputs.recv_timeout(pause) {
            Ok(inputs) => {
                let role = self.roles.active.as_mut();
                role.map_or(Ok(()), |role| role.import_unsafe(&inputs))
            }
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => {
                thread::sleep(pause);
                Ok(())
            }
        }
    }

    /// Receives the next poll of L1, and applies it.
    fn read(&mut self, shared: &NodeHandle, l1_sync: &mut L1SyncState) {
        let poll = self.roles.start.poll;
        match self.polls.next() {
            Some(Ok(polled)) => {
                (l1_sync.has_more, l1_sync.unread) = (polled.update.more, None);
                l1_sync.again = Some((Instant::now(), poll));
                if let Some(role) = &mut self.roles.active {
                    role.queue_poll(polled);
                }
                self.show_view(shared);
            }
            Some(Err(failed)) => l1_sync.unread = Some(failed),
            None => {}
        }
        let Some((_, pause)) = l1_sync.again.filter(|(at, _)| *at <= Instant::now()) else {
            return;
        };
        match self.roles.active.as_mut().map_or(Ok(()), ActiveRole::follow_l1) {
            Ok(()) => {
                (l1_sync.again, l1_sync.not_followed) = (None, None);
                l1_sync.is_synced = !l1_sync.has_more;
            }
            Err(error) => {
                l1_sync.not_followed = Some(bounded_text(error));
                // Retry with a backoff, since a full disk or a missing blob may persist.
                let longer = (2 * pause).clamp(poll, MAX_RETRY_INTERVAL.max(poll));
                l1_sync.again = Some((Instant::now() + pause, longer));
            }
        }
    }

    /// Publishes the view of L1 before blocks are built or executed with it, so that the RPC
    /// methods know all messages of a block.
    fn show_view(&self, shared: &NodeHandle) {
        *shared.view.lock() = Some(Arc::clone(&self.roles.sync().view));
    }
}
