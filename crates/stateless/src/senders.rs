//! Senders of transactions, recovered on several threads.

use alloc::vec::Vec;
use alloy_primitives::Address;
use core::sync::atomic::{AtomicUsize, Ordering};
use executor::{Cryptography, OnceCell, Transaction};

/// Transactions that a thread claims at a time: a library may take less time for each if it has many. More would keep
/// other threads idle at the end.
const BATCH: usize = 32;

/// Senders that several threads recover while one consumes them in order.
///
/// Threads claim batches from the front. The consumer never waits for an unfinished sender: it recovers that sender
/// itself, in a batch if no thread has claimed it, so that its progress does not depend on another thread.
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
        let mut recovered: Vec<_> = known.iter().map(|it| OnceCell::from(Some(*it))).collect();
        recovered.resize_with(transactions.len(), OnceCell::new);
        Self { transactions, cryptography, recovered, next: AtomicUsize::new(known.len()) }
    }

    /// Number of senders still to be recovered.
    pub(crate) fn left(&self) -> usize {
        self.transactions.len().saturating_sub(self.next.load(Ordering::Relaxed))
    }

    /// Recovers senders until the first `count`, or all, are claimed.
    pub(crate) fn work(&self, count: usize) {
        // Relaxed order suffices: the counter only assigns work, and the cells publish the results.
        while self.next.load(Ordering::Relaxed) < count {
            let first = self.next.fetch_add(BATCH, Ordering::Relaxed);
            let end = self.transactions.len().min(first + BATCH);
            let Some(batch) = self.transactions.get(first..end) else { break };
            let senders = self.cryptography.senders(batch);
            for (cell, sender) in self.recovered[first..].iter().zip(senders) {
                cell.get_or_init(|| sender);
            }
        }
    }

    /// Returns the sender of transaction `index`; `None` if its signature is invalid.
    pub(crate) fn get(&self, index: usize) -> Option<Address> {
        self.work(index + 1);
        let one = &self.transactions[index..=index];
        *self.recovered[index].get_or_init(|| self.cryptography.senders(one).pop().flatten())
    }
}
