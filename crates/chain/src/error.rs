//! Errors of a chain.

use alloy_primitives::B256;
use executor::{BlockError, InternalError, Invalid, ReadError, StateError};
use store::StoreError;
use trie::SourceError;
use wire::DecodeError;

/// Reason for which a chain refused an operation.
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
    /// Blocks that are to follow one another do not.
    #[error("block {block}: its parent is {got}, expected {expected}")]
    NoChild {
        /// The block.
        block: B256,
        /// The parent that it names.
        got: B256,
        /// The block before it.
        expected: B256,
    },
    /// Blocks cannot be put into one input.
    #[error("batch: {0}")]
    Batch(DecodeError),
    /// The state after a block is older than those that are kept.
    #[error("the state of block {0} is not kept: it is too old")]
    Pruned(u64),
    /// The state of a block was not brought with the block.
    #[error(
        "the state of block {0} is not in the file that was loaded: of earlier blocks it holds only the \
         states that it was written with"
    )]
    NotLoaded(u64),
    /// A file of blocks does not hold blocks.
    #[error("block {index} of the file: {source}")]
    Malformed {
        /// Number of blocks imported before.
        index: usize,
        /// The decoder's reason.
        source: DecodeError,
    },
    /// The store could not read or write: our fault.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store lacks a part of the state of a block that it holds: our fault.
    #[error("the store is incomplete: {0}")]
    Incomplete(#[from] StateError),
    /// Execution failed by its own account: our fault.
    #[error(transparent)]
    Internal(#[from] InternalError),
    /// A chain on disk begins with another block than the one that was to be opened.
    #[error("the first block of the chain is {got}, expected {expected} by this genesis")]
    OtherGenesis {
        /// Hash of its first block.
        got: B256,
        /// Hash of the block that the genesis makes.
        expected: B256,
    },
    /// A block that was part of a chain on disk cannot be executed again: our fault, or the chain
    /// is opened with other rules than before.
    #[error("block {number} ({block}) of the log cannot be executed again: {reason}")]
    Replay {
        /// Number of the block.
        number: u64,
        /// Hash of the block.
        block: B256,
        /// The reason.
        reason: Box<Self>,
    },
    /// A call cannot be executed at all.
    #[error("call: {0}")]
    Call(String),
    /// The chain has no blocks of the fork in force at a timestamp.
    #[error("no fork that this chain can build is in force at timestamp {0}")]
    NoFork(u64),
}

impl ChainError {
    /// Returns `true` for a local fault: the block, the call or the request may be valid.
    pub const fn is_internal(&self) -> bool {
        matches!(
            self,
            Self::Store(_) | Self::Incomplete(_) | Self::Internal(_) | Self::Replay { .. }
        )
    }
}

/// On a chain's own store, a state with missing parts is a fault of the store, and no verdict.
impl From<BlockError> for ChainError {
    fn from(error: BlockError) -> Self {
        match error {
            BlockError::Invalid(Invalid::State(error)) => Self::Incomplete(error),
            BlockError::Invalid(reason) => Self::Invalid(reason),
            BlockError::Internal(InternalError::Source(error)) => error.into(),
            BlockError::Internal(error) => Self::Internal(error),
        }
    }
}

impl From<ReadError> for ChainError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::State(error) => Self::Incomplete(error),
            ReadError::Source(error) => error.into(),
        }
    }
}

impl From<SourceError> for ChainError {
    fn from(error: SourceError) -> Self {
        match error.fault().downcast_ref::<StoreError>() {
            Some(error) => Self::Store(error.clone()),
            None => Self::Internal(error.into()),
        }
    }
}
