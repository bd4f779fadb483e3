//! Nodes as the arena holds them, and how they are read from their RLP.

use crate::TrieError;
use alloy_primitives::{B256, Bytes};
use core::ops::Range;
use nybbles::Nibbles;

/// Bytes of an encoded node, cheap to clone and to cut.
pub trait NodeBytes: Clone + AsRef<[u8]> {
    /// The part in `range`, which lies within the bytes.
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

/// Range of the first byte of an embedded node: a list, not empty, shorter than 32 bytes in all
/// (else it would be referred to by hash).
const EMBEDDED_FIRST: u8 = 0xc1;
const EMBEDDED_LAST: u8 = 0xc0 + 30;

/// Position of a node in the arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NodeId(pub(crate) u32);

/// A child of a branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Child {
    /// There is none.
    Empty,
    /// It stands in the branch's own bytes and has not been walked.
    InBytes,
    /// It is in the arena.
    At(NodeId),
}

/// How a parent refers to a node: by hash, or by its encoding if that is shorter than 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reference {
    len: u8,
    bytes: [u8; 32],
}

impl Reference {
    pub(crate) const fn hash(hash: B256) -> Self {
        Self { len: 32, bytes: hash.0 }
    }

    /// `encoding` is shorter than 32 bytes.
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

    /// Length as an item of a parent's RLP list.
    pub(crate) const fn item_len(&self) -> usize {
        if self.len == 32 { 33 } else { self.len as usize }
    }

    /// Appends the item.
    pub(crate) fn put_item(&self, out: &mut Vec<u8>) {
        if self.len == 32 {
            out.push(HASH_ITEM);
        }
        out.extend_from_slice(&self.bytes[..self.len as usize]);
    }
}

/// A value as it came or as it was set.
#[derive(Debug, Clone)]
pub(crate) enum Value<B> {
    Loaded(B),
    Set(Box<[u8]>),
}

impl<B: AsRef<[u8]>> Value<B> {
    pub(crate) fn as_slice(&self) -> &[u8] {
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
    /// The rest of a key, and its value.
    Leaf { key: Nibbles, value: Value<B> },
    /// Nibbles that all keys below share; the child is a branch.
    Extension { key: Nibbles, child: NodeId },
    /// Sixteen ways to go on. `bytes` holds the children that are [`Child::InBytes`].
    Branch { bytes: Option<B>, children: [Child; 16] },
}

/// A node with what its parent says of it.
#[derive(Debug, Clone)]
pub(crate) struct Slot<B> {
    pub(crate) node: Node<B>,
    /// `None` once the node has changed and until it is hashed again.
    pub(crate) reference: Option<Reference>,
}

/// A node as decoded: an extension's child is not yet in the arena.
pub(crate) enum Decoded<B> {
    Leaf { key: Nibbles, value: Value<B> },
    Extension { key: Nibbles, child: Range<usize> },
    Branch { children: [Child; 16] },
}

/// An item of a branch or extension that refers to a child.
pub(crate) enum ChildItem<B> {
    Hash(B256),
    Embedded(B),
}

/// Reads the item of a child at `range` of a node's bytes, as [`decode`] has checked it.
pub(crate) fn child_item<B: NodeBytes>(bytes: &B, range: Range<usize>) -> ChildItem<B> {
    let item = &bytes.as_ref()[range.clone()];
    match item.split_first_chunk::<1>() {
        Some(([HASH_ITEM], hash)) if hash.len() == 32 => ChildItem::Hash(B256::from_slice(hash)),
        _ => ChildItem::Embedded(bytes.slice(range)),
    }
}

/// Where the item of child `index` stands in the bytes of a branch that [`decode`] has checked.
pub(crate) fn branch_item(bytes: &[u8], index: usize) -> Range<usize> {
    let mut at = list_header(bytes).map_or(0, |(header, _)| header);
    for _ in 0..index {
        at += item_len(bytes[at]);
    }
    at..at + item_len(bytes[at])
}

/// Length of a child item by its first byte: empty, hash, or embedded node.
const fn item_len(first: u8) -> usize {
    match first {
        HASH_ITEM => 33,
        0xc0..=0xf7 => first as usize - 0xc0 + 1,
        _ => 1,
    }
}

/// Splits an RLP list header: its own length and that of the payload, canonical forms only.
fn list_header(bytes: &[u8]) -> Option<(usize, usize)> {
    match *bytes {
        [first @ 0xc0..=0xf7, ..] => Some((1, usize::from(first) - 0xc0)),
        [0xf8, len, ..] if len > 55 => Some((2, usize::from(len))),
        [0xf9, high, low, ..] if high > 0 => {
            Some((3, usize::from(u16::from_be_bytes([high, low]))))
        }
        _ => None,
    }
}

/// Splits an RLP string: where its content stands, and where the next item starts.
fn string_at(bytes: &[u8], at: usize) -> Option<(Range<usize>, usize)> {
    let first = *bytes.get(at)?;
    let (start, len) = match first {
        0x00..=0x7f => (at, 1),
        0x80..=0xb7 => {
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
    let end = start.checked_add(len)?;
    (end <= bytes.len()).then_some((start..end, end))
}

/// Decodes a node strictly: RLP without slack, a branch without a value, paths in canonical hex
/// prefix form that fit between `path` and the end of a key.
pub(crate) fn decode<B: NodeBytes>(bytes: &B, path: &Nibbles) -> Result<Decoded<B>, TrieError> {
    decode_at(bytes, KEY_NIBBLES - path.len())
        .map_err(|reason| TrieError::Malformed { path: *path, reason })
}

fn decode_at<B: NodeBytes>(bytes: &B, nibbles_left: usize) -> Result<Decoded<B>, &'static str> {
    let raw = bytes.as_ref();
    let (header, len) = list_header(raw).ok_or("not an RLP list")?;
    if header + len != raw.len() {
        return Err("list length does not match");
    }
    // A branch starts with a child item, a leaf or extension with a hex prefix: the number of items
    // tells them apart for certain.
    if let Some(children) = branch_children(raw, header) {
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
        if value.is_empty() {
            return Err("leaf without a value");
        }
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
    if key.is_empty() || key.len() >= nibbles_left {
        return Err("extension is empty or reaches the end of a key");
    }
    Ok(Decoded::Extension { key, child })
}

/// The children of a branch, if the bytes are seventeen items that make one.
fn branch_children(raw: &[u8], header: usize) -> Option<[Child; 16]> {
    let mut children = [Child::Empty; 16];
    let mut at = header;
    for child in &mut children {
        let first = *raw.get(at)?;
        match first {
            EMPTY_ITEM => {}
            HASH_ITEM | EMBEDDED_FIRST..=EMBEDDED_LAST => *child = Child::InBytes,
            _ => return None,
        }
        at += item_len(first);
    }
    (raw.get(at) == Some(&EMPTY_ITEM) && at + 1 == raw.len()).then_some(children)
}

/// Decodes hex prefix form: the nibbles, and whether they end in a leaf.
fn hex_prefix(prefix: &[u8]) -> Option<(Nibbles, bool)> {
    let (&first, rest) = prefix.split_first()?;
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
