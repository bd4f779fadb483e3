//! Counters of a block for resources other than gas.

use core::sync::atomic::{AtomicU64, Ordering};

/// Counter of precompile work in a block, which a revert does not undo: the EVM's state discards
/// the changes of a failed call, but the work has been done.
///
/// Each execution of a block has its own counter, and so does each call outside of blocks. The
/// counts of a transaction are kept only if the transaction is included: for a builder, a dropped
/// transaction has no effect.
#[derive(Debug, Default)]
pub struct BlockTally {
    base_fee: u64,
    /// Counts of the included transactions.
    settled: AtomicU64,
    /// Counts of the transaction in execution.
    open: AtomicU64,
}

impl BlockTally {
    /// Creates the counter of a block with this base fee, in wei.
    pub const fn new(base_fee: u64) -> Self {
        Self { base_fee, settled: AtomicU64::new(0), open: AtomicU64::new(0) }
    }

    /// Base fee of the block, in wei; 0 if gas is free.
    pub const fn base_fee(&self) -> u64 {
        self.base_fee
    }

    /// Adds to the transaction in execution.
    pub fn count(&self, amount: u64) {
        // A block runs on one thread, so load and store need not be a single operation. Saturating:
        // a count that wraps would be charged as a small one.
        let open = self.open.load(Ordering::Relaxed).saturating_add(amount);
        self.open.store(open, Ordering::Relaxed);
    }

    /// Returns the total, including the transaction in execution.
    pub fn used(&self) -> u64 {
        self.settled().saturating_add(self.open.load(Ordering::Relaxed))
    }

    /// Returns the total of the included transactions.
    pub fn settled(&self) -> u64 {
        self.settled.load(Ordering::Relaxed)
    }

    /// Begins another transaction; drops the counts of the previous one unless it was
    /// [settled](Self::settle).
    pub fn open(&self) {
        self.open.store(0, Ordering::Relaxed);
    }

    /// Includes the transaction in execution.
    pub fn settle(&self) {
        self.settled.store(self.used(), Ordering::Relaxed);
        self.open();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_settled_transactions_keep_their_counts() {
        let tally = BlockTally::new(7);
        tally.open();
        tally.count(5);
        tally.count(6);
        assert_eq!((tally.used(), tally.settled()), (11, 0));
        tally.open();
        assert_eq!((tally.used(), tally.settled()), (0, 0), "the transaction was dropped");
        tally.count(5);
        tally.settle();
        assert_eq!((tally.used(), tally.settled(), tally.base_fee()), (5, 5, 7));
        tally.count(u64::MAX);
        tally.count(u64::MAX);
        assert_eq!((tally.used(), tally.settled()), (u64::MAX, 5));
    }
}
