//! Senders of transactions, recovered on several threads.

use alloc::vec::Vec;
use alloy_primitives::Address;
use core::sync::atomic::{AtomicUsize, Ordering};
use executor::{Cryptography, OnceCell, Transaction};

/// Senders that several threads recover while one consumes them in order.
///
/// Threads claim transactions from the front. The consumer never waits for an unfinished sender: it recovers
/// that sender itself, so that its progress does not depend on another thread.
pub(crate) struct Senders<'t> {
    transactions: &'t [Transaction],
    cryptography: &'t dyn Cryptography,
    recovered: Vec<OnceCell<Option<Address>>>,
    next: AtomicUsize,
}

impl<'t> Senders<'t> {
    /// Creates the senders of `transactions`, of which the first are `known`.
    pub(crate) fn new(
        transactions: &'t [Transaction],
        known: &[Address],
        cryptography: &'t dyn Cryptography,
    ) -> Self {
        let known = known.iter().map(|sender| OnceCell::from(Some(*sender)));
        let unknown = transactions.iter().skip(known.len()).map(|_| OnceCell::new());
        let recovered: Vec<_> = known.take(transactions.len()).chain(unknown).collect();
        let next = AtomicUsize::new(recovered.iter().filter(|one| one.get().is_some()).count());
        Self { transactions, cryptography, recovered, next }
    }

    /// Number of senders still to be recovered.
    pub(crate) fn left(&self) -> usize {
        self.transactions.len().saturating_sub(self.next.load(Ordering::Relaxed))
    }

    /// Recovers senders until all are claimed.
    pub(crate) fn work(&self) {
        loop {
            // Relaxed order suffices: the counter only assigns work, and the cell publishes the result.
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(transaction) = self.transactions.get(index) else { break };
            self.recovered[index].get_or_init(|| self.cryptography.sender(transaction));
        }
    }

    /// Returns the sender of transaction `index`; `None` if its signature is invalid.
    pub(crate) fn get(&self, index: usize) -> Option<Address> {
        let sender = || self.cryptography.sender(&self.transactions[index]);
        *self.recovered[index].get_or_init(sender)
    }
}
