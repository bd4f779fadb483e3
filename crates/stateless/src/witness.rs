//! The state that a witness proves, indexed by hash.

use crate::{Ancestors, compact::expand};
use alloc::{boxed::Box, collections::BTreeMap, sync::Arc, vec, vec::Vec};
use alloy_consensus::Header;
use alloy_primitives::B256;
use core::{
    cell::Cell,
    sync::atomic::{AtomicUsize, Ordering},
};
use executor::{
    Cryptography, InsufficientGas, Invalid, OnceCell, StateSource, UnderpricedWork, WorkMeter,
};
use keccak::keccak256_batch_by;
use revm::bytecode::Bytecode;
use trie::{ExpandedNodes, NodeIndex, NodePath, NodeSource, SourceError};
use wire::{ByteLists, DecodeError, ExecutionWitness, compact::CompactState};

/// Nodes that have been used at their first position, and the meter for all further uses.
#[derive(Debug)]
struct NodeUse {
    found: Vec<Cell<bool>>,
    meter: Arc<dyn WorkMeter>,
}

impl NodeUse {
    /// Records a use of the node at `position`, which has `bytes` bytes; further uses are metered.
    fn admit(&self, position: usize, bytes: usize) -> Result<(), SourceError> {
        match self.found[position].replace(true) {
            true => self.admit_again(bytes),
            false => Ok(()),
        }
    }

    /// Meters a use of a node that is not in the witness, because an earlier block has written it.
    fn admit_again(&self, bytes: usize) -> Result<(), SourceError> {
        match self.meter.spend(UnderpricedWork::RepeatedNode { bytes }) {
            true => Ok(()),
            false => Err(SourceError::new(InsufficientGas)),
        }
    }
}

/// Items of a list that multiple threads hash in parts.
#[derive(Debug)]
pub(crate) struct HashedList<'a> {
    list: ByteLists<'a>,
    next: AtomicUsize,
    parts: Vec<OnceCell<Arc<[B256]>>>,
}

impl<'a> HashedList<'a> {
    /// Items per part: enough to keep all SIMD lanes busy, few enough to share evenly.
    const PART: usize = 256;

    pub(crate) fn new(list: ByteLists<'a>) -> Self {
        let parts = (0..list.len().div_ceil(Self::PART)).map(|_| OnceCell::new()).collect();
        Self { list, next: AtomicUsize::new(0), parts }
    }

    /// Returns the total bytes of all items.
    pub(crate) fn total_bytes(&self) -> usize {
        self.list.total_bytes()
    }

    /// Hashes parts until all are claimed.
    pub(crate) fn work(&self) {
        loop {
            let part = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(digests) = self.parts.get(part) else { break };
            digests.get_or_init(|| self.hash(part));
        }
    }

    fn hash(&self, part: usize) -> Arc<[B256]> {
        let start = part * Self::PART;
        let mut digests = [B256::ZERO; Self::PART];
        let digests = &mut digests[..Self::PART.min(self.list.len() - start)];
        keccak256_batch_by(|index| self.list.get(start + index).unwrap_or_default(), digests);
        (&*digests).into()
    }

    /// Returns all digests in order, in parts. A part that another thread has claimed but not
    /// finished is hashed here, so that progress never depends on another thread.
    fn digests(&self) -> Vec<Arc<[B256]>> {
        self.work();
        let parts = self.parts.iter().enumerate();
        parts.map(|(index, part)| Arc::clone(part.get_or_init(|| self.hash(index)))).collect()
    }
}

/// Codes that multiple threads hash and analyse. Which codes will run is not known in advance, so
/// the main thread analyses codes on demand, and helper threads analyse them ahead of time.
#[derive(Debug)]
pub(crate) struct AnalysedCodes<'a> {
    cryptography: &'a dyn Cryptography,
    hashed: HashedList<'a>,
    analysed: Vec<OnceCell<Bytecode>>,
}

impl<'a> AnalysedCodes<'a> {
    pub(crate) fn new(codes: ByteLists<'a>, cryptography: &'a dyn Cryptography) -> Self {
        let analysed = (0..codes.len()).map(|_| OnceCell::new()).collect();
        Self { cryptography, hashed: HashedList::new(codes), analysed }
    }

    pub(crate) fn hash(&self) {
        self.hashed.work();
    }

    /// Returns the total bytes of all codes.
    pub(crate) fn total_bytes(&self) -> usize {
        self.hashed.total_bytes()
    }

    /// Returns `true` if analysing codes in advance saves enough time to justify its memory.
    pub(crate) fn are_many(&self) -> bool {
        self.total_bytes() >= 128 * 1_024
    }

    /// Analyses all long codes, if there are many codes. Short ones are analysed when they run:
    /// each analysis takes about two hundred bytes, and a witness may contain very many codes.
    pub(crate) fn analyse_long(&self) {
        /// Length of code whose analysis takes about a microsecond, in bytes.
        const LONG: usize = 1_024;
        if !self.are_many() {
            return;
        }
        let codes = self.hashed.list.iter().enumerate();
        for (position, _) in codes.filter(|(_, code)| code.len() >= LONG) {
            self.get(position);
        }
    }

    fn get(&self, position: usize) -> &Bytecode {
        self.analysed[position].get_or_init(|| {
            self.cryptography.analyse(self.hashed.list.get(position).unwrap_or_default())
        })
    }
}

/// Database of everything that a witness proves and that the blocks executed on it have written,
/// indexed by hash.
#[derive(Debug)]
pub struct WitnessDb<'w, 'a> {
    nodes: ByteLists<'a>,
    /// The nodes, if the witness has them in compact form.
    expanded: Option<ExpandedNodes>,
    node_index: NodeIndex,
    node_use: Option<NodeUse>,
    codes: &'w AnalysedCodes<'a>,
    code_index: NodeIndex,
    ancestors: Ancestors,
    written: BlockWrites,
}

/// Nodes and codes that blocks have written, which later blocks may use without the witness. The
/// maps are keyed randomly, because an attacker can choose some bits of the hashes by trial to
/// cause collisions.
#[derive(Debug, Default)]
struct BlockWrites {
    nodes: BTreeMap<B256, Box<[u8]>>,
    codes: BTreeMap<B256, Bytecode>,
}

impl<'w, 'a> WitnessDb<'w, 'a> {
    /// Links a witness: hashes the items that are not hashed yet, expands compact nodes, and
    /// indexes everything. The meter is notified of each node that is loaded at more than one
    /// position, by more than one block, or by a later block than the one that has written it.
    pub(crate) fn new(
        nodes: &HashedList<'a>,
        compact: Option<&CompactState<'a>>,
        codes: &'w AnalysedCodes<'a>,
        ancestors: Ancestors,
        meter: Option<Arc<dyn WorkMeter>>,
    ) -> Result<Self, DecodeError> {
        // Codes are indexed first, because the compact state refers to them by position and its
        // leaves contain their hashes.
        let code_index = NodeIndex::new(codes.hashed.digests());
        let expanded = compact.map(|state| expand(state, &code_index)).transpose()?;
        let digests = match &expanded {
            Some(nodes) => vec![Arc::clone(nodes.digests())],
            None => nodes.digests(),
        };
        let count = digests.iter().map(|part| part.len()).sum();
        Ok(Self {
            nodes: nodes.list,
            expanded,
            node_index: NodeIndex::new(digests),
            // One flag per carried node, allocated only if uses are metered.
            node_use: meter.map(|meter| NodeUse { found: vec![Cell::new(false); count], meter }),
            codes,
            code_index,
            ancestors,
            written: BlockWrites::default(),
        })
    }

    /// Returns the header of the block whose post-state this is.
    pub(crate) const fn parent(&self) -> &Header {
        self.ancestors.parent()
    }

    /// Returns the state for the next block.
    pub const fn state(&self) -> WitnessState<'_> {
        WitnessState(self)
    }

    /// Advances to the post-state of a block that has written these nodes and codes. Nothing else
    /// carries over.
    pub(crate) fn advance(
        &mut self,
        header: Header,
        hash: B256,
        nodes: Vec<(B256, Box<[u8]>)>,
        codes: Vec<(B256, Bytecode)>,
    ) {
        self.ancestors.push(header, hash);
        self.written.nodes.extend(nodes);
        self.written.codes.extend(codes);
    }
}

/// View of the state of a [`WitnessDb`].
#[derive(Debug, Clone, Copy)]
pub struct WitnessState<'l>(&'l WitnessDb<'l, 'l>);

impl<'l> NodeSource for WitnessState<'l> {
    type Bytes = &'l [u8];

    fn node(&self, _: NodePath<'_>, hash: &B256) -> Result<Option<&'l [u8]>, SourceError> {
        let Self(linked) = *self;
        // Nodes of the witness come before written ones: a hash identifies the same bytes in both,
        // but only nodes of the witness have a position.
        let Some(position) = linked.node_index.position(hash) else {
            let written = linked.written.nodes.get(hash).map(AsRef::as_ref);
            if let (Some(node_use), Some(node)) = (&linked.node_use, written) {
                node_use.admit_again(node.len())?;
            }
            return Ok(written);
        };
        let node = match &linked.expanded {
            Some(nodes) => nodes.get(position),
            None => linked.nodes.get(position),
        };
        if let (Some(node_use), Some(node)) = (&linked.node_use, node) {
            node_use.admit(position, node.len())?;
        }
        Ok(node)
    }
}

impl StateSource for WitnessState<'_> {
    type Nodes = Self;

    fn nodes(&self) -> &Self {
        self
    }

    fn code(&self, hash: &B256) -> Result<Option<Bytecode>, SourceError> {
        let Self(linked) = *self;
        let carried = linked.code_index.position(hash).map(|at| linked.codes.get(at));
        Ok(carried.or_else(|| linked.written.codes.get(hash)).cloned())
    }

    fn block_hash(&self, number: u64) -> Result<Option<B256>, SourceError> {
        Ok(self.0.ancestors.hash_of(number))
    }
}

/// A witness that is hashed but not linked, for readers of the state that it proves.
#[derive(Debug)]
pub struct Witness<'a> {
    nodes: HashedList<'a>,
    codes: AnalysedCodes<'a>,
    ancestors: Ancestors,
}

impl<'a> Witness<'a> {
    /// Hashes a witness whose headers form a chain that ends with `parent_hash`.
    pub fn new(witness: &ExecutionWitness<'a>, parent_hash: B256) -> Result<Self, Invalid> {
        let ancestors = Ancestors::verify(witness.headers, parent_hash, &())?;
        let codes = AnalysedCodes::new(witness.codes, &());
        Ok(Self { nodes: HashedList::new(witness.state), codes, ancestors })
    }

    /// Returns the state root of the parent, which is the root of the proven state.
    pub const fn state_root(&self) -> B256 {
        self.ancestors.parent().state_root
    }

    /// Links the witness and returns the database of its state.
    pub fn link(&self) -> WitnessDb<'_, 'a> {
        WitnessDb::new(&self.nodes, None, &self.codes, self.ancestors.clone(), None)
            .unwrap_or_else(|_| unreachable!("nothing is in compact form"))
    }
}
