//! Input of the batcher.

use super::BatcherError;
use crate::{
    Duties,
    l1::{L1Clock, L1View},
};
use chain::{Block, ChainError, ChainReader};
use std::{sync::Arc, time::Instant};
use wire::ProtocolFork;

/// Consistent snapshot of the sequencer's state, from which the batcher posts blocks.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    /// The chain, which contains all blocks that `view` includes.
    pub(crate) chain: ChainReader,
    pub(crate) view: Arc<L1View>,
    /// State of the duties on L1 at the head of `view`.
    pub(crate) duties: Duties,
    pub(crate) clock: L1Clock,
}

impl Work {
    /// Returns L1's time, at most the timestamp of its next block.
    pub(super) fn l1_time(&self) -> u64 {
        self.clock.at(Instant::now())
    }

    /// Returns the number of the latest L1 block that was read.
    pub(super) fn l1_head(&self) -> u64 {
        self.view.head().map_or(0, |head| head.number)
    }

    /// Returns the blocks that are not on L1, oldest first; none if some of them were replaced
    /// meanwhile.
    pub(super) fn unsafe_blocks(&self) -> Result<Vec<Arc<Block>>, BatcherError> {
        Ok(unsafe_blocks(&self.chain, &self.view)?)
    }

    /// Returns the number of the rollup's genesis block, the first in the contract's ring buffers.
    /// This node's chain may start later, from a snapshot.
    pub(super) fn genesis_number(&self) -> u64 {
        self.view.deployment().genesis.number.unwrap_or_default()
    }

    /// Returns how many of the oldest blocks have this fork and are not later than L1's time.
    pub(super) fn count_on(&self, waiting: &[Arc<Block>], fork: ProtocolFork) -> usize {
        let (chain, time) = (&self.chain, self.l1_time());
        let fork_of = |block: &Arc<Block>| chain.config().spec.fork_at(block.header.timestamp);
        let can =
            |block: &&Arc<Block>| block.header.timestamp <= time && fork_of(block) == Some(fork);
        waiting.iter().take_while(can).count()
    }
}

/// Returns the blocks of a chain that are not on L1, oldest first; none if some of them were
/// replaced meanwhile.
pub(crate) fn unsafe_blocks(
    chain: &ChainReader,
    view: &L1View,
) -> Result<Vec<Arc<Block>>, ChainError> {
    let deployment = view.deployment();
    let genesis = (deployment.genesis.number.unwrap_or_default(), deployment.genesis_hash);
    let (number, safe) = view.advanced_head().map_or(genesis, |head| (head.number, head.hash));
    let mut blocks = Vec::new();
    let mut next = Arc::clone(chain.head());
    while next.hash != safe {
        // The chain does not extend the block on L1 yet.
        if next.header.number <= number {
            return Ok(Vec::new());
        }
        let parent = chain.find_block(&next.header.parent_hash)?;
        // The chain was reorganised during the walk. The next call finds the new blocks.
        let Some(parent) = parent else { return Ok(Vec::new()) };
        blocks.push(core::mem::replace(&mut next, parent));
    }
    blocks.reverse();
    Ok(blocks)
}
