//! A state that remembers what was read of it: the witness.

use crate::{Block, State, Store, state::ancestor_hash};
use alloy_primitives::{B256, Bytes};
use revm::bytecode::Bytecode;
use stateless::{ForkBackend, StateSource};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
};
use trie::Recorder;
use wire::OwnedWitness;

/// State for a child of `parent`, with a record of all that is read.
pub(crate) struct Recording<'s> {
    store: &'s Store,
    parent: &'s Block,
    nodes: Recorder<&'s Store>,
    codes: RefCell<BTreeSet<Bytes>>,
    oldest_ancestor: Cell<u64>,
}

impl<'s> Recording<'s> {
    pub(crate) fn new(state: &'s State) -> Self {
        Self {
            store: &state.store,
            parent: &state.block,
            nodes: Recorder::new(&state.store),
            codes: RefCell::default(),
            oldest_ancestor: Cell::new(state.block.header.number),
        }
    }

    /// What was read, as a canonical witness: nodes and codes ascending, headers from the oldest
    /// that BLOCKHASH asked for to the parent.
    pub(crate) fn into_witness(self) -> OwnedWitness {
        let mut headers = vec![alloy_rlp::encode(&self.parent.header).into()];
        let (mut number, mut hash) = (self.parent.header.number, self.parent.header.parent_hash);
        while number > self.oldest_ancestor.get() {
            let Some(ancestor) = self.store.block(&hash) else { break };
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
        witness
    }
}

impl<'s> StateSource for Recording<'s> {
    type Nodes = Recorder<&'s Store>;

    fn nodes(&self) -> &Self::Nodes {
        &self.nodes
    }

    fn code(&self, hash: &B256) -> Option<Bytecode> {
        let code = self.store.code(hash)?;
        self.codes.borrow_mut().insert(code.original_bytes());
        Some(code)
    }

    fn block_hash(&self, number: u64) -> Option<B256> {
        let Some(hash) = ancestor_hash(self.store, &self.parent.header, number) else {
            return self.store.fork_backend()?.block_hash(number);
        };
        self.oldest_ancestor.set(self.oldest_ancestor.get().min(number));
        Some(hash)
    }

    fn fork_backend(&self) -> Option<&dyn ForkBackend> {
        self.store.fork_backend()
    }
}
