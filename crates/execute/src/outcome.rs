//! Outcome of a call, which its dialect converts to return data and a charge.

use crate::{ExecuteError, WorkGas};
use alloc::vec::Vec;
use alloy_primitives::B256;
use stateless::Verdict;
use wire::StatelessResult;

/// A call that succeeded.
#[derive(Debug, Clone)]
pub struct Executed {
    /// Result that the call returns.
    pub result: StatelessResult,
    /// Gas that the call is charged.
    pub gas: u64,
    /// Minimum gas of the call: the reserve plus the gas due for underpriced work.
    pub reserve: u64,
    /// Price of all underpriced work of the blocks, in gas. The gas that they used covers a part of
    /// it.
    pub work: WorkGas,
    /// Verdict on the block; for a batch, on its last block.
    pub verdict: Verdict,
    /// Verdicts on the blocks of a batch before the last.
    pub earlier: Vec<Verdict>,
}

impl Executed {
    /// Returns the verdicts on all blocks, in order.
    pub fn verdicts(&self) -> impl Iterator<Item = &Verdict> {
        self.earlier.iter().chain([&self.verdict])
    }

    /// Returns the root of the state before the first block.
    pub fn pre_state_root(&self) -> B256 {
        self.earlier.first().unwrap_or(&self.verdict).pre_state_root
    }

    /// Returns the gas that all blocks have used.
    pub fn gas_used(&self) -> u64 {
        self.verdicts().fold(0, |sum, verdict| sum.saturating_add(verdict.header.gas_used))
    }
}

/// A failed call, with the gas that pays for the work done on it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refused {
    /// Reason of the refusal.
    #[source]
    pub reason: ExecuteError,
    /// Gas that the call is known to have.
    pub gas: u64,
}
