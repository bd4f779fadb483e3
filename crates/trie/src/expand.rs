//! Expansion of tries: nodes as RLP, computed from the parts that cannot be derived.

use crate::{
    encode::{put_header, put_list_header, put_string},
    node::HASH_ITEM,
};
use alloc::{sync::Arc, vec, vec::Vec};
use alloy_primitives::B256;
use core::ops::Range;
use keccak::keccak256_batch_by;

/// Nodes per batch, as when hashing roots: enough to fill all lanes, few enough to stay in cache.
const BATCH: usize = 64;
/// Length of a hash. A parent embeds a node whose RLP is shorter, and refers to other nodes by
/// hash.
const HASH: usize = 32;
/// Marker for the digest of the outermost root, which no node contains.
const NOWHERE: u32 = u32::MAX;

/// Writes tries as RLP. The caller announces the nodes in preorder, each with the parts that only
/// this node has: paths, values, and hashes of children that are not announced. The expansion
/// computes all other hashes.
///
/// An announced child follows its parent and all nodes below the parent's earlier children. A child
/// that is short enough is embedded in its parent.
///
/// The expansion does not check that the nodes form a canonical trie. Its memory is bounded by the
/// RLP and a single path.
#[derive(Debug)]
pub struct Expansion<'s> {
    rlp: Vec<u8>,
    /// Maximum bytes of the RLP.
    limit: usize,
    /// Length that the RLP would have had when it first exceeded the limit, in bytes.
    surplus: Option<usize>,
    nodes: Vec<NodePosition>,
    /// Ancestors with children still to come, from the root downwards.
    open: Vec<Open<'s>>,
    /// Payloads of the ancestors in order, without list headers.
    payload: Vec<u8>,
    /// Hashes that the payloads still lack: index of the node, and offset of its hash in `payload`.
    missing: Vec<(u32, usize)>,
}

/// The nodes are longer than the caller declared, or than an expansion can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("trie nodes of {got} bytes, expected at most {limit}")]
pub struct ExpansionTooLong {
    /// Bytes of RLP at the point of failure.
    pub got: usize,
    /// Maximum bytes.
    pub limit: usize,
}

/// Position of a node in the RLP of all nodes.
#[derive(Debug, Clone, Copy)]
struct NodePosition {
    start: u32,
    /// Offset at which its hash is written: in its parent, or in the leaf above its trie.
    hash_at: u32,
    /// Number of levels of hashed nodes below it.
    height: u16,
}

/// An ancestor with children still to come.
#[derive(Debug)]
struct Open<'s> {
    /// Length of [`Expansion::payload`] when it was opened.
    payload: usize,
    /// Length of [`Expansion::missing`] when it was opened.
    missing: usize,
    rest: Rest<'s>,
}

/// Parts of a node that follow a child.
#[derive(Debug)]
enum Rest<'s> {
    Branch {
        next: u32,
        hashed: u16,
        carried: u16,
        hashes: &'s [[u8; 32]],
    },
    Nothing,
    /// The rest of a leaf's value, whose child is the root of another trie.
    Value(Vec<u8>),
}

impl<'s> Expansion<'s> {
    /// Maximum bytes of an expansion.
    // Offsets are 32 bits wide to halve the index of a witness with millions of nodes.
    pub const MAX_LEN: usize = u32::MAX as usize;

    /// Prepares for `nodes` nodes with at most `bytes` bytes of RLP. More nodes cause
    /// reallocations.
    ///
    /// # Errors
    ///
    /// [`ExpansionTooLong`] if `bytes` is more than [`Self::MAX_LEN`].
    pub fn within(nodes: usize, bytes: usize) -> Result<Self, ExpansionTooLong> {
        if bytes > Self::MAX_LEN {
            return Err(ExpansionTooLong { got: bytes, limit: Self::MAX_LEN });
        }
        Ok(Self {
            // Allocated once, so that the RLP is never moved. The caller derives the bound from the
            // input, so it cannot exceed what the input pays for.
            rlp: Vec::with_capacity(bytes),
            limit: bytes,
            surplus: None,
            nodes: Vec::with_capacity(nodes),
            open: Vec::new(),
            payload: Vec::new(),
            missing: Vec::new(),
        })
    }

    /// Adds a branch. The children in the mask `carried` follow; those in `hashed` are given as
    /// hashes, in order.
    pub fn branch(&mut self, carried: u16, hashed: u16, hashes: &'s [[u8; 32]]) {
        self.open(Rest::Branch { next: 0, hashed, carried, hashes });
        self.advance();
    }

    /// Adds an extension, with nibbles packed as in a [leaf](Self::leaf). Without a hash, its child
    /// follows.
    pub fn extension(&mut self, nibbles: usize, packed: &[u8], child: Option<&[u8; 32]>) {
        self.open(Rest::Nothing);
        self.put_path(0x00, nibbles, packed);
        if let Some(hash) = child {
            put_hash(hash, &mut self.payload);
            self.advance();
        }
    }

    /// Adds a leaf. Its nibbles are packed two per byte; an odd first nibble has its own byte.
    pub fn leaf(&mut self, nibbles: usize, packed: &[u8], value: &[u8]) {
        self.open(Rest::Nothing);
        self.put_path(0x20, nibbles, packed);
        put_string(value, &mut self.payload);
        self.advance();
    }

    /// Adds a leaf whose value contains the root of another trie between `before` and `behind`, as
    /// RLP. That trie follows.
    pub fn leaf_above(&mut self, nibbles: usize, packed: &[u8], before: &[u8], behind: &[u8]) {
        self.open(Rest::Value(behind.to_vec()));
        self.put_path(0x20, nibbles, packed);
        put_header(0x80, before.len() + 1 + HASH + behind.len(), &mut self.payload);
        self.payload.extend_from_slice(before);
    }

    /// Hashes all nodes that are not embedded, and returns them.
    ///
    /// # Errors
    ///
    /// [`ExpansionTooLong`] if the nodes exceed the declared bytes.
    pub fn finish(self) -> Result<ExpandedNodes, ExpansionTooLong> {
        let Self { mut rlp, nodes, limit, surplus, .. } = self;
        if let Some(got) = surplus {
            return Err(ExpansionTooLong { got, limit });
        }
        let mut digests: Arc<[B256]> = core::iter::repeat_n(B256::ZERO, nodes.len()).collect();
        let all = Arc::get_mut(&mut digests).unwrap_or_else(|| unreachable!("it is new"));
        // Lowest level first, because the hashes of the children must be written before their
        // parent is hashed.
        let order = by_height(&nodes);
        let mut some = [B256::ZERO; BATCH];
        // Nodes of one level never depend on each other, so they can fill the lanes together.
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

    /// Appends a path in hex prefix form. The first byte contains the flag, and the first nibble if
    /// their number is odd.
    fn put_path(&mut self, flag: u8, nibbles: usize, packed: &[u8]) {
        let (first, rest) = match packed {
            [first, rest @ ..] if nibbles % 2 == 1 => (flag | 0x10 | first, rest),
            all => (flag, all),
        };
        // A single byte is at most 0x3f here and is its own RLP encoding.
        if !rest.is_empty() {
            put_header(0x80, 1 + rest.len(), &mut self.payload);
        }
        self.payload.push(first);
        self.payload.extend_from_slice(rest);
    }

    /// Writes everything between two announced children, and closes each node that is complete.
    fn advance(&mut self) {
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
                        // This child is announced next; writing resumes after it.
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

    /// Closes the node that was opened last. If it is short enough, it is embedded in its parent;
    /// otherwise it is written separately, and its parent reserves space for its hash.
    fn close(&mut self) {
        let Some(Open { payload, missing, .. }) = self.open.pop() else { return };
        let len = self.payload.len() - payload;
        // A root is hashed even if it is short, because an account always contains its storage root
        // as a hash.
        let below_branch =
            !matches!(self.open.last(), None | Some(Open { rest: Rest::Value(_), .. }));
        if below_branch && 1 + len < HASH {
            // Inserts the list header at the front. A node with a reserved hash is never this
            // short.
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
            // Beyond the limit, only the open ancestors are stored, so that memory is bounded while
            // the caller continues.
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
        // The offsets of missing hashes were relative to the payload buffer; the payload has now
        // been moved to its final position.
        for (child, at) in self.missing.drain(missing..) {
            let child = &mut self.nodes[child as usize];
            child.hash_at = position(list + at - payload);
            height = height.max(child.height + 1);
        }
        let node = position(self.nodes.len());
        self.nodes.push(NodePosition { start: position(start), hash_at: NOWHERE, height });
        // A placeholder of zeros, overwritten in `finish` once the digest is known.
        if !self.open.is_empty() {
            put_hash(&[0; HASH], &mut self.payload);
            self.missing.push((node, self.payload.len() - HASH));
        }
    }
}

/// Returns the range of node `index`, which ends at the next node.
fn range(nodes: &[NodePosition], index: usize, end: usize) -> Range<usize> {
    let start_of = |place: &NodePosition| place.start as usize;
    start_of(&nodes[index])..nodes.get(index + 1).map_or(end, start_of)
}

/// Converts a position, which is at most [`Expansion::MAX_LEN`].
fn position(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(NOWHERE)
}

/// Returns the length of the header of a list with `len` bytes.
const fn list_header_len(len: usize) -> usize {
    if len < 56 { 1 } else { 1 + (usize::BITS - len.leading_zeros()).div_ceil(8) as usize }
}

fn put_hash(hash: &[u8; 32], out: &mut Vec<u8>) {
    out.push(HASH_ITEM);
    out.extend_from_slice(hash);
}

/// Returns the indices of the nodes, lowest level first.
fn by_height(nodes: &[NodePosition]) -> Vec<u32> {
    // Counting sort: heights are small, and a comparison sort of millions of nodes would measurably
    // slow down a block.
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
    nodes: Vec<NodePosition>,
    digests: Arc<[B256]>,
}

impl ExpandedNodes {
    /// Number of nodes.
    pub const fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Returns `true` if there are no nodes.
    pub const fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Returns a node by its index. Children precede their parents.
    pub fn get(&self, position: usize) -> Option<&[u8]> {
        (position < self.len()).then(|| &self.rlp[range(&self.nodes, position, self.rlp.len())])
    }

    /// Returns the hashes of all nodes, in order.
    pub const fn digests(&self) -> &Arc<[B256]> {
        &self.digests
    }
}
