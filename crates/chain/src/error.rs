//! What can go wrong on a chain.

use alloy_primitives::B256;
use stateless::{Invalid, StateError};
use wire::DecodeError;

/// Why a chain refused to do something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// A block is not valid: the block's fault.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// A block's parent is not known.
    #[error("block {block}: its parent {parent} is not known")]
    UnknownParent {
        /// The block.
        block: B256,
        /// The parent that it names.
        parent: B256,
    },
    /// A block that is asked for is not known.
    #[error("block {0} is not known")]
    UnknownBlock(B256),
    /// The state after a block is older than those that are kept.
    #[error("the state of block {0} is not kept: it is too old")]
    Pruned(u64),
    /// A file of blocks does not hold blocks.
    #[error("block {index} of the file: {source}")]
    Malformed {
        /// How many blocks were imported before.
        index: usize,
        /// The decoder's reason.
        source: DecodeError,
    },
    /// The store lacks a part of the state of a block that it holds: our fault.
    #[error("the store is incomplete: {0}")]
    Store(StateError),
    /// A call cannot be executed at all.
    #[error("call: {0}")]
    Call(String),
    /// The chain has no blocks of the fork in force at a timestamp.
    #[error("no fork that this chain can build is in force at timestamp {0}")]
    NoFork(u64),
}
