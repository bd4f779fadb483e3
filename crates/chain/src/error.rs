//! Errors of a chain.

use crate::store::StoreError;
use alloy_primitives::B256;
use executor::{BlockError, InternalError, Invalid, ReadError, StateError};
use trie::{SourceError, TrieError};
use wire::DecodeError;

/// Reason why an operation on a chain failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// A block is invalid.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// A block's parent is not known.
    #[error("block {block}: its parent {parent} is not known")]
    UnknownParent {
        /// The block.
        block: B256,
        /// Parent hash in its header.
        parent: B256,
    },
    /// A requested block is not known.
    #[error("block {0} is not known")]
    UnknownBlock(B256),
    /// A block is not a child of the block before it.
    #[error("block {block}: its parent is {got}, expected {expected}")]
    NoChild {
        /// The block.
        block: B256,
        /// Parent hash in its header.
        got: B256,
        /// Hash of the block before it.
        expected: B256,
    },
    /// The blocks cannot be encoded as one batch.
    #[error("batch: {0}")]
    Batch(DecodeError),
    /// The state after a block has been pruned.
    #[error("the state of block {0} has been pruned")]
    Pruned(u64),
    /// The state of a block was not loaded with the block.
    #[error(
        "the state of block {0} is not in the loaded file: of earlier blocks it contains only the states \
         that existed when it was written"
    )]
    NotLoaded(u64),
    /// A file of blocks contains bytes that are not a block.
    #[error("block {index} of the file: {source}")]
    Malformed {
        /// Number of blocks imported before.
        index: usize,
        /// The decoder's reason.
        source: DecodeError,
    },
    /// The store could not read or write: a local fault.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store lacks a part of the state of a stored block: a local fault.
    #[error("the store is incomplete: {0}")]
    Incomplete(#[from] StateError),
    /// The state cannot be traversed.
    #[error("the state cannot be traversed: {0}")]
    Walk(TrieError),
    /// The trie contains an account that cannot be decoded.
    #[error("the account with the hashed address {hash} is malformed: {reason}")]
    MalformedAccount {
        /// Keccak-256 of its address.
        hash: B256,
        /// Error of the decoder.
        reason: alloy_rlp::Error,
    },
    /// Execution failed for an internal reason: a local fault.
    #[error(transparent)]
    Internal(#[from] InternalError),
    /// A chain on disk starts with a block other than the given genesis.
    #[error("the first block of the chain is {got}, expected {expected} by this genesis")]
    OtherGenesis {
        /// Hash of its first block.
        got: B256,
        /// Hash of the genesis block.
        expected: B256,
    },
    /// A block of a chain on disk cannot be executed again: a local fault, or the chain was opened
    /// with rules that differ from those before.
    #[error("block {number} ({block}) of the log cannot be executed again: {reason}")]
    Replay {
        /// Block number.
        number: u64,
        /// Block hash.
        block: B256,
        /// The reason.
        reason: Box<Self>,
    },
    /// A call is invalid and was not executed.
    #[error("call: {0}")]
    Call(String),
    /// The chain does not support blocks of the fork that is active at a timestamp.
    #[error("no supported fork is active at timestamp {0}")]
    NoFork(u64),
}

impl ChainError {
    /// Returns `true` for a local fault: the block, the call or the request may be valid.
    pub const fn is_internal(&self) -> bool {
        matches!(
            self,
            Self::Store(_)
                | Self::Incomplete(_)
                | Self::Walk(_)
                | Self::MalformedAccount { .. }
                | Self::Internal(_)
                | Self::Replay { .. }
        )
    }
}

/// In the chain's own store, a missing part of a state is a fault of the store and not a verdict on
/// the block.
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
