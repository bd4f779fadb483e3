//! The store as a source of state that remembers what was read: the witness.

use crate::Store;
use alloy_consensus::Header;
use alloy_primitives::{B256, Bytes};
use revm::bytecode::Bytecode;
use stateless::StateSource;
use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
};
use trie::Recorder;
use wire::OwnedWitness;

/// State for a child of `parent`, with a record of all that is read.
pub(crate) struct Recording<'s> {
    store: &'s Store,
    parent: &'s Header,
    nodes: Recorder<&'s Store>,
    codes: RefCell<BTreeSet<Bytes>>,
    oldest_ancestor: Cell<u64>,
}

impl<'s> Recording<'s> {
    pub(crate) fn new(store: &'s Store, parent: &'s Header) -> Self {
        Self {
            store,
            parent,
            nodes: Recorder::new(store),
            codes: RefCell::default(),
            oldest_ancestor: Cell::new(parent.number),
        }
    }

    /// What was read, as a canonical witness: nodes and codes ascending, headers from the oldest
    /// that BLOCKHASH asked for to the parent.
    pub(crate) fn into_witness(self) -> OwnedWitness {
        let mut headers = vec![alloy_rlp::encode(self.parent).into()];
        let mut child = self.parent;
        while child.number > self.oldest_ancestor.get() {
            let Some(ancestor) = self.store.block(&child.parent_hash) else { break };
            headers.push(alloy_rlp::encode(&ancestor.header).into());
            child = &ancestor.header;
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
        Some(code.clone())
    }

    fn block_hash(&self, number: u64) -> Option<B256> {
        let hash = ancestor_hash(self.store, self.parent, number)?;
        self.oldest_ancestor.set(self.oldest_ancestor.get().min(number));
        Some(hash)
    }
}

/// Hash of the ancestor of a child of `parent` with this number, along its own branch.
fn ancestor_hash(store: &Store, parent: &Header, number: u64) -> Option<B256> {
    if number > parent.number {
        return None;
    }
    if number == parent.number {
        return Some(parent.hash_slow());
    }
    let mut child = parent;
    loop {
        let ancestor = store.block(&child.parent_hash)?;
        if ancestor.header.number == number {
            return Some(ancestor.hash);
        }
        child = &ancestor.header;
    }
}

/// State to look at: nothing is recorded.
pub(crate) struct Reading<'s> {
    pub(crate) store: &'s Store,
    pub(crate) parent: &'s Header,
}

impl StateSource for Reading<'_> {
    type Nodes = Store;

    fn nodes(&self) -> &Store {
        self.store
    }

    fn code(&self, hash: &B256) -> Option<Bytecode> {
        self.store.code(hash).cloned()
    }

    fn block_hash(&self, number: u64) -> Option<B256> {
        ancestor_hash(self.store, self.parent, number)
    }
}
