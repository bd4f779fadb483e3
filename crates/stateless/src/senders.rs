//! Senders of transactions, recovered on multiple threads.

use alloc::vec::Vec;
use alloy_primitives::Address;
use core::sync::atomic::{AtomicUsize, Ordering};
use executor::{Cryptography, OnceCell, Transaction};

/// Number of transactions that a thread claims at a time. Recovery libraries can be faster per
/// signature in a batch; with larger batches, threads would be idle at the end of a block.
const BATCH: usize = 32;

/// Senders that multiple threads recover while one thread consumes them in order.
///
/// Threads claim batches from the front. The consumer never waits for a sender that another thread
/// has claimed: it recovers that sender itself, and a whole batch if no thread has claimed it. Its
/// progress therefore does not depend on other threads.
pub(crate) struct Senders<'t> {
    transactions: &'t [Transaction],
    cryptography: &'t dyn Cryptography,
    recovered: Vec<OnceCell<Option<Address>>>,
    next: AtomicUsize,
}

impl<'t> Senders<'t> {
    /// Creates the senders of `transactions`, the first of which are `known`.
    pub(crate) fn new(
        transactions: &'t [Transaction],
        known: &[Address],
        cryptography: &'t dyn Cryptography,
    ) -> Self {
        let mut recovered: Vec<_> = known.iter().copied().map(Some).map(OnceCell::from).collect();
        recovered.resize_with(transactions.len(), OnceCell::new);
        Self { transactions, cryptography, recovered, next: AtomicUsize::new(known.len()) }
    }

    /// Returns the number of senders that are still to be recovered.
    pub(crate) fn left(&self) -> usize {
        self.transactions.len().saturating_sub(self.next.load(Ordering::Relaxed))
    }

    /// Recovers senders until the first `count`, or all of them, are claimed.
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

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_consensus::{SignableTransaction as _, TxLegacy};
    use alloy_primitives::Signature;
    use std::sync::Mutex;

    /// Returns the nonce of the n-th transaction as its sender, and records the number of senders
    /// per call.
    #[derive(Debug, Default)]
    struct Counted(Mutex<Vec<usize>>);

    impl Counted {
        fn calls(&self) -> Vec<usize> {
            self.0.lock().unwrap().clone()
        }
    }

    fn sender(nonce: u64) -> Address {
        Address::left_padding_from(&nonce.to_be_bytes())
    }

    impl Cryptography for Counted {
        fn senders(&self, transactions: &[Transaction]) -> Vec<Option<Address>> {
            use alloy_consensus::Transaction as _;
            self.0.lock().unwrap().push(transactions.len());
            transactions.iter().map(|tx| Some(sender(tx.nonce()))).collect()
        }
    }

    fn transactions(count: u64) -> Vec<Transaction> {
        let signature = Signature::test_signature();
        (0..count)
            .map(|nonce| TxLegacy { nonce, ..Default::default() }.into_signed(signature).into())
            .collect()
    }

    #[test]
    fn consumer_recovers_whole_batches_on_demand() {
        let (transactions, counted) = (transactions(40), Counted::default());
        let senders = Senders::new(&transactions, &[], &counted);
        assert_eq!((senders.left(), counted.calls()), (40, vec![]));
        for index in 0..32 {
            assert_eq!(senders.get(index), Some(sender(index as u64)));
            assert_eq!((senders.left(), counted.calls()), (8, vec![32]));
        }
        for index in 32..40 {
            assert_eq!(senders.get(index), Some(sender(index as u64)));
            assert_eq!((senders.left(), counted.calls()), (0, vec![32, 8]));
        }
    }

    #[test]
    fn known_senders_are_not_recovered() {
        let (transactions, counted) = (transactions(3), Counted::default());
        let known = [Address::repeat_byte(1), Address::repeat_byte(2)];
        let senders = Senders::new(&transactions, &known, &counted);
        assert_eq!(senders.left(), 1);
        assert_eq!((0..2).map(|index| senders.get(index).unwrap()).collect::<Vec<_>>(), known);
        assert!(counted.calls().is_empty());
        assert_eq!(senders.get(2), Some(sender(2)));
        assert_eq!(counted.calls(), [1]);
    }
}
