//! The pending transactions of one sender.

use super::PoolTransaction;
use alloy_primitives::aliases::U320;
use std::{collections::BTreeMap, sync::Arc};

/// Pending transactions of one sender, by nonce.
#[derive(Debug, Clone, Default)]
pub(super) struct Queue {
    nonces: BTreeMap<u64, Arc<PoolTransaction>>,
    /// Sum of their costs, in wei; 2^64 costs fit. It is cached because admission checks it under
    /// the pool's lock, where summing over a long queue would block all other senders.
    cost: U320,
    /// Last known next nonce of the sender.
    pub(super) next: u64,
    /// First missing nonce that is not below `next`: transactions below it are executable, and
    /// those above it are gapped.
    pub(super) end: u64,
    /// `true` for a sender without limits.
    pub(super) is_local: bool,
}

impl Queue {
    /// Returns the transactions by nonce.
    pub(super) const fn nonces(&self) -> &BTreeMap<u64, Arc<PoolTransaction>> {
        &self.nonces
    }

    /// Returns the sum of the costs of all transactions except the one with this nonce, in wei.
    pub(super) fn cost_without(&self, nonce: u64) -> U320 {
        self.cost - self.nonces.get(&nonce).map_or(U320::ZERO, |tx| U320::from(tx.cost()))
    }

    /// Returns the number of gapped transactions.
    pub(super) fn gapped(&self) -> usize {
        self.nonces.range(self.end..).count()
    }

    /// Adds a transaction, replacing one with the same nonce.
    pub(super) fn insert(&mut self, new: Arc<PoolTransaction>) {
        self.remove(new.nonce());
        self.cost += U320::from(new.cost());
        self.nonces.insert(new.nonce(), new);
    }

    /// Removes the transaction with this nonce.
    pub(super) fn remove(&mut self, nonce: u64) {
        if let Some(removed) = self.nonces.remove(&nonce) {
            self.cost -= U320::from(removed.cost());
        }
    }

    /// Removes and returns the transactions with lower nonces.
    pub(super) fn remove_below(&mut self, nonce: u64) -> BTreeMap<u64, Arc<PoolTransaction>> {
        let remaining = self.nonces.split_off(&nonce);
        let removed = core::mem::replace(&mut self.nonces, remaining);
        self.cost -= removed.values().map(|tx| U320::from(tx.cost())).sum::<U320>();
        removed
    }
}
