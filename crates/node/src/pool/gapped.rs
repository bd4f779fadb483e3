//! Gapped transactions, by hash and by age.

use alloy_primitives::{B256, map::B256Map};
use std::collections::BTreeSet;

/// Age of a gapped transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Gapped {
    /// Number of the head when the transaction arrived or became gapped.
    pub(super) since: u64,
    pub(super) arrival: u64,
    /// `true` if a reorg made the transaction gapped. The missing nonces are in the reorged blocks,
    /// whose transactions return to the pool.
    pub(super) is_displaced: bool,
}

/// Gapped transactions that may be evicted.
///
/// They are indexed by age, because one transaction may evict all of them, and a search for the
/// oldest at each step would hold the node's lock for seconds.
#[derive(Debug, Clone, Default)]
pub(super) struct GappedTransactions {
    by_hash: B256Map<Gapped>,
    by_age: BTreeSet<(Gapped, B256)>,
    /// Those that count against the limits, i.e. that are not displaced.
    counted: BTreeSet<(Gapped, B256)>,
}

impl GappedTransactions {
    pub(super) fn len(&self) -> usize {
        self.by_hash.len()
    }

    pub(super) fn contains(&self, hash: &B256) -> bool {
        self.by_hash.contains_key(hash)
    }

    pub(super) fn is_displaced(&self, hash: &B256) -> bool {
        self.by_hash.get(hash).is_some_and(|gapped| gapped.is_displaced)
    }

    /// Returns `true` for a gapped transaction that counts against the limits.
    pub(super) fn counts(&self, hash: &B256) -> bool {
        self.by_hash.get(hash).is_some_and(|gapped| !gapped.is_displaced)
    }

    /// Returns the number of transactions that count against the limits.
    pub(super) fn count(&self) -> usize {
        self.counted.len()
    }

    /// Iterates over the hashes of all transactions, oldest first.
    pub(super) fn oldest(&self) -> impl Iterator<Item = &B256> {
        self.by_age.iter().map(|(_, hash)| hash)
    }

    /// Iterates over the hashes of the transactions that count against the limits, oldest first.
    pub(super) fn oldest_counted(&self) -> impl Iterator<Item = &B256> {
        self.counted.iter().map(|(_, hash)| hash)
    }

    /// Iterates over the hashes of the transactions that are gapped since this head or an earlier
    /// one, oldest first.
    pub(super) fn since(&self, block: u64) -> impl Iterator<Item = &B256> {
        let old = self.by_age.iter().take_while(move |(gapped, _)| gapped.since <= block);
        old.map(|(_, hash)| hash)
    }

    pub(super) fn insert(&mut self, hash: B256, gapped: Gapped) {
        self.remove(&hash);
        self.by_hash.insert(hash, gapped);
        self.by_age.insert((gapped, hash));
        if !gapped.is_displaced {
            self.counted.insert((gapped, hash));
        }
    }

    /// Removes a transaction, and returns `true` if it was gapped.
    pub(super) fn remove(&mut self, hash: &B256) -> bool {
        let Some(gapped) = self.by_hash.remove(hash) else { return false };
        self.by_age.remove(&(gapped, *hash));
        self.counted.remove(&(gapped, *hash));
        true
    }

    /// Records that a reorg made a transaction gapped, if it is.
    pub(super) fn displace(&mut self, hash: B256) {
        if let Some(gapped) = self.by_hash.get(&hash).copied() {
            self.insert(hash, Gapped { is_displaced: true, ..gapped });
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
