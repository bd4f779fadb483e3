//! Leader election by a lease. A node builds blocks while it holds the lease, and otherwise follows
//! the holder.

use super::{ActiveRole, RoleManager};
use crate::{l1::sync_state::L1SyncState, lease::Lease, rpc::error::RoleError};
use client::RedactedUrl;
use std::time::{Duration, Instant};

/// Time without a response from L1 (at least two poll intervals) after which a node does not
/// request the lease. Shorter than [`LeaseConfig::work_timeout`](crate::LeaseConfig), after which a
/// leader without L1 resigns, so that the leader does not change if no node can reach L1.
const READY_SILENCE: Duration = Duration::from_secs(5);
/// Pause before the node requests the lease again after it failed to lead, so that another node
/// can get it.
const RETRY_INTERVAL: Duration = Duration::from_secs(10);

/// Decides whether a node requests the lease.
#[derive(Debug)]
pub(crate) struct Leadership {
    /// `true` if the operator wants this node to lead.
    wanted: bool,
    /// Earliest time at which the node requests the lease again.
    not_before: Option<Instant>,
    started: Instant,
}

impl Leadership {
    pub(crate) fn new(wanted: bool) -> Self {
        Self { wanted, not_before: None, started: Instant::now() }
    }

    /// Switches to the role that the lease gives to this node.
    ///
    /// # Errors
    ///
    /// [`RoleError`] if the node holds the lease but cannot lead, after which it does not request
    /// the lease for [`RETRY_INTERVAL`].
    pub(crate) fn follow_lease(
        &mut self,
        roles: &mut RoleManager,
        l1_sync: &L1SyncState,
    ) -> Result<(), RoleError> {
        let Some(lease) = roles.start.lease.clone() else { return Ok(()) };
        // Must come first in a turn: another node may lead from now on, and a block of this one
        // would be reverted.
        if roles.is_sequencer() && !roles.fence.lasts_for(Duration::ZERO) {
            tracing::error!("lost the lease, stepping down");
            roles.step_down();
            return Ok(());
        }
        if roles.is_sequencer() {
            return Ok(());
        }
        // A node that cannot lead must not prevent others from leading.
        let l1_responds = roles.l1_silence() < READY_SILENCE.max(2 * roles.start.poll);
        let is_ready = l1_sync.is_synced && l1_sync.fault().is_none() && l1_responds;
        let may_request = self.not_before.is_none_or(|at| at <= Instant::now());
        let has_keys = roles.start.sequencing.is_some();
        lease.want(self.wanted && is_ready && may_request && has_keys);
        if lease.is_held() {
            // Do not wait for pending L1 transactions of the previous leader. Check again, because
            // L1 may have become unreachable between the request and the grant.
            let ready = roles.may_be_promoted(l1_sync).map(|_| ());
            let promoted = ready.and_then(|()| roles.promote_by_lease());
            return promoted.map(|_| ()).inspect_err(|_| {
                self.not_before = Some(Instant::now() + RETRY_INTERVAL);
                lease.want(false);
            });
        }
        // Only nodes of this rollup can write to the keys in etcd, so the leader's URL is trusted
        // like a flag. The leader's blocks are verified in any case.
        if let Some(leader) = lease.leader()
            && leader.id != lease.own().id
            && roles.start.peer.as_ref() != Some(&leader.url)
        {
            let url = RedactedUrl::new(&leader.url);
            tracing::info!(leader = %url, "following the leader");
            roles.start.peer = Some(leader.url.clone());
            roles.start.feed.follow(Some(leader.url));
            if let Some(ActiveRole::Follower(follower)) = &mut roles.active {
                follower.on_sequencer_found();
            }
        }
        Ok(())
    }

    /// Returns the fault of a node that has not finished reading L1 since its start, and gets no
    /// response from L1. It builds no blocks, and the pending request may take long to fail.
    pub(crate) fn silent_since_start(
        &self,
        roles: &RoleManager,
        l1_sync: &L1SyncState,
    ) -> Option<String> {
        let silence = roles.l1_silence().min(self.started.elapsed());
        (!l1_sync.is_synced && silence > READY_SILENCE.max(2 * roles.start.poll)).then(|| {
            format!(
                "L1 has not responded for {} s, and this node has not read it since its start",
                silence.as_secs()
            )
        })
    }

    /// Requests the lease from now on. Returns the reason why the node does not lead yet.
    pub(super) fn request(&mut self, roles: &RoleManager) -> RoleError {
        if roles.is_sequencer() {
            return RoleError::Already { got: "sequencer" };
        }
        if roles.start.sequencing.is_none() {
            return RoleError::NoKeys;
        }
        // The operator may have fixed the last failure, so the pause does not apply.
        (self.wanted, self.not_before) = (true, None);
        let leader = roles.start.lease.as_ref().and_then(Lease::leader);
        RoleError::NoLease { leader: leader.map(|leader| RedactedUrl::new(&leader.url)) }
    }

    /// Stops requesting the lease until the operator promotes this node.
    pub(super) const fn stop_requesting(&mut self) {
        // The lease is released in the next turn, after the node has stepped down. Releasing it now
        // would allow two leaders.
        self.wanted = false;
    }
}
