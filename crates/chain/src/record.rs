//! Witness recording: a state that records all reads.
//!
//! For consecutive blocks it records only reads of items that the blocks have not written, which is
//! the witness for verifying all of them.

use crate::store::{Block, Recorder, Store};
use crate::{
    ChainError, State,
    ancestors::{Ancestor, LIST_OFFSET},
    spec_reads,
};
use alloy_primitives::{B256, Bytes, map::B256Set};
use codec::{OwnedWitness, compact::LengthAlone};
use executor::{BlockState, ForkBackend, Instructions, StateSource};
use revm::{bytecode::Bytecode, primitives::hardfork::SpecId};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
};
use trie::{NodePath, SourceError};

/// A position in the recorded reads of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    nodes: usize,
    codes: usize,
    oldest_ancestor: u64,
    header_bytes: usize,
}

/// Length of the witness of the reads so far, without the header of the parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WitnessSize {
    /// Minimum length in compact form, in bytes. It is not exact, because an account may refer to
    /// its code by position or by hash.
    pub minimum: usize,
    /// Maximum length in compact form, in bytes.
    pub maximum: usize,
    /// Length of the nodes as RLP, and of codes and headers, in bytes.
    pub expanded: usize,
    /// Number of trie nodes.
    pub nodes: usize,
    /// Number of contract codes.
    pub codes: usize,
    /// Number of headers, including the parent's.
    pub headers: u64,
}

/// Returns the minimum and maximum length of a node in compact form, including its hash in the
/// parent.
fn compact_length(path: NodePath<'_>, node: &[u8]) -> [usize; 2] {
    let LengthAlone { minimum, maximum } =
        LengthAlone::of(node, path.nibbles.len(), path.owner.is_some());
    [minimum, maximum]
}

/// State for executing a child of the block of `state` and its successors, with a record of all
/// reads.
pub(crate) struct WitnessRecorder<'s> {
    state: &'s State,
    nodes: Recorder<&'s dyn Store>,
    codes: RefCell<BTreeSet<Bytes>>,
    /// The codes in the order in which they were first read.
    code_order: RefCell<Vec<Bytes>>,
    code_bytes: Cell<usize>,
    oldest_ancestor: Cell<u64>,
    /// Length of the headers from the oldest ancestor on, without the parent's, in bytes.
    header_bytes: Cell<usize>,
    /// Hashes of the executed blocks.
    blocks: RefCell<Vec<B256>>,
    /// Hashes of the codes that these blocks have deployed.
    made: RefCell<B256Set>,
}

impl<'s> WitnessRecorder<'s> {
    pub(crate) fn new(state: &'s State) -> Self {
        Self {
            state,
            nodes: Recorder::measuring(&*state.store, compact_length),
            codes: RefCell::default(),
            code_order: RefCell::default(),
            code_bytes: Cell::new(0),
            oldest_ancestor: Cell::new(state.block.header.number),
            header_bytes: Cell::new(0),
            blocks: RefCell::default(),
            made: RefCell::default(),
        }
    }

    /// Returns the length of the witness of the reads so far.
    pub(crate) fn size(&self) -> WitnessSize {
        let (nodes, codes) = (self.nodes.count(), self.codes.borrow().len());
        let others = self.code_bytes.get() + LIST_OFFSET * codes + self.header_bytes.get();
        // The parent of a node in the witness omits the node's hash. Only the state root has no
        // parent.
        let named = LengthAlone::HASH * nodes.saturating_sub(1);
        let [minimum, maximum] =
            self.nodes.measured().map(|sum| sum.saturating_sub(named) + others);
        let parent = self.state.block.header.number;
        let headers = parent.saturating_sub(self.oldest_ancestor.get()).saturating_add(1);
        WitnessSize {
            minimum,
            maximum,
            expanded: self.nodes.bytes() + others,
            nodes,
            codes,
            headers,
        }
    }

    /// Returns the current position. The witness is unchanged as long as the position is.
    pub(crate) fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            nodes: self.nodes.count(),
            codes: self.codes.borrow().len(),
            oldest_ancestor: self.oldest_ancestor.get(),
            header_bytes: self.header_bytes.get(),
        }
    }

    /// Discards the reads since a position.
    pub(crate) fn rewind(&self, checkpoint: Checkpoint) {
        self.nodes.rewind(checkpoint.nodes);
        let mut codes = self.codes.borrow_mut();
        for code in self.code_order.borrow_mut().drain(checkpoint.codes..) {
            codes.remove(&code);
            self.code_bytes.set(self.code_bytes.get() - code.len());
        }
        self.oldest_ancestor.set(checkpoint.oldest_ancestor);
        self.header_bytes.set(checkpoint.header_bytes);
    }

    /// Records that a verifier needs the headers starting at this ancestor's.
    fn reach_back_to(&self, ancestor: Ancestor) {
        if ancestor.number < self.oldest_ancestor.get() {
            self.oldest_ancestor.set(ancestor.number);
            self.header_bytes.set(ancestor.header_bytes);
        }
    }

    /// Advances past the block with this hash, which has written these nodes and codes.
    pub(crate) fn follow(
        &self,
        block: B256,
        nodes: impl IntoIterator<Item = B256>,
        codes: impl IntoIterator<Item = B256>,
    ) {
        self.blocks.borrow_mut().push(block);
        self.nodes.know(nodes);
        self.made.borrow_mut().extend(codes);
    }

    /// Returns the reads as a canonical witness: nodes and codes in ascending order, headers from
    /// the oldest one that BLOCKHASH has read up to the parent.
    pub(crate) fn into_witness(self) -> Result<OwnedWitness, ChainError> {
        let parent: &Block = &self.state.block;
        let mut headers = vec![alloy_rlp::encode(&parent.header).into()];
        let (mut number, mut hash) = (parent.header.number, parent.header.parent_hash);
        while number > self.oldest_ancestor.get() {
            let Some(ancestor) = self.state.store.block(&hash)? else { break };
            headers.push(alloy_rlp::encode(&ancestor.header).into());
            (number, hash) = (ancestor.header.number, ancestor.header.parent_hash);
        }
        headers.reverse();
        let mut witness = OwnedWitness {
            state: self.nodes.into_read().into_values().collect(),
            codes: self.codes.into_inner().into_iter().collect(),
            headers,
        };
        witness.canonicalize();
        Ok(witness)
    }
}

impl<'s> StateSource for WitnessRecorder<'s> {
    type Nodes = Recorder<&'s dyn Store>;

    fn nodes(&self) -> &Self::Nodes {
        &self.nodes
    }

    fn code(&self, hash: &B256) -> Result<Option<Bytecode>, SourceError> {
        let code = self.state.store.code(hash)?;
        if self.made.borrow().contains(hash) {
            return Ok(code);
        }
        if let Some(bytes) = code.as_ref().map(Bytecode::original_bytes) {
            let length = bytes.len();
            if self.codes.borrow_mut().insert(bytes.clone()) {
                self.code_order.borrow_mut().push(bytes);
                self.code_bytes.set(self.code_bytes.get() + length);
            }
        }
        Ok(code)
    }

    fn block_hash(&self, number: u64) -> Result<Option<B256>, SourceError> {
        if let Some(own) = number.checked_sub(self.state.block.header.number + 1) {
            let own = usize::try_from(own).ok();
            return Ok(own.and_then(|own| self.blocks.borrow().get(own).copied()));
        }
        let State { store, block, ancestors, .. } = self.state;
        if let Some(ancestor) = ancestors.get(&**store, &block.header, number)? {
            self.reach_back_to(ancestor);
            return Ok(Some(ancestor.hash));
        }
        self.fork_backend().map_or(Ok(None), |backend| backend.block_hash(number))
    }

    /// Makes the EVM perform all reads of the specification, so that the witness suffices for any
    /// verifier that follows it.
    fn instrument<'x, 'b>(
        instructions: &mut Instructions<&'x mut BlockState<'b, Self>>,
        spec: SpecId,
    ) {
        spec_reads::watch(instructions, spec);
    }

    fn fork_backend(&self) -> Option<&dyn ForkBackend> {
        self.state.fork_backend.as_deref()
    }
}
