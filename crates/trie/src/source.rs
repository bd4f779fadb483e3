//! Where nodes come from.

use crate::NodeBytes;
use alloy_primitives::B256;
use core::{error::Error, fmt};
use hashbrown::HashTable;
use nybbles::Nibbles;
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashSet},
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

/// Why a source could not say whether it holds something: a disk, a connection, a lock. It says
/// nothing about the trie, and never stands for a node that is missing.
#[derive(Debug, Clone)]
pub struct SourceError(Arc<dyn Error + Send + Sync>);

impl SourceError {
    /// Wraps the fault of a store, a file or a connection.
    pub fn new(fault: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Arc::from(fault.into()))
    }

    /// The fault itself.
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

/// Faults are equal if they read the same.
impl PartialEq for SourceError {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.to_string() == other.0.to_string()
    }
}

impl Eq for SourceError {}

/// Where a node stands: a store that keeps nodes by path finds it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodePath<'p> {
    /// Keccak-256 of the address whose storage trie it is in; `None` for the account trie.
    pub owner: Option<&'p B256>,
    /// Nibbles from the root of that trie to the node.
    pub nibbles: &'p Nibbles,
}

/// Nodes by hash, and by where they stand.
pub trait NodeSource {
    /// How the source hands out a node.
    type Bytes: NodeBytes;

    /// The node at `path` whose Keccak-256 is `hash`, or `None` if the source does not hold it.
    ///
    /// The trie trusts the source on the hash and does not hash again.
    ///
    /// # Errors
    ///
    /// [`SourceError`] if the source cannot tell.
    fn node(&self, path: NodePath<'_>, hash: &B256) -> Result<Option<Self::Bytes>, SourceError>;
}

impl<S: NodeSource + ?Sized> NodeSource for &S {
    type Bytes = S::Bytes;

    fn node(&self, path: NodePath<'_>, hash: &B256) -> Result<Option<Self::Bytes>, SourceError> {
        (**self).node(path, hash)
    }
}

/// An index from hash to position over digests that are computed elsewhere.
///
/// The table is keyed with a random number, so that an adversary who chooses the nodes (and with
/// them, by trial, some bits of their hashes) cannot make them fall into one bucket. The key has no
/// influence on what is found.
///
/// Digests stay in the parts in which they were computed: there may be millions, each of an input of a
/// few bytes.
#[derive(Debug)]
pub struct NodeIndex {
    digests: Parts,
    positions: HashTable<u32>,
    key: u64,
}

/// Digests in parts of equal length, but for the last.
#[derive(Debug)]
struct Parts {
    parts: Vec<Arc<[B256]>>,
    length: usize,
}

impl Parts {
    fn get(&self, position: u32) -> &B256 {
        let position = position as usize;
        &self.parts[position / self.length][position % self.length]
    }
}

impl NodeIndex {
    /// Indexes digests by their position; of equal digests the first wins.
    ///
    /// All parts but the last are of one length.
    pub fn new(parts: Vec<Arc<[B256]>>) -> Self {
        let length = parts.first().map_or(0, |part| part.len()).max(1);
        debug_assert!(parts.iter().rev().skip(1).all(|part| part.len() == length));
        let key = RandomState::new().hash_one(0_u8);
        let count = parts.iter().map(|part| part.len()).sum();
        let digests = Parts { parts, length };
        let mut positions = HashTable::with_capacity(count);
        for (position, digest) in (0_u32..).zip(digests.parts.iter().flat_map(|part| &**part)) {
            let entry = positions.entry(
                bucket(key, digest),
                |other: &u32| digests.get(*other) == digest,
                |other: &u32| bucket(key, digests.get(*other)),
            );
            entry.or_insert(position);
        }
        Self { digests, positions, key }
    }

    /// Position of the digest equal to `hash`.
    pub fn position(&self, hash: &B256) -> Option<usize> {
        self.positions
            .find(bucket(self.key, hash), |position| self.digests.get(*position) == hash)
            .map(|position| *position as usize)
    }

    /// The digest at a position.
    pub fn digest(&self, position: usize) -> Option<&B256> {
        let Parts { parts, length } = &self.digests;
        parts.get(position / length)?.get(position % length)
    }

    /// The digests in their order.
    pub fn digests(&self) -> impl Iterator<Item = &B256> {
        self.digests.parts.iter().flat_map(|part| &**part)
    }
}

/// Keyed bucket number: the digest's first eight bytes through a folded multiplication.
fn bucket(key: u64, digest: &B256) -> u64 {
    let prefix = digest.0.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let product = u128::from(prefix ^ key) * u128::from(0x9e37_79b9_7f4a_7c15_u64 ^ (key << 1));
    #[allow(clippy::cast_possible_truncation, reason = "folding the halves is the point")]
    let folded = (product as u64) ^ ((product >> 64) as u64);
    folded
}

/// What is measured of each node that is recorded: two numbers, of which the sums are kept.
pub type Measure = fn(NodePath<'_>, &[u8]) -> [usize; 2];

/// A source that remembers which nodes were read through it: they are the witness.
#[derive(Debug)]
pub struct Recorder<S: NodeSource> {
    source: S,
    read: RefCell<BTreeMap<B256, S::Bytes>>,
    /// Hashes of what was read, in that order, and what was measured of it.
    order: RefCell<Vec<(B256, [usize; 2])>>,
    bytes: Cell<usize>,
    measure: Measure,
    measured: Cell<[usize; 2]>,
    known: RefCell<HashSet<B256>>,
}

impl<S: NodeSource> Recorder<S> {
    /// Starts recording.
    pub fn new(source: S) -> Self {
        Self::measuring(source, |_, _| [0; 2])
    }

    /// Starts recording, and measures what is recorded.
    pub fn measuring(source: S, measure: Measure) -> Self {
        let (read, order, known) = (RefCell::default(), RefCell::default(), RefCell::default());
        let (bytes, measured) = (Cell::new(0), Cell::new([0; 2]));
        Self { source, read, order, bytes, measure, measured, known }
    }

    /// How many nodes have been read so far.
    pub fn count(&self) -> usize {
        self.read.borrow().len()
    }

    /// Bytes of the nodes read so far.
    pub const fn bytes(&self) -> usize {
        self.bytes.get()
    }

    /// Sums of what was measured of the nodes read so far.
    pub const fn measured(&self) -> [usize; 2] {
        self.measured.get()
    }

    /// Forgets all but the first `count` nodes that were read. Whoever goes on must not have the others
    /// at hand, or they are needed and not read again.
    pub fn rewind(&self, count: usize) {
        let (mut read, mut order) = (self.read.borrow_mut(), self.order.borrow_mut());
        let gone = count.min(order.len())..;
        for (hash, [first, second]) in order.drain(gone) {
            let length = read.remove(&hash).map_or(0, |node| node.as_ref().len());
            self.bytes.set(self.bytes.get() - length);
            let [one, other] = self.measured.get();
            self.measured.set([one - first, other - second]);
        }
    }

    /// From now on these nodes are not remembered: whoever reads what is read here has them by then. What
    /// was read before stays.
    pub fn know(&self, nodes: impl IntoIterator<Item = B256>) {
        self.known.borrow_mut().extend(nodes);
    }

    /// The nodes read so far, by hash.
    pub fn into_read(self) -> BTreeMap<B256, S::Bytes> {
        self.read.into_inner()
    }
}

impl<S: NodeSource> NodeSource for Recorder<S> {
    type Bytes = S::Bytes;

    fn node(&self, path: NodePath<'_>, hash: &B256) -> Result<Option<Self::Bytes>, SourceError> {
        let node = self.source.node(path, hash)?;
        if let Some(node) = &node
            && !self.known.borrow().contains(hash)
        {
            self.read.borrow_mut().entry(*hash).or_insert_with(|| {
                self.bytes.set(self.bytes.get() + node.as_ref().len());
                let measured @ [first, second] = (self.measure)(path, node.as_ref());
                let [one, other] = self.measured.get();
                self.measured.set([one + first, other + second]);
                self.order.borrow_mut().push((*hash, measured));
                node.clone()
            });
        }
        Ok(node)
    }
}
