//! Changes of a node's role.

use super::{
    ActiveRole, Start, Worker,
    promotion::{Promotion, PromotionChecks},
};
use crate::{
    Follower, Sequencer, SequencerConfig,
    batcher::{Batcher, BatcherError, BatcherHandle},
    l1::sync_state::L1SyncState,
    l2::syncer::L2Syncer,
    lease::Fence,
    rpc::{
        admin::{AdminCommand, Responder},
        error::RoleError,
    },
};
use alloy_eips::BlockNumHash;
use std::sync::{Arc, atomic::Ordering};

/// Minimum number of newest blocks that a new sequencer signs.
const SIGNED_AT_START: u64 = 64;

impl Worker {
    /// Starts the batcher's thread; `None` if the node has no keys for it.
    pub(super) fn batcher(&self, sync: &L2Syncer) -> Option<Result<BatcherHandle, BatcherError>> {
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
    pub(super) fn lead(&mut self, sync: L2Syncer, batcher: BatcherHandle) {
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
        self.competitors.reset_count();
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
    pub(super) fn follow(&mut self, sync: L2Syncer) {
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
    pub(super) fn begin(&mut self, order: AdminCommand, answer: Responder, l1_sync: &L1SyncState) {
        match order {
            AdminCommand::Promote { .. } if self.start.lease.is_some() => {
                answer.send(Err(self.ask_to_lead()));
            }
            AdminCommand::Promote { force } => match self.check_promotion(force, l1_sync) {
                Ok(checks) => self.promotion = Some(Promotion::new(answer, checks)),
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
    pub(super) fn may_be_promoted(
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

    /// Starts the checks of a promotion.
    fn check_promotion(
        &self,
        force: bool,
        l1_sync: &L1SyncState,
    ) -> Result<PromotionChecks, RoleError> {
        let account = self.may_be_promoted(l1_sync)?.advance_key.address();
        let Start { peer, runtime, rules, .. } = &self.start;
        let (peer, client, runtime) = (peer.clone(), Arc::clone(&self.client), runtime.clone());
        let view = &self.sync().view;
        PromotionChecks::start(account, force, peer, client, runtime, *rules, view)
    }

    /// Completes a promotion once its checks have passed, or rejects it.
    pub(super) fn resume_promotion(&mut self, l1_sync: &L1SyncState) {
        let Some(promotion) = self.promotion.take() else { return };
        match promotion.checked() {
            Err(pending) => self.promotion = Some(pending),
            Ok((answer, outcome)) => {
                // L1 may have become unreachable since the checks began.
                let outcome = outcome.and_then(|()| self.may_be_promoted(l1_sync).map(|_| ()));
                answer.send(outcome.and_then(|()| self.promote()));
            }
        }
    }

    /// Switches to the role of a sequencer, and returns the head from which it continues.
    pub(super) fn promote(&mut self) -> Result<BlockNumHash, RoleError> {
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
    pub(super) fn step_down(&mut self) {
        match self.active_role.take() {
            Some(ActiveRole::Sequencer(sequencer)) => {
                let (sync, kept) = sequencer.into_parts();
                self.kept = kept;
                self.follow(sync);
            }
            active_role => self.active_role = active_role,
        }
    }

    const fn role(&self) -> &'static str {
        match &self.active_role {
            Some(role) => role.name(),
            None => "follower",
        }
    }
}
