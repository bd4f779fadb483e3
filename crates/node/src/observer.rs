//! Who is told of blocks before anybody else.

use chain::Block;
use core::fmt;
use std::sync::Arc;

/// Is told of each block that a node makes, on the thread that has made it, before whoever asked for
/// it has an answer. The next block is not made meanwhile.
pub trait Observer: fmt::Debug + Send + Sync {
    /// A block is the new head; `waiting` transactions are left in the pool.
    fn made(&self, block: &Arc<Block>, waiting: usize);
}

/// Nobody.
impl Observer for () {
    fn made(&self, _: &Arc<Block>, _: usize) {}
}
