//! Journal of accepted transactions.

use crate::PoolTransaction;
use core::fmt;
use std::io;

/// Write-ahead journal of the pool: each transaction is recorded before the sender receives a
/// response, so that an acknowledged transaction survives a restart.
///
/// Recording has two steps, so that concurrent submissions share one write: [`Self::note`] is
/// called under the pool's lock, and [`Self::keep`] after the lock is released.
pub trait PoolJournal: fmt::Debug + Send + Sync {
    /// Enqueues a transaction, and returns its number for [`Self::keep`]. Numbers ascend.
    fn note(&self, transaction: &PoolTransaction) -> u64;

    /// Waits until an enqueued transaction is durable. On an error the pool removes the
    /// transaction.
    ///
    /// # Errors
    ///
    /// The reason why the transaction could not be recorded.
    fn keep(&self, noted: u64) -> io::Result<()>;
}

/// No journal.
impl PoolJournal for () {
    fn note(&self, _: &PoolTransaction) -> u64 {
        0
    }

    fn keep(&self, _: u64) -> io::Result<()> {
        Ok(())
    }
}
