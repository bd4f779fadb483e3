//! Synchronous observers of new blocks.

use chain::Block;
use core::fmt;
use std::sync::Arc;

/// Observes each block that a node makes, on the thread that has made it, before the request that
/// asked for it is answered. The next block is not made meanwhile.
pub trait Observer: fmt::Debug + Send + Sync {
    /// A block is the new head; `waiting` transactions are left in the pool.
    fn made(&self, block: &Arc<Block>, waiting: usize);
}

/// No observer.
impl Observer for () {
    fn made(&self, _: &Arc<Block>, _: usize) {}
}
