//! Transactions that wait for a block.

use crate::{Order, Rejected};
use alloy_consensus::Transaction as _;
use alloy_eips::eip7594::BlobTransactionSidecarVariant;
use alloy_primitives::{
    Address, B256, Bytes,
    map::{AddressMap, AddressSet, B256Map},
};
use chain::RecoveredTransaction;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    sync::Arc,
};

/// The blobs of a transaction, with commitments and proofs.
pub type Sidecar = BlobTransactionSidecarVariant;

/// How much a pool holds.
#[derive(Debug, Clone)]
pub struct PoolLimits {
    /// Most transactions.
    pub transactions: usize,
    /// Most bytes of encoded transactions, blobs included.
    pub bytes: usize,
    /// Most transactions of one sender.
    pub per_sender: usize,
    /// Senders whose transactions are neither counted nor evicted: those of the node's owner.
    pub local: AddressSet,
}

impl Default for PoolLimits {
    /// No limits.
    fn default() -> Self {
        let (transactions, bytes, per_sender) = (usize::MAX, usize::MAX, usize::MAX);
        Self { transactions, bytes, per_sender, local: AddressSet::default() }
    }
}

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

    /// What it pays per gas at most to whoever takes it into a block, in wei: its worth when something has
    /// to give way. Who came later is worth less.
    fn worth(&self) -> Worth {
        let transaction = &self.recovered.transaction;
        let fee = transaction.max_fee_per_gas();
        let tip = transaction.max_priority_fee_per_gas().map_or(fee, |tip| tip.min(fee));
        (tip, Reverse(self.arrival), *self.hash())
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

/// Tip, arrival and hash of a transaction: the least goes first.
type Worth = (u128, Reverse<u64>, B256);

/// Transactions by sender and nonce.
///
/// It does not know the state: who asks says what the next nonce of a sender is.
#[derive(Debug, Clone, Default)]
pub struct Pool {
    by_hash: B256Map<Arc<PoolTransaction>>,
    by_sender: AddressMap<BTreeMap<u64, Arc<PoolTransaction>>>,
    /// Those that may have to give way.
    by_worth: BTreeSet<Worth>,
    /// Bytes of these.
    bytes: usize,
    arrivals: u64,
    version: u64,
}

impl Pool {
    /// Takes a transaction, in place of one with the same nonce if it pays `bump` percent more. If the pool
    /// is full then, others go that are worth less: the last of the sender of the cheapest one, again and
    /// again.
    pub fn add(
        &mut self,
        mut new: PoolTransaction,
        bump: u8,
        limits: &PoolLimits,
    ) -> Result<Arc<PoolTransaction>, Rejected> {
        if self.by_hash.contains_key(new.hash()) {
            return Err(Rejected::Known(*new.hash()));
        }
        let sender = new.sender();
        let is_local = limits.local.contains(&sender);
        let nonces = self.by_sender.get(&sender);
        let old = nonces.and_then(|nonces| nonces.get(&new.nonce())).map(Arc::clone);
        if let Some(old) = &old {
            if !new.outbids(old, bump) {
                return Err(Rejected::Underpriced { known: *old.hash(), bump });
            }
        } else if !is_local && nonces.map_or(0, BTreeMap::len) >= limits.per_sender {
            return Err(Rejected::SenderLimit { sender, limit: limits.per_sender });
        }
        self.arrivals += 1;
        new.arrival = self.arrivals;
        if !is_local {
            self.make_room(&new, old.as_deref(), limits)?;
        }
        if let Some(old) = old {
            self.remove(old.hash());
        }
        self.version += 1;
        let new = Arc::new(new);
        if !is_local {
            self.by_worth.insert(new.worth());
            self.bytes += new.raw.len();
        }
        self.by_sender.entry(sender).or_default().insert(new.nonce(), Arc::clone(&new));
        self.by_hash.insert(*new.hash(), Arc::clone(&new));
        Ok(new)
    }

    /// Removes what is worth less than a transaction until there is room for it, or nothing at all.
    fn make_room(
        &mut self,
        new: &PoolTransaction,
        old: Option<&PoolTransaction>,
        limits: &PoolLimits,
    ) -> Result<(), Rejected> {
        let is_counted = |it: &&PoolTransaction| self.by_worth.contains(&it.worth());
        let replaced = old.filter(is_counted);
        let mut count = self.by_worth.len() + 1 - usize::from(replaced.is_some());
        let mut bytes = self.bytes + new.raw.len() - replaced.map_or(0, |it| it.raw.len());
        let mut victims = Vec::<Arc<PoolTransaction>>::new();
        let mut cheapest = self.by_worth.iter();
        while count > limits.transactions || bytes > limits.bytes {
            let full = |least| Rejected::PoolFull { got: new.worth().0, least };
            let Some(cheap) = cheapest.next() else { return Err(full(u128::MAX)) };
            if cheap.0 >= new.worth().0 {
                return Err(full(cheap.0));
            }
            let sender = self.by_hash.get(&cheap.2).map(|it| it.sender());
            // What comes behind it could not stand in a block without it.
            let last = self.of(sender.unwrap_or_default()).rev().find(|it| {
                let is_replaced = replaced.is_some_and(|old| old.hash() == it.hash());
                !is_replaced && victims.iter().all(|gone| gone.hash() != it.hash())
            });
            let Some(last) = last.map(Arc::clone) else { continue };
            if last.sender() == new.sender() && last.nonce() < new.nonce() {
                return Err(full(cheap.0));
            }
            count -= 1;
            bytes -= last.raw.len();
            victims.push(last);
        }
        for victim in victims {
            tracing::debug!(transaction = %victim.hash(), "gave way to one that pays more");
            self.remove(victim.hash());
        }
        Ok(())
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
    pub fn of(&self, sender: Address) -> impl DoubleEndedIterator<Item = &Arc<PoolTransaction>> {
        self.by_sender.get(&sender).into_iter().flat_map(BTreeMap::values)
    }

    /// Who has transactions here.
    pub fn senders(&self) -> impl Iterator<Item = Address> {
        self.by_sender.keys().copied()
    }

    /// The nonce behind those of a sender that follow each other from `next` on.
    pub fn next_nonce(&self, sender: Address, next: u64) -> u64 {
        let Some(nonces) = self.by_sender.get(&sender) else { return next };
        // None is missing, mostly, and then none needs to be looked at.
        if let (Some((&first, _)), Some((&last, _))) =
            (nonces.first_key_value(), nonces.last_key_value())
            && first == next
            && last - first == nonces.len() as u64 - 1
        {
            return last.saturating_add(1);
        }
        let run = nonces.range(next..).zip(next..).take_while(|((nonce, _), at)| *nonce == at);
        next + run.count() as u64
    }

    /// How many of a sender there are.
    pub fn count_of(&self, sender: Address) -> usize {
        self.by_sender.get(&sender).map_or(0, BTreeMap::len)
    }

    /// Whether a sender has a transaction with this nonce here.
    pub fn has(&self, sender: Address, nonce: u64) -> bool {
        self.by_sender.get(&sender).is_some_and(|nonces| nonces.contains_key(&nonce))
    }

    /// This transaction and those of its sender that follow it, if none is missing from `next` on.
    pub(crate) fn executable_from(
        &self,
        first: &PoolTransaction,
        next: u64,
    ) -> Vec<Arc<PoolTransaction>> {
        let end = self.next_nonce(first.sender(), next).max(first.nonce());
        let nonces = self.by_sender.get(&first.sender());
        let run = nonces.into_iter().flat_map(|nonces| nonces.range(first.nonce()..end));
        run.map(|(_, waiting)| Arc::clone(waiting)).collect()
    }

    /// Removes a transaction.
    pub fn remove(&mut self, hash: &B256) -> Option<Arc<PoolTransaction>> {
        let gone = self.by_hash.remove(hash)?;
        self.version += 1;
        self.uncount(&gone);
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
            self.uncount(&gone);
        }
    }

    /// Removes all transactions.
    pub fn clear(&mut self) {
        self.version += 1;
        self.by_hash.clear();
        self.by_sender.clear();
        self.by_worth.clear();
        self.bytes = 0;
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
            self.uncount(&gone);
        }
    }

    fn uncount(&mut self, gone: &PoolTransaction) {
        if self.by_worth.remove(&gone.worth()) {
            self.bytes -= gone.raw.len();
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
