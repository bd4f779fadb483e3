//! Making blocks, from the newest snapshot of L1. Nothing here asks L1 or waits for it.
//!
//! What a block is made of is in `sealing`, and what becomes of blocks that L1 can never take in `recovery`. The
//! batcher brings them to L1, on a thread of its own.

mod backlog;
mod recovery;
mod sealing;

use crate::{
    RollupError, RollupRules, SequencerConfig,
    batcher::{BatcherRoom, Work},
    execute_rate::{Capacity, ExecuteRate},
    fork_schedule::Difference,
    l1::{
        L1Clock, L1View,
        room::{L1Snapshot, Look, Terms},
    },
    l2_syncer::L2Syncer,
    pool_log::PoolLog,
    status::{BacklogStatus, SubmitterStatus},
};
use alloy_primitives::B256;
use backlog::{Pace, Queue};
use chain::{Block, ChainReader, RecoveredTransaction};
use node::{MineRequest, Node, SetAttributes};
use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

/// Makes the blocks of an L2.
#[derive(Debug)]
pub struct Sequencer {
    sync: L2Syncer,
    rules: RollupRules,
    config: SequencerConfig,
    batcher: BatcherRoom,
    /// Price of EXECUTE on L1.
    rate: ExecuteRate,
    /// Messages whose delivery makes a block that L1 cannot carry.
    deferred: BTreeSet<u64>,
    /// Transactions of blocks that were given up. They may need what stood before them, a deposit for
    /// instance, so they wait here for the same place, and not in the pool.
    requeued: Vec<RecoveredTransaction>,
    last_block: Instant,
    /// Blocks that wait for L1.
    queue: Queue,
    /// The same against what L1 takes of them.
    backlog: BacklogStatus,
    /// State of the contracts at the head of the view.
    terms: Option<Arc<Terms>>,
    clock: L1Clock,
    /// Since when L1's time has been behind that of the newest block.
    ahead_since: Option<Instant>,
    pool_log: Option<Arc<PoolLog>>,
    /// The last L1 transaction with blocks in the places of this node's, until the worker takes it.
    pub(crate) overtaken_by: Option<B256>,
}

impl Sequencer {
    /// A sequencer over a node and a view of L1, and the batcher that brings its blocks there.
    pub(crate) fn new(
        sync: L2Syncer,
        rules: RollupRules,
        config: SequencerConfig,
        pool_log: Option<Arc<PoolLog>>,
        batcher: BatcherRoom,
        rate: ExecuteRate,
    ) -> Self {
        let sequencer = Self {
            sync,
            rules,
            rate,
            config,
            batcher,
            deferred: BTreeSet::new(),
            requeued: Vec::new(),
            last_block: Instant::now(),
            queue: Queue::default(),
            backlog: BacklogStatus::default(),
            terms: None,
            clock: L1Clock::new(),
            ahead_since: None,
            pool_log,
            overtaken_by: None,
        };
        sequencer.reset_attributes();
        sequencer
    }

    /// Returns the synced L2 for the next role, and the transactions that wait for their place in a block. The
    /// batcher has ended then: its key may be used by another node.
    pub(crate) fn into_parts(self) -> (L2Syncer, Vec<RecoveredTransaction>) {
        self.reset_attributes();
        self.close(None);
        self.batcher.end();
        (self.sync, self.requeued)
    }

    /// Transactions of blocks that gave way, which wait for their places in the next ones.
    pub(crate) fn requeued(&self) -> &[RecoveredTransaction] {
        &self.requeued
    }

    pub(crate) const fn sync(&self) -> &L2Syncer {
        &self.sync
    }

    pub(crate) fn submitter_status(&self) -> SubmitterStatus {
        let head = self.chain().head().header.number;
        let safe = self.sync.view.advanced_head().map_or(0, |(number, _)| number);
        let report = self.batcher.report();
        SubmitterStatus {
            unsafe_blocks: head.saturating_sub(safe),
            backlog: self.backlog,
            ..report.status
        }
    }

    /// Reason why blocks wait that should be on their way to L1.
    pub(crate) fn not_submitted(&self) -> Option<String> {
        self.batcher.report().not_submitted
    }

    /// Ends the thread of the batcher, at the end of the node.
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

    /// Inputs that a transaction on L1 carries.
    fn capacity(&self) -> Capacity {
        self.rate.capacity(&self.config.submitter.limits)
    }

    /// Takes over what was read of L1; [`Self::follow_l1`] does what follows from it.
    pub(crate) fn take_over(&mut self, look: Look) {
        let L1Snapshot { view, terms, clock } = look.snapshot;
        self.sync.take_over(look.update, view);
        (self.terms, self.clock) = (terms, clock);
    }

    /// Does what follows from what was read of L1: blocks that L1 cannot take any more are made again.
    ///
    /// # Errors
    ///
    /// [`RollupError`]; what was done before stays, and the next call goes on.
    pub fn follow_l1(&mut self) -> Result<(), RollupError> {
        let update = self.sync.catch_up()?;
        if update.reverted {
            self.batcher.forget();
        }
        // Blocks that give way to a reorganisation of L1 are not another sequencer's doing.
        self.overtaken_by = update.overtaken_by.filter(|_| !update.reverted).or(self.overtaken_by);
        self.displace(update.displaced);
        self.rebuild_lost()
    }

    /// Has the batcher go on with what there is now; or wait, as long as L1 cannot be read.
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

    /// Longest time for which blocks are made without L1: with it at its end, half of the lag that L1 allows is left
    /// for them to get there.
    fn longest_silence(&self) -> Duration {
        self.config.l1_drift.min(Duration::from_secs(self.rules.max_lag / 2))
    }

    /// Blocks that L1 does not have, oldest first.
    fn unsafe_blocks(&self) -> Result<Vec<Arc<Block>>, RollupError> {
        let (chain, safe) = (self.chain(), self.sync.safe()?);
        let numbers = safe.header.number + 1..=chain.head().header.number;
        let blocks = numbers.filter_map(|number| chain.canonical_block(number).transpose());
        Ok(blocks.collect::<Result<_, _>>()?)
    }

    /// Makes a block if one is due, and none from the time of `unknown_fork` on.
    ///
    /// # Errors
    ///
    /// [`RollupError`]; no block is shown then.
    pub(crate) fn make_block(
        &mut self,
        unknown_fork: Option<&Difference>,
    ) -> Result<Option<Arc<Block>>, RollupError> {
        let now = Instant::now();
        // First, also without a block: it opens the pool again once L1 has taken enough.
        let pace = self.look_at_backlog()?;
        let (silent, limit) = (self.clock.age(now), self.longest_silence());
        // Beyond this a block might be too old before L1 can take it, and would be undone.
        if silent > limit {
            let (silent, limit) = (silent.as_secs(), limit.as_secs());
            return Err(RollupError::L1Silent { silent, limit });
        }
        let Some(terms) = self.terms.clone() else { return Ok(None) };
        let chain = self.chain();
        let head = Arc::clone(chain.head());
        let time = self.clock.for_block(now);
        if let Some(difference) = unknown_fork.filter(|difference| time >= difference.at()) {
            return Err(RollupError::UnknownFork { reason: difference.to_string() });
        }
        if self.ahead_since.is_some() {
            let (number, got) = (head.header.number, head.header.timestamp);
            let expected = self.clock.next_block(now);
            return Err(RollupError::AheadOfL1 { number, got, expected });
        }
        let Pace::After(pause, size) = pace else { return Ok(None) };
        if self.last_block.elapsed() < pause || time <= head.header.timestamp {
            return Ok(None);
        }
        // The first transaction of the pool is in the block at any size.
        let gas_limit = head.header.gas_limit;
        let pool_gas = (size < backlog::WHOLE).then(|| gas_limit / backlog::WHOLE * size);
        let sealed = self.seal(&chain, &head, time, &terms, pool_gas);
        let sealed = match sealed {
            Ok(Some(sealed)) => sealed,
            nothing => {
                self.reset_attributes();
                return nothing.map(|_| None);
            }
        };
        let (rejected, posted) = (sealed.rejected.clone(), sealed.posted);
        // Before the block is appended, which consumes its changes.
        let footprint = sealed.new.footprint();
        let block = self.node().append(sealed)?;
        self.last_block = Instant::now();
        self.enqueue(&block, posted);
        // After the block is on disk: the batcher never sends one that a crash takes away.
        self.batcher.sealed(&block, posted, footprint);
        self.forget_kept(&block, &rejected)?;
        self.reset_attributes();
        if let Some(log) = &self.pool_log {
            log.tidy(self.node(), self.sync.safe()?.header.number, &self.requeued);
        }
        Ok(Some(block))
    }

    /// Gives the pending block the anchor of the head, until the transactions that the next block begins with are
    /// known.
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
