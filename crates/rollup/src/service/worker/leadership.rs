//! Leader election by a lease: a node makes blocks while it holds the lease, and otherwise follows
//! the holder.

use super::{ActiveRole, Worker};
use crate::{l1::sync_state::L1SyncState, lease::Lease, rpc::error::RoleError};
use client::RedactedUrl;
use std::time::{Duration, Instant};

/// Minimum remaining time of the lease to start a block; sealing takes less.
const SEALING_MARGIN: Duration = Duration::from_secs(1);
/// Time without an answer of L1 (at least two poll intervals) after which a node does not request
/// the lease. Shorter than the time for which a leader without L1 keeps it
/// ([`LeaseConfig::work_timeout`](crate::LeaseConfig)), so that the leader stays if no node can
/// reach L1.
const READY_SILENCE: Duration = Duration::from_secs(5);
/// Pause before the node requests the lease again after it failed to lead, so that another node
/// can get it.
const RETRY_INTERVAL: Duration = Duration::from_secs(10);

/// Leadership state of a node with a lease.
#[derive(Debug)]
pub(crate) struct Leadership {
    /// `true` if the operator wants this node to lead.
    wanted: bool,
    /// Earliest time at which the node requests the lease again.
    not_before: Option<Instant>,
}

impl Leadership {
    pub(crate) const fn new(wanted: bool) -> Self {
        Self { wanted, not_before: None }
    }
}

impl Worker {
    /// Switches to the role that the lease gives to this node.
    ///
    /// # Errors
    ///
    /// [`RoleError`] if the node holds the lease but cannot lead; it then does not request the
    /// lease for [`RETRY_INTERVAL`].
    pub(crate) fn follow_lease(&mut self, l1_sync: &L1SyncState) -> Result<(), RoleError> {
        let Some(lease) = self.start.lease.clone() else { return Ok(()) };
        let leads = matches!(self.active_role, Some(ActiveRole::Sequencer(_)));
        // Checked first in a turn: another node may lead from now on, and a block of this one would
        // be reverted.
        if leads && !self.fence.lasts_for(Duration::ZERO) {
            tracing::error!("lost the lease, following");
            self.step_down();
            return Ok(());
        }
        if leads {
            return Ok(());
        }
        // A node that cannot lead must not keep the others from leading.
        let hears_l1 = self.l1_silence() < READY_SILENCE.max(2 * self.start.poll);
        let is_ready = l1_sync.is_synced && l1_sync.fault().is_none() && hears_l1;
        let may_ask = self.leadership.not_before.is_none_or(|at| at <= Instant::now());
        let has_keys = self.start.sequencing.is_some();
        lease.want(self.leadership.wanted && is_ready && may_ask && has_keys);
        if lease.is_held() {
            // Pending L1 transactions of the previous leader are no reason to wait. L1 may have
            // become unreachable between the request and the grant.
            let ready = self.may_be_promoted(l1_sync).map(|_| ());
            return ready.and_then(|()| self.promote()).map(|_| ()).inspect_err(|_| {
                self.leadership.not_before = Some(Instant::now() + RETRY_INTERVAL);
                lease.want(false);
            });
        }
        // Only nodes of this rollup can write to the keys in etcd, so the leader's URL is trusted
        // like a flag. EXECUTE verifies the leader's blocks in any case.
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

    /// Reports to the lease that the leader was working at L1's last answer, unless it has a fault.
    pub(crate) fn report_work(&self, has_fault: bool) {
        if let Some(lease) = &self.start.lease
            && !has_fault
            && !self.sealing_failed
        {
            lease.has_worked(self.l1_silence());
        }
    }

    /// Returns the fault of a node that has not finished reading L1 since its start and gets no
    /// answer from it: the node makes no blocks, and a pending request may take long to fail.
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

    /// Returns `true` if the node may seal and post: it needs no lease, or its term lasts for at
    /// least [`SEALING_MARGIN`].
    pub(crate) fn may_lead(&self) -> bool {
        self.fence.lasts_for(SEALING_MARGIN)
    }

    /// Requests the lease from now on. Returns the reason why the node does not lead yet.
    pub(crate) fn ask_to_lead(&mut self) -> RoleError {
        if matches!(self.active_role, Some(ActiveRole::Sequencer(_))) {
            return RoleError::Already { got: "sequencer" };
        }
        if self.start.sequencing.is_none() {
            return RoleError::NoKeys;
        }
        // The operator may have fixed the last failure, so the pause does not apply.
        self.leadership = Leadership::new(true);
        let leader = self.start.lease.as_ref().and_then(Lease::leader);
        RoleError::NoLease { leader: leader.map(|leader| RedactedUrl::new(&leader.url)) }
    }

    /// Stops requesting the lease until the operator promotes this node.
    pub(crate) const fn ask_no_more(&mut self) {
        // The lease is released in the next turn, after the node has stepped down. Released before,
        // two nodes could lead.
        self.leadership.wanted = false;
    }
}
