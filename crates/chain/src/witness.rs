//! Witnesses of blocks, and the EXECUTE inputs that contain them.

use crate::store::Block;
use crate::{
    ChainError, ChainReader,
    replay::{witness_of, witness_of_blocks},
};
use alloy_primitives::B256;
use codec::Encode as _;
use codec::{OwnedWitness, compact::compact};
use core::slice;
use std::sync::Arc;
use trie::EMPTY_ROOT;
use wire::{
    BatchWitness, DecodeError, ExecutionWitness, ProtocolFork, StatelessBatch, StatelessInput,
};

/// Name of the list in errors.
const BATCH: &str = "blocks of the batch";

/// Consecutive blocks of a chain, and one witness for all of them.
#[derive(Debug, Clone)]
pub struct BatchWithWitness {
    /// The blocks; at least one.
    pub blocks: Vec<Arc<Block>>,
    /// Fork whose rules the blocks follow.
    pub fork: ProtocolFork,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Witness in canonical form, without the items that the blocks write themselves: the minimum
    /// that a verifier needs.
    pub witness: OwnedWitness,
}

impl BatchWithWitness {
    /// Returns the calldata with which EXECUTE verifies these blocks in one call. The nodes of the
    /// witness have compact form.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if the witness does not belong to these blocks.
    pub fn input(&self) -> Result<Vec<u8>, DecodeError> {
        let raw: Vec<_> = self.blocks.iter().map(|block| block.to_raw()).collect();
        let (fork, chain_id, witness) = (self.fork, self.chain_id, ExecutionWitness::EMPTY);
        let mut inputs = Vec::with_capacity(raw.len());
        for (block, raw) in self.blocks.iter().zip(&raw) {
            let request = block.as_request(raw, fork)?;
            inputs.push(StatelessInput { fork, request, witness, chain_id });
        }
        let root = self.blocks.first().map_or(EMPTY_ROOT, |block| block.pre_state_root);
        batch_of(&inputs, root, &self.witness)
    }
}

/// Returns the calldata with which EXECUTE verifies a block alone, in the form that is posted to
/// L1: a batch of one block in compact form, or a single block if that is shorter.
///
/// # Errors
///
/// [`DecodeError`] if the block's fork has no such input.
pub fn shortest_input(
    block: &Block,
    fork: ProtocolFork,
    chain_id: u64,
    witness: &OwnedWitness,
) -> Result<Vec<u8>, DecodeError> {
    let raw = block.to_raw();
    let request = block.as_request(&raw, fork)?;
    let single = StatelessInput { fork, request, witness: witness.view(), chain_id };
    match batch_of(slice::from_ref(&single), block.pre_state_root, witness) {
        Ok(batch) if batch.len() < single.encoded_len() => Ok(batch),
        // A witness with more than the block reads has no compact form.
        _ => Ok(single.encode()),
    }
}

/// Encodes blocks as a batch, with one witness for all of them.
fn batch_of(
    inputs: &[StatelessInput<'_>],
    pre_state_root: B256,
    witness: &OwnedWitness,
) -> Result<Vec<u8>, DecodeError> {
    let witness = witness.view();
    let state = compact(pre_state_root, witness.state, witness.codes)?;
    let witness = BatchWitness::new(&state, witness.codes, witness.headers)?;
    Ok(codec::batch_of(inputs, witness)?.encode())
}

impl ChainReader {
    /// Returns a block's witness, which is either stored or recorded by executing the block again;
    /// `None` for genesis.
    ///
    /// # Errors
    ///
    /// [`ChainError`] if neither the witness nor the state before the block is stored.
    pub fn witness_of(&self, block: &Block) -> Result<Option<OwnedWitness>, ChainError> {
        if let Some(witness) = self.witness(&block.hash)? {
            return Ok(Some(witness));
        }
        let before = self.state_before(block)?;
        before.map(|before| witness_of(&before, block)).transpose()
    }

    /// Executes consecutive blocks of the chain again, and returns their combined witness.
    ///
    /// # Errors
    ///
    /// [`ChainError`] if the blocks are not consecutive, if there are none or too many, if they are
    /// not all of the same fork, or if the state before the first has been pruned.
    pub fn batch(&self, blocks: Vec<Arc<Block>>) -> Result<BatchWithWitness, ChainError> {
        let fork = self.fork_of_batch(&blocks)?;
        let chain_id = self.config().spec.chain_id();
        let none = || ChainError::Batch(DecodeError::Empty { what: BATCH });
        let first = blocks.first().ok_or_else(none)?;
        let parent = first.header.parent_hash;
        let state = self.state_before(first)?;
        let state = state.ok_or(ChainError::UnknownParent { block: first.hash, parent })?;
        let witness = witness_of_blocks(&state, blocks.iter().map(AsRef::as_ref))?;
        Ok(BatchWithWitness { blocks, fork, chain_id, witness })
    }

    /// Returns the fork of all blocks of a batch.
    pub(crate) fn fork_of_batch(&self, blocks: &[Arc<Block>]) -> Result<ProtocolFork, ChainError> {
        let what = BATCH;
        let first = blocks.first().ok_or(ChainError::Batch(DecodeError::Empty { what }))?;
        let (got, limit) = (blocks.len(), StatelessBatch::MAX_BLOCKS);
        if got > limit {
            return Err(ChainError::Batch(DecodeError::TooMany { what, got, limit }));
        }
        let spec = &self.config().spec;
        let fork_of = |block: &Block| {
            spec.fork_at(block.header.timestamp)
                .filter(|fork| *fork >= ProtocolFork::Cancun)
                .ok_or(ChainError::NoFork(block.header.timestamp))
        };
        let fork = fork_of(first)?;
        for block in blocks {
            let other = fork_of(block)?;
            if other != fork {
                return Err(ChainError::Batch(DecodeError::Mismatch {
                    what: "fork of a block in the batch",
                    got: other.to_string(),
                    expected: fork.to_string(),
                }));
            }
        }
        Ok(fork)
    }
}
