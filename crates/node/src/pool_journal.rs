//! Who keeps what the pool has taken.

use crate::PoolTransaction;
use core::fmt;
use std::io;

/// Is told of each transaction that comes into the pool, before whoever sent it has an answer: so that an
/// acknowledged transaction outlives the process.
pub trait PoolJournal: fmt::Debug + Send + Sync {
    /// Keeps a transaction. If it cannot, the pool does not take it.
    ///
    /// # Errors
    ///
    /// Why not.
    fn keep(&self, transaction: &PoolTransaction) -> io::Result<()>;
}

/// Nobody.
impl PoolJournal for () {
    fn keep(&self, _: &PoolTransaction) -> io::Result<()> {
        Ok(())
    }
}
