//! Error of a block that does not fulfil its duties.

use alloy_primitives::B256;

/// A duty that the block does not fulfil, so L1 would reject it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DutyError {
    /// The block leaves out a due forced transaction that it could include.
    #[error(
        "block {block} omits forced transaction {index} ({hash}), which is due and fits; \
         if no block can include it, L1 accepts one without it from L2 time {expires}"
    )]
    ForcedOmitted {
        /// Index of the forced transaction in the queue.
        index: u64,
        /// Hash of the forced transaction.
        hash: B256,
        /// Block number.
        block: u64,
        /// Index of the first entry of the queue.
        first: u64,
        /// L2 timestamp from which that entry expires, so that L1 accepts a block that omits this
        /// one.
        expires: u64,
    },
    /// Messages are overdue, and the block has relayed too few.
    #[error("messages are overdue since {due}, and block {block} has relayed {relayed}")]
    MessagesOverdue {
        /// Block number.
        block: u64,
        /// Number of messages relayed after the block.
        relayed: u64,
        /// L2 timestamp from which they are overdue.
        due: u64,
    },
    /// The block has a new anchor that none of its transactions proves, or that this node has not
    /// read on L1.
    #[error("block {block} has an anchor that this node does not know: {anchor}")]
    AnchorUnknown {
        /// Block number.
        block: u64,
        /// Hash of the anchor.
        anchor: B256,
    },
}
