//! Everything that a chain keeps, in memory: nodes and codes by hash, blocks by hash and number.

use crate::Block;
use alloy_primitives::{
    B256, Bytes, U256, keccak256,
    map::{B256Map, HashMap},
};
use revm::bytecode::Bytecode;
use std::sync::Arc;
use trie::NodeSource;

/// The store of a chain. Nothing is ever removed: two blocks share what their states share.
#[derive(Debug, Default, Clone)]
pub struct Store {
    nodes: B256Map<Bytes>,
    codes: B256Map<Bytecode>,
    blocks: B256Map<Arc<Block>>,
    canonical: HashMap<u64, B256>,
}

impl Store {
    /// Keeps a trie node.
    pub fn put_node(&mut self, hash: B256, node: Bytes) {
        self.nodes.insert(hash, node);
    }

    /// Keeps a code.
    pub fn put_code(&mut self, code: Bytes) -> B256 {
        let hash = keccak256(&code);
        let bytecode =
            Bytecode::new_raw_checked(code.clone()).unwrap_or_else(|_| Bytecode::new_legacy(code));
        self.codes.insert(hash, bytecode);
        hash
    }

    pub(crate) fn put_bytecode(&mut self, hash: B256, code: Bytecode) {
        self.codes.insert(hash, code);
    }

    /// The code with this hash.
    pub fn code(&self, hash: &B256) -> Option<&Bytecode> {
        self.codes.get(hash)
    }

    /// All trie nodes, of every state: the witness that is never too small.
    pub fn nodes(&self) -> impl Iterator<Item = &Bytes> {
        self.nodes.values()
    }

    /// All codes.
    pub fn codes(&self) -> impl Iterator<Item = Bytes> + '_ {
        self.codes.values().map(Bytecode::original_bytes)
    }

    /// Keeps a block and makes it the canonical one of its number.
    pub(crate) fn put_block(&mut self, block: Arc<Block>) {
        self.canonical.insert(block.header.number, block.hash);
        self.blocks.insert(block.hash, block);
    }

    /// The block with this hash.
    pub fn block(&self, hash: &B256) -> Option<&Arc<Block>> {
        self.blocks.get(hash)
    }

    /// The canonical block with this number.
    pub fn block_by_number(&self, number: u64) -> Option<&Arc<Block>> {
        self.canonical.get(&number).and_then(|hash| self.blocks.get(hash))
    }

    /// Value of a 32-byte word as a storage trie holds it.
    pub(crate) fn storage_value(value: &U256) -> Vec<u8> {
        alloy_rlp::encode(value)
    }
}

impl NodeSource for Store {
    type Bytes = Bytes;

    fn node(&self, hash: &B256) -> Option<Bytes> {
        self.nodes.get(hash).cloned()
    }
}
