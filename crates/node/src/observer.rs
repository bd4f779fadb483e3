//! Synchronous observers of new blocks.

use chain::Block;
use core::fmt;
use std::sync::Arc;

/// Observer of each block that the node makes. It runs on the thread that made the block, before
/// the request for the block is answered and before the next block is made.
pub trait Observer: fmt::Debug + Send + Sync {
    /// Called with the new head; `waiting` transactions are left in the pool.
    fn made(&self, block: &Arc<Block>, waiting: usize);
}

/// No observer.
impl Observer for () {
    fn made(&self, _: &Arc<Block>, _: usize) {}
}
