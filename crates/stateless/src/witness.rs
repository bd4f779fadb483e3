//! The state that a witness proves, found by hash.

use crate::Ancestors;
use alloy_primitives::{B256, Bytes};
use core::cell::Cell;
use executor::{DearWork, Invalid, StateSource, Unpaid, WorkMeter};
use keccak::keccak256_batch_by;
use revm::bytecode::Bytecode;
use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicUsize, Ordering},
};
use trie::{NodeIndex, NodePath, NodeSource, SourceError};
use wire::{ByteLists, ExecutionWitness};

/// Nodes of a witness by hash; each stays a slice of the input.
#[derive(Debug)]
pub(crate) struct WitnessNodes<'a> {
    nodes: ByteLists<'a>,
    index: NodeIndex,
    places: Option<Places>,
}

/// Which nodes have been found at their first place, and who is told of every further one.
#[derive(Debug)]
struct Places {
    found: Vec<Cell<bool>>,
    meter: Arc<dyn WorkMeter>,
}

impl Places {
    /// Whether the node at `position`, which has this length, may be loaded at one more place.
    fn admit(&self, position: usize, bytes: usize) -> Result<(), SourceError> {
        let again = self.found[position].replace(true);
        if again && !self.meter.spend(DearWork::RepeatedNode { bytes }) {
            return Err(SourceError::new(Unpaid));
        }
        Ok(())
    }
}

impl<'a> NodeSource for WitnessNodes<'a> {
    type Bytes = &'a [u8];

    fn node(&self, _: NodePath<'_>, hash: &B256) -> Result<Option<&'a [u8]>, SourceError> {
        let Some(position) = self.index.position(hash) else { return Ok(None) };
        let node = self.nodes.get(position);
        if let (Some(places), Some(node)) = (&self.places, node) {
            places.admit(position, node.len())?;
        }
        Ok(node)
    }
}

/// Items of a list that several threads hash, part by part.
#[derive(Debug)]
pub(crate) struct HashedList<'a> {
    list: ByteLists<'a>,
    next: AtomicUsize,
    parts: Vec<OnceLock<Arc<[B256]>>>,
}

impl<'a> HashedList<'a> {
    /// Items per part: enough to fill all SIMD lanes for long, few enough to share evenly.
    const PART: usize = 256;

    pub(crate) fn new(list: ByteLists<'a>) -> Self {
        let parts = (0..list.len().div_ceil(Self::PART)).map(|_| OnceLock::new()).collect();
        Self { list, next: AtomicUsize::new(0), parts }
    }

    /// Bytes of all items.
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

    /// All digests in order, in their parts. A part that somebody has claimed and not finished is hashed here: this
    /// must not depend on another thread's progress.
    fn digests(&self) -> Vec<Arc<[B256]>> {
        self.work();
        let parts = self.parts.iter().enumerate();
        parts.map(|(index, part)| Arc::clone(part.get_or_init(|| self.hash(index)))).collect()
    }
}

/// Codes that several threads hash and analyse. Which codes run is not known in advance, so the
/// main thread analyses what it needs, and others may come before it.
#[derive(Debug)]
pub(crate) struct AnalysedCodes<'a> {
    hashed: HashedList<'a>,
    analysed: Vec<OnceLock<Bytecode>>,
}

impl<'a> AnalysedCodes<'a> {
    pub(crate) fn new(codes: ByteLists<'a>) -> Self {
        let analysed = (0..codes.len()).map(|_| OnceLock::new()).collect();
        Self { hashed: HashedList::new(codes), analysed }
    }

    pub(crate) fn hash(&self) {
        self.hashed.work();
    }

    /// Bytes of all codes.
    pub(crate) fn total_bytes(&self) -> usize {
        self.hashed.total_bytes()
    }

    /// Analyses all codes.
    pub(crate) fn analyse_all(&self) {
        for position in 0..self.analysed.len() {
            self.get(position);
        }
    }

    fn get(&self, position: usize) -> &Bytecode {
        self.analysed[position].get_or_init(|| {
            let code = self.hashed.list.get(position).unwrap_or_default();
            analyse(Bytes::copy_from_slice(code))
        })
    }
}

/// Code as revm runs it. What looks like a delegation (EIP-7702) but is none is ordinary code.
fn analyse(code: Bytes) -> Bytecode {
    Bytecode::new_raw_checked(code.clone()).unwrap_or_else(|_| Bytecode::new_legacy(code))
}

/// What a witness proves: nodes, codes and ancestors.
#[derive(Debug)]
pub(crate) struct WitnessState<'w, 'a> {
    nodes: WitnessNodes<'a>,
    codes: &'w AnalysedCodes<'a>,
    code_index: NodeIndex,
    ancestors: Ancestors,
}

impl<'w, 'a> WitnessState<'w, 'a> {
    /// Links a witness: hashes what nobody has hashed yet, and indexes it. The meter is told of each
    /// node that is loaded at more than one place.
    pub(crate) fn new(
        nodes: &HashedList<'a>,
        codes: &'w AnalysedCodes<'a>,
        ancestors: Ancestors,
        meter: Option<Arc<dyn WorkMeter>>,
    ) -> Self {
        let places =
            meter.map(|meter| Places { found: vec![Cell::new(false); nodes.list.len()], meter });
        let index = NodeIndex::new(nodes.digests());
        Self {
            nodes: WitnessNodes { nodes: nodes.list, index, places },
            codes,
            code_index: NodeIndex::new(codes.hashed.digests()),
            ancestors,
        }
    }
}

impl<'a> StateSource for WitnessState<'_, 'a> {
    type Nodes = WitnessNodes<'a>;

    fn nodes(&self) -> &WitnessNodes<'a> {
        &self.nodes
    }

    fn code(&self, hash: &B256) -> Result<Option<Bytecode>, SourceError> {
        Ok(self.code_index.position(hash).map(|position| self.codes.get(position).clone()))
    }

    fn block_hash(&self, number: u64) -> Result<Option<B256>, SourceError> {
        Ok(self.ancestors.hash_of(number))
    }
}

/// A witness, hashed and linked: the state that it proves, for whoever wants to read it.
#[derive(Debug)]
pub struct Witness<'a> {
    nodes: HashedList<'a>,
    codes: AnalysedCodes<'a>,
    ancestors: Ancestors,
}

impl<'a> Witness<'a> {
    /// Hashes a witness whose headers lead to `parent_hash`.
    pub fn new(witness: &ExecutionWitness<'a>, parent_hash: B256) -> Result<Self, Invalid> {
        let ancestors = Ancestors::verify(witness.headers, parent_hash)?;
        let (nodes, codes) = (HashedList::new(witness.state), AnalysedCodes::new(witness.codes));
        Ok(Self { nodes, codes, ancestors })
    }

    /// Root of the state that it proves: that of the parent.
    pub const fn state_root(&self) -> B256 {
        self.ancestors.parent().state_root
    }

    /// The state by hash.
    pub fn link(&self) -> impl StateSource + '_ {
        WitnessState::new(&self.nodes, &self.codes, self.ancestors.clone(), None)
    }
}
