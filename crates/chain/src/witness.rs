//! Blocks with the witness of what they read.

use alloy_primitives::Bytes;
use store::{Block, Changes, ExecutedBlock};
use wire::{DecodeError, OwnedWitness, ProtocolFork};

/// A block that has been built or imported and is not yet part of the chain.
#[derive(Debug, Clone)]
pub struct BlockWithWitness {
    /// The block.
    pub block: Block,
    /// The fork whose rules it follows; Paris for all before Shanghai.
    pub fork: ProtocolFork,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// What it read, in canonical form: the least that a verifier needs.
    pub witness: OwnedWitness,
    pub(crate) changes: Changes,
}

impl BlockWithWitness {
    /// The trie nodes that its state has beyond its parent's.
    pub fn nodes(&self) -> impl Iterator<Item = &Bytes> {
        self.changes.nodes.iter().map(|(_, node)| node)
    }

    /// The codes that it has deployed.
    pub fn codes(&self) -> impl Iterator<Item = Bytes> + '_ {
        self.changes.codes.iter().map(|(_, code)| code.original_bytes())
    }

    /// The calldata with which EXECUTE verifies this block. Only blocks of Cancun and later have it.
    pub fn input(&self) -> Result<Vec<u8>, DecodeError> {
        self.input_with(&self.witness)
    }

    /// As [`Self::input`], with another witness.
    pub fn input_with(&self, witness: &OwnedWitness) -> Result<Vec<u8>, DecodeError> {
        self.block.input(self.fork, self.chain_id, witness)
    }
}

impl From<BlockWithWitness> for ExecutedBlock {
    fn from(new: BlockWithWitness) -> Self {
        let mut changes = new.changes;
        // Of a block that nobody can execute again, it is no witness; and one that was recorded holds the
        // parent's header at least.
        let provable = new.block.provable && !new.witness.headers.is_empty();
        changes.witness = provable.then_some(new.witness);
        Self { block: new.block, changes }
    }
}
