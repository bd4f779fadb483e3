//! Leadership of a node by a lease: it makes blocks while it has the lease, and else follows the
//! holder.

use crate::{
    admin::RoleError,
    l1_sync::L1SyncState,
    status::LeaseStatus,
    worker::{ActiveRole, Worker},
};
use client::RedactedUrl;
use lease::Lease;
use std::time::{Duration, Instant};

/// Minimum remaining time of the lease to start a block; sealing takes less.
const SEALING_MARGIN: Duration = Duration::from_secs(1);
/// Silence of L1, unless it is polled less often, after which a node does not ask for the lease.
/// Shorter than a leader without L1 keeps it ([`lease::LeaseConfig::work_timeout`]): if L1 is
/// silent to all nodes, the leader goes on.
const READY_SILENCE: Duration = Duration::from_secs(5);
/// Pause before the node requests the lease again after it could not lead. Another may lead
/// meanwhile.
const RETRY_INTERVAL: Duration = Duration::from_secs(10);

/// Leadership state of a node with a lease.
#[derive(Debug)]
pub(crate) struct Leadership {
    /// `true` if the operator wants this node to lead.
    wanted: bool,
    /// Time before which the node does not request the lease.
    not_before: Option<Instant>,
}

impl Leadership {
    pub(crate) const fn new(wanted: bool) -> Self {
        Self { wanted, not_before: None }
    }
}

impl Worker {
    /// Takes the role of a leader or follower by the lease.
    ///
    /// # Errors
    ///
    /// [`RoleError`] if the node has the lease and cannot lead; it then releases the lease for a
    /// while.
    pub(crate) fn follow_lease(&mut self, l1_sync: &L1SyncState) -> Result<(), RoleError> {
        let Some(lease) = self.start.lease.clone() else { return Ok(()) };
        let leads = matches!(self.active_role, Some(ActiveRole::Sequencer(_)));
        // Before anything else in this turn: another node may lead from now on, and a block of this
        // one would be undone.
        if leads && !lease.is_held() {
            tracing::error!("lost the lease, following");
            self.step_down();
            return Ok(());
        }
        if leads {
            return Ok(());
        }
        // A node that could not lead does not keep others from it.
        let hears_l1 = self.l1_silence() < READY_SILENCE.max(2 * self.start.poll);
        let is_ready = l1_sync.is_synced && l1_sync.fault().is_none() && hears_l1;
        let may_ask = self.leadership.not_before.is_none_or(|at| at <= Instant::now());
        let has_keys = self.start.sequencing.is_some();
        lease.want(self.leadership.wanted && is_ready && may_ask && has_keys);
        if lease.is_held() {
            // What the leader before it had on its way to L1 is no reason to wait.
            // L1 may have been lost between the request for the lease and its grant.
            let ready = self.may_be_promoted(l1_sync).map(|_| ());
            return ready.and_then(|()| self.promote()).map(|_| ()).inspect_err(|_| {
                self.leadership.not_before = Some(Instant::now() + RETRY_INTERVAL);
                lease.want(false);
            });
        }
        // Witnesses are asked by members alone, so their word is as good as a flag; what the leader
        // sends is verified by EXECUTE all the same.
        if let Some(leader) = lease.leader()
            && leader.id != lease.own().id
            && self.start.peer.as_ref() != Some(&leader.url)
        {
            let url = RedactedUrl::new(&leader.url);
            tracing::info!(leader = %url, "following the node that has the lease");
            self.start.peer = Some(leader.url.clone());
            self.start.feed.follow(Some(leader.url));
            if let Some(ActiveRole::Follower(follower)) = &mut self.active_role {
                follower.has_sequencer();
            }
        }
        Ok(())
    }

    /// Reports to the lease that the leader could work when L1 answered last, unless it has a
    /// fault.
    pub(crate) fn report_work(&self, has_fault: bool) {
        if let Some(lease) = &self.start.lease
            && !has_fault
            && !self.sealing_failed
        {
            lease.has_worked(self.l1_silence());
        }
    }

    /// Returns the fault of a node that has not read L1 since it started, if L1 is silent: it makes
    /// no block, and a request to L1 may wait for long.
    pub(crate) fn silent_since_start(&self, l1_sync: &L1SyncState) -> Option<String> {
        let silence = self.l1_silence().min(self.started.elapsed());
        (!l1_sync.is_synced && silence > READY_SILENCE.max(2 * self.start.poll)).then(|| {
            format!(
                "L1 has not answered for {} s, and this node has not read it since it started",
                silence.as_secs()
            )
        })
    }

    /// Time since L1's last answer.
    fn l1_silence(&self) -> Duration {
        self.client.answered().age(Instant::now()).unwrap_or(Duration::MAX)
    }

    /// Returns `true` if the node may seal and post now.
    pub(crate) fn may_lead(&self) -> bool {
        self.start.lease.as_ref().is_none_or(|lease| lease.lasts_for(SEALING_MARGIN))
    }

    /// Requests the lease from now on, and returns the reason why the node does not lead yet.
    pub(crate) fn ask_to_lead(&mut self) -> RoleError {
        if matches!(self.active_role, Some(ActiveRole::Sequencer(_))) {
            return RoleError::Already { got: "sequencer" };
        }
        if self.start.sequencing.is_none() {
            return RoleError::NoKeys;
        }
        // The operator knows more than the last failure: it is asked for at once.
        self.leadership = Leadership::new(true);
        let leader = self.start.lease.as_ref().and_then(Lease::leader);
        RoleError::NoLease { leader: leader.map(|leader| RedactedUrl::new(&leader.url)) }
    }

    /// Releases the lease until the operator promotes this node.
    pub(crate) const fn ask_no_more(&mut self) {
        // The lease itself is given up in the next turn, once the node has stepped down: not
        // before, or two would lead.
        self.leadership.wanted = false;
    }
}

/// The lease's current state, for the node's status.
pub(crate) fn lease_status(lease: &Lease) -> LeaseStatus {
    let leader = lease.leader().filter(|leader| leader.id != lease.own().id);
    LeaseStatus {
        held: lease.is_held(),
        wanted: lease.is_wanted(),
        leader: leader.map(|it| RedactedUrl::new(&it.url)),
    }
}
