//! Senders of transactions, recovered on several threads.

use alloy_primitives::Address;
use executor::{Transaction, recover_sender};
use std::sync::{
    OnceLock,
    atomic::{AtomicUsize, Ordering},
};

/// Senders that several threads recover while one consumes them in order.
///
/// Threads claim transactions from the front. The consumer never waits for an unfinished sender: it recovers
/// that sender itself, so that its progress does not depend on another thread.
pub(crate) struct Senders<'t> {
    transactions: &'t [Transaction],
    recovered: Vec<OnceLock<Option<Address>>>,
    next: AtomicUsize,
}

impl<'t> Senders<'t> {
    /// Creates the senders of `transactions`, of which the first are `known`.
    pub(crate) fn new(transactions: &'t [Transaction], known: &[Address]) -> Self {
        let known = known.iter().map(|sender| OnceLock::from(Some(*sender)));
        let unknown = transactions.iter().skip(known.len()).map(|_| OnceLock::new());
        let recovered: Vec<_> = known.take(transactions.len()).chain(unknown).collect();
        let next = AtomicUsize::new(recovered.iter().filter(|one| one.get().is_some()).count());
        Self { transactions, recovered, next }
    }

    /// Number of senders still to be recovered.
    pub(crate) fn left(&self) -> usize {
        self.transactions.len().saturating_sub(self.next.load(Ordering::Relaxed))
    }

    /// Recovers senders until all are claimed.
    pub(crate) fn work(&self) {
        loop {
            // Relaxed order suffices: the counter only assigns work, and `OnceLock` publishes the result.
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(transaction) = self.transactions.get(index) else { break };
            self.recovered[index].get_or_init(|| recover_sender(transaction));
        }
    }

    /// Returns the sender of transaction `index`; `None` if its signature is invalid.
    pub(crate) fn get(&self, index: usize) -> Option<Address> {
        *self.recovered[index].get_or_init(|| recover_sender(&self.transactions[index]))
    }
}
