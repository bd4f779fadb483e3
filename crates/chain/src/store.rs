//! Everything that a chain keeps, in memory: nodes, codes and blocks by hash.

use crate::{Block, prune::Needed};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256, map::B256Map};
use keccak::keccak256_batch;
use parking_lot::RwLock;
use revm::bytecode::Bytecode;
use stateless::ForkBackend;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use trie::{NewNode, NodeSource};

/// The store of a chain. What it holds is found by hash, so that adding to it changes nothing for
/// those who read: it is shared freely, and two states share what they have in common.
///
/// A store may lie on another ([`Store::above`]): it then finds all that the other holds, and keeps
/// what is added for itself. So a pending block or a simulation leaves no trace.
#[derive(Debug, Default)]
pub struct Store {
    below: Option<Arc<Self>>,
    fork_backend: Option<Arc<dyn ForkBackend>>,
    own: RwLock<Contents>,
}

#[derive(Debug, Default)]
struct Contents {
    nodes: B256Map<Bytes>,
    codes: B256Map<Bytecode>,
    blocks: B256Map<Arc<Block>>,
    preimages: BTreeMap<Address, BTreeSet<U256>>,
}

/// What a block or a change of the state adds to a store.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Trie nodes by hash.
    pub nodes: Vec<(B256, Bytes)>,
    /// Codes by hash.
    pub codes: Vec<(B256, Bytecode)>,
    /// Accounts and slots that changed, by name.
    pub preimages: Vec<(Address, Vec<U256>)>,
}

impl Changes {
    /// Takes down a new trie node.
    pub fn put_node(&mut self, (hash, node): NewNode<'_>) {
        self.nodes.push((hash, Bytes::copy_from_slice(node)));
    }
}

impl Store {
    /// An empty store on top of another.
    pub fn above(below: Arc<Self>) -> Self {
        let fork_backend = below.fork_backend.clone();
        Self { below: Some(below), fork_backend, own: RwLock::default() }
    }

    /// An empty store for a chain that continues another one, whose state is kept elsewhere.
    pub fn forked(fork_backend: Arc<dyn ForkBackend>) -> Self {
        Self { fork_backend: Some(fork_backend), ..Self::default() }
    }

    /// Where the rest of the state is kept, if this is the store of a chain that continues another.
    pub fn fork_backend(&self) -> Option<&dyn ForkBackend> {
        self.fork_backend.as_deref()
    }

    /// Keeps trie nodes and codes.
    pub fn put(&self, changes: Changes) {
        let mut own = self.own.write();
        own.nodes.extend(changes.nodes);
        own.codes.extend(changes.codes);
        for (address, slots) in changes.preimages {
            own.preimages.entry(address).or_default().extend(slots);
        }
    }

    /// Accounts and slots that any block built here, or any edit, has changed: the tries know only
    /// hashes of their preimages. Those of imported blocks are not among them.
    pub fn preimages(&self) -> BTreeMap<Address, BTreeSet<U256>> {
        let mut preimages = self.below.as_ref().map(|below| below.preimages()).unwrap_or_default();
        for (address, slots) in &self.own.read().preimages {
            preimages.entry(*address).or_default().extend(slots);
        }
        preimages
    }

    /// Keeps trie nodes that were made elsewhere, under the hashes that they have.
    pub fn put_nodes(&self, nodes: Vec<Bytes>) {
        let mut hashes = vec![B256::ZERO; nodes.len()];
        keccak256_batch(&nodes.iter().map(AsRef::as_ref).collect::<Vec<_>>(), &mut hashes);
        self.own.write().nodes.extend(hashes.into_iter().zip(nodes));
    }

    /// Keeps a code.
    pub fn put_code(&self, code: Bytes) -> B256 {
        let hash = keccak256(&code);
        let bytecode =
            Bytecode::new_raw_checked(code.clone()).unwrap_or_else(|_| Bytecode::new_legacy(code));
        self.own.write().codes.insert(hash, bytecode);
        hash
    }

    /// The code with this hash.
    pub fn code(&self, hash: &B256) -> Option<Bytecode> {
        let own = self.own.read().codes.get(hash).cloned();
        own.or_else(|| self.below.as_ref()?.code(hash))
    }

    /// All trie nodes, of every state: the witness that is never too small.
    pub fn nodes(&self) -> Vec<Bytes> {
        let mut nodes = self.below.as_ref().map(|below| below.nodes()).unwrap_or_default();
        nodes.extend(self.own.read().nodes.values().cloned());
        nodes
    }

    /// How many trie nodes it holds itself.
    pub fn node_count(&self) -> usize {
        self.own.read().nodes.len()
    }

    /// Forgets nodes and codes that none of the states with these roots needs. Nobody may add to
    /// the store meanwhile.
    pub fn keep_only(&self, roots: impl IntoIterator<Item = B256>) {
        let needed = Needed::by(roots, &self.own.read().nodes);
        let mut own = self.own.write();
        own.nodes.retain(|hash, _| needed.nodes.contains(hash));
        own.nodes.shrink_to_fit();
        own.codes.retain(|hash, _| needed.codes.contains(hash));
    }

    /// All codes.
    pub fn codes(&self) -> Vec<Bytes> {
        let mut codes = self.below.as_ref().map(|below| below.codes()).unwrap_or_default();
        codes.extend(self.own.read().codes.values().map(Bytecode::original_bytes));
        codes
    }

    /// Keeps a block.
    pub fn put_block(&self, block: Arc<Block>) {
        self.own.write().blocks.insert(block.hash, block);
    }

    /// The block with this hash.
    pub fn block(&self, hash: &B256) -> Option<Arc<Block>> {
        let own = self.own.read().blocks.get(hash).cloned();
        own.or_else(|| self.below.as_ref()?.block(hash))
    }

    /// Value of a 32-byte word as a storage trie holds it.
    pub(crate) fn storage_value(value: &U256) -> Vec<u8> {
        alloy_rlp::encode(value)
    }
}

impl NodeSource for Store {
    type Bytes = Bytes;

    fn node(&self, hash: &B256) -> Option<Bytes> {
        let own = self.own.read().nodes.get(hash).cloned();
        own.or_else(|| self.below.as_ref()?.node(hash))
    }
}
