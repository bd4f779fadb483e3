//! Nodes from what cannot be computed of them.

use crate::{
    encode::{put_header, put_list_header, put_string},
    node::HASH_ITEM,
};
use alloy_primitives::B256;
use core::ops::Range;
use keccak::keccak256_batch_by;
use std::sync::Arc;

/// Nodes per batch, as elsewhere: enough for all lanes, few enough to stay in cache.
const BATCH: usize = 64;
/// A node is referred to by hash unless its RLP is shorter than one.
const HASH: usize = 32;
/// Where no digest is written: a root that stands in nothing.
const NOWHERE: u32 = u32::MAX;

/// Writes tries as RLP of whose nodes somebody tells in preorder, each with what only it says: paths, values,
/// and hashes of children that are not told of. Hashes of the others are computed.
///
/// A child that is told of comes right behind its parent and what hangs below earlier children. It is
/// embedded in its parent if it is short enough.
///
/// It does not ask whether the nodes make a trie. Memory is that of the RLP, and of a path.
#[derive(Debug)]
pub struct Expansion<'s> {
    rlp: Vec<u8>,
    /// Most bytes of it.
    limit: usize,
    /// How many there would have been, if that was not enough.
    surplus: Option<usize>,
    nodes: Vec<Place>,
    /// Nodes whose children are still to come, from the root down.
    open: Vec<Open<'s>>,
    /// What has been written of those, one behind the other, without the headers of the lists.
    payload: Vec<u8>,
    /// Which hashes are missing there, and where.
    missing: Vec<(u32, usize)>,
}

/// Nodes that are longer together than whoever tells of them has said, or than they can be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("trie nodes of {got} bytes, expected at most {limit}")]
pub struct ExpansionTooLong {
    /// Bytes of their RLP, as far as it was known then.
    pub got: usize,
    /// The most.
    pub limit: usize,
}

/// Where a node lies in the RLP of all.
#[derive(Debug, Clone, Copy)]
struct Place {
    start: u32,
    /// Where in its parent, or in a leaf above its trie, its hash stands.
    hash_at: u32,
    /// How many levels of nodes with a hash are below it.
    height: u16,
}

/// A node whose children are still to come.
#[derive(Debug)]
struct Open<'s> {
    /// Where its payload starts, and which hashes are missing in it.
    payload: usize,
    missing: usize,
    rest: Rest<'s>,
}

/// What comes behind a child.
#[derive(Debug)]
enum Rest<'s> {
    Branch {
        next: u32,
        hashed: u16,
        carried: u16,
        hashes: &'s [[u8; 32]],
    },
    Nothing,
    /// The rest of a leaf's value: its child is the root of another trie.
    Value(Vec<u8>),
}

impl<'s> Expansion<'s> {
    /// Most bytes that there is room for.
    pub const MAX_LEN: usize = u32::MAX as usize;

    /// For so many nodes, with so many bytes of RLP at most. With more nodes it grows.
    ///
    /// # Errors
    ///
    /// [`ExpansionTooLong`] if that is more than [`Self::MAX_LEN`].
    pub fn within(nodes: usize, bytes: usize) -> Result<Self, ExpansionTooLong> {
        if bytes > Self::MAX_LEN {
            return Err(ExpansionTooLong { got: bytes, limit: Self::MAX_LEN });
        }
        Ok(Self {
            rlp: Vec::with_capacity(bytes),
            limit: bytes,
            surplus: None,
            nodes: Vec::with_capacity(nodes),
            open: Vec::new(),
            payload: Vec::new(),
            missing: Vec::new(),
        })
    }

    /// A branch. Its children of the mask `carried` follow; those of `hashed` are the hashes, in order.
    pub fn branch(&mut self, carried: u16, hashed: u16, hashes: &'s [[u8; 32]]) {
        self.open(Rest::Branch { next: 0, hashed, carried, hashes });
        self.go_on();
    }

    /// An extension, by nibbles that are packed as in a [leaf](Self::leaf). Without a hash its child follows.
    pub fn extension(&mut self, nibbles: usize, packed: &[u8], child: Option<&[u8; 32]>) {
        self.open(Rest::Nothing);
        self.put_path(0x00, nibbles, packed);
        if let Some(hash) = child {
            put_hash(hash, &mut self.payload);
            self.close();
            self.go_on();
        }
    }

    /// A leaf. Its nibbles are packed two to a byte; the first of an odd number has a byte to itself.
    pub fn leaf(&mut self, nibbles: usize, packed: &[u8], value: &[u8]) {
        self.open(Rest::Nothing);
        self.put_path(0x20, nibbles, packed);
        put_string(value, &mut self.payload);
        self.close();
        self.go_on();
    }

    /// A leaf whose value names the root of a trie, which follows, as RLP between other bytes.
    pub fn leaf_above(&mut self, nibbles: usize, packed: &[u8], before: &[u8], behind: &[u8]) {
        self.open(Rest::Value(behind.to_vec()));
        self.put_path(0x20, nibbles, packed);
        put_header(0x80, before.len() + 1 + HASH + behind.len(), &mut self.payload);
        self.payload.extend_from_slice(before);
    }

    /// All nodes but those that are embedded, hashed.
    ///
    /// # Errors
    ///
    /// [`ExpansionTooLong`] if they have more bytes than there was room for.
    pub fn finish(self) -> Result<ExpandedNodes, ExpansionTooLong> {
        let Self { mut rlp, nodes, limit, surplus, .. } = self;
        if let Some(got) = surplus {
            return Err(ExpansionTooLong { got, limit });
        }
        let mut digests: Arc<[B256]> = core::iter::repeat_n(B256::ZERO, nodes.len()).collect();
        let all = Arc::get_mut(&mut digests).unwrap_or_else(|| unreachable!("it is new"));
        // The lowest first: what hangs below a node stands in it before it is hashed.
        let order = by_height(&nodes);
        let mut some = [B256::ZERO; BATCH];
        for level in order.chunk_by(|a, b| nodes[*a as usize].height == nodes[*b as usize].height) {
            for batch in level.chunks(BATCH) {
                let node = |index: usize| batch[index] as usize;
                let bytes = |index: usize| &rlp[range(&nodes, node(index), rlp.len())];
                keccak256_batch_by(bytes, &mut some[..batch.len()]);
                for (index, digest) in some[..batch.len()].iter().enumerate() {
                    let at = nodes[node(index)].hash_at;
                    if at != NOWHERE {
                        rlp[at as usize..][..HASH].copy_from_slice(digest.as_slice());
                    }
                    all[node(index)] = *digest;
                }
            }
        }
        Ok(ExpandedNodes { rlp, nodes, digests })
    }

    fn open(&mut self, rest: Rest<'s>) {
        let (payload, missing) = (self.payload.len(), self.missing.len());
        self.open.push(Open { payload, missing, rest });
    }

    /// Hex prefix form: the flag, with the first nibble if there is an odd number.
    fn put_path(&mut self, flag: u8, nibbles: usize, packed: &[u8]) {
        let (first, rest) = match packed {
            [first, rest @ ..] if nibbles % 2 == 1 => (flag | 0x10 | first, rest),
            all => (flag, all),
        };
        if !rest.is_empty() {
            put_header(0x80, 1 + rest.len(), &mut self.payload);
        }
        self.payload.push(first);
        self.payload.extend_from_slice(rest);
    }

    /// Writes what comes behind a child, or in front of the first, up to the next child that follows.
    fn go_on(&mut self) {
        while let Some(open) = self.open.last_mut() {
            match &mut open.rest {
                Rest::Branch { next, hashed, carried, hashes } => {
                    while *next < 16 && *carried >> *next & 1 == 0 {
                        if *hashed >> *next & 1 == 1
                            && let Some((hash, others)) = hashes.split_first()
                        {
                            put_hash(hash, &mut self.payload);
                            *hashes = others;
                        } else {
                            self.payload.push(0x80);
                        }
                        *next += 1;
                    }
                    if *next < 16 {
                        // Comes next, and the one behind it after that.
                        *next += 1;
                        return;
                    }
                    self.payload.push(0x80);
                }
                Rest::Nothing => {}
                Rest::Value(rest) => self.payload.extend_from_slice(rest),
            }
            self.close();
        }
    }

    /// Ends the node that was opened last: it stands on its own from now on, with a place for its hash in its
    /// parent, or in its parent.
    fn close(&mut self) {
        let Some(Open { payload, missing, .. }) = self.open.pop() else { return };
        let len = self.payload.len() - payload;
        let below_branch =
            !matches!(self.open.last(), None | Some(Open { rest: Rest::Value(_), .. }));
        if below_branch && 1 + len < HASH {
            // The header goes in front. Nothing that has a hash is that short.
            self.payload.push(0);
            self.payload.copy_within(payload..payload + len, payload + 1);
            #[allow(clippy::cast_possible_truncation, reason = "shorter than a hash")]
            let header = 0xc0 + len as u8;
            self.payload[payload] = header;
            return;
        }
        let start = self.rlp.len();
        let header = list_header_len(len);
        if self.surplus.is_some() || start + header + len > self.limit {
            // Nothing is kept from here on but what is open.
            self.surplus.get_or_insert(start + header + len);
            self.payload.truncate(payload);
            self.missing.truncate(missing);
            return;
        }
        put_list_header(len, &mut self.rlp);
        let list = self.rlp.len();
        self.rlp.extend_from_slice(&self.payload[payload..]);
        self.payload.truncate(payload);
        let mut height = 0;
        for (child, at) in self.missing.drain(missing..) {
            let child = &mut self.nodes[child as usize];
            child.hash_at = position(list + at - payload);
            height = height.max(child.height + 1);
        }
        let node = position(self.nodes.len());
        self.nodes.push(Place { start: position(start), hash_at: NOWHERE, height });
        if !self.open.is_empty() {
            put_hash(&[0; HASH], &mut self.payload);
            self.missing.push((node, self.payload.len() - HASH));
        }
    }
}

/// Where node `index` lies: up to the next one.
fn range(nodes: &[Place], index: usize, end: usize) -> Range<usize> {
    let start_of = |place: &Place| place.start as usize;
    start_of(&nodes[index])..nodes.get(index + 1).map_or(end, start_of)
}

/// A position in what is no longer than [`Expansion::MAX_LEN`].
fn position(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(NOWHERE)
}

/// Bytes of the header of a list with so many.
const fn list_header_len(len: usize) -> usize {
    if len < 56 { 1 } else { 1 + (usize::BITS - len.leading_zeros()).div_ceil(8) as usize }
}

fn put_hash(hash: &[u8; 32], out: &mut Vec<u8>) {
    out.push(HASH_ITEM);
    out.extend_from_slice(hash);
}

/// Positions of the nodes, the lowest first.
fn by_height(nodes: &[Place]) -> Vec<u32> {
    let highest = nodes.iter().map(|node| usize::from(node.height)).max().unwrap_or_default();
    let mut starts = vec![0; highest + 2];
    for node in nodes {
        starts[usize::from(node.height) + 1] += 1;
    }
    for height in 0..=highest {
        starts[height + 1] += starts[height];
    }
    let mut order = vec![0; nodes.len()];
    for (node, place) in (0_u32..).zip(nodes) {
        let next = &mut starts[usize::from(place.height)];
        order[*next] = node;
        *next += 1;
    }
    order
}

/// Nodes as RLP, with their hashes.
#[derive(Debug)]
pub struct ExpandedNodes {
    rlp: Vec<u8>,
    nodes: Vec<Place>,
    digests: Arc<[B256]>,
}

impl ExpandedNodes {
    /// How many there are.
    pub const fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// A node by its position: children stand before their parents.
    pub fn get(&self, position: usize) -> Option<&[u8]> {
        (position < self.len()).then(|| &self.rlp[range(&self.nodes, position, self.rlp.len())])
    }

    /// The hashes of all.
    pub const fn digests(&self) -> &Arc<[B256]> {
        &self.digests
    }
}
