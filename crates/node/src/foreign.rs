//! Blocks of other builders.

use crate::{Node, NodeError, mine::verify_from_witness};
use chain::{Block, BlockWithWitness, ChainError};
use std::sync::Arc;
use variants::GasSchedule;

impl Node {
    /// Verifies a block that this node has executed, as EXECUTE would from its witness alone, if the
    /// settings say that blocks are verified.
    ///
    /// # Errors
    ///
    /// [`NodeError::Unverified`] with what EXECUTE says of it.
    pub fn verify(&self, new: &BlockWithWitness) -> Result<(), NodeError> {
        let (chain, rules) =
            self.read(|node| (node.chain.reader().clone(), node.settings.verify_blocks));
        let Some(rules) = rules else { return Ok(()) };
        let (block, parent) = (&new.block, new.block.header.parent_hash);
        let before = chain
            .state_before(block)?
            .ok_or(ChainError::UnknownParent { block: block.hash, parent })?;
        let schedule = GasSchedule::DEFAULT;
        verify_from_witness(&before, block, &new.witness, rules, schedule, Block::input).map(drop)
    }

    /// Keeps a block that this node has executed, a child of any known one, and leaves the head where it
    /// is.
    ///
    /// # Errors
    ///
    /// [`NodeError::Chain`] if it cannot be kept.
    pub fn insert(&self, new: BlockWithWitness) -> Result<Arc<Block>, NodeError> {
        let _one = self.mining.lock();
        Ok(self.inner.write().chain.insert(new)?)
    }
}
