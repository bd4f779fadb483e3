//! Synchronous observers of new blocks.

use chain::Block;
use core::fmt;
use std::sync::Arc;

/// Observer of each block that the node builds. It runs on the thread that built the block, before
/// the call that requested the block returns and before the next block is built.
pub trait Observer: fmt::Debug + Send + Sync {
    /// Called with the new head, and the number of transactions left in the pool.
    fn on_block(&self, block: &Arc<Block>, waiting: usize);
}

/// No observer.
impl Observer for () {
    fn on_block(&self, _: &Arc<Block>, _: usize) {}
}
