//! Rejections of the last sent transaction.

use crate::submitter::{SubmitterError, TxCandidate, is_execution_failure};
use alloy_primitives::B256;

/// Number of rejections after which EXECUTE on L1 is assumed never to accept a block. The first may
/// be due to references to codes that are no longer on L1, after which no references are used.
pub(super) const MAX_REFUSALS: u32 = 3;

/// The blocks in the last sent transaction, and the last block that L1 rejected.
#[derive(Debug)]
pub(super) struct Rejections {
    /// Number of blocks in the last sent transaction.
    sent_blocks: usize,
    /// Hash of the first of these blocks.
    sent_first: B256,
    /// Last block that EXECUTE on L1 rejected alone in its transaction, and the number of
    /// rejections.
    refused: (B256, u32),
}

impl Rejections {
    pub(super) const fn new(max_blocks: usize) -> Self {
        Self { sent_blocks: max_blocks, sent_first: B256::ZERO, refused: (B256::ZERO, 0) }
    }

    /// Records that a transaction is being sent.
    pub(super) fn on_sent(&mut self, candidate: &TxCandidate) {
        self.sent_blocks = candidate.blocks.len();
        self.sent_first = candidate.blocks.first().map_or(B256::ZERO, |block| block.hash);
    }

    /// Returns the maximum number of blocks of the next transaction, after the last one was
    /// rejected.
    pub(super) fn fewer_blocks(&self) -> usize {
        (self.sent_blocks / 2).max(1)
    }

    /// Records that L1 has rejected the last transaction.
    pub(super) fn on_refusal(&mut self, error: &SubmitterError) {
        let is_failure = matches!(error, SubmitterError::L1(error) if is_execution_failure(error));
        if self.sent_blocks == 1 && is_failure {
            let (hash, times) = self.refused;
            let times = if hash == self.sent_first { times.saturating_add(1) } else { 1 };
            self.refused = (self.sent_first, times);
        }
    }

    /// Returns the block that EXECUTE on L1 has rejected repeatedly.
    pub(super) fn refused(&self) -> Option<B256> {
        let (hash, times) = self.refused;
        (times >= MAX_REFUSALS).then_some(hash)
    }
}
