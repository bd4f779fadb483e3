//! Errors of snapshots.

use super::MAGIC;
use alloy_primitives::B256;
use chain::ChainError;
use chain::store::StoreError;
use std::io;
use trie::TrieError;

/// Reason why a snapshot cannot be exported or imported.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The file cannot be read or written.
    #[error("snapshot: {0}")]
    Io(#[from] io::Error),
    /// The file ends early.
    #[error("snapshot ends within {0}")]
    Truncated(&'static str),
    /// The file is not a snapshot, or has another version.
    #[error("not a snapshot: it begins with {got}, expected {expected}", got = alloy_primitives::hex::encode(.0), expected = alloy_primitives::hex::encode(MAGIC))]
    NotASnapshot([u8; 8]),
    /// A part is longer than its limit.
    #[error("{what} of {got} bytes, at most {limit} are allowed")]
    TooLong {
        /// The part.
        what: &'static str,
        /// Length found.
        got: u32,
        /// Maximum length.
        limit: u32,
    },
    /// A checksum does not match.
    #[error("{what} of the snapshot: checksum {got:#010x}, expected {expected:#010x}")]
    Checksum {
        /// The part.
        what: &'static str,
        /// Checksum of the data.
        got: u32,
        /// Checksum in the file.
        expected: u32,
    },
    /// The file has more or fewer nodes and codes than the state, or trailing bytes.
    #[error("snapshot has {0}")]
    Superfluous(&'static str),
    /// The head cannot be decoded.
    #[error("head of the snapshot: {0}")]
    Head(String),
    /// The snapshot belongs to another chain.
    #[error(
        "snapshot of chain {got_id} that begins with {got}, expected chain {expected_id} that begins with {expected}"
    )]
    OtherChain {
        /// Chain id of the snapshot.
        got_id: u64,
        /// Hash of the first block of the snapshot's chain.
        got: B256,
        /// Expected chain id.
        expected_id: u64,
        /// Expected hash of the first block.
        expected: B256,
    },
    /// The block of the snapshot is not the one on L1.
    #[error("snapshot of block {number} with hash {got}, expected {expected}")]
    OtherBlock {
        /// Block number.
        number: u64,
        /// Hash of the block in the snapshot.
        got: B256,
        /// Hash of the block with that number on L1.
        expected: B256,
    },
    /// The chain has no such block.
    #[error("the chain has no block {0}")]
    NoBlock(u64),
    /// The block of the snapshot has not been posted to L1.
    #[error("block {0} of the snapshot is not on L1 yet")]
    NotOnL1(u64),
    /// A node, a code or an ancestor does not have the hash that the state root or the header
    /// commits to.
    #[error("{what} of the snapshot hashes to {got}, expected {expected}")]
    Hash {
        /// Node, code or ancestor.
        what: &'static str,
        /// Hash of the bytes in the file.
        got: B256,
        /// Expected hash.
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
