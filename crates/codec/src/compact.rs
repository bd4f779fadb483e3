//! Compact form of a state ([`wire::compact`]), written from nodes as a witness lists them.

use crate::encode::put_offset;
use alloy_primitives::{B256, KECCAK256_EMPTY, keccak256};
use alloy_rlp::{Decodable as _, Header, PayloadView};
use std::collections::{HashMap, HashSet};
use wire::{
    ByteLists, DecodeError,
    compact::{CompactState, EMPTY_ROOT, KEY_NIBBLES, tag},
};

/// Encodes the `state` of a [`BatchWitness`](wire::BatchWitness) from the nodes below `root`, for a
/// witness with these codes.
///
/// # Errors
///
/// [`DecodeError`] if one of the nodes belongs neither to the state trie nor to a storage trie
/// below `root`, or is not reachable from it.
pub fn compact(
    root: B256,
    nodes: ByteLists<'_>,
    codes: ByteLists<'_>,
) -> Result<Vec<u8>, DecodeError> {
    let mut encoder = Encoder::new(nodes, codes);
    let state = encoder.state(root)?;
    // The smallest hash is reported, so that the error does not depend on the order of a hash map.
    let lost = encoder.nodes.keys().filter(|hash| !encoder.carried.contains(*hash)).min();
    match lost {
        None => Ok(state),
        Some(hash) => Err(DecodeError::Unreachable {
            hash: *hash,
            reached: encoder.carried.len(),
            nodes: encoder.nodes.len(),
        }),
    }
}

/// Encodes the nodes that are reachable from `root`, and ignores the others.
///
/// # Errors
///
/// [`DecodeError`] if reachable bytes are not a trie node.
pub fn compact_reachable(
    root: B256,
    nodes: ByteLists<'_>,
    codes: ByteLists<'_>,
) -> Result<Vec<u8>, DecodeError> {
    Encoder::new(nodes, codes).state(root)
}

/// Length of a node in a stream, in bytes, if all its children are given as hashes.
///
/// A carried node is not referred to by hash. If all nodes of a witness are reachable from the
/// root, the length of the stream is therefore the sum of these lengths, less
/// [`HASH`](LengthAlone::HASH) bytes for every node but the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LengthAlone {
    /// Bytes if the account's code is empty or carried at a position below 128.
    pub minimum: usize,
    /// Bytes if the account's code is given as a hash.
    pub maximum: usize,
}

impl LengthAlone {
    /// Bytes of a hash.
    pub const HASH: usize = 32;

    /// Computes the length of a node at `depth` nibbles below the root of a storage trie or of the
    /// account trie.
    ///
    /// Bytes that are not a node have no position in a stream and count with their own length.
    pub fn of(node: &[u8], depth: usize, in_storage: bool) -> Self {
        let mut encoder = Encoder::new(ByteLists::EMPTY, ByteLists::EMPTY);
        if encoder.node(node, depth, in_storage).is_err() {
            return Self { minimum: node.len(), maximum: node.len() };
        }
        let maximum = encoder.stream.len();
        let names_code = !in_storage
            && encoder
                .stream
                .first()
                .is_some_and(|first| *first >= tag::ACCOUNT && first & 3 == tag::HASH);
        let position = Self::HASH - 1;
        Self { minimum: if names_code { maximum - position } else { maximum }, maximum }
    }
}

/// A child as its parent refers to it.
enum Child<'n> {
    Empty,
    Hash(B256),
    /// Carried, or embedded in the parent.
    Carried(&'n [u8]),
}

struct Encoder<'n> {
    nodes: HashMap<B256, &'n [u8]>,
    codes: HashMap<B256, usize>,
    code_count: usize,
    /// Nodes that are already in the stream. Further references to them are encoded as hashes.
    carried: HashSet<B256>,
    stream: Vec<u8>,
    count: usize,
}

/// Reason for which bytes are not a trie node.
type Reason = &'static str;

impl<'n> Encoder<'n> {
    fn new(nodes: ByteLists<'n>, codes: ByteLists<'_>) -> Self {
        Self {
            nodes: nodes.iter().map(|node| (keccak256(node), node)).collect(),
            // Reversed, so that equal codes get the first position. (A batch with duplicates is
            // rejected elsewhere.)
            codes: codes.iter().enumerate().rev().map(|(at, code)| (keccak256(code), at)).collect(),
            code_count: codes.len(),
            carried: HashSet::new(),
            stream: Vec::new(),
            count: 0,
        }
    }

    fn state(&mut self, root: B256) -> Result<Vec<u8>, DecodeError> {
        if let Some(node) = self.find(&root) {
            self.node(node, 0, false)
                .map_err(|reason| DecodeError::TrieNode { index: self.count, reason })?;
        }
        let mut state = Vec::with_capacity(4 + self.stream.len());
        put_offset(&mut state, self.count);
        state.append(&mut self.stream);
        // Nodes whose keys are not hashes may be shorter than the average that the reader demands.
        CompactState::decode(&state, self.code_count)?;
        Ok(state)
    }

    /// Returns the node with this hash if it is present and not yet in the stream, and marks it as
    /// carried.
    fn find(&mut self, hash: &B256) -> Option<&'n [u8]> {
        let node = self.nodes.get(hash).copied()?;
        // A node is carried once; further references to it are hashes. Otherwise equal subtrees
        // would multiply in the stream.
        self.carried.insert(*hash).then_some(node)
    }

    fn child(&mut self, item: &'n [u8]) -> Result<Child<'n>, Reason> {
        match item {
            [0x80] => Ok(Child::Empty),
            [0xa0, hash @ ..] if hash.len() == 32 => {
                let hash = B256::from_slice(hash);
                // A node of less than 32 bytes is embedded by its parent and never referred to by
                // hash.
                let is_referred_to = self.nodes.get(&hash).is_some_and(|node| node.len() >= 32);
                let found = if is_referred_to { self.find(&hash) } else { None };
                Ok(found.map_or(Child::Hash(hash), Child::Carried))
            }
            [0xc0..=0xff, ..] if item.len() < 32 => Ok(Child::Carried(item)),
            _ => Err("a child is neither a hash nor an embedded node"),
        }
    }

    /// Appends a node and the carried nodes below it. The recursion is no deeper than both tries
    /// together.
    fn node(&mut self, node: &'n [u8], depth: usize, in_storage: bool) -> Result<(), Reason> {
        self.count += 1;
        match items(node)?[..] {
            [ref children @ .., [0x80]] if children.len() == 16 => {
                self.branch(children, depth, in_storage)
            }
            [mut prefix, item] => {
                let prefix = Header::decode_bytes(&mut prefix, false)
                    .map_err(|_| "a path is not a string")?;
                let (path, is_leaf) = Path::of(prefix).ok_or("a path is not in hex prefix form")?;
                let left = KEY_NIBBLES.saturating_sub(depth);
                // A leaf must end the key exactly, and an extension must leave at least one nibble
                // for its branch.
                if is_leaf && path.nibbles != left || !is_leaf && path.nibbles >= left {
                    return Err("a path does not fit the key");
                }
                match (is_leaf, in_storage) {
                    (false, _) => self.extension(&path, item, depth, in_storage),
                    (true, true) => self.slot(&path, item),
                    (true, false) => self.account(&path, item),
                }
            }
            _ => Err("neither two items nor a branch without a value"),
        }
    }

    fn branch(&mut self, items: &[&'n [u8]], depth: usize, in_storage: bool) -> Result<(), Reason> {
        // Ends the recursion at the length of a key, for nodes that refer to each other in any way.
        if depth >= KEY_NIBBLES {
            return Err("a branch is below the end of a key");
        }
        let (mut carried, mut hashed) = (Vec::new(), Vec::new());
        let mut masks = [0_u16; 2];
        for (index, item) in items.iter().enumerate() {
            match self.child(item)? {
                Child::Empty => {}
                Child::Carried(node) => {
                    masks[0] |= 1 << index;
                    carried.push(node);
                }
                Child::Hash(hash) => {
                    masks[1] |= 1 << index;
                    hashed.push(hash);
                }
            }
        }
        self.stream.push(tag::BRANCH);
        self.stream.extend(masks.iter().flat_map(|mask| mask.to_le_bytes()));
        hashed.iter().for_each(|hash| self.stream.extend_from_slice(hash.as_slice()));
        carried.into_iter().try_for_each(|node| self.node(node, depth + 1, in_storage))
    }

    fn extension(
        &mut self,
        path: &Path,
        item: &'n [u8],
        depth: usize,
        in_storage: bool,
    ) -> Result<(), Reason> {
        let child = self.child(item)?;
        let is_hash = matches!(child, Child::Hash(_));
        self.stream.push(if is_hash { tag::EXTENSION_OF_HASH } else { tag::EXTENSION });
        #[allow(clippy::cast_possible_truncation, reason = "no more than a key has")]
        self.stream.push(path.nibbles as u8);
        self.stream.extend_from_slice(&path.packed);
        match child {
            Child::Empty => Err("an extension without a child"),
            Child::Hash(hash) => {
                self.stream.extend_from_slice(hash.as_slice());
                Ok(())
            }
            Child::Carried(node) => self.node(node, depth + path.nibbles, in_storage),
        }
    }

    fn slot(&mut self, path: &Path, mut item: &'n [u8]) -> Result<(), Reason> {
        self.stream.push(tag::SLOT);
        self.stream.extend_from_slice(&path.packed);
        // The reader rejects values that are not integers, so no check is needed here.
        let value =
            Header::decode_bytes(&mut item, false).map_err(|_| "a value is not a string")?;
        self.stream.extend_from_slice(value);
        Ok(())
    }

    fn account(&mut self, path: &Path, mut item: &'n [u8]) -> Result<(), Reason> {
        const NONE: Reason = "an account is not two integers and two hashes";
        let account = Header::decode_bytes(&mut item, false).map_err(|_| NONE)?;
        let [nonce, balance, mut storage, mut code] = items(account)?[..] else { return Err(NONE) };
        let storage = B256::decode(&mut storage).map_err(|_| NONE)?;
        let code = B256::decode(&mut code).map_err(|_| NONE)?;
        // An empty trie is never carried: the tag for emptiness is its only encoding.
        let (is_empty, trie) = (storage == EMPTY_ROOT, self.find(&storage));
        let place = self.codes.get(&code).copied();
        let form = |is_empty: bool, is_carried: bool| match (is_empty, is_carried) {
            (true, _) => tag::EMPTY,
            (false, true) => tag::CARRIED,
            (false, false) => tag::HASH,
        };
        let code_form = form(code == KECCAK256_EMPTY, place.is_some());
        let storage_form = form(is_empty, trie.is_some());
        self.stream.push(tag::ACCOUNT | storage_form << 2 | code_form);
        self.stream.extend_from_slice(&path.packed);
        self.stream.extend_from_slice(nonce);
        self.stream.extend_from_slice(balance);
        if storage_form == tag::HASH {
            self.stream.extend_from_slice(storage.as_slice());
        }
        match (code_form, place) {
            (tag::CARRIED, Some(place)) => alloy_rlp::Encodable::encode(&place, &mut self.stream),
            (tag::HASH, _) => self.stream.extend_from_slice(code.as_slice()),
            _ => {}
        }
        match trie {
            Some(root) if !is_empty => self.node(root, 0, true),
            _ => Ok(()),
        }
    }
}

/// Returns the items of an RLP list that spans all bytes.
fn items(mut bytes: &[u8]) -> Result<Vec<&[u8]>, Reason> {
    match Header::decode_raw(&mut bytes) {
        Ok(PayloadView::List(items)) if bytes.is_empty() => Ok(items),
        _ => Err("not an RLP list"),
    }
}

/// A path as encoded in the stream.
struct Path {
    nibbles: usize,
    packed: Vec<u8>,
}

impl Path {
    /// Parses the hex prefix form. The flag is `true` for a leaf.
    fn of(prefix: &[u8]) -> Option<(Self, bool)> {
        let (first, rest) = prefix.split_first()?;
        let (flags, nibble) = (first >> 4, first & 0x0f);
        let path = match flags & 1 {
            1 => Self { nibbles: 2 * rest.len() + 1, packed: [&[nibble], rest].concat() },
            _ if nibble == 0 => Self { nibbles: 2 * rest.len(), packed: rest.to_vec() },
            _ => return None,
        };
        (flags < 4).then_some((path, flags & 2 != 0))
    }
}
