//! Journal of accepted transactions.

use crate::PoolTransaction;
use core::fmt;
use std::io;

/// Records each transaction that enters the pool before its sender gets an answer, so that an
/// acknowledged transaction outlives the process.
///
/// That has two parts, so that what is sent side by side is kept with one write: each is noted while the pool is
/// held, and kept when it is free again.
pub trait PoolJournal: fmt::Debug + Send + Sync {
    /// Notes a transaction, and says by which number it is to be kept. Numbers rise.
    fn note(&self, transaction: &PoolTransaction) -> u64;

    /// Waits until a transaction that was noted is kept. If it cannot be, the pool forgets it.
    ///
    /// # Errors
    ///
    /// Why it cannot.
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
