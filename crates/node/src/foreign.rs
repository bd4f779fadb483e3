//! Blocks of other builders.

use crate::{Node, NodeError, mine::verify_from_witness};
use chain::{Block, ChainError, ExecutedBlock};
use std::sync::Arc;
use variants::GasSchedule;

impl Node {
    /// Verifies an executed block as EXECUTE would, from its witness alone, if verification is
    /// enabled in the settings.
    ///
    /// # Errors
    ///
    /// [`NodeError::Unverified`] with the reason of EXECUTE.
    pub fn verify(&self, new: &ExecutedBlock) -> Result<(), NodeError> {
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

    /// Stores an executed block, a child of any known block, without moving the head.
    ///
    /// # Errors
    ///
    /// [`NodeError::Chain`] if the block cannot be stored.
    pub fn insert(&self, new: ExecutedBlock) -> Result<Arc<Block>, NodeError> {
        let _one = self.mining.lock();
        Ok(self.inner.write().chain.insert(new)?)
    }
}
