//! The state of a batch's witness without what follows from the rest of it.
//!
//! A witness that lists nodes by their RLP says most hashes twice: a node is there, and in its parent
//! stands its hash. Here nodes come in preorder, each child that is carried right behind its parent, the
//! storage tries behind the leaves of their accounts, and nobody writes what can be computed: hashes of
//! nodes that are there, of codes that are there, of empty storage and empty code, RLP.

mod read;
mod write;

pub use read::{Account, Branch, Child, Code, Node, Path, Reader, Storage};
pub use write::{LengthAlone, compact, compact_reachable};

use crate::{
    DecodeError,
    list::{OFFSET, offset_at},
};

const WHAT: &str = "state of the batch";

/// What stands in front of a node and says what it is.
pub(crate) mod tag {
    /// A branch: two masks, then hashes.
    pub(crate) const BRANCH: u8 = 0x00;
    /// An extension whose child is carried.
    pub(crate) const EXTENSION: u8 = 0x01;
    /// An extension whose child is a hash.
    pub(crate) const EXTENSION_OF_HASH: u8 = 0x02;
    /// A leaf of a storage trie.
    pub(crate) const SLOT: u8 = 0x03;
    /// A leaf of the account trie, with its storage and its code in the lower four bits, two for each.
    pub(crate) const ACCOUNT: u8 = 0x10;
    /// Storage or code of an account: none, a hash, or to be found elsewhere in the witness.
    pub(crate) const EMPTY: u8 = 0;
    pub(crate) const HASH: u8 = 1;
    pub(crate) const CARRIED: u8 = 2;
}

/// Trie nodes of the state before the first block, in compact form: how many there are, and a stream of
/// them.
///
/// That every byte belongs to one node, and every node to one place of the trie, was checked; nothing was
/// hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompactState<'a> {
    nodes: u32,
    expanded: usize,
    stream: &'a [u8],
}

impl<'a> CompactState<'a> {
    /// Fewest bytes that the nodes of a stream take on average. No trie of hashed keys comes below: a branch
    /// has two children at least, and what stands at the ends is a hash or a leaf with most of its key.
    pub const MIN_NODE: usize = 12;
    /// The state of which nothing is carried.
    pub const EMPTY: Self = Self { nodes: 0, expanded: 0, stream: &[] };

    /// Decodes the field of a witness that has so many codes.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if the stream is not the only one that there is for these nodes, or does not have as
    /// many as it declares.
    pub fn decode(bytes: &'a [u8], codes: usize) -> Result<Self, DecodeError> {
        let Some((_, stream)) = bytes.split_at_checked(OFFSET) else {
            return Err(DecodeError::TooShort { what: WHAT, got: bytes.len(), expected: OFFSET });
        };
        let count = offset_at(bytes, 0);
        let limit = stream.len() / Self::MIN_NODE;
        if count > limit {
            return Err(DecodeError::TooMany { what: WHAT, got: count, limit });
        }
        let mut reader = Reader::new(stream, count, codes);
        let mut expanded = 0;
        while let Some(node) = reader.next_node()? {
            expanded += node.rlp_bound();
        }
        let nodes = u32::from_le_bytes(crate::list::array_at(bytes, 0));
        Ok(Self { nodes, expanded, stream })
    }

    /// How many nodes there are, with those that are embedded in others.
    pub const fn len(&self) -> usize {
        self.nodes as usize
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.nodes == 0
    }

    /// Bytes of the stream.
    pub const fn stream_len(&self) -> usize {
        self.stream.len()
    }

    /// Bytes that the nodes have as RLP, if none is embedded in another one; else somewhat fewer.
    pub const fn expanded_len(&self) -> usize {
        self.expanded
    }

    /// The nodes in the order of the stream, for a witness with so many codes.
    pub fn nodes(&self, codes: usize) -> Reader<'a> {
        Reader::new(self.stream, self.len(), codes)
    }

    /// Bytes of the field.
    pub(crate) const fn encoded_len(&self) -> usize {
        OFFSET + self.stream.len()
    }

    /// Appends the field.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.nodes.to_le_bytes());
        out.extend_from_slice(self.stream);
    }
}
