//! Compact form of the state of a batch's witness: it omits everything that the rest of the witness
//! implies.
//!
//! A witness that lists nodes as RLP contains most hashes redundantly: the hash of a listed node
//! can be computed, and its parent contains it again. The compact form lists the nodes in preorder,
//! each carried child directly after its parent and each storage trie after the leaf of its
//! account. It omits everything that can be computed: hashes of carried nodes and codes, the hashes
//! of empty storage and empty code, and RLP framing.

mod read;

pub use read::{
    Account, Branch, Child, Code, EMPTY_ROOT, KEY_NIBBLES, Path, Storage, StreamNode, StreamReader,
};

use crate::{
    DecodeError,
    list::{OFFSET, offset_at},
};

const WHAT: &str = "state of the batch";

/// Tags: the first byte of a node, which states its kind.
pub mod tag {
    /// A branch: two masks, then hashes.
    pub const BRANCH: u8 = 0x00;
    /// An extension whose child is carried.
    pub const EXTENSION: u8 = 0x01;
    /// An extension whose child is given as a hash.
    pub const EXTENSION_OF_HASH: u8 = 0x02;
    /// A leaf of a storage trie.
    pub const SLOT: u8 = 0x03;
    /// A leaf of the account trie. The lower four bits are two tags of two bits each, for its
    /// storage and its code.
    pub const ACCOUNT: u8 = 0x10;
    /// Empty storage or code of an account.
    pub const EMPTY: u8 = 0;
    /// The hash of a storage trie or code.
    pub const HASH: u8 = 1;
    /// A storage trie or code that the witness carries.
    pub const CARRIED: u8 = 2;
}

/// Trie nodes of the state before the first block, in compact form: the number of nodes, and a
/// stream of them.
///
/// Every byte is checked to belong to one node, and every node to one position in the trie. No node
/// is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompactState<'a> {
    nodes: u32,
    expanded: usize,
    stream: &'a [u8],
}

impl<'a> CompactState<'a> {
    /// Minimum average length of a node in a stream, in bytes. A trie with hashed keys is never
    /// below it: a branch has at least two children, and each path ends in a hash or in a leaf with
    /// most of its key.
    // The length of the stream therefore limits the declared count before anything is allocated.
    pub const MIN_NODE: usize = 12;
    /// The state with no carried node.
    pub const EMPTY: Self = Self { nodes: 0, expanded: 0, stream: &[] };

    /// Decodes this field of a witness that has `codes` codes.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if the stream is not the canonical encoding of these nodes, or does not hold
    /// the declared number of nodes.
    pub fn decode(bytes: &'a [u8], codes: usize) -> Result<Self, DecodeError> {
        let Some((_, stream)) = bytes.split_at_checked(OFFSET) else {
            return Err(DecodeError::TooShort { what: WHAT, got: bytes.len(), expected: OFFSET });
        };
        let count = offset_at(bytes, 0);
        let limit = stream.len() / Self::MIN_NODE;
        if count > limit {
            return Err(DecodeError::TooMany { what: WHAT, got: count, limit });
        }
        // The whole stream is validated once here, so that later readers cannot fail within a trie.
        let mut reader = StreamReader::new(stream, count, codes);
        let mut expanded = 0;
        while let Some(node) = reader.next_node()? {
            expanded += node.rlp_bound();
        }
        let nodes = u32::from_le_bytes(crate::list::array_at(bytes, 0));
        Ok(Self { nodes, expanded, stream })
    }

    /// Number of nodes, including nodes that are embedded in others.
    pub const fn len(&self) -> usize {
        self.nodes as usize
    }

    /// Returns `true` if there are no nodes.
    pub const fn is_empty(&self) -> bool {
        self.nodes == 0
    }

    /// Returns the stream of nodes.
    pub const fn stream(&self) -> &'a [u8] {
        self.stream
    }

    /// Upper bound for the RLP bytes of all nodes; exact if no node is embedded in another.
    pub const fn expanded_len(&self) -> usize {
        self.expanded
    }

    /// Reads the nodes in the order of the stream, for a witness with `codes` codes.
    pub fn nodes(&self, codes: usize) -> StreamReader<'a> {
        StreamReader::new(self.stream, self.len(), codes)
    }

    /// Length of the encoded field in bytes.
    pub const fn encoded_len(&self) -> usize {
        OFFSET + self.stream.len()
    }
}
