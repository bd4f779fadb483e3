//! Why a trie could not be walked or changed.

use crate::SourceError;
use alloy_primitives::B256;
use nybbles::Nibbles;

/// A node that the operation needs cannot be had, is missing or is no trie node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrieError {
    /// The source does not hold the node.
    #[error("trie node {hash} at path {path:?} is missing")]
    MissingNode {
        /// Nibbles from the root to the node.
        path: Nibbles,
        /// Keccak-256 of the node.
        hash: B256,
    },
    /// The bytes of a node are not those of a node of a trie with 32-byte keys.
    #[error("trie node at path {path:?} is malformed: {reason}")]
    Malformed {
        /// Nibbles from the root to the node.
        path: Nibbles,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The source failed: a fault of ours, which says nothing about the trie.
    #[error(transparent)]
    Source(#[from] SourceError),
}
