//! The transaction pool.

mod dropped;
mod eviction;
mod gapped;
mod limits;
mod queue;
mod set_back;
mod transaction;

pub use dropped::DropReason;
pub use limits::PoolLimits;
pub use transaction::{AdmissionContext, PoolTransaction, Sidecar};

use crate::Rejected;
use alloy_consensus::Transaction as _;
use alloy_primitives::{
    Address, B256,
    map::{AddressMap, B256Map, B256Set},
};
use dropped::Dropped;
use gapped::GappedTransactions;
use queue::Queue;
use set_back::SetBack;
use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap},
    sync::Arc,
};
use transaction::EvictionPriority;

/// Order of transactions of different senders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Highest effective tip first; then by arrival.
    #[default]
    Fees,
    /// Highest fee cap first, independent of the base fee; then by arrival (anvil's order).
    Offers,
    /// By arrival.
    Arrival,
}

/// Transactions by sender and nonce.
///
/// The pool has no access to the state: the caller passes the [`AdmissionContext`].
#[derive(Debug, Clone, Default)]
pub struct Pool {
    by_hash: B256Map<Arc<PoolTransaction>>,
    by_sender: AddressMap<Queue>,
    /// Executable transactions that may be evicted, at the base fee `base_fee`.
    by_priority: BTreeSet<EvictionPriority>,
    /// Gapped transactions that may be evicted.
    gapped: GappedTransactions,
    /// Total length of all transactions that may be evicted, in bytes.
    bytes: usize,
    /// Accounts whose authorizations (EIP-7702) pending transactions contain, with the hashes of
    /// these transactions.
    authorities: AddressMap<B256Set>,
    /// Senders whose transactions are offered after all others.
    set_back: SetBack,
    /// Transactions in the signed prefix of the next block.
    preconfirmed: B256Set,
    dropped: Dropped,
    base_fee: u64,
    /// Last known number of the head.
    block: u64,
    arrivals: u64,
    version: u64,
}

impl Pool {
    /// Admits a transaction. It replaces one with the same nonce if it pays `bump` percent more. A
    /// full pool evicts gapped transactions first, then the last transaction of the sender with the
    /// cheapest executable one, if that pays less.
    ///
    /// # Errors
    ///
    /// [`Rejected`], in which case the pool is unchanged.
    pub fn add(
        &mut self,
        mut new: PoolTransaction,
        context: &AdmissionContext,
        bump: u8,
        limits: &PoolLimits,
    ) -> Result<Arc<PoolTransaction>, Rejected> {
        if self.by_hash.contains_key(new.hash()) {
            return Err(Rejected::Known(*new.hash()));
        }
        let (sender, nonce, hash) = (new.sender(), new.nonce(), *new.hash());
        let is_local = limits.local.contains(&sender);
        self.block = self.block.max(context.block);
        let queue = self.by_sender.get(&sender);
        let old = queue.and_then(|queue| queue.nonces().get(&nonce)).map(Arc::clone);
        if let Some(old) = &old
            && self.preconfirmed.contains(old.hash())
        {
            return Err(Rejected::Preconfirmed { existing: *old.hash() });
        }
        if let Some(old) = &old
            && !new.outbids(old, bump)
        {
            return Err(Rejected::Underpriced { existing: *old.hash(), bump });
        }
        self.arrivals += 1;
        new.arrival = self.arrivals;
        new.authorities.clone_from(&context.authorities);
        if !is_local {
            self.check_sender(&new, old.as_deref(), context, limits)?;
            self.evict_for(&new, old.as_deref(), context, limits)?;
        }
        if let Some(old) = old {
            self.forget(&old);
            self.dropped.record(*old.hash(), DropReason::Replaced(hash));
        }
        self.version += 1;
        let new = Arc::new(new);
        self.by_hash.insert(hash, Arc::clone(&new));
        for authority in &new.authorities {
            self.authorities.entry(*authority).or_default().insert(hash);
        }
        let queue = self.by_sender.entry(sender).or_default();
        queue.is_local = is_local;
        queue.insert(Arc::clone(&new));
        if queue.next != context.nonce || queue.nonces().len() == 1 {
            self.reclassify(sender, context.nonce);
        } else if nonce < queue.end {
            self.place(&new, true, is_local);
        } else {
            self.place(&new, false, is_local);
            self.extend(sender);
        }
        Ok(new)
    }

    /// Returns the reason why a transaction was dropped, if it is among the last ones dropped.
    pub fn drop_reason(&self, hash: &B256) -> Option<&DropReason> {
        self.dropped.reason(hash)
    }

    /// Removes a transaction, if it is there, and records the reason.
    pub fn drop_transaction(&mut self, hash: &B256, reason: DropReason) {
        self.remove(hash);
        self.dropped.record(*hash, reason);
    }

    /// Returns the transaction with this hash.
    pub fn get(&self, hash: &B256) -> Option<&Arc<PoolTransaction>> {
        self.by_hash.get(hash)
    }

    /// Returns the number of transactions.
    pub fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// Returns `true` if the pool is empty.
    pub fn is_empty(&self) -> bool {
        self.by_hash.is_empty()
    }

    /// Iterates over all transactions, in arbitrary order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<PoolTransaction>> {
        self.by_hash.values()
    }

    /// Returns the version of the pool, which increases with every change.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Iterates over the transactions of a sender by nonce.
    pub fn of(&self, sender: Address) -> impl DoubleEndedIterator<Item = &Arc<PoolTransaction>> {
        self.by_sender.get(&sender).into_iter().flat_map(|queue| queue.nonces().values())
    }

    /// Iterates over the senders with transactions in the pool.
    pub fn senders(&self) -> impl Iterator<Item = Address> {
        self.by_sender.keys().copied()
    }

    /// Returns the nonce after the sender's consecutive transactions that start at `next`.
    pub fn next_nonce(&self, sender: Address, next: u64) -> u64 {
        let Some(nonces) = self.by_sender.get(&sender).map(Queue::nonces) else { return next };
        // Fast path: there is usually no nonce gap, so comparing the ends of the range is
        // sufficient.
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

    /// Returns the number of transactions of a sender.
    pub fn count_of(&self, sender: Address) -> usize {
        self.by_sender.get(&sender).map_or(0, |queue| queue.nonces().len())
    }

    /// Returns `true` if the pool has a transaction of this sender with this nonce.
    pub fn has(&self, sender: Address, nonce: u64) -> bool {
        self.by_sender.get(&sender).is_some_and(|queue| queue.nonces().contains_key(&nonce))
    }

    /// Returns this transaction and the sender's consecutive ones after it, if there is no nonce
    /// gap between `next` and the transaction.
    pub(crate) fn executable_from(
        &self,
        first: &PoolTransaction,
        next: u64,
    ) -> Vec<Arc<PoolTransaction>> {
        let end = self.next_nonce(first.sender(), next).max(first.nonce());
        let queue = self.by_sender.get(&first.sender());
        let run = queue.into_iter().flat_map(|queue| queue.nonces().range(first.nonce()..end));
        run.map(|(_, waiting)| Arc::clone(waiting)).collect()
    }

    /// Sets the transactions in the signed prefix of the next block. They cannot be replaced or
    /// evicted, and do not count against the limits.
    pub fn set_preconfirmed(&mut self, hashes: B256Set) {
        let before = core::mem::replace(&mut self.preconfirmed, hashes);
        let changed = before.symmetric_difference(&self.preconfirmed);
        let changed: Vec<_> = changed.filter_map(|hash| self.by_hash.get(hash).cloned()).collect();
        for transaction in changed {
            let queue = self.by_sender.get(&transaction.sender());
            let placed = queue.map(|queue| (transaction.nonce() < queue.end, queue.is_local));
            if let Some((executable, is_local)) = placed {
                self.place(&transaction, executable, is_local);
            }
        }
    }

    /// Returns `true` if the transaction is in the signed prefix of the next block.
    pub fn is_preconfirmed(&self, hash: &B256) -> bool {
        self.preconfirmed.contains(hash)
    }

    /// Removes a transaction. Later ones of its sender become gapped.
    pub fn remove(&mut self, hash: &B256) -> Option<Arc<PoolTransaction>> {
        let removed = self.by_hash.get(hash).map(Arc::clone)?;
        self.version += 1;
        self.forget(&removed);
        let (sender, nonce) = (removed.sender(), removed.nonce());
        let queue = self.by_sender.get_mut(&sender)?;
        queue.remove(nonce);
        if queue.nonces().is_empty() {
            self.by_sender.remove(&sender);
        } else if (queue.next..queue.end).contains(&nonce) {
            let (end, is_local) = (core::mem::replace(&mut queue.end, nonce), queue.is_local);
            let later: Vec<_> =
                queue.nonces().range(nonce..end).map(|entry| Arc::clone(entry.1)).collect();
            for transaction in later {
                self.place(&transaction, false, is_local);
            }
        }
        Some(removed)
    }

    /// Removes all transactions of a sender.
    pub fn remove_sender(&mut self, sender: Address) {
        self.version += 1;
        if let Some(queue) = self.by_sender.remove(&sender) {
            queue.nonces().values().for_each(|transaction| self.forget(transaction));
        }
    }

    /// Removes all transactions.
    pub fn clear(&mut self) {
        self.version += 1;
        self.by_hash.clear();
        self.by_sender.clear();
        self.by_priority.clear();
        self.gapped.clear();
        self.authorities.clear();
        self.set_back = SetBack::default();
        self.bytes = 0;
    }

    /// Removes transactions of a sender with used nonces.
    pub fn forget_below(&mut self, sender: Address, nonce: u64) {
        let Some(queue) = self.by_sender.get_mut(&sender) else { return };
        let removed = queue.remove_below(nonce);
        let is_empty = queue.nonces().is_empty();
        self.version += 1;
        for transaction in removed.into_values() {
            self.forget(&transaction);
            self.dropped.record(*transaction.hash(), DropReason::NonceUsed);
        }
        if is_empty {
            self.by_sender.remove(&sender);
        } else {
            self.advance(sender, nonce);
        }
    }

    /// Deprioritizes a sender: its transactions are offered after all others for some blocks,
    /// because the builder of this block executed one of them without including it. Otherwise, a
    /// few accounts could use up the building time of every block for free. Also applies to
    /// transactions that arrive later.
    pub fn set_back(&mut self, sender: Address, block: u64) {
        self.version += 1;
        self.set_back.add(sender, block);
    }

    /// Ends the [deprioritization](Self::set_back) of a sender, because a block includes a
    /// transaction that it has paid for.
    pub fn forgive(&mut self, sender: Address) {
        self.version += 1;
        self.set_back.forgive(sender);
    }

    /// Returns `true` if the transactions of a sender are offered after all others.
    pub fn is_set_back(&self, sender: Address) -> bool {
        self.set_back.contains(sender, self.block)
    }

    /// Returns the executable transactions in their order for the next block. `next_nonce` returns
    /// the next nonce of a sender.
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
            let is_first = !self.is_set_back(transaction.sender());
            let worth = match order {
                Order::Fees => tip,
                Order::Offers => transaction.recovered.transaction.max_fee_per_gas(),
                Order::Arrival => 0,
            };
            Some((is_first, worth, Reverse(transaction.arrival)))
        };
        for (sender, queue) in &self.by_sender {
            let next = next_nonce(*sender);
            let mut run = queue
                .nonces()
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
