//! Nodes in the arena, and their RLP decoding.

use crate::TrieError;
use alloc::{boxed::Box, vec::Vec};
use alloy_primitives::{B256, Bytes};
use core::ops::Range;
use nybbles::Nibbles;

/// Bytes of an encoded node, which are cheap to clone and to slice.
pub trait NodeBytes: Clone + AsRef<[u8]> {
    /// Returns the given range, which is within the bytes.
    fn slice(&self, range: Range<usize>) -> Self;
}

impl NodeBytes for &[u8] {
    fn slice(&self, range: Range<usize>) -> Self {
        &self[range]
    }
}

impl NodeBytes for Bytes {
    fn slice(&self, range: Range<usize>) -> Self {
        Self::slice(self, range)
    }
}

/// Nibbles of a key.
pub(crate) const KEY_NIBBLES: usize = 64;
/// RLP of an empty string: an absent child or value.
const EMPTY_ITEM: u8 = 0x80;
/// RLP header of a 32-byte string.
pub(crate) const HASH_ITEM: u8 = 0xa0;

/// Maximum length of an encoded branch: sixteen hashes and an empty value.
pub(crate) const LONGEST_BRANCH: usize = 3 + 16 * 33 + 1;

/// Bounds of the first byte of an embedded node: a non-empty list that is shorter than 32 bytes in
/// total (a longer node would be referred to by hash).
// The bound limits nesting, because each embedded node is shorter than its parent.
const EMBEDDED_FIRST: u8 = 0xc1;
const EMBEDDED_LAST: u8 = 0xc0 + 30;

/// Position of a node in the arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeId(pub(crate) u32);

/// A child of a branch: one of the two constants, or the position of a node in the arena.
///
/// Four bytes instead of the eight of an equivalent enum, because children make up most of an
/// arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Child(pub(crate) u32);

impl Child {
    /// No child.
    pub const EMPTY: Self = Self(u32::MAX);
    /// The child is in the branch's own bytes and has not been visited.
    pub const IN_BYTES: Self = Self(u32::MAX - 1);
}

/// A parent's reference to a node: the hash, or the encoding if that is shorter than 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reference {
    len: u8,
    bytes: [u8; 32],
}

impl Reference {
    pub(crate) const fn hash(hash: B256) -> Self {
        Self { len: 32, bytes: hash.0 }
    }

    /// Creates a reference to an embedded node; `encoding` must be shorter than 32 bytes.
    pub(crate) fn embedded(encoding: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes[..encoding.len()].copy_from_slice(encoding);
        #[allow(clippy::cast_possible_truncation, reason = "shorter than 32")]
        let len = encoding.len() as u8;
        Self { len, bytes }
    }

    pub(crate) fn as_hash(&self) -> Option<B256> {
        (self.len == 32).then_some(B256::new(self.bytes))
    }

    /// Returns its length as an item of the parent's RLP list.
    pub(crate) const fn item_len(&self) -> usize {
        if self.len == 32 { 33 } else { self.len as usize }
    }

    /// Appends the item to the parent's RLP.
    pub(crate) fn put_item(&self, out: &mut Vec<u8>) {
        if self.len == 32 {
            out.push(HASH_ITEM);
        }
        out.extend_from_slice(&self.bytes[..self.len as usize]);
    }
}

/// A value, as loaded or as set.
#[derive(Debug, Clone)]
pub enum Value<B> {
    /// A slice of the bytes of its node.
    Loaded(B),
    /// Its own bytes.
    Set(Box<[u8]>),
}

impl<B: AsRef<[u8]>> Value<B> {
    /// Returns the bytes of the value.
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Loaded(bytes) => bytes.as_ref(),
            Self::Set(bytes) => bytes,
        }
    }
}

/// A node in the arena.
#[derive(Debug, Clone)]
pub(crate) enum Node<B> {
    /// Known by hash only.
    Unloaded,
    /// The remaining nibbles of a key, and its value.
    Leaf { key: Nibbles, value: Value<B> },
    /// Nibbles that all keys below share. The child is a branch.
    Extension { key: Nibbles, child: NodeId },
    /// A branch of sixteen children. `bytes` holds the children that are [`Child::IN_BYTES`].
    Branch { bytes: Option<B>, children: [Child; 16] },
}

/// A node and its parent's reference to it.
#[derive(Debug, Clone)]
pub(crate) struct Slot<B> {
    pub(crate) node: Node<B>,
    /// Reference in the parent; `None` from when the node changes until it is hashed again.
    pub(crate) reference: Option<Reference>,
}

/// A decoded node. The child of an extension is not in the arena yet.
#[derive(Debug)]
pub enum Decoded<B> {
    /// A leaf.
    Leaf {
        /// Remaining nibbles of the key.
        key: Nibbles,
        /// Value of the key.
        value: Value<B>,
    },
    /// An extension.
    Extension {
        /// Nibbles that all keys below share.
        key: Nibbles,
        /// Range of the [item](child_item) of the child.
        child: Range<usize>,
    },
    /// A branch.
    Branch {
        /// Children, each either [empty](Child::EMPTY) or [in the bytes](Child::IN_BYTES) of the
        /// branch.
        children: [Child; 16],
    },
}

/// An item of a branch or extension that refers to a child.
#[derive(Debug)]
pub enum ChildItem<B> {
    /// Hash of the child.
    Hash(B256),
    /// Bytes of a child that is shorter than a hash.
    Embedded(B),
}

/// Reads the child item at `range` of the bytes of a node that [`decode`] has checked.
pub fn child_item<B: NodeBytes>(bytes: &B, range: Range<usize>) -> ChildItem<B> {
    let item = &bytes.as_ref()[range.clone()];
    match item.split_first_chunk::<1>() {
        Some(([HASH_ITEM], hash)) if hash.len() == 32 => ChildItem::Hash(B256::from_slice(hash)),
        _ => ChildItem::Embedded(bytes.slice(range)),
    }
}

/// Returns the range of child `index` in the bytes of a branch that [`decode`] has checked.
pub fn branch_item(bytes: &[u8], index: usize) -> Range<usize> {
    // A branch has this length only if all its children are hashes, like those near the root of a
    // large trie.
    if bytes.len() == LONGEST_BRANCH {
        return 3 + 33 * index..3 + 33 * (index + 1);
    }
    // Items have at most 33 bytes, so scanning is cheaper than storing an index of them.
    branch_items(bytes).nth(index).unwrap_or_default()
}

/// Returns the ranges of the children in the bytes of a branch that [`decode`] has checked, in
/// order.
pub(crate) fn branch_items(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut at = list_header(bytes).map_or(0, |(header, _)| header);
    core::iter::from_fn(move || {
        let start = at;
        at += item_len(*bytes.get(at)?);
        Some(start..at)
    })
}

/// Returns the length of a child item, given its first byte: empty, hash, or embedded node.
const fn item_len(first: u8) -> usize {
    match first {
        HASH_ITEM => 33,
        0xc0..=0xf7 => first as usize - 0xc0 + 1,
        _ => 1,
    }
}

/// Splits an RLP list header into the lengths of header and payload. Only canonical forms are
/// accepted.
fn list_header(bytes: &[u8]) -> Option<(usize, usize)> {
    match *bytes {
        [first @ 0xc0..=0xf7, ..] => Some((1, usize::from(first) - 0xc0)),
        // Lengths that fit the short form must use it, and lengths have no leading zeros. Otherwise
        // a node would have multiple encodings, and a trie multiple roots.
        [0xf8, len, ..] if len > 55 => Some((2, usize::from(len))),
        [0xf9, high, low, ..] if high > 0 => {
            Some((3, usize::from(u16::from_be_bytes([high, low]))))
        }
        _ => None,
    }
}

/// Splits an RLP string into the range of its content and the start of the next item.
fn string_at(bytes: &[u8], at: usize) -> Option<(Range<usize>, usize)> {
    let first = *bytes.get(at)?;
    let (start, len) = match first {
        0x00..=0x7f => (at, 1),
        0x80..=0xb7 => {
            // A byte below 0x80 is its own encoding; the form with a header is not canonical.
            let len = usize::from(first) - 0x80;
            if len == 1 && *bytes.get(at + 1)? < 0x80 {
                return None;
            }
            (at + 1, len)
        }
        0xb8 => {
            let len = usize::from(*bytes.get(at + 1)?);
            if len < 56 {
                return None;
            }
            (at + 2, len)
        }
        0xb9 => {
            let len = u16::from_be_bytes([*bytes.get(at + 1)?, *bytes.get(at + 2)?]);
            if len < 256 {
                return None;
            }
            (at + 3, usize::from(len))
        }
        _ => return None,
    };
    // Checked, although lengths have at most 16 bits: offsets come from untrusted bytes.
    let end = start.checked_add(len)?;
    (end <= bytes.len()).then_some((start..end, end))
}

/// Decodes a node strictly: canonical RLP without surplus bytes, a branch without a value, and
/// paths in canonical hex prefix form that fit between `path` and the end of a key.
pub fn decode<B: NodeBytes>(bytes: &B, path: &Nibbles) -> Result<Decoded<B>, TrieError> {
    decode_at(bytes, KEY_NIBBLES - path.len())
        .map_err(|reason| TrieError::Malformed { path: *path, reason })
}

fn decode_at<B: NodeBytes>(bytes: &B, nibbles_left: usize) -> Result<Decoded<B>, &'static str> {
    let raw = bytes.as_ref();
    let (header, len) = list_header(raw).ok_or("not an RLP list")?;
    // No byte may remain: with surplus bytes, a node would have multiple hashes.
    if header + len != raw.len() {
        return Err("list length does not match");
    }
    // A branch starts with a child item, a leaf or extension with a hex prefix, so the number of
    // items distinguishes them.
    if let Some(children) = branch_children(raw, header) {
        // All keys have 64 nibbles, which also bounds the depth of every walk.
        if nibbles_left == 0 {
            return Err("branch below the end of a key");
        }
        return Ok(Decoded::Branch { children });
    }
    let (prefix, at) = string_at(raw, header).ok_or("first item is not a string")?;
    let (key, is_leaf) = hex_prefix(&raw[prefix]).ok_or("hex prefix is not canonical")?;
    if is_leaf {
        let (value, end) = string_at(raw, at).ok_or("leaf value is not a string")?;
        if end != raw.len() {
            return Err("neither two nor seventeen items");
        }
        // An empty value means absence, and a trie contains no absent keys.
        if value.is_empty() {
            return Err("leaf without a value");
        }
        // A leaf at another depth would prove values for keys that do not exist.
        if key.len() != nibbles_left {
            return Err("leaf does not end at the end of a key");
        }
        return Ok(Decoded::Leaf { key, value: Value::Loaded(bytes.slice(value)) });
    }
    let first = *raw.get(at).ok_or("extension without a child")?;
    let child = at..at + item_len(first);
    if child.end != raw.len() || !matches!(first, HASH_ITEM | EMBEDDED_FIRST..=EMBEDDED_LAST) {
        return Err("extension child is neither a hash nor an embedded node");
    }
    // An extension must have nibbles, and leave at least one for the branch below it.
    if key.is_empty() || key.len() >= nibbles_left {
        return Err("extension is empty or reaches the end of a key");
    }
    Ok(Decoded::Extension { key, child })
}

/// Returns the children of a branch, if the bytes are seventeen items that form one.
fn branch_children(raw: &[u8], header: usize) -> Option<[Child; 16]> {
    let mut children = [Child::EMPTY; 16];
    let mut at = header;
    for child in &mut children {
        let first = *raw.get(at)?;
        match first {
            EMPTY_ITEM => {}
            HASH_ITEM | EMBEDDED_FIRST..=EMBEDDED_LAST => *child = Child::IN_BYTES,
            _ => return None,
        }
        at += item_len(first);
    }
    (raw.get(at) == Some(&EMPTY_ITEM) && at + 1 == raw.len()).then_some(children)
}

/// Decodes hex prefix form. Returns the nibbles, and `true` for a leaf.
fn hex_prefix(prefix: &[u8]) -> Option<(Nibbles, bool)> {
    let (&first, rest) = prefix.split_first()?;
    // Checked before unpacking: `Nibbles` panics on more than 64 nibbles.
    if rest.len() > KEY_NIBBLES / 2 {
        return None;
    }
    let flags = first >> 4;
    let key = match flags & 1 {
        0 if first & 0x0f == 0 => Nibbles::unpack(rest),
        1 if rest.len() < KEY_NIBBLES / 2 => {
            let mut key = Nibbles::new();
            key.push_unchecked(first & 0x0f);
            key.extend(&Nibbles::unpack(rest));
            key
        }
        _ => return None,
    };
    (flags < 4).then_some((key, flags & 2 != 0))
}
