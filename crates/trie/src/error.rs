//! Errors of reading and changing a trie.

use crate::SourceError;
use alloy_primitives::B256;
use core::fmt;
use nybbles::Nibbles;

/// A node that the operation needs is missing, malformed, or cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "camelCase")]
pub enum TrieError {
    /// The source does not have the node.
    #[error("trie node {hash} at {} is missing", Place(path))]
    MissingNode {
        /// Nibbles from the root to the node.
        path: Nibbles,
        /// Keccak-256 of the node.
        hash: B256,
    },
    /// The bytes are not a node of a trie with 32-byte keys.
    #[error("trie node at {} is malformed: {reason}", Place(path))]
    #[strum(serialize = "malformedNode")]
    Malformed {
        /// Nibbles from the root to the node.
        path: Nibbles,
        /// The violation of the format.
        reason: &'static str,
    },
    /// The source failed. This is a local fault and says nothing about the trie.
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// Formats the position of a node: one hexadecimal digit for each step from the root.
struct Place<'p>(&'p Nibbles);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("the root");
        }
        f.write_str("path 0x")?;
        self.0.iter().try_for_each(|digit| write!(f, "{digit:x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_is_displayed_as_hex_digits() {
        let at = |nibbles: &[u8]| TrieError::Malformed {
            path: Nibbles::from_nibbles(nibbles),
            reason: "too long",
        };
        let told = at(&[0, 0xa, 5]).to_string();
        assert_eq!(told, "trie node at path 0x0a5 is malformed: too long");
        assert_eq!(at(&[]).to_string(), "trie node at the root is malformed: too long");
    }
}
