//! Metering of work that a block's gas does not pay for.

use alloy_primitives::Address;
use core::{error::Error, fmt};

/// A piece of work that takes more time than the block's gas, or the bytes of its witness, have
/// paid for. It is reported before or after it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnderpricedWork {
    /// A witness node is loaded at one more position than it was carried for.
    ///
    /// Trie keys are hashes, so in a state that results from blocks, no node occurs twice in a
    /// trie. In a forged state, all children of every branch can be the same node, so that a
    /// hundred nodes are walked like a complete trie.
    RepeatedNode {
        /// Length of the node in bytes.
        bytes: usize,
    },
    /// A precompile ran.
    Precompile {
        /// Its address.
        address: Address,
        /// Gas charged for it; for a failed one, the maximum gas of its work.
        gas: u64,
    },
    /// KECCAK256 ran.
    Keccak {
        /// Bytes hashed.
        bytes: usize,
    },
    /// CREATE or CREATE2: the init code is copied, searched for jump destinations, and, for
    /// CREATE2, hashed.
    InitCode {
        /// Length of the init code in bytes.
        bytes: usize,
        /// `true` for CREATE2.
        is_hashed: bool,
    },
}

/// Price of [`UnderpricedWork`], in gas.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WorkGas {
    /// Price of all work.
    pub spent: u64,
    /// Maximum that was reported at any time. It exceeds `spent` if work was reported before it was
    /// done, and turned out to be less.
    pub peak: u64,
}

impl WorkGas {
    /// Returns the price of this work followed by `next`.
    pub const fn then(self, next: Self) -> Self {
        let peak = self.spent.saturating_add(next.peak);
        let peak = if peak > self.peak { peak } else { self.peak };
        Self { spent: self.spent.saturating_add(next.spent), peak }
    }
}

/// Receiver of [`UnderpricedWork`] reports.
pub trait WorkMeter: fmt::Debug + Send + Sync {
    /// Records a piece of work and returns `true` if the block may continue. Otherwise, execution
    /// stops with an [`InternalError`](crate::InternalError), which is not a verdict on the block.
    fn spend(&self, work: UnderpricedWork) -> bool;
}

/// Error of a meter that rejects further work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InsufficientGas;

impl fmt::Display for InsufficientGas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("insufficient gas for further work on this block")
    }
}

impl Error for InsufficientGas {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_work_raises_peak_by_work_before() {
        let (first, next) = (WorkGas { spent: 3, peak: 10 }, WorkGas { spent: 5, peak: 6 });
        assert_eq!(first.then(next), WorkGas { spent: 8, peak: 10 });
        assert_eq!(next.then(first), WorkGas { spent: 8, peak: 15 });
        let maximum = WorkGas { spent: u64::MAX, peak: u64::MAX };
        assert_eq!(maximum.then(next), maximum);
    }
}
