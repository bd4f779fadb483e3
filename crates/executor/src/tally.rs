//! What the transactions of a block take of something that is not gas.

use core::sync::atomic::{AtomicU64, Ordering};

/// A count that a block keeps of what its precompiles do, which no revert undoes: the state of the EVM
/// forgets what a call has changed that fails, and work that was done stays done.
///
/// Each execution of a block has its own, and so has each call that is made outside of blocks. What a
/// transaction counts stays only if the transaction does: a builder goes on as if one that it leaves out
/// had never been tried.
#[derive(Debug, Default)]
pub struct BlockTally {
    base_fee: u64,
    /// Of the transactions that stand in the block.
    settled: AtomicU64,
    /// Of the one in execution.
    open: AtomicU64,
}

impl BlockTally {
    /// Nothing is counted yet of a block with this base fee, in wei.
    pub const fn new(base_fee: u64) -> Self {
        Self { base_fee, settled: AtomicU64::new(0), open: AtomicU64::new(0) }
    }

    /// Base fee of the block, in wei: 0 if gas costs nothing there.
    pub const fn base_fee(&self) -> u64 {
        self.base_fee
    }

    /// Counts for the transaction in execution.
    pub fn count(&self, amount: u64) {
        let open = self.open.load(Ordering::Relaxed).saturating_add(amount);
        self.open.store(open, Ordering::Relaxed);
    }

    /// All that was counted, by the transaction in execution too.
    pub fn used(&self) -> u64 {
        self.settled().saturating_add(self.open.load(Ordering::Relaxed))
    }

    /// What the transactions that stand in the block have counted.
    pub fn settled(&self) -> u64 {
        self.settled.load(Ordering::Relaxed)
    }

    /// Another transaction begins; what one before it has counted that was not
    /// [settled](Self::settle) is forgotten.
    pub fn open(&self) {
        self.open.store(0, Ordering::Relaxed);
    }

    /// The transaction in execution stands in the block.
    pub fn settle(&self) {
        self.settled.store(self.used(), Ordering::Relaxed);
        self.open();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_transaction_counts_stays_if_the_transaction_does_and_nothing_overflows() {
        let tally = BlockTally::new(7);
        tally.open();
        tally.count(5);
        tally.count(6);
        assert_eq!((tally.used(), tally.settled()), (11, 0));
        tally.open();
        assert_eq!((tally.used(), tally.settled()), (0, 0), "it was left out");
        tally.count(5);
        tally.settle();
        assert_eq!((tally.used(), tally.settled(), tally.base_fee()), (5, 5, 7));
        tally.count(u64::MAX);
        tally.count(u64::MAX);
        assert_eq!((tally.used(), tally.settled()), (u64::MAX, 5));
    }
}
