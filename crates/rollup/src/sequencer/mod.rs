//! Block production from the latest snapshot of L1, without requests to L1.
//!
//! `sealing` chooses the content of blocks, `recovery` replaces blocks that L1 can never accept,
//! `requeued` keeps their transactions, `isolation` searches for a transaction that makes L1 reject a
//! block, and `backlog` paces block production. `open_block` signs prefixes of a block while it is
//! built, and `preconfirmations` keeps what they promise. The batcher posts the blocks on its own
//! thread.

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
pub(crate) use signed_rates::SignedRates;

use crate::{
    RollupRules, SequencerConfig,
    batcher::{BatcherHandle, Work},
    l1::{
        L1Clock, L1View,
        execute_rate::{Capacity, ExecuteRate},
        fork_schedule::Difference,
        poller::{L1Poll, L1Snapshot, Terms},
    },
    l2::{pool_log::PoolLog, syncer::L2Syncer},
    lease::Fence,
    status::{BacklogStatus, SubmitterStatus},
};
use alloy_primitives::B256;
use backlog::{Pace, Queue};
use chain::{Block, BlockFootprint, ChainReader, RecoveredTransaction, Rejection};
use contracts::advance_plan::L1Limits;
use isolation::Isolation;
use node::{BlockCandidate, MineRequest, Node, SetAttributes};
use offer::Offered;
use open_block::OpenBlock;
use requeued::Requeued;
use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

/// Sequencer of an L2.
#[derive(Debug)]
pub struct Sequencer {
    sync: L2Syncer,
    rules: RollupRules,
    config: SequencerConfig,
    /// Limits of a transaction on L1.
    limits: L1Limits,
    batcher: BatcherHandle,
    /// Price of EXECUTE on L1.
    rate: ExecuteRate,
    /// Messages whose delivery makes a block too large for L1.
    deferred: BTreeSet<u64>,
    requeued: Requeued,
    /// The search for a transaction that EXECUTE on L1 rejects.
    isolation: Isolation,
    last_block: Instant,
    /// `true` once this sequencer has sealed a block.
    has_sealed: bool,
    /// The last attempt to build a block whose user transactions were all rejected, with its time.
    fruitless: Option<(Offered, Instant)>,
    /// Blocks that are not on L1 yet.
    queue: Queue,
    /// The backlog compared with L1's capacity.
    backlog: BacklogStatus,
    /// State of the contracts at the head of the view.
    terms: Option<Arc<Terms>>,
    clock: L1Clock,
    /// Time since which the latest block has been ahead of L1's time.
    ahead_since: Option<Instant>,
    /// Reason why the L2 rejects the operator's transactions.
    operator_refused: Option<Rejection>,
    /// Signer of prefixes, if the node signs any.
    preconfirmations: Option<Preconfirmations>,
    /// The block of which a prefix is signed.
    open: Option<OpenBlock>,
    /// Right to seal, checked right before.
    fence: Fence,
    /// The last L1 transaction with blocks that replace this node's, until the worker takes it.
    pub(crate) overtaken_by: Option<B256>,
}

impl Sequencer {
    /// A sequencer over a node and an L1 view, with the batcher that posts its blocks.
    pub(crate) fn new(
        sync: L2Syncer,
        rules: RollupRules,
        config: SequencerConfig,
        limits: L1Limits,
        pool_log: Option<Arc<PoolLog>>,
        batcher: BatcherHandle,
        rate: ExecuteRate,
    ) -> Self {
        let requeued = Requeued::new(config.operator_key.address(), pool_log);
        let sequencer = Self {
            sync,
            rules,
            rate,
            config,
            limits,
            batcher,
            deferred: BTreeSet::new(),
            requeued,
            isolation: Isolation::default(),
            last_block: Instant::now(),
            has_sealed: false,
            fruitless: None,
            queue: Queue::default(),
            backlog: BacklogStatus::default(),
            terms: None,
            clock: L1Clock::new(),
            ahead_since: None,
            operator_refused: None,
            preconfirmations: None,
            open: None,
            fence: Fence::default(),
            overtaken_by: None,
        };
        sequencer.reset_attributes();
        sequencer
    }

    /// Sets the right to seal, which is checked before each block.
    pub(crate) fn with_fence(self, fence: Fence) -> Self {
        Self { fence, ..self }
    }

    /// Stops the batcher, so that another node may use its key, and returns the synced L2 and the
    /// deferred transactions for the next role.
    pub(crate) fn into_parts(self) -> (L2Syncer, Vec<RecoveredTransaction>) {
        self.reset_attributes();
        self.close(None);
        self.batcher.end();
        (self.sync, self.requeued.into_inner())
    }

    /// Deferred transactions of replaced blocks.
    pub(crate) fn requeued(&self) -> &[RecoveredTransaction] {
        &self.requeued
    }

    /// Queues transactions of replaced blocks again.
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
            backlog: self.backlog,
            // An unreadable chain is reported when the next block is built.
            operator_balance: self
                .chain()
                .state()
                .balance(report.status.operator)
                .unwrap_or_default(),
            ..report.status
        }
    }

    /// Reason why the last block has no L1 inputs.
    pub(crate) fn not_relayed(&self) -> Option<SequencerError> {
        self.operator_refused.clone().map(SequencerError::Operator)
    }

    /// Reason why the batcher does not post waiting blocks.
    pub(crate) fn not_submitted(&self) -> Option<String> {
        self.batcher.report().not_submitted
    }

    /// Ends the batcher's thread, at the end of the node.
    pub(crate) fn end(self) {
        self.batcher.end();
    }

    const fn node(&self) -> &Arc<Node> {
        &self.sync.node
    }

    fn chain(&self) -> ChainReader {
        self.sync.chain()
    }

    fn view(&self) -> &L1View {
        &self.sync.view
    }

    /// Capacity of an L1 transaction for inputs.
    fn capacity(&self) -> Capacity {
        self.rate.capacity(&self.limits)
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
    /// [`SequencerError`]; completed steps are kept, and the next call continues.
    pub fn follow_l1(&mut self) -> Result<(), SequencerError> {
        let update = self.sync.catch_up()?;
        if update.reverted {
            self.batcher.l1_went_back();
        }
        // Blocks replaced by an L1 reorg do not indicate a competing sequencer.
        self.overtaken_by = update.overtaken_by.filter(|_| !update.reverted).or(self.overtaken_by);
        self.requeued.displace(update.displaced);
        self.rebuild_lost()?;
        self.isolate_refused()
    }

    /// Hands the current blocks to the batcher, or pauses it while L1 cannot be read.
    pub(crate) fn submit(&self, is_readable: bool) {
        let Some(terms) = self.terms.as_ref().filter(|_| is_readable) else {
            self.batcher.hold();
            return;
        };
        self.batcher.offer(Work {
            chain: self.chain(),
            view: Arc::clone(&self.sync.view),
            duties: terms.duties,
            clock: self.clock,
        });
    }

    /// Maximum time without a response from L1 during which blocks are made. It leaves at least
    /// half of the maximum lag to post them.
    fn longest_silence(&self) -> Duration {
        self.config.l1_drift.min(Duration::from_secs(self.rules.max_lag / 2))
    }

    /// Blocks that are not on L1, oldest first.
    fn unsafe_blocks(&self) -> Result<Vec<Arc<Block>>, SequencerError> {
        let (chain, safe) = (self.chain(), self.sync.safe()?);
        let numbers = safe.header.number + 1..=chain.head().header.number;
        let blocks = numbers.filter_map(|number| chain.canonical_block(number).transpose());
        Ok(blocks.collect::<Result<_, _>>()?)
    }

    /// Makes a block if one is due, but none at or after the time of `unknown_fork`.
    ///
    /// # Errors
    ///
    /// [`SequencerError`] if no block may or can be made.
    pub(crate) fn make_block(
        &mut self,
        unknown_fork: Option<&Difference>,
    ) -> Result<Option<Arc<Block>>, SequencerError> {
        let now = Instant::now();
        // Called first, even if no block is due, because it opens the pool again once L1 has
        // included enough.
        let pace = self.update_backlog()?;
        if self.open.is_some() {
            let sealed = self.continue_block(now)?;
            return sealed.map(|sealed| self.commit(sealed)).transpose();
        }
        let (silent, limit) = (self.clock.age(now), self.longest_silence());
        // A block sealed after this might be too old before L1 can include it, and would be
        // reverted.
        if silent > limit {
            let (silent, limit) = (silent.as_secs(), limit.as_secs());
            return Err(SequencerError::L1Silent { silent, limit });
        }
        let Some(terms) = self.terms.clone() else { return Ok(None) };
        let chain = self.chain();
        let head = Arc::clone(chain.head());
        let lead = self.lead_time(&head, &terms, now);
        let due = now + lead.unwrap_or_default();
        let time = self.clock.for_block(due);
        if let Some(difference) = unknown_fork.filter(|difference| time >= difference.at()) {
            return Err(SequencerError::UnknownFork { reason: difference.to_string() });
        }
        if self.ahead_since.is_some() {
            let (number, got) = (head.header.number, head.header.timestamp);
            let expected = self.clock.next_block(now);
            return Err(SequencerError::AheadOfL1 { number, got, expected });
        }
        if let Some(sealed) = self.unfinished_block(time)? {
            return self.commit(sealed).map(Some);
        }
        if self.isolation.awaits_l1() {
            return Ok(None);
        }
        let Pace::After(pause, size) = pace else { return Ok(None) };
        // The first prefix of a block may be made as early as its last one is late.
        let wait = pause.saturating_sub(lead.unwrap_or_default());
        if self.last_block.elapsed() < wait || time <= head.header.timestamp {
            return Ok(None);
        }
        // The first transaction of the pool is included at any size.
        let gas_limit = head.header.gas_limit;
        let whole = gas_limit / backlog::WHOLE * size;
        let pool_gas = match lead {
            Some(_) => Some(self.first_share(whole)),
            None => (size < backlog::WHOLE).then_some(whole),
        };
        let sealed = self.seal(&chain, &head, time, &terms, pool_gas);
        let sealed = match sealed {
            Ok(Some(sealed)) => sealed,
            nothing => {
                self.reset_attributes();
                return nothing.map(|_| None);
            }
        };
        let sealed = match lead {
            Some(_) => self.open_block(sealed, due, whole)?,
            None => Some(sealed),
        };
        sealed.map(|sealed| self.commit(sealed)).transpose()
    }

    /// Makes a block the head, and hands it to the batcher.
    pub(super) fn commit(&mut self, sealed: BlockCandidate) -> Result<Arc<Block>, SequencerError> {
        if let Some(promises) = &mut self.preconfirmations {
            promises.require_kept(&self.sync.chain(), &self.sync.view, &sealed.new.block)?;
        }
        let (rejected, cost) = (sealed.rejected.clone(), sealed.cost);
        // Taken before the append, which consumes the block's state changes.
        let footprint = BlockFootprint::of(&sealed.new);
        let block = self.node().append(sealed)?;
        self.last_block = Instant::now();
        self.has_sealed = true;
        self.isolation.sealed(block.hash);
        self.enqueue(&block, cost);
        // Passed on only after the block is on disk, so that the batcher never posts a block that a
        // crash removes.
        self.batcher.sealed(&block, cost, footprint);
        if let Some(promises) = &mut self.preconfirmations {
            promises.note_sealed(&self.sync.view, &block, self.rate.get());
        }
        self.requeued.forget(&self.sync.node, &self.sync.view, &block, &rejected)?;
        self.reset_attributes();
        self.requeued.tidy_log(&self.sync)?;
        Ok(block)
    }

    /// Resets the attributes of the pending block: the head's anchor, and only transactions of the
    /// pool, until the next block is sealed.
    fn reset_attributes(&self) {
        let head = Arc::clone(self.chain().head());
        let anchor = head.header.parent_beacon_block_root.unwrap_or_default();
        let plain = MineRequest { parent_beacon_block_root: anchor, ..MineRequest::default() };
        let asked = self.node().read(|node| {
            let it = &node.attributes;
            it.timestamp.is_none()
                && it.transactions.is_empty()
                && it.parent_beacon_block_root == anchor
        });
        if !asked {
            self.node().execute(SetAttributes(plain));
        }
    }
}
