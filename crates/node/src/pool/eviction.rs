//! Eviction from a full pool, and limits per account.

use super::{
    AdmissionContext, DropReason, EvictionPriority, Pool, PoolLimits, PoolTransaction, Queue,
    gapped::Gapped,
};
use crate::Rejected;
use alloy_primitives::{
    Address, U256,
    aliases::U320,
    map::{AddressMap, B256Set},
};
use std::sync::Arc;

impl Pool {
    /// Checks the limits of the sender's account.
    pub(super) fn check_sender(
        &self,
        new: &PoolTransaction,
        old: Option<&PoolTransaction>,
        context: &AdmissionContext,
        limits: &PoolLimits,
    ) -> Result<(), Rejected> {
        let sender = new.sender();
        let waiting = self.count_of(sender);
        if old.is_none() && waiting >= limits.per_sender {
            return Err(Rejected::SenderLimit { sender, limit: limits.per_sender });
        }
        if !limits.holds_balances {
            return Ok(());
        }
        // A gapped transaction may never become executable, so its authorizations must not restrict
        // the account.
        let mut carriers = self.authorities.get(&sender).into_iter().flatten();
        let is_open = context.is_delegated || carriers.any(|hash| !self.gapped.contains(hash));
        if old.is_none() && waiting > 0 && is_open {
            return Err(Rejected::Delegated(sender));
        }
        // Once applied, the delegated code can spend the balance that the account's other
        // transactions need.
        let reserved = |account: &&Address| {
            let own = usize::from(**account == sender && old.is_none());
            self.count_of(**account) + own > 1
        };
        if let Some(authority) = context.authorities.iter().find(reserved) {
            return Err(Rejected::AuthorityReserved(*authority));
        }
        let pending_cost =
            self.by_sender.get(&sender).map_or(U320::ZERO, |queue| queue.cost_without(new.nonce()));
        let (balance, cost) = (context.balance, new.cost());
        if pending_cost + U320::from(cost) > U320::from(balance) {
            let pending_cost = U256::saturating_from(pending_cost);
            return Err(Rejected::Overdraft { sender, balance, pending_cost, cost });
        }
        Ok(())
    }

    /// Evicts transactions until a new one fits, or evicts none and fails. In a pool above its
    /// limits, only evicts enough to keep the current size.
    pub(super) fn evict_for(
        &mut self,
        new: &PoolTransaction,
        old: Option<&PoolTransaction>,
        context: &AdmissionContext,
        limits: &PoolLimits,
    ) -> Result<(), Rejected> {
        let sender = new.sender();
        // A local sender's transactions do not count against the limits, so replacing one frees
        // nothing.
        let replaced = old.filter(|old| {
            self.gapped.contains(old.hash()) || self.by_priority.contains(&old.worth(self.base_fee))
        });
        let is_gapped = self.next_nonce(sender, context.nonce) < new.nonce();
        let mut victims = Vec::<(Arc<PoolTransaction>, DropReason)>::new();
        if is_gapped && replaced.is_none() {
            let victim = self.gapped_victim(sender, limits)?;
            victims.extend(victim.map(|victim| (victim, DropReason::TooManyGapped)));
        }
        let freed = victims.first().map_or(0, |(victim, _)| victim.raw.len())
            + replaced.map_or(0, |old| old.raw.len());
        let mut count = self.by_priority.len() + self.gapped.len() + 1
            - usize::from(replaced.is_some())
            - victims.len();
        let mut bytes = self.bytes + new.raw.len() - freed;
        // After the limits are lowered, a single better-paying transaction must not evict
        // everything above the new limits.
        let max_count = limits.transactions.max(self.by_priority.len() + self.gapped.len());
        let max_bytes = limits.bytes.max(self.bytes);
        if count > max_count || bytes > max_bytes {
            self.reprice(context.base_fee);
        }
        let worth = new.worth(self.base_fee);
        let full = |minimum: Option<u128>| Rejected::PoolFull {
            got: worth.0.unwrap_or_default(),
            minimum: minimum.unwrap_or_default(),
        };
        let mut evicted: B256Set = victims.iter().map(|(victim, _)| *victim.hash()).collect();
        let is_free = |tx: &PoolTransaction, evicted: &B256Set| {
            replaced.is_none_or(|old| old.hash() != tx.hash()) && !evicted.contains(tx.hash())
        };
        let mut oldest = self.gapped.oldest().filter_map(|hash| self.by_hash.get(hash));
        let mut cheapest = self.by_priority.iter();
        while count > max_count || bytes > max_bytes {
            let victim = match oldest.find(|tx| is_free(tx, &evicted)) {
                Some(gapped) => Arc::clone(gapped),
                None => {
                    let Some(cheap) = cheapest.next() else { return Err(full(Some(u128::MAX))) };
                    if is_gapped || cheap.0 >= worth.0 {
                        return Err(full(cheap.0));
                    }
                    let owner = self.by_hash.get(&cheap.2).map(|tx| tx.sender());
                    // Evict the sender's last transaction instead, since evicting this one would
                    // make all later ones gapped.
                    let mut newest_first = self.of(owner.unwrap_or_default()).rev();
                    let last = newest_first.find(|tx| is_free(tx, &evicted));
                    let Some(last) = last.map(Arc::clone) else { continue };
                    if last.sender() == sender && last.nonce() < new.nonce() {
                        return Err(full(cheap.0));
                    }
                    last
                }
            };
            evicted.insert(*victim.hash());
            count -= 1;
            bytes -= victim.raw.len();
            victims.push((victim, DropReason::Evicted));
        }
        drop(oldest);
        for (victim, reason) in victims {
            self.drop_transaction(victim.hash(), reason);
        }
        Ok(())
    }

    /// Checks the limits for another gapped transaction of a sender. Returns the oldest gapped
    /// transaction if it must be evicted for that.
    fn gapped_victim(
        &self,
        sender: Address,
        limits: &PoolLimits,
    ) -> Result<Option<Arc<PoolTransaction>>, Rejected> {
        let own = self.by_sender.get(&sender).map_or(0, Queue::gapped);
        if own >= limits.gapped_per_sender {
            return Err(Rejected::GappedLimit { sender, limit: limits.gapped_per_sender });
        }
        if self.gapped.count() < limits.gapped {
            return Ok(None);
        }
        let oldest = self.gapped.oldest_counted().find_map(|hash| self.by_hash.get(hash));
        oldest
            .map(|oldest| Some(Arc::clone(oldest)))
            .ok_or(Rejected::GappedLimit { sender, limit: limits.gapped })
    }

    /// Drops transactions that a new head has invalidated: used nonces, and transactions that the
    /// sender's balance no longer covers.
    pub fn settle(&mut self, sender: Address, nonce: u64, balance: U256, limits: &PoolLimits) {
        self.forget_below(sender, nonce);
        if !limits.holds_balances || limits.local.contains(&sender) {
            return;
        }
        let mut total_cost = U256::ZERO;
        let unfunded: Vec<_> = self
            .of(sender)
            .filter(|tx| {
                total_cost = total_cost.saturating_add(tx.cost());
                total_cost > balance
            })
            .map(|tx| *tx.hash())
            .collect();
        for hash in unfunded.iter().rev() {
            self.drop_transaction(hash, DropReason::Unfunded { balance });
        }
    }

    /// Drops gapped transactions that have expired at a new head, and those that exceed the limits
    /// because the transaction before them was dropped.
    pub fn expire_gapped(&mut self, block: u64, limits: &PoolLimits) {
        self.block = block;
        self.set_back.expire(block);
        let lifetime = limits.gapped_lifetime;
        let expired: Vec<_> = match block.checked_sub(lifetime) {
            Some(last) => self.gapped.since(last).copied().collect(),
            None => Vec::new(),
        };
        for hash in expired {
            self.drop_transaction(&hash, DropReason::Expired(lifetime));
        }
        if self.gapped.len() <= limits.gapped_per_sender.min(limits.gapped) {
            return;
        }
        let mut counts = AddressMap::<usize>::default();
        for transaction in self.gapped.oldest_counted().filter_map(|hash| self.by_hash.get(hash)) {
            *counts.entry(transaction.sender()).or_default() += 1;
        }
        for (sender, count) in counts {
            let surplus = count.saturating_sub(limits.gapped_per_sender);
            let counted = self.of(sender).rev().filter(|tx| self.gapped.counts(tx.hash()));
            let last: Vec<_> = counted.take(surplus).map(|tx| *tx.hash()).collect();
            for hash in last {
                self.drop_transaction(&hash, DropReason::TooManyGapped);
            }
        }
        let surplus = self.gapped.count().saturating_sub(limits.gapped);
        let oldest: Vec<_> = self.gapped.oldest_counted().take(surplus).copied().collect();
        for hash in oldest {
            self.drop_transaction(&hash, DropReason::TooManyGapped);
        }
    }

    /// Adds a transaction to the executable or the gapped subpool.
    pub(super) fn place(
        &mut self,
        transaction: &PoolTransaction,
        executable: bool,
        is_local: bool,
    ) {
        self.unplace(transaction);
        if is_local || self.is_preconfirmed(transaction.hash()) {
            return;
        }
        self.bytes += transaction.raw.len();
        if executable {
            self.by_priority.insert(transaction.worth(self.base_fee));
        } else {
            let (since, arrival) = (self.block, transaction.arrival);
            let age = Gapped { since, arrival, is_displaced: false };
            self.gapped.insert(*transaction.hash(), age);
        }
    }

    fn unplace(&mut self, transaction: &PoolTransaction) {
        let was_gapped = self.gapped.remove(transaction.hash());
        if was_gapped || self.by_priority.remove(&transaction.worth(self.base_fee)) {
            self.bytes -= transaction.raw.len();
        }
    }

    /// Removes a transaction from the eviction indexes, but not from the queue of its sender.
    pub(super) fn forget(&mut self, transaction: &PoolTransaction) {
        self.by_hash.remove(transaction.hash());
        self.unplace(transaction);
        for authority in &transaction.authorities {
            if let Some(carriers) = self.authorities.get_mut(authority) {
                carriers.remove(transaction.hash());
                if carriers.is_empty() {
                    self.authorities.remove(authority);
                }
            }
        }
    }

    /// Records the next nonce of a sender.
    pub(super) fn advance(&mut self, sender: Address, next: u64) {
        let Some(queue) = self.by_sender.get_mut(&sender) else { return };
        if next < queue.next {
            self.reclassify(sender, next);
            return;
        }
        queue.next = next;
        queue.end = queue.end.max(next);
        self.extend(sender);
    }

    /// Promotes gapped transactions to executable ones, starting at the first missing nonce, if it
    /// has been filled.
    pub(super) fn extend(&mut self, sender: Address) {
        let Some(queue) = self.by_sender.get_mut(&sender) else { return };
        let (mut run, is_local) = (Vec::new(), queue.is_local);
        while let Some(next) = queue.nonces().get(&queue.end) {
            run.push(Arc::clone(next));
            queue.end += 1;
        }
        for transaction in run {
            self.place(&transaction, true, is_local);
        }
    }

    /// Recomputes which transactions of a sender are executable and which are gapped.
    pub(super) fn reclassify(&mut self, sender: Address, next: u64) {
        let Some(queue) = self.by_sender.get_mut(&sender) else { return };
        // The next nonce decreases only in a reorg, which makes these transactions gapped without
        // the sender's fault.
        let displaced = if next < queue.next { queue.next..queue.end } else { 0..0 };
        (queue.next, queue.end) = (next, next);
        let (all, is_local): (Vec<_>, _) =
            (queue.nonces().values().map(Arc::clone).collect(), queue.is_local);
        for transaction in all {
            let before = self.gapped.is_displaced(transaction.hash());
            self.place(&transaction, false, is_local);
            if before || displaced.contains(&transaction.nonce()) {
                self.gapped.displace(*transaction.hash());
            }
        }
        self.extend(sender);
    }

    /// Reorders executable transactions by their effective tips under a new base fee.
    fn reprice(&mut self, base_fee: u64) {
        if base_fee == self.base_fee {
            return;
        }
        self.base_fee = base_fee;
        let hashes = core::mem::take(&mut self.by_priority).into_iter().map(|worth| worth.2);
        let all = hashes.filter_map(|hash| Some(self.by_hash.get(&hash)?.worth(base_fee)));
        let repriced: std::collections::BTreeSet<EvictionPriority> = all.collect();
        self.by_priority = repriced;
    }
}
