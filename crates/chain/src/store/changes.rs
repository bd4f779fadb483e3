//! Contents of one commit to a store.

use crate::store::Block;
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use codec::OwnedWitness;
use executor::ChainSpec;
use keccak::keccak256_batch;
use revm::bytecode::Bytecode;
use std::sync::Arc;
use trie::NewNode;
use wire::{DecodeError, ProtocolFork};

/// Changes to a store from a block, a state edit or a new head. They are applied atomically.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Trie nodes by hash. Each must be part of the state after one of the blocks, or of a state in
    /// `roots`; a path-based store drops other nodes.
    pub nodes: Vec<(B256, Bytes)>,
    /// Roots of other states to which nodes belong, in addition to the post-states of the blocks.
    pub roots: Vec<B256>,
    /// Codes by hash.
    pub codes: Vec<(B256, Bytecode)>,
    /// Unhashed addresses and slots of the changed accounts.
    pub preimages: Vec<(Address, Vec<U256>)>,
    /// Blocks; they replace stored blocks with the same hashes.
    pub blocks: Vec<Arc<Block>>,
    /// Witness of the only block among `blocks`. By passing it, the caller asserts that `nodes` and
    /// `codes` are exactly those that result from executing the block on its parent's state under
    /// the rules of the chain. A log may then omit them, because executing the block again
    /// reproduces them.
    pub witness: Option<OwnedWitness>,
    /// Change of the canonical chain, if any.
    pub canonical: Option<CanonicalChange>,
    /// Transactions of canonical blocks to remove from the transaction index.
    pub forgotten: Vec<B256>,
}

/// A change of the canonical chain: replaces its blocks from a number on.
#[derive(Debug, Clone)]
pub struct CanonicalChange {
    /// Number of the first block that changes.
    pub from: u64,
    /// The blocks that are canonical starting there, ascending and without a gap.
    pub blocks: Vec<Arc<Block>>,
}

impl Changes {
    /// Adds a new trie node.
    pub fn put_node(&mut self, (hash, node): NewNode<'_>) {
        self.nodes.push((hash, Bytes::copy_from_slice(node)));
    }

    /// Adds foreign trie nodes under the hashes of their content.
    pub fn put_nodes(&mut self, nodes: Vec<Bytes>) {
        let mut hashes = vec![B256::ZERO; nodes.len()];
        keccak256_batch(&nodes.iter().map(AsRef::as_ref).collect::<Vec<_>>(), &mut hashes);
        self.nodes.extend(hashes.into_iter().zip(nodes));
    }

    /// Adds contract code, and returns its hash.
    pub fn put_code(&mut self, code: Bytes) -> B256 {
        let hash = keccak256(&code);
        let bytecode =
            Bytecode::new_raw_checked(code.clone()).unwrap_or_else(|_| Bytecode::new_legacy(code));
        self.codes.push((hash, bytecode));
        hash
    }
}

/// A block that has been built or imported and is not yet part of a chain, with its changes to the
/// state of its parent.
#[derive(Debug, Clone)]
pub struct ExecutedBlock {
    /// The block.
    pub block: Block,
    /// Fork whose rules the block follows; Paris for all forks before Shanghai.
    pub fork: ProtocolFork,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Witness in canonical form: the minimum that a verifier needs. It is empty if it was not
    /// recorded.
    pub witness: OwnedWitness,
    /// The trie nodes, codes and preimages that it adds.
    pub changes: Changes,
}

impl ExecutedBlock {
    /// Creates a block of the chain `spec`, without a witness.
    pub fn new(block: Block, changes: Changes, spec: &ChainSpec) -> Self {
        Self {
            fork: spec.fork_at(block.header.timestamp).unwrap_or(ProtocolFork::Paris),
            block,
            chain_id: spec.chain_id(),
            witness: OwnedWitness::default(),
            changes,
        }
    }

    /// Iterates over the trie nodes that the block adds to the state of its parent.
    pub fn nodes(&self) -> impl Iterator<Item = &Bytes> {
        self.changes.nodes.iter().map(|(_, node)| node)
    }

    /// Iterates over the codes that the block has deployed.
    pub fn codes(&self) -> impl Iterator<Item = Bytes> + '_ {
        self.changes.codes.iter().map(|(_, code)| code.original_bytes())
    }

    /// Returns the calldata with which EXECUTE verifies this block. It exists only for blocks of
    /// Cancun and later.
    ///
    /// # Errors
    ///
    /// As [`Block::as_request`].
    pub fn input(&self) -> Result<Vec<u8>, DecodeError> {
        self.input_with(&self.witness)
    }

    /// Encodes the block's input with another witness.
    ///
    /// # Errors
    ///
    /// As [`Block::as_request`].
    pub fn input_with(&self, witness: &OwnedWitness) -> Result<Vec<u8>, DecodeError> {
        self.block.input(self.fork, self.chain_id, witness)
    }

    /// Returns the block, and the changes that a commit makes besides storing it. They include the
    /// witness if the block can be executed again from it.
    pub fn into_changes(self) -> (Block, Changes) {
        let Self { block, witness, mut changes, .. } = self;
        // A recorded witness contains at least the parent's header.
        let provable = block.provable && !witness.headers.is_empty();
        changes.witness = provable.then_some(witness);
        (block, changes)
    }
}
