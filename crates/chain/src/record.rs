//! A state that remembers what was read of it: the witness.
//!
//! Of blocks that follow one another it remembers what they read and have not made: what a verifier of
//! all of them needs.

use crate::{ChainError, State, state::ancestor_hash};
use alloy_primitives::{B256, Bytes, map::B256Set};
use executor::{ForkBackend, StateSource};
use revm::bytecode::Bytecode;
use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
};
use store::{Block, Store};
use trie::{Recorder, SourceError};
use wire::OwnedWitness;

/// Bytes that an item of an SSZ list takes besides its own.
pub(crate) const LIST_OFFSET: usize = 4;

/// State for a child of the block of `state` and for those that follow it, with a record of all that is
/// read.
pub(crate) struct Recording<'s> {
    state: &'s State,
    nodes: Recorder<&'s dyn Store>,
    codes: RefCell<BTreeSet<Bytes>>,
    code_bytes: Cell<usize>,
    oldest_ancestor: Cell<u64>,
    /// Hashes of the blocks so far.
    blocks: RefCell<Vec<B256>>,
    /// Hashes of the codes that they have made.
    made: RefCell<B256Set>,
}

impl<'s> Recording<'s> {
    pub(crate) fn new(state: &'s State) -> Self {
        Self {
            state,
            nodes: Recorder::new(&*state.store),
            codes: RefCell::default(),
            code_bytes: Cell::new(0),
            oldest_ancestor: Cell::new(state.block.header.number),
            blocks: RefCell::default(),
            made: RefCell::default(),
        }
    }

    /// Bytes that a witness of what has been read so far takes, without its headers.
    pub(crate) fn bytes(&self) -> usize {
        let items = self.nodes.count() + self.codes.borrow().len();
        self.nodes.bytes() + self.code_bytes.get() + LIST_OFFSET * items
    }

    /// How much has been read so far: as long as this stays, the witness does.
    pub(crate) fn extent(&self) -> (usize, u64) {
        (self.bytes(), self.oldest_ancestor.get())
    }

    /// Goes on to the block after one with this hash, which has made these nodes and codes.
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

    /// What was read, as a canonical witness: nodes and codes ascending, headers from the oldest
    /// that BLOCKHASH asked for to the parent.
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

impl<'s> StateSource for Recording<'s> {
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
            if self.codes.borrow_mut().insert(bytes) {
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
        if let Some(hash) = ancestor_hash(&*self.state.store, &self.state.block.header, number)? {
            self.oldest_ancestor.set(self.oldest_ancestor.get().min(number));
            return Ok(Some(hash));
        }
        self.fork_backend().map_or(Ok(None), |backend| backend.block_hash(number))
    }

    fn is_recorded(&self) -> bool {
        true
    }

    fn fork_backend(&self) -> Option<&dyn ForkBackend> {
        self.state.fork_backend.as_deref()
    }
}
