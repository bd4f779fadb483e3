//! Backlog of sealed blocks that are not on L1 yet, compared with L1's capacity.
//!
//! The sequencer updates it before each block. As the backlog approaches the capacity, the
//! sequencer builds smaller blocks at longer intervals; at the limit it stops sealing and rejects
//! transactions, because a sealed block must never be reverted for lack of L1 space.

use crate::{
    L2Error,
    batcher::{PARTS, Throughput},
    config::BacklogConfig,
    l1::execute_rate::Capacity,
    l2::syncer::L2Syncer,
};
use alloy_primitives::B256;
use chain::Block;
use node::{Backlog, InputCost, Node, SetClosed};
use rpc_types::{BacklogStatus, BoundedAmount};
use std::{collections::VecDeque, sync::Arc, time::Duration};

/// Estimated EXECUTE gas of a block in addition to the gas of its transactions, for a block without
/// measurements.
const BLOCK_GAS: u64 = 500_000;
/// Denominator of shares of a limit, and of the size of a block.
pub(super) const WHOLE: u64 = 1_000;

/// A block that is not on L1 yet.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    number: u64,
    hash: B256,
    timestamp: u64,
    /// EXECUTE gas that counts for the block, or that of an L1 transaction if two such blocks do
    /// not fit into one.
    gas: u64,
    /// Input bytes, counted in the same way.
    bytes: u64,
}

impl Waiting {
    /// Creates an entry for a block. `cost` was measured by the self-check if this process sealed
    /// the block.
    fn new(block: &Block, cost: Option<InputCost>, limits: &Capacity) -> Self {
        let (most_gas, most_bytes) = (limits.gas, limits.bytes as u64);
        // Two blocks of more than half a transaction cannot share one, so each of them needs its
        // own.
        let whole = |used: u64, limit: u64| if used > limit / 2 { limit } else { used };
        let (gas, bytes) = match cost {
            Some(cost) => (cost.gas, cost.bytes as u64),
            None => (block.header.gas_used.saturating_add(BLOCK_GAS), block.size() as u64),
        };
        Self {
            number: block.header.number,
            hash: block.hash,
            timestamp: block.header.timestamp,
            gas: whole(gas, most_gas),
            bytes: whole(bytes, most_bytes),
        }
    }
}

/// Blocks that are not on L1 yet, oldest first.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone))]
struct Queue(VecDeque<Waiting>);

/// Interval and size of the next block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// Minimum time since the last block, and the share of the gas limit for the pool's
    /// transactions, in thousandths.
    After(Duration, u64),
    /// No block until L1 has included some of the waiting ones.
    Full,
}

impl Queue {
    /// Removes the blocks up to `safe`, which are on L1. If the rest does not lead from there to
    /// the head, e.g. after a reorg, rebuilds the queue from `unsafe_blocks`, and keeps the
    /// measurements of blocks that are still in it.
    fn follow<E>(
        &mut self,
        safe: &Block,
        head: &Block,
        limits: &Capacity,
        unsafe_blocks: impl FnOnce() -> Result<Vec<Arc<Block>>, E>,
    ) -> Result<(), E> {
        let (queue, next) = (&mut self.0, safe.header.number + 1);
        while queue.front().is_some_and(|first| first.number < next) {
            queue.pop_front();
        }
        let last = queue.back().map_or(safe.hash, |last| last.hash);
        if last == head.hash && queue.front().is_none_or(|first| first.number == next) {
            return Ok(());
        }
        let before: Vec<_> = queue.drain(..).collect();
        for block in unsafe_blocks()? {
            let before = before.iter().find(|queued| queued.hash == block.hash).copied();
            queue.push_back(before.unwrap_or_else(|| Waiting::new(&block, None, limits)));
        }
        Ok(())
    }

    /// Compares the blocks with the capacity of an L1 with this throughput within `longest`, less
    /// the age of the oldest block.
    fn status(
        &self,
        now: u64,
        longest: Duration,
        limits: &Capacity,
        throughput: &Throughput,
    ) -> BacklogStatus {
        let oldest = self.0.front().map_or(now, |first| first.timestamp);
        let age = now.saturating_sub(oldest);
        // The oldest block has used up part of the time.
        let transactions = throughput.within(longest.saturating_sub(Duration::from_secs(age)));
        let capacity = |per_transaction: u64| {
            let all = u128::from(transactions) * u128::from(per_transaction) / u128::from(PARTS);
            u64::try_from(all).unwrap_or(u64::MAX)
        };
        let sum = |of: fn(&Waiting) -> u64| self.0.iter().map(of).fold(0, u64::saturating_add);
        BacklogStatus {
            blocks: self.0.len() as u64,
            gas: BoundedAmount { used: sum(|block| block.gas), limit: capacity(limits.gas) },
            bytes: BoundedAmount {
                used: sum(|block| block.bytes),
                limit: capacity(limits.bytes as u64),
            },
            age: BoundedAmount { used: age, limit: longest.as_secs() },
        }
    }
}

impl BacklogConfig {
    /// Returns the maximum time from sealing a block to its inclusion on L1, for a rollup with this
    /// maximum lag in seconds.
    fn longest(&self, max_lag: u64) -> Duration {
        // The other half of the lag is reserved for blocks sealed while L1 does not respond.
        let lag = Duration::from_secs(max_lag / 2);
        self.max_age.map_or(lag, |max| max.min(lag))
    }
}

/// Returns the first limit that another block with the size of an L1 transaction would exceed.
fn exceeded_limit(status: &BacklogStatus, limits: &Capacity) -> Option<Backlog> {
    // With an empty backlog one more block is always allowed, or else a node would never seal again
    // after an outage of L1.
    if status.blocks == 0 {
        return None;
    }
    let measures = [
        ("gas of EXECUTE", status.gas, limits.gas),
        ("bytes of inputs", status.bytes, limits.bytes as u64),
        ("age in seconds", status.age, 1),
    ];
    let is_full = |(_, amount, more): &&(_, BoundedAmount, u64)| {
        amount.used.saturating_add(*more) > amount.limit
    };
    let found = measures.iter().find(is_full)?;
    let (what, BoundedAmount { used, limit }, more) = *found;
    Some(Backlog { what, got: used.saturating_add(more), limit })
}

/// Returns the used share of the limit that is closest to being reached, in thousandths.
fn filled(status: &BacklogStatus) -> u64 {
    let share = |amount: BoundedAmount| {
        let parts = u128::from(amount.used) * u128::from(WHOLE) / u128::from(amount.limit.max(1));
        u64::try_from(parts).unwrap_or(WHOLE).min(WHOLE)
    };
    [status.gas, status.bytes, status.age].map(share).into_iter().max().unwrap_or_default()
}

/// Returns interval and size of blocks, as configured below `slow_percent` of the limit. Above it,
/// the interval grows and the size shrinks in proportion to the remaining limit. Before
/// transactions are rejected, a burst is thus spread over smaller blocks, several of which fit into
/// an L1 transaction.
fn pace(status: &BacklogStatus, block_time: Duration, config: &BacklogConfig) -> Pace {
    let slow_from = u64::from(config.slow_percent.min(99)) * WHOLE / 100;
    let rest = WHOLE - filled(status).min(WHOLE - 1);
    let range = WHOLE - slow_from;
    if rest >= range {
        return Pace::After(block_time, WHOLE);
    }
    let factor = u32::try_from(range.div_ceil(rest)).unwrap_or(u32::MAX);
    Pace::After(block_time.saturating_mul(factor), rest * WHOLE / range)
}

/// Sets the pace of block production by the backlog.
#[derive(Debug)]
pub(super) struct Pacer {
    config: BacklogConfig,
    block_time: Duration,
    /// Maximum time from sealing a block to its inclusion on L1.
    longest: Duration,
    queue: Queue,
    /// The backlog compared with L1's capacity.
    pub(super) status: BacklogStatus,
}

impl Pacer {
    /// Creates the pacer of a rollup with this maximum lag in seconds.
    pub(super) fn new(config: BacklogConfig, block_time: Duration, max_lag: u64) -> Self {
        let (longest, queue) = (config.longest(max_lag), Queue::default());
        Self { config, block_time, longest, queue, status: BacklogStatus::default() }
    }

    /// Updates the backlog and returns the pace of the next block, which would be sealed at `now`.
    /// Closes the pool for user transactions while the backlog is full.
    pub(super) fn update(
        &mut self,
        sync: &L2Syncer,
        now: u64,
        limits: &Capacity,
        throughput: &Throughput,
    ) -> Result<Pace, L2Error> {
        let (safe, head) = (sync.safe()?, Arc::clone(sync.chain().head()));
        self.queue.follow(&safe, &head, limits, || sync.unsafe_blocks())?;
        self.status = self.queue.status(now, self.longest, limits, throughput);
        let full = exceeded_limit(&self.status, limits);
        close_pool(&sync.node, full);
        Ok(match full {
            Some(_) => Pace::Full,
            None => pace(&self.status, self.block_time, &self.config),
        })
    }

    /// Adds a sealed block.
    pub(super) fn on_sealed(&mut self, block: &Block, cost: Option<InputCost>, limits: &Capacity) {
        self.queue.0.push_back(Waiting::new(block, cost, limits));
    }

    /// Returns the timestamp of the oldest block that is not on L1.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.queue.0.front().map(|first| first.timestamp)
    }
}

/// Closes the pool for a reason, or opens it.
pub(super) fn close_pool(node: &Node, reason: Option<Backlog>) {
    let before = node.read(|node| node.settings.closed);
    if before == reason {
        return;
    }
    match (before, reason) {
        (None, Some(Backlog { what, got, limit })) => {
            tracing::warn!(what, got, limit, "backlog full, rejecting transactions");
        }
        (Some(_), None) => tracing::info!("backlog below its limits, accepting transactions"),
        _ => {}
    }
    node.execute(SetClosed(reason));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        batcher::tests::{BatcherSetup, RULES, header, included},
        l1::execute_rate::ExecuteRate,
    };
    use contracts::advance_plan::L1Limits;
    use execute::WorkGas;
    use node::{Clock, Settings};

    const SLOT: Duration = Duration::from_secs(12);
    const CONFIG: BacklogConfig = BacklogConfig { max_age: None, slow_percent: 50, l1_slot: SLOT };

    fn capacity() -> Capacity {
        ExecuteRate::default().capacity(&L1Limits::default())
    }

    fn queue(blocks: u64, gas: u64, since: u64) -> Queue {
        let block = |number| Waiting {
            number,
            hash: B256::with_last_byte(1),
            timestamp: since,
            gas,
            bytes: 10,
        };
        Queue((0..blocks).map(block).collect())
    }

    fn status(queue: &Queue, longest: u64) -> BacklogStatus {
        let longest = Duration::from_secs(longest);
        queue.status(1_000, longest, &capacity(), &Throughput::new(SLOT))
    }

    #[test]
    fn blocks_get_smaller_and_rarer_towards_limit() {
        let second = Duration::from_secs(1);
        let limits = capacity();
        // One transaction per twelve seconds, so a hundred in total.
        let whole = limits.gas;
        let pace = |blocks| {
            let status = status(&queue(blocks, whole, 1_000), 1_200);
            exceeded_limit(&status, &limits)
                .is_none()
                .then(|| super::pace(&status, second, &CONFIG))
        };
        assert_eq!(pace(0), Some(Pace::After(second, WHOLE)));
        assert_eq!(pace(50), Some(Pace::After(second, WHOLE)));
        assert_eq!(pace(51), Some(Pace::After(2 * second, 980)));
        assert_eq!(pace(75), Some(Pace::After(2 * second, 500)));
        assert_eq!(pace(90), Some(Pace::After(5 * second, 200)));
        assert_eq!(pace(99), Some(Pace::After(50 * second, 20)));
        assert_eq!(pace(100), None);
        let backlog = exceeded_limit(&status(&queue(100, whole, 1_000), 1_200), &limits);
        let (got, limit) = (101 * whole, 100 * whole);
        assert_eq!(backlog, Some(Backlog { what: "gas of EXECUTE", got, limit }));
    }

    #[test]
    fn old_block_shrinks_capacity_until_full() {
        let limits = capacity();
        let at = |since| status(&queue(1, 1, since), 100);
        assert!(at(1_000).gas.limit > at(950).gas.limit);
        assert_eq!(exceeded_limit(&at(1_000), &limits), None);
        assert!(exceeded_limit(&at(900), &limits).is_some());
        // Without waiting blocks one more is allowed even without any time.
        assert_eq!(exceeded_limit(&status(&queue(0, 0, 0), 0), &limits), None);
    }

    #[test]
    fn large_block_counts_as_whole_transaction() {
        let limits = capacity();
        let (gas, bytes) = (limits.gas, limits.bytes);
        let block = Block::from_header(Default::default());
        let of = |gas, bytes| {
            let cost = InputCost { bytes, gas, work: WorkGas::default() };
            let waiting = Waiting::new(&block, Some(cost), &limits);
            (waiting.gas, waiting.bytes)
        };
        assert_eq!(of(gas / 2, 7), (gas / 2, 7));
        assert_eq!(of(gas / 2 + 1, bytes / 2 + 1), (gas, bytes as u64));
    }
    #[test]
    fn max_age_is_at_most_half_the_lag() {
        let longest = |max_age: Option<u64>| {
            BacklogConfig { max_age: max_age.map(Duration::from_secs), ..CONFIG }
                .longest(121)
                .as_secs()
        };
        assert_eq!([None, Some(61), Some(60), Some(59)].map(longest), [60, 60, 60, 59]);
    }

    #[test]
    fn filled_is_largest_share_capped_at_limit() {
        let amount = |used, limit| BoundedAmount { used, limit };
        let filled = |gas, bytes, age| {
            super::filled(&BacklogStatus { gas, bytes, age, ..BacklogStatus::default() })
        };
        let none = amount(0, 1_000);
        for used in [0, 1, 999, 1_000] {
            let one = amount(used, 1_000);
            let all = [filled(one, none, none), filled(none, one, none), filled(none, none, one)];
            assert_eq!(all, [used; 3]);
        }
        assert_eq!(filled(amount(2_000, 1_000), none, none), WHOLE);
        assert_eq!(filled(amount(1, 1), none, none), WHOLE);
        // With a capacity of zero any backlog is full.
        assert_eq!(filled(amount(7, 0), amount(0, 0), none), WHOLE);
    }

    /// Returns a block with this number and hash.
    fn block(number: u64, hash: u8) -> Arc<Block> {
        let header = alloy_consensus::Header { number, ..Default::default() };
        let mut block = Block::from_header(header);
        block.hash = B256::repeat_byte(hash);
        Arc::new(block)
    }

    #[test]
    fn rebuilt_queue_keeps_measurements_of_remaining_blocks() {
        let limits = capacity();
        let chain: Vec<_> = (0..4).map(|number| block(number, 1 + number as u8)).collect();
        let mut queue = Queue::default();
        let follow = |queue: &mut Queue, safe: &Block, blocks: &[Arc<Block>]| {
            let mut is_measured = false;
            let head = blocks.last().map_or(safe, |last| last);
            let all = || {
                is_measured = true;
                Ok::<_, ()>(blocks.to_vec())
            };
            queue.follow(safe, head, &limits, all).unwrap();
            let found: Vec<_> = queue.0.iter().map(|block| block.hash).collect();
            let expected: Vec<_> = blocks.iter().map(|block| block.hash).collect();
            assert_eq!(found, expected);
            is_measured
        };
        // At the start the queue is empty and has to be built.
        assert!(follow(&mut queue, &chain[0], &chain[1..3]));
        assert!(queue.0.iter().all(|block| block.gas == BLOCK_GAS));
        let cost = InputCost { bytes: 5, gas: 7, work: WorkGas::default() };
        queue.0.push_back(Waiting::new(&chain[3], Some(cost), &limits));
        assert!(!follow(&mut queue, &chain[0], &chain[1..]));
        // L1 includes one block, then all of them, and is then reorganised.
        assert!(!follow(&mut queue, &chain[1], &chain[2..]));
        assert!(!follow(&mut queue.clone(), &chain[3], &[]));
        assert!(follow(&mut queue, &chain[0], &chain[1..]));
        assert_eq!(queue.0[2].gas, 7);
        assert_eq!(queue.0[0].gas, BLOCK_GAS);
        // Another block replaces the last but one, which removes the block after it.
        let other = block(2, 9);
        assert!(follow(&mut queue, &chain[0], &[chain[1].clone(), other]));
        assert!(follow(&mut queue, &chain[0], &chain[1..]));
        assert_eq!(queue.0[2].gas, BLOCK_GAS, "measurements of a removed block are dropped");
        // L1 has another block at the height of the first.
        assert!(follow(&mut queue, &block(1, 8), &[block(2, 7)]));
    }

    #[test]
    fn pool_is_closed_while_backlog_is_full() {
        let mut fixture = BatcherSetup::new();
        let blocks = fixture.blocks(2);
        let first = blocks[0].header.timestamp;
        let BatcherSetup { chain, mut view, config, .. } = fixture;
        let node = Node::new(chain, Clock::default(), Settings::default());
        let mut sync = L2Syncer::new(node, Arc::new(view.clone()));
        let usual = Pace::After(config.block_time, WHOLE);
        let mut pacer = Pacer::new(config.backlog, config.block_time, RULES.max_lag);
        let mut look = |sync: &L2Syncer, time| {
            let throughput = Throughput::new(config.backlog.l1_slot);
            let pace = pacer.update(sync, time, &capacity(), &throughput).unwrap();
            let closed = sync.node.read(|node| node.settings.closed);
            (pace, closed.is_some(), pacer.status.blocks)
        };
        assert_eq!(look(&sync, first + 1), (usual, false, 2));
        // After half of the lag the first block is too old for another one to follow it in time.
        let late = first + RULES.max_lag / 2;
        assert_eq!(look(&sync, late), (Pace::Full, true, 2));
        view.apply(header(2), included(&blocks, 2));
        sync.view = Arc::new(view);
        assert_eq!(look(&sync, late), (usual, false, 0));
    }
}
