//! Block production from the latest snapshot of L1, without requests to L1.
//!
//! [`Sequencer`] decides when blocks are built and replaced. [`BlockSealer`] chooses their content,
//! [`Pacer`] their interval and size depending on the backlog, [`LostBlocks`] finds those that L1
//! can never accept, [`Requeued`] stores the transactions of replaced ones, and [`Isolation`]
//! searches for a transaction because of which L1 rejects a block. [`Preconfirmations`] signs
//! prefixes of a block while it is built, and prevents blocks that contradict them. The batcher
//! posts the blocks on its own thread.

pub(crate) mod anchor;
mod backlog;
pub(crate) mod budget;
pub(crate) mod byte_price;
mod error;
pub(crate) mod evidence;
pub(crate) mod input_budget;
mod isolation;
mod offer;
mod open_block;
mod preconfirmations;
mod recovery;
mod requeued;
mod sealing;
mod signed_rates;

pub use error::SequencerError;
pub(crate) use preconfirmations::Preconfirmations;
#[cfg(test)]
pub(crate) use preconfirmations::{max_age_of_safe, max_age_of_unposted};

use crate::{
    RollupRules, SequencerConfig,
    batcher::{BatcherHandle, Work},
    l1::{
        L1Clock,
        execute_rate::ExecuteRate,
        fork_schedule::Difference,
        poller::{L1Poll, L1Snapshot, Terms},
    },
    l2::{pool_log::PoolLog, syncer::L2Syncer},
    lease::Fence,
};
use alloy_primitives::B256;
use backlog::{Pace, Pacer, close_pool};
use chain::{Block, BlockFootprint, ChainReader, RecoveredTransaction};
use contracts::advance_plan::L1Limits;
use isolation::{Isolation, users_of};
use node::{BlockCandidate, DropTransaction, MineRequest, SetAttributes};
use preconfirmations::NextBlock;
use recovery::{L1State, LostBlocks};
use requeued::Requeued;
use rpc_types::SubmitterStatus;
use sealing::{BlockSealer, SealRequest};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Sequencer of an L2.
#[derive(Debug)]
pub struct Sequencer {
    sync: L2Syncer,
    rules: RollupRules,
    config: Arc<SequencerConfig>,
    batcher: BatcherHandle,
    sealer: BlockSealer,
    pacer: Pacer,
    lost: LostBlocks,
    requeued: Requeued,
    /// The search for a transaction that EXECUTE on L1 rejects.
    isolation: Isolation,
    /// State of the contracts at the head of the view.
    terms: Option<Arc<Terms>>,
    clock: L1Clock,
    /// Signer of prefixes, if the node signs any.
    preconfirmations: Option<Preconfirmations>,
    /// The last L1 transaction with blocks that replaced this node's, until the worker has handled
    /// it.
    pub(crate) overtaken_by: Option<B256>,
}

impl Sequencer {
    /// Creates a sequencer for a node and an L1 view, with the batcher that posts its blocks.
    pub(crate) fn new(
        sync: L2Syncer,
        rules: RollupRules,
        config: SequencerConfig,
        limits: L1Limits,
        pool_log: Option<Arc<PoolLog>>,
        batcher: BatcherHandle,
        rate: ExecuteRate,
    ) -> Self {
        let config = Arc::new(config);
        let evidence = batcher.evidence().clone();
        let sequencer = Self {
            sealer: BlockSealer::new(Arc::clone(&config), rules, limits, rate, evidence),
            pacer: Pacer::new(config.backlog, config.block_time, rules.max_lag),
            lost: LostBlocks::default(),
            requeued: Requeued::new(config.operator_key.address(), pool_log),
            isolation: Isolation::default(),
            sync,
            rules,
            config,
            batcher,
            terms: None,
            clock: L1Clock::new(),
            preconfirmations: None,
            overtaken_by: None,
        };
        sequencer.reset_attributes();
        sequencer
    }

    /// Sets the fence, which is checked before each block.
    pub(crate) fn with_fence(mut self, fence: Fence) -> Self {
        self.sealer.fence = fence;
        self
    }

    /// Sets the signer of prefixes.
    pub(crate) fn with_preconfirmations(self, preconfirmations: Option<Preconfirmations>) -> Self {
        Self { preconfirmations, ..self }
    }

    /// Seals the open block, and returns the signer of prefixes, to be used when this node is the
    /// sequencer again. Without the lease, the next leader seals the block.
    pub(crate) fn take_preconfirmations(&mut self) -> Option<Preconfirmations> {
        if !self.sealer.fence.lasts_for(Duration::ZERO)
            && let Some(promises) = &mut self.preconfirmations
        {
            promises.drop_open_block(&self.sync.node);
        }
        if let Err(error) = self.seal_open_block() {
            tracing::error!(%error, "failed to seal preconfirmed block");
        }
        self.preconfirmations.take()
    }

    /// Seals the last signed prefix of the open block, if there is one, because no more blocks are
    /// built.
    ///
    /// # Errors
    ///
    /// [`SequencerError`] if the block cannot be stored.
    pub(crate) fn seal_open_block(&mut self) -> Result<Option<Arc<Block>>, SequencerError> {
        let promises = self.preconfirmations.as_mut();
        let sealed = promises.and_then(|promises| promises.end_open_block(&self.sync));
        sealed.map(|sealed| self.commit(sealed)).transpose()
    }

    /// Stops the batcher, so that another node may use its key, and returns the synced L2 and the
    /// deferred transactions for the next role.
    pub(crate) fn into_parts(self) -> (L2Syncer, Vec<RecoveredTransaction>) {
        self.reset_attributes();
        close_pool(&self.sync.node, None);
        self.batcher.end();
        (self.sync, self.requeued.into_inner())
    }

    /// Returns the deferred transactions of replaced blocks.
    pub(crate) fn requeued(&self) -> &[RecoveredTransaction] {
        &self.requeued
    }

    /// Requeues transactions of replaced blocks.
    pub(crate) fn requeue(&mut self, displaced: Vec<RecoveredTransaction>) {
        self.requeued.push_front(displaced);
    }

    pub(crate) const fn sync(&self) -> &L2Syncer {
        &self.sync
    }

    /// Returns the amount spent on L1 within a day, and its limit, in wei.
    pub(crate) fn spending(&self) -> (u128, u128) {
        (self.batcher.report().status.spent_today, self.config.submitter.daily_limit)
    }

    pub(crate) fn submitter_status(&self) -> SubmitterStatus {
        let head = self.chain().head().header.number;
        let safe = self.sync.view.advanced_head().map_or(0, |head| head.number);
        let report = self.batcher.report();
        SubmitterStatus {
            unsafe_blocks: head.saturating_sub(safe),
            backlog: self.pacer.status,
            // An unreadable chain is reported when the next block is built.
            operator_balance: self
                .chain()
                .state()
                .balance(report.status.operator)
                .unwrap_or_default(),
            ..report.status
        }
    }

    /// Returns the reason why the last block has no L1 inputs.
    pub(crate) fn not_relayed(&self) -> Option<SequencerError> {
        self.sealer.operator_refused.clone().map(SequencerError::Operator)
    }

    /// Returns the reason why the batcher does not post pending blocks.
    pub(crate) fn not_submitted(&self) -> Option<String> {
        self.batcher.report().not_submitted
    }

    /// Stops the batcher's thread when the node stops.
    pub(crate) fn end(self) {
        self.batcher.end();
    }

    fn chain(&self) -> ChainReader {
        self.sync.chain()
    }

    /// Stores a poll of L1, which [`Self::follow_l1`] applies.
    pub(crate) fn queue_poll(&mut self, polled: L1Poll) {
        let L1Snapshot { view, terms, clock } = polled.snapshot;
        self.sync.queue_update(polled.update, view);
        (self.terms, self.clock) = (terms, clock);
    }

    /// Applies the L1 polls, and rebuilds blocks that L1 can no longer accept.
    ///
    /// # Errors
    ///
    /// [`SequencerError`]. Completed steps are kept, and the next call continues.
    pub fn follow_l1(&mut self) -> Result<(), SequencerError> {
        let update = self.sync.catch_up()?;
        if update.reverted {
            self.batcher.on_l1_reorg();
        }
        // Blocks that an L1 reorg replaced do not indicate a competing sequencer.
        self.overtaken_by = update.overtaken_by.filter(|_| !update.reverted).or(self.overtaken_by);
        self.requeued.displace(update.displaced);
        let l1 = L1State {
            clock: &self.clock,
            terms: self.terms.as_deref(),
            max_lag: self.rules.max_lag,
        };
        if let Some(parent) = self.lost.find(&self.sync, l1, self.preconfirmations.as_ref())? {
            self.revert_to(parent)?;
        }
        self.isolate_refused()
    }

    /// Reverts to a block, and requeues the transactions of the blocks after it.
    pub(crate) fn revert_to(&mut self, parent: B256) -> Result<(), SequencerError> {
        // Must come before the head moves, so that the batcher posts none of the reverted blocks.
        self.batcher.forget();
        if let Some(promises) = &mut self.preconfirmations {
            let blocks = self.sync.unsafe_blocks()?;
            let reverted = blocks.iter().rev().take_while(|block| block.hash != parent);
            promises.record_reverted(&self.sync, reverted);
        }
        let mut displaced = Vec::new();
        let moved = self.sync.set_head(parent, &mut displaced);
        self.requeued.displace(displaced);
        moved?;
        self.reset_attributes();
        self.lost.on_reverted();
        Ok(())
    }

    /// Replaces the oldest unsafe block if EXECUTE on L1 rejects it, and drops the transaction that
    /// causes this, once found.
    fn isolate_refused(&mut self) -> Result<(), SequencerError> {
        let safe = self.sync.safe()?;
        let oldest = self.chain().canonical_block(safe.header.number + 1)?;
        let oldest_hash = oldest.as_ref().map(|block| block.hash);
        let all_done = self.requeued.is_empty();
        if let Some(hash) = self.isolation.follow(safe.hash, oldest_hash, all_done) {
            let reason = "EXECUTE on L1 rejects every block with it";
            tracing::error!(transaction = %hash, reason, "dropped transaction");
            self.requeued.remove(&hash);
            self.sync.node.execute(DropTransaction { hash, reason: reason.to_owned() });
            self.requeued.return_gapped(&self.sync.node, &self.chain())?;
        }
        let refused = self.batcher.report().refused;
        let Some(block) = oldest.filter(|block| refused == Some(block.hash)) else {
            return Ok(());
        };
        let Some(terms) = &self.terms else { return Ok(()) };
        let operator = self.config.operator_key.address();
        let users = users_of(&block, &self.sync.view, operator, terms.duties.forced_next);
        if self.isolation.may_replace(safe.hash, &block, &users) {
            self.revert_to(safe.hash)?;
            self.isolation.on_refused(&users);
        }
        Ok(())
    }

    /// Passes the current blocks to the batcher, or pauses it while L1 cannot be read.
    pub(crate) fn submit(&self, is_readable: bool) {
        let Some(terms) = self.terms.as_ref().filter(|_| is_readable) else {
            self.batcher.pause();
            return;
        };
        self.batcher.offer(Work {
            chain: self.chain(),
            view: Arc::clone(&self.sync.view),
            duties: terms.duties,
            clock: self.clock,
        });
    }

    /// Returns the maximum time for which blocks are built without a response from L1. Leaves at
    /// least half of the maximum lag to post them.
    fn longest_silence(&self) -> Duration {
        self.config.l1_drift.min(Duration::from_secs(self.rules.max_lag / 2))
    }

    /// Returns the time from the start of the next block to its sealing, if its prefixes are
    /// signed.
    fn lead_time(&mut self, head: &Block, terms: &Terms, now: Instant) -> Option<Duration> {
        let promises = self.preconfirmations.as_mut()?;
        promises.slice?;
        let may = promises.may_sign(&NextBlock {
            head,
            time: self.clock.for_block(now + self.config.block_time),
            view: &self.sync.view,
            terms,
            rules: &self.rules,
            rate: self.sealer.rate.get(),
            is_isolating: self.isolation.limit().is_some(),
            oldest_unposted: self.pacer.oldest(),
        });
        promises.book.set_state(may.as_ref().map(|_| ()));
        may.is_ok().then_some(self.config.block_time)
    }

    /// Builds a block if one is due, but none at or after the time of `unknown_fork`.
    ///
    /// # Errors
    ///
    /// [`SequencerError`] if no block may or can be built.
    pub(crate) fn make_block(
        &mut self,
        unknown_fork: Option<&Difference>,
    ) -> Result<Option<Arc<Block>>, SequencerError> {
        let now = Instant::now();
        // Must come first, even if no block is due, because it reopens the pool once L1 has
        // included enough.
        let (limits, throughput) = (self.sealer.capacity(), self.batcher.report().throughput);
        let due = self.clock.for_block(now);
        let pace = self.pacer.update(&self.sync, due, &limits, &throughput)?;
        if let Some(promises) = &mut self.preconfirmations
            && promises.has_open_block()
        {
            let terms = self.terms.as_deref();
            let sealed = promises.continue_block(&self.sealer, &self.sync, terms, now)?;
            return sealed.map(|sealed| self.commit(sealed)).transpose();
        }
        self.check_silence(now)?;
        let Some(terms) = self.terms.clone() else { return Ok(None) };
        let head = Arc::clone(self.chain().head());
        let lead = self.lead_time(&head, &terms, now);
        let due = now + lead.unwrap_or_default();
        let time = self.clock.for_block(due);
        if let Some(difference) = unknown_fork.filter(|difference| time >= difference.at()) {
            return Err(SequencerError::UnknownFork { reason: difference.to_string() });
        }
        self.check_head(&head, now)?;
        // The search replaces the block, because L1 rejects it.
        if self.isolation.limit().is_none()
            && let Some(promises) = &mut self.preconfirmations
            && let Some(sealed) = promises.unfinished_block(&self.sync, self.rules.max_lag, time)?
        {
            return self.commit(sealed).map(Some);
        }
        if self.isolation.awaits_l1() {
            return Ok(None);
        }
        let Pace::After(pause, size) = pace else { return Ok(None) };
        // Start early, so that the block is due after its last prefix.
        let wait = pause.saturating_sub(lead.unwrap_or_default());
        if self.sealer.since_last_block() < wait || time <= head.header.timestamp {
            return Ok(None);
        }
        let sealed = self.seal_next(&head, &terms, size, lead, due)?;
        sealed.map(|sealed| self.commit(sealed)).transpose()
    }

    /// Checks that L1 has responded recently: otherwise a block sealed now might become too old
    /// before L1 can include it, and would be reverted.
    fn check_silence(&self, now: Instant) -> Result<(), SequencerError> {
        let (silent, limit) = (self.clock.age(now), self.longest_silence());
        if silent > limit {
            let (silent, limit) = (silent.as_secs(), limit.as_secs());
            return Err(SequencerError::L1Silent { silent, limit });
        }
        Ok(())
    }

    /// Checks that the head is not ahead of L1's time after a reorg.
    fn check_head(&self, head: &Block, now: Instant) -> Result<(), SequencerError> {
        if self.lost.is_ahead() {
            let (number, got) = (head.header.number, head.header.timestamp);
            let expected = self.clock.next_block(now);
            return Err(SequencerError::AheadOfL1 { number, got, expected });
        }
        Ok(())
    }

    /// Seals the next block, or opens it for further prefixes, in which case it is not complete
    /// yet. `size` is its share of the gas limit in parts of [`backlog::WHOLE`], and `lead` the
    /// time until it is `due` if its prefixes are signed.
    fn seal_next(
        &mut self,
        head: &Block,
        terms: &Terms,
        size: u64,
        lead: Option<Duration>,
        due: Instant,
    ) -> Result<Option<BlockCandidate>, SequencerError> {
        let time = self.clock.for_block(due);
        // The first transaction of the pool is included even if it exceeds `pool_gas`.
        let gas_limit = head.header.gas_limit;
        let whole = gas_limit / backlog::WHOLE * size;
        let promises = self.preconfirmations.as_ref();
        let pool_gas = match (promises, lead) {
            (Some(promises), Some(lead)) => Some(promises.first_share(whole, lead)),
            _ => (size < backlog::WHOLE).then_some(whole),
        };
        let sealed = self.sealer.seal(
            &self.sync,
            SealRequest {
                time,
                terms,
                pool_gas,
                requeued: &self.requeued,
                max_users: self.isolation.limit(),
                min_anchor: promises.map_or(0, |promises| promises.min_anchor(head, time)),
            },
        );
        let sealed = match sealed {
            Ok(Some(sealed)) => sealed,
            nothing => {
                self.reset_attributes();
                return nothing.map(|_| None);
            }
        };
        match (&mut self.preconfirmations, lead) {
            (Some(promises), Some(lead)) => {
                promises.open_block(&self.sync, sealed, due, lead, whole)
            }
            _ => Ok(Some(sealed)),
        }
    }

    /// Makes a block the head, and passes it to the batcher.
    fn commit(&mut self, sealed: BlockCandidate) -> Result<Arc<Block>, SequencerError> {
        if let Some(promises) = &mut self.preconfirmations {
            promises.require_kept(&self.sync, &sealed.new.block)?;
        }
        let (rejected, cost) = (sealed.rejected.clone(), sealed.cost);
        // Computed before the append, which consumes the block's state changes.
        let footprint = BlockFootprint::of(&sealed.new);
        let block = self.sync.node.append(sealed)?;
        self.sealer.note_sealed();
        self.isolation.on_sealed(block.hash);
        self.pacer.on_sealed(&block, cost, &self.sealer.capacity());
        // Only after the block is on disk, so that the batcher never posts a block that a crash
        // could remove.
        self.batcher.on_sealed(&block, cost, footprint);
        if let Some(promises) = &mut self.preconfirmations {
            promises.note_sealed(&self.sync.view, &block, self.sealer.rate.get());
        }
        self.requeued.forget(&self.sync.node, &self.sync.view, &block, &rejected)?;
        self.reset_attributes();
        Ok(block)
    }

    /// Resets the attributes of the pending block to the head's anchor and the transactions of the
    /// pool, until the next block is sealed.
    fn reset_attributes(&self) {
        let head = Arc::clone(self.chain().head());
        let anchor = head.header.parent_beacon_block_root.unwrap_or_default();
        let gas_target = self.terms.as_ref().map(|terms| terms.gas_target);
        let plain =
            MineRequest { gas_target, parent_beacon_block_root: anchor, ..MineRequest::default() };
        let is_reset = self.sync.node.read(|node| {
            let attributes = &node.attributes;
            attributes.timestamp.is_none()
                && attributes.transactions.is_empty()
                && attributes.gas_target == gas_target
                && attributes.parent_beacon_block_root == anchor
        });
        if !is_reset {
            self.sync.node.execute(SetAttributes(plain));
        }
    }
}
