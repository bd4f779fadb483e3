//! A source of nodes that records the nodes read through it.

use alloy_primitives::{B256, map::B256Set};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};
use trie::{NodePath, NodeSource, SourceError};

/// Measurement of each recorded node: two numbers, which the recorder sums up.
pub type Measure = fn(NodePath<'_>, &[u8]) -> [usize; 2];

/// A source that records the nodes read through it, which form the witness.
#[derive(Debug)]
pub struct Recorder<S: NodeSource> {
    source: S,
    read: RefCell<BTreeMap<B256, S::Bytes>>,
    /// Hashes of the recorded nodes in reading order, and their measurements.
    order: RefCell<Vec<(B256, [usize; 2])>>,
    bytes: Cell<usize>,
    measure: Measure,
    measured: Cell<[usize; 2]>,
    known: RefCell<B256Set>,
}

impl<S: NodeSource> Recorder<S> {
    /// Starts recording.
    pub fn new(source: S) -> Self {
        Self::measuring(source, |_, _| [0; 2])
    }

    /// Starts recording with a measurement of each recorded node.
    pub fn measuring(source: S, measure: Measure) -> Self {
        let (read, order, known) = (RefCell::default(), RefCell::default(), RefCell::default());
        let (bytes, measured) = (Cell::new(0), Cell::new([0; 2]));
        Self { source, read, order, bytes, measure, measured, known }
    }

    /// Returns the number of nodes recorded so far.
    pub fn count(&self) -> usize {
        self.read.borrow().len()
    }

    /// Bytes of the nodes recorded so far.
    pub const fn bytes(&self) -> usize {
        self.bytes.get()
    }

    /// Returns the sums of the measurements of the nodes recorded so far.
    pub const fn measured(&self) -> [usize; 2] {
        self.measured.get()
    }

    /// Truncates the record to the first `count` nodes. The caller must drop its loaded copies of
    /// the others: a node that is still loaded is not read, and so not recorded, again.
    pub fn rewind(&self, count: usize) {
        let (mut read, mut order) = (self.read.borrow_mut(), self.order.borrow_mut());
        let removed = count.min(order.len())..;
        // The sums are updated by subtraction, so that they never require a pass over all nodes.
        for (hash, [first, second]) in order.drain(removed) {
            let length = read.remove(&hash).map_or(0, |node| node.as_ref().len());
            self.bytes.set(self.bytes.get() - length);
            let [one, other] = self.measured.get();
            self.measured.set([one - first, other - second]);
        }
    }

    /// Excludes these nodes from recording from now on, because the verifier already has them.
    /// Nodes that were recorded before remain.
    pub fn know(&self, nodes: impl IntoIterator<Item = B256>) {
        self.known.borrow_mut().extend(nodes);
    }

    /// Returns the recorded nodes by hash.
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
            // A node is recorded once, however often it is read, because the witness contains it
            // once.
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
