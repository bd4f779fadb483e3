//! Transactions that wait for a block.

use crate::{Order, Rejected};
use alloy_consensus::Transaction as _;
use alloy_eips::eip7594::BlobTransactionSidecarVariant;
use alloy_primitives::{
    Address, B256, Bytes,
    map::{AddressMap, B256Map},
};
use chain::RecoveredTransaction;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    sync::Arc,
};

/// The blobs of a transaction, with commitments and proofs.
pub type Sidecar = BlobTransactionSidecarVariant;

/// A transaction in the pool.
#[derive(Debug, Clone)]
pub struct PoolTransaction {
    /// The transaction and its sender.
    pub recovered: RecoveredTransaction,
    /// Its blobs, if it has any.
    pub sidecar: Option<Arc<Sidecar>>,
    /// Its encoding as it was sent, blobs included.
    pub raw: Bytes,
    arrival: u64,
}

impl PoolTransaction {
    /// A transaction that is yet to be admitted.
    pub const fn new(
        recovered: RecoveredTransaction,
        sidecar: Option<Arc<Sidecar>>,
        raw: Bytes,
    ) -> Self {
        Self { recovered, sidecar, raw, arrival: 0 }
    }

    /// Its hash.
    pub fn hash(&self) -> &B256 {
        self.recovered.transaction.hash()
    }

    /// Who sends it.
    pub const fn sender(&self) -> Address {
        self.recovered.sender
    }

    /// Its nonce.
    pub fn nonce(&self) -> u64 {
        self.recovered.transaction.nonce()
    }

    fn tip(&self, base_fee: u64) -> Option<u128> {
        self.recovered.transaction.effective_tip_per_gas(base_fee)
    }

    /// Whether it pays enough more than another to take its place: `bump` percent at least.
    fn outbids(&self, other: &Self, bump: u8) -> bool {
        let (new, old) = (&self.recovered.transaction, &other.recovered.transaction);
        let enough = |new: u128, old: u128| {
            let more = old.saturating_mul(bump.into()) / 100;
            new >= old.saturating_add(more) && new > old
        };
        let fees = enough(new.max_fee_per_gas(), old.max_fee_per_gas());
        let blobs = match (new.max_fee_per_blob_gas(), old.max_fee_per_blob_gas()) {
            (Some(new), Some(old)) => new >= old.saturating_mul(2),
            _ => true,
        };
        fees && blobs
    }
}

/// Transactions by sender and nonce.
///
/// It does not know the state: who asks says what the next nonce of a sender is.
#[derive(Debug, Clone, Default)]
pub struct Pool {
    by_hash: B256Map<Arc<PoolTransaction>>,
    by_sender: AddressMap<BTreeMap<u64, Arc<PoolTransaction>>>,
    arrivals: u64,
    version: u64,
}

impl Pool {
    /// Takes a transaction, in place of one with the same nonce if it pays `bump` percent more.
    pub fn add(
        &mut self,
        mut new: PoolTransaction,
        bump: u8,
    ) -> Result<Arc<PoolTransaction>, Rejected> {
        if self.by_hash.contains_key(new.hash()) {
            return Err(Rejected::Known(*new.hash()));
        }
        let nonces = self.by_sender.entry(new.sender()).or_default();
        if let Some(old) = nonces.get(&new.nonce()) {
            if !new.outbids(old, bump) {
                return Err(Rejected::Underpriced { known: *old.hash(), bump });
            }
            self.by_hash.remove(old.hash());
        }
        self.arrivals += 1;
        self.version += 1;
        new.arrival = self.arrivals;
        let new = Arc::new(new);
        nonces.insert(new.nonce(), Arc::clone(&new));
        self.by_hash.insert(*new.hash(), Arc::clone(&new));
        Ok(new)
    }

    /// The transaction with this hash.
    pub fn get(&self, hash: &B256) -> Option<&Arc<PoolTransaction>> {
        self.by_hash.get(hash)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_hash.is_empty()
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<PoolTransaction>> {
        self.by_hash.values()
    }

    /// Rises with every change.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Transactions of a sender by nonce.
    pub fn of(&self, sender: Address) -> impl Iterator<Item = &Arc<PoolTransaction>> {
        self.by_sender.get(&sender).into_iter().flat_map(BTreeMap::values)
    }

    /// Who has transactions here.
    pub fn senders(&self) -> impl Iterator<Item = Address> {
        self.by_sender.keys().copied()
    }

    /// The nonce behind those of a sender that follow each other from `next` on.
    pub fn next_nonce(&self, sender: Address, next: u64) -> u64 {
        let Some(nonces) = self.by_sender.get(&sender) else { return next };
        let run = nonces.range(next..).zip(next..).take_while(|((nonce, _), at)| *nonce == at);
        next + run.count() as u64
    }

    /// Removes a transaction.
    pub fn remove(&mut self, hash: &B256) -> Option<Arc<PoolTransaction>> {
        let gone = self.by_hash.remove(hash)?;
        self.version += 1;
        if let Some(nonces) = self.by_sender.get_mut(&gone.sender()) {
            nonces.remove(&gone.nonce());
            if nonces.is_empty() {
                self.by_sender.remove(&gone.sender());
            }
        }
        Some(gone)
    }

    /// Removes all transactions of a sender.
    pub fn remove_sender(&mut self, sender: Address) {
        self.version += 1;
        for gone in self.by_sender.remove(&sender).into_iter().flat_map(BTreeMap::into_values) {
            self.by_hash.remove(gone.hash());
        }
    }

    /// Removes all transactions.
    pub fn clear(&mut self) {
        self.version += 1;
        self.by_hash.clear();
        self.by_sender.clear();
    }

    /// Removes transactions of a sender whose nonces are used.
    pub fn forget_below(&mut self, sender: Address, nonce: u64) {
        let Some(nonces) = self.by_sender.get_mut(&sender) else { return };
        let kept = nonces.split_off(&nonce);
        let gone = std::mem::replace(nonces, kept);
        if nonces.is_empty() {
            self.by_sender.remove(&sender);
        }
        self.version += 1;
        for gone in gone.into_values() {
            self.by_hash.remove(gone.hash());
        }
    }

    /// Those that can stand in a block now, in the order in which they go into it. `next_nonce` says
    /// what the next nonce of a sender is.
    pub fn ready(
        &self,
        base_fee: u64,
        order: Order,
        mut next_nonce: impl FnMut(Address) -> u64,
    ) -> Vec<Arc<PoolTransaction>> {
        let mut ready = Vec::with_capacity(self.len());
        // Position of the next transaction of each sender, best first.
        let mut heads = BinaryHeap::new();
        let mut queues = Vec::new();
        let rank = |transaction: &PoolTransaction| {
            let tip = transaction.tip(base_fee)?;
            let worth = match order {
                Order::Fees => tip,
                Order::Offers => transaction.recovered.transaction.max_fee_per_gas(),
                Order::Arrival => 0,
            };
            Some((worth, Reverse(transaction.arrival)))
        };
        for (sender, nonces) in &self.by_sender {
            let next = next_nonce(*sender);
            let mut run = nonces
                .range(next..)
                .zip(next..)
                .take_while(|((nonce, _), at)| *nonce == at)
                .map(|((_, transaction), _)| transaction);
            if let Some(first) = run.next()
                && let Some(rank) = rank(first)
            {
                heads.push((rank, queues.len()));
                queues.push((first, run));
            }
        }
        while let Some((_, queue)) = heads.pop() {
            let (head, run) = &mut queues[queue];
            ready.push(Arc::clone(head));
            if let Some(next) = run.next()
                && let Some(rank) = rank(next)
            {
                *head = next;
                heads.push((rank, queue));
            }
        }
        ready
    }
}
