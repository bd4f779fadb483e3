//! Errors of reading and changing a trie.

use alloc::{boxed::Box, string::ToString as _, sync::Arc};
use alloy_primitives::B256;
use core::{error::Error, fmt};
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
    /// The source failed. This is a local failure, not an error in the trie.
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// Failure of a source (a disk, a connection, a lock) to read a node. It implies neither that the
/// node is missing nor that the trie is invalid.
#[derive(Debug, Clone)]
pub struct SourceError(Arc<dyn Error + Send + Sync>);

impl SourceError {
    /// Wraps the error of a store, a file or a connection.
    pub fn new(fault: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Arc::from(fault.into()))
    }

    /// Returns the underlying fault.
    pub fn fault(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for SourceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

/// Compares errors by their messages.
impl PartialEq for SourceError {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.to_string() == other.0.to_string()
    }
}

impl Eq for SourceError {}

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

    #[derive(Debug, thiserror::Error)]
    #[error("disk {0}")]
    struct Disk(u8, #[source] fmt::Error);

    #[test]
    fn source_errors_compare_by_message_and_keep_cause() {
        let fault = |number| SourceError::new(Disk(number, fmt::Error));
        assert_eq!(fault(1), fault(1));
        assert_ne!(fault(1), fault(2));
        assert!(fault(1).source().is_some_and(|cause| cause.is::<fmt::Error>()));
        assert!(SourceError::new("no cause").source().is_none());
        assert!(fault(1).fault().is::<Disk>());
    }

    #[test]
    fn path_is_displayed_as_hex_digits() {
        let at = |nibbles: &[u8]| TrieError::Malformed {
            path: Nibbles::from_nibbles(nibbles),
            reason: "too long",
        };
        let message = at(&[0, 0xa, 5]).to_string();
        assert_eq!(message, "trie node at path 0x0a5 is malformed: too long");
        assert_eq!(at(&[]).to_string(), "trie node at the root is malformed: too long");
    }
}
