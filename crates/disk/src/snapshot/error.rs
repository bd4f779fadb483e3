//! Reasons for which a snapshot is refused.

use super::MAGIC;
use alloy_primitives::B256;
use chain::ChainError;
use std::io;
use store::StoreError;
use trie::TrieError;

/// Reason for which a snapshot cannot be written or taken.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The file cannot be read or written.
    #[error("snapshot: {0}")]
    Io(#[from] io::Error),
    /// The file ends early.
    #[error("snapshot ends within {0}")]
    Truncated(&'static str),
    /// The file is no snapshot, or one of another version.
    #[error("not a snapshot: it begins with {got}, expected {expected}", got = alloy_primitives::hex::encode(.0), expected = alloy_primitives::hex::encode(MAGIC))]
    NotASnapshot([u8; 8]),
    /// A part is longer than any may be.
    #[error("{what} of {got} bytes, at most {limit} are allowed")]
    TooLong {
        /// The part.
        what: &'static str,
        /// Its length.
        got: u32,
        /// The greatest that is allowed.
        limit: u32,
    },
    /// A checksum does not hold.
    #[error("{what} of the snapshot: checksum {got:#010x}, expected {expected:#010x}")]
    Checksum {
        /// The part.
        what: &'static str,
        /// Checksum of the data.
        got: u32,
        /// Checksum in the file.
        expected: u32,
    },
    /// The file has more or fewer nodes and codes than the state, or bytes behind its end.
    #[error("snapshot has {0}")]
    Superfluous(&'static str),
    /// The head cannot be read.
    #[error("head of the snapshot: {0}")]
    Head(String),
    /// The snapshot is of another chain.
    #[error(
        "snapshot of chain {got_id} that begins with {got}, expected chain {expected_id} that begins with {expected}"
    )]
    OtherChain {
        /// Chain id of the snapshot.
        got_id: u64,
        /// Hash of its first block.
        got: B256,
        /// Chain id that is expected.
        expected_id: u64,
        /// Hash that is expected.
        expected: B256,
    },
    /// The block of the snapshot is not the one that L1 has taken.
    #[error("snapshot of block {number} with hash {got}, expected {expected}")]
    OtherBlock {
        /// Its number.
        number: u64,
        /// Its hash.
        got: B256,
        /// Hash of the block with that number that L1 has taken.
        expected: B256,
    },
    /// The chain has no such block.
    #[error("the chain has no block {0}")]
    NoBlock(u64),
    /// L1 has not taken a block with the snapshot's number.
    #[error("L1 has not taken block {0} of the snapshot")]
    NotTaken(u64),
    /// A node, a code or an ancestor is not the one that the state root or the header commits to.
    #[error("{what} of the snapshot hashes to {got}, expected {expected}")]
    Hash {
        /// Node, code or ancestor.
        what: &'static str,
        /// Hash of the bytes in the file.
        got: B256,
        /// Hash that is expected.
        expected: B256,
    },
    /// The state cannot be walked.
    #[error(transparent)]
    Trie(TrieError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The chain failed.
    #[error(transparent)]
    Chain(#[from] ChainError),
}
