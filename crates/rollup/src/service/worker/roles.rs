//! The role of a node, and its changes.

use super::{
    ActiveRole, Start,
    competitors::Competitors,
    promotion::{Promotion, PromotionChecks},
    records::{PendingRecords, TermRecords},
};
use crate::{
    Follower, L1Client, Sequencer, SequencerConfig,
    batcher::{Batcher, BatcherError, BatcherHandle},
    l1::sync_state::L1SyncState,
    l2::{
        pool_log::{LoadedPool, PoolLog},
        signed_blocks::BlockSigning,
        syncer::L2Syncer,
    },
    lease::{Fence, LeaseError},
    prefix::PrefixError,
    rpc::{admin::Responder, error::RoleError},
    sequencer::Preconfirmations,
    service::error::ServiceError,
};
use alloy_eips::BlockNumHash;
use alloy_primitives::Address;
use chain::RecoveredTransaction;
use client::RedactedUrl;
use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

/// Minimum remaining time of the lease to start a block; sealing takes less.
const SEALING_MARGIN: Duration = Duration::from_secs(1);
/// Minimum number of newest blocks that a new sequencer signs.
const SIGNED_AT_START: u64 = 64;

/// The node's role, and the state for role changes.
pub(crate) struct RoleManager {
    pub(super) start: Start,
    pub(super) client: Arc<L1Client>,
    reads_blobs: bool,
    /// Always present, except during a role change.
    pub(super) active: Option<ActiveRole>,
    pub(super) fence: Fence,
    pool_log: Option<Arc<PoolLog>>,
    /// Deferred transactions for the next role.
    deferred: Vec<RecoveredTransaction>,
    competitors: Competitors,
    /// Blocks that this node has yet to sign.
    pub(super) signing: BlockSigning,
    promotion: Option<Promotion>,
    /// Records of earlier leaders that are being read.
    pending_records: Option<PendingRecords>,
    /// `true` after a failed seal, until one succeeds. Kept across turns, since most turns do not
    /// try to seal.
    pub(super) sealing_failed: bool,
}

impl RoleManager {
    /// Creates the manager of a node without a role, which [`Self::lead`] or [`Self::follow`] sets.
    pub(super) fn new(mut start: Start, client: Arc<L1Client>, reads_blobs: bool) -> Self {
        let (pool_log, deferred) = match start.loaded_pool.take() {
            Some(LoadedPool { log, refused }) => (Some(log), refused),
            None => (None, Vec::new()),
        };
        Self {
            start,
            client,
            reads_blobs,
            active: None,
            fence: Fence::default(),
            pool_log,
            deferred,
            competitors: Competitors::default(),
            signing: BlockSigning::default(),
            promotion: None,
            pending_records: None,
            sealing_failed: false,
        }
    }

    pub(super) fn current(&self) -> &ActiveRole {
        match &self.active {
            Some(role) => role,
            None => unreachable!("the role is absent only during a role change"),
        }
    }

    pub(super) fn sync(&self) -> &L2Syncer {
        self.current().sync()
    }

    pub(super) const fn is_sequencer(&self) -> bool {
        matches!(self.active, Some(ActiveRole::Sequencer(_)))
    }

    /// Returns `true` if the node may seal and post, i.e. it needs no lease, or its term lasts for
    /// at least [`SEALING_MARGIN`].
    pub(super) fn may_lead(&self) -> bool {
        self.fence.lasts_for(SEALING_MARGIN)
    }

    /// Returns the time since L1's last response.
    pub(super) fn l1_silence(&self) -> Duration {
        self.client.answered().age(Instant::now()).unwrap_or(Duration::MAX)
    }

    /// Reports to the lease that the leader was working at L1's last response, unless it has a
    /// fault.
    pub(super) fn report_work(&self, has_fault: bool) {
        if let Some(lease) = &self.start.lease
            && !has_fault
            && !self.sealing_failed
        {
            lease.has_worked(self.l1_silence());
        }
    }

    /// Returns the number of times that other blocks of the own account replaced this node's on L1.
    pub(super) const fn overtaken(&self) -> u64 {
        self.competitors.overtaken()
    }

    /// Returns the account that posts blocks, if this node has its key.
    fn account(&self) -> Option<Address> {
        self.start.sequencing.as_ref().map(|sequencing| sequencing.advance_key.address())
    }

    /// Returns the fault of a sequencer whose keys another node also uses.
    pub(super) fn shares_keys(&self) -> Option<ServiceError> {
        // After a takeover by lease, transactions that the previous leader had in flight do not
        // count.
        let config = self.start.sequencing.as_deref().filter(|_| self.start.lease.is_some());
        let left_over = config.map_or(0, |config| config.submitter.max_in_flight as u64);
        self.competitors.shares_keys(self.account(), left_over)
    }

    /// Detects a competing sequencer whose blocks replaced this node's on L1. If it is the peer,
    /// this node follows it. Otherwise counts blocks posted by the own account, because another
    /// node has its keys.
    pub(super) fn follow_competitor(&mut self) {
        let Some(ActiveRole::Sequencer(sequencer)) = &mut self.active else {
            self.competitors.forget_request();
            return;
        };
        if self.competitors.is_idle()
            && let Some(transaction) = sequencer.overtaken_by.take()
        {
            // With a lease, do not query the peer, because the lease is more reliable.
            let peer = self.start.peer.clone().filter(|_| self.start.lease.is_none());
            let (client, runtime) = (Arc::clone(&self.client), self.start.runtime.clone());
            self.competitors.request(transaction, peer, client, runtime);
        }
        if let Some(head) = self.competitors.peer(self.account()) {
            let url = self.start.peer.as_deref().map(RedactedUrl::new);
            tracing::error!(?url, head, "another sequencer is active, following it");
            self.step_down();
        }
    }

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

    /// Switches to the role of a sequencer, after reverting to `root` if promises in force require
    /// it. If that fails, the node follows, and the result is `false`.
    pub(super) fn lead(
        &mut self,
        sync: L2Syncer,
        batcher: BatcherHandle,
        root: Option<BlockNumHash>,
    ) -> bool {
        let Start { rules, profile, sequencing, .. } = &self.start;
        let Some(config) = sequencing.as_deref().cloned() else {
            self.follow(sync);
            return false;
        };
        let (pool_log, rate) = (self.pool_log.clone(), self.start.shared.rate.clone());
        let limits = profile.limits;
        let sequencer = Sequencer::new(sync, *rules, config, limits, pool_log, batcher, rate);
        let mut sequencer = sequencer
            .with_fence(self.fence.clone())
            .with_preconfirmations(self.start.preconfirmations.take());
        sequencer.requeue(core::mem::take(&mut self.deferred));
        if let Some(BlockNumHash { number, hash }) = root {
            tracing::warn!(number, "reverting to the branch of a promise in force");
            if let Err(error) = sequencer.revert_to(hash) {
                tracing::error!(%error, number, "failed to revert to a promise in force");
                self.active = Some(ActiveRole::Sequencer(Box::new(sequencer)));
                self.step_down();
                return false;
            }
        }
        self.competitors.reset_count();
        self.sealing_failed = false;
        self.sign_known(sequencer.sync());
        self.start.feed.rest();
        // Must be last: from now on, the node responds to users as a sequencer, and polls include
        // the terms.
        self.start.shared.makes_blocks.store(true, Ordering::Relaxed);
        self.active = Some(ActiveRole::Sequencer(Box::new(sequencer)));
        true
    }

    /// Signs the blocks that followers may lack, because a new sequencer vouches for the chain that
    /// it extends.
    fn sign_known(&mut self, sync: &L2Syncer) {
        let chain = sync.chain();
        let head = chain.head().header.number;
        let safe = sync.view.advanced_head().map_or(0, |head| head.number);
        // Followers may also be behind L1.
        let first = (safe + 1).min(head.saturating_sub(SIGNED_AT_START) + 1);
        for number in first.max(chain.first_number() + 1)..=head {
            // An unreadable block cannot be served either.
            if let Ok(Some(hash)) = chain.canonical_hash(number) {
                self.signing.add(BlockNumHash { number, hash });
            }
        }
    }

    /// Rewrites the pool file if it has grown.
    pub(super) fn compact_pool_log(&self) {
        let Some(log) = self.pool_log.as_ref().filter(|log| log.is_long()) else { return };
        let (role, sync) = (self.current(), self.sync());
        // The safe block of the latest view may not have been imported yet.
        let imported = sync.node.read(|node| node.forkchoice).map(|forkchoice| forkchoice.safe);
        let safe = imported.or_else(|| sync.safe().ok().map(|safe| safe.header.number));
        if let Some(safe) = safe {
            let displaced = role.requeued().iter().chain(sync.displaced());
            log.compact(&sync.node, safe, displaced);
        }
    }

    /// Switches to the role of a follower.
    pub(super) fn follow(&mut self, sync: L2Syncer) {
        let peer = self.start.peer.clone();
        let has_feed = peer.is_some() || self.start.has_callers || self.start.feed.has_relays();
        // Must be first: from now on, transactions are forwarded instead of acknowledged by a node
        // that no longer seals.
        self.start.shared.makes_blocks.store(false, Ordering::Relaxed);
        self.start.feed.follow(peer);
        let deferred = core::mem::take(&mut self.deferred);
        let follower = Follower::new(sync, has_feed, deferred, self.pool_log.clone());
        self.active = Some(ActiveRole::Follower(Box::new(follower)));
    }

    /// Promotes this node after checks on another thread, with requests to L1 and the peer.
    pub(super) fn begin_promotion(
        &mut self,
        force: bool,
        responder: Responder,
        l1_sync: &L1SyncState,
    ) {
        match self.check_promotion(force, l1_sync) {
            Ok(checks) => self.promotion = Some(Promotion::new(responder, checks)),
            Err(error) => responder.send(Err(error)),
        }
    }

    /// Returns `true` while the checks of a promotion are pending.
    pub(super) const fn is_being_promoted(&self) -> bool {
        self.promotion.is_some()
    }

    /// Makes this node a follower of `sequencer`, if given, and returns the head at that time.
    ///
    /// # Errors
    ///
    /// [`RoleError::Already`] if it is not the sequencer.
    pub(super) fn demote(&mut self, sequencer: Option<String>) -> Result<BlockNumHash, RoleError> {
        if !self.is_sequencer() {
            return Err(RoleError::Already { got: self.name() });
        }
        self.start.peer = sequencer.or_else(|| self.start.peer.take());
        self.step_down();
        Ok(self.log_change())
    }

    /// Logs a role change, and returns the head at that time.
    fn log_change(&self) -> BlockNumHash {
        let head = self.start.node.read(|node| Arc::clone(node.chain.head()));
        tracing::warn!(role = self.name(), head = head.header.number, "changed role");
        head.num_hash()
    }

    /// Checks the local conditions of a promotion.
    pub(super) fn may_be_promoted(
        &self,
        l1_sync: &L1SyncState,
    ) -> Result<&SequencerConfig, RoleError> {
        let Some(ActiveRole::Follower(follower)) = &self.active else {
            return Err(RoleError::Already { got: self.name() });
        };
        let config = self.start.sequencing.as_deref().ok_or(RoleError::NoKeys)?;
        let view = &follower.sync().view;
        let fault = l1_sync.fault();
        if !l1_sync.is_synced || fault.is_some() {
            let progress = (view.head().map_or(0, |head| head.number), view.latest());
            let failed = l1_sync.unread.as_ref().map(|failed| (failed.read, failed.latest));
            let (got, expected) = failed.unwrap_or(progress);
            return Err(RoleError::NotSynced { got, expected, fault });
        }
        Ok(config)
    }

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
            Ok((responder, outcome)) => {
                // L1 may have become unreachable since the checks began.
                let outcome = outcome.and_then(|()| self.may_be_promoted(l1_sync).map(|_| ()));
                responder.send(outcome.and_then(|()| self.promote(None)));
            }
        }
    }

    /// Switches to the role of a sequencer in the current term of the lease, once the records of
    /// earlier leaders have been read; until then, the result is `None`.
    pub(super) fn promote_by_lease(&mut self) -> Result<Option<BlockNumHash>, RoleError> {
        let Some(lease) =
            self.start.lease.as_ref().filter(|_| self.start.preconfirmations.is_some())
        else {
            return self.promote(None).map(Some);
        };
        let pending = match self.pending_records.take().filter(|records| records.is_of(lease)) {
            Some(pending) => pending,
            None => PendingRecords::start(lease)?,
        };
        match pending.read() {
            Ok(read) => self.promote(Some(read?)).map(Some),
            Err(pending) => {
                self.pending_records = Some(pending);
                Ok(None)
            }
        }
    }

    /// Switches to the role of a sequencer, and returns the head from which it continues. With a
    /// lease, `records` are those of earlier leaders.
    fn promote(&mut self, records: Option<TermRecords>) -> Result<BlockNumHash, RoleError> {
        self.fence = self.start.lease.as_ref().map(Fence::of).unwrap_or_default();
        let root = self.join_journal(records)?;
        let batcher = self.batcher(self.sync()).ok_or(RoleError::NoKeys)??;
        if let Some(ActiveRole::Follower(follower)) = self.active.take() {
            let (sync, deferred) = follower.into_parts();
            self.deferred = deferred;
            let got = sync.chain().head().header.number;
            if !self.lead(sync, batcher, root) {
                let expected = root.map_or(got, |root| root.number).saturating_add(1);
                return Err(PrefixError::Behind { got, expected }.into());
            }
        }
        Ok(self.log_change())
    }

    /// Prepares the signer of prefixes for signatures of the previous sequencer with the same key.
    /// Returns the block to revert to, if promises in force require it.
    fn join_journal(
        &mut self,
        records: Option<TermRecords>,
    ) -> Result<Option<BlockNumHash>, RoleError> {
        let sync = self.sync();
        let (chain, view) = (sync.chain(), Arc::clone(&sync.view));
        let Some(Preconfirmations { signer, .. }) = &mut self.start.preconfirmations else {
            return Ok(None);
        };
        let Some(records) = records else {
            signer.mark_incomplete();
            return Ok(None);
        };
        // The fence may belong to a later term than the records, in which others may have added
        // records.
        if let Some(lease) = self.start.lease.as_ref().filter(|lease| !records.is_of(lease)) {
            let token = lease.token().unwrap_or_default();
            return Err(PrefixError::NotShared(LeaseError::NotHeld { token }).into());
        }
        let is_own = |block: BlockNumHash| {
            chain.canonical_hash(block.number).is_ok_and(|hash| hash == Some(block.hash))
        };
        Ok(signer.join(records, chain.head().num_hash(), &view, is_own)?)
    }

    /// Switches to the role of a follower, if the node is the sequencer.
    pub(super) fn step_down(&mut self) {
        match self.active.take() {
            Some(ActiveRole::Sequencer(mut sequencer)) => {
                self.start.preconfirmations = sequencer.take_preconfirmations();
                let (sync, deferred) = sequencer.into_parts();
                self.deferred = deferred;
                self.follow(sync);
            }
            active_role => self.active = active_role,
        }
    }

    const fn name(&self) -> &'static str {
        match &self.active {
            Some(role) => role.name(),
            None => "follower",
        }
    }
}
