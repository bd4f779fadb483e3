//! Transactions of replaced blocks, to be included again.

use crate::{
    SequencerError,
    l1::L1View,
    l2::{
        contracts::relayed_after,
        pool_log::{PoolLog, may_become_valid},
    },
};
use alloy_consensus::Transaction as _;
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, map::AddressMap};
use chain::{Block, ChainReader, RecoveredTransaction, Rejection};
use core::ops::Deref;
use node::{DropTransaction, Node, PoolTransaction, Rejected, SetPoolLimits};
use std::sync::Arc;

/// Transactions of replaced blocks, to be included again in the same order. They are not returned
/// to the pool, because they may depend on earlier ones, e.g. a deposit.
#[derive(Debug)]
pub(super) struct Requeued {
    transactions: Vec<RecoveredTransaction>,
    /// Operator account, whose transactions are created again.
    operator: Address,
    pool_log: Option<Arc<PoolLog>>,
}

impl Deref for Requeued {
    type Target = [RecoveredTransaction];

    fn deref(&self) -> &[RecoveredTransaction] {
        &self.transactions
    }
}

impl Requeued {
    pub(super) const fn new(operator: Address, pool_log: Option<Arc<PoolLog>>) -> Self {
        Self { transactions: Vec::new(), operator, pool_log }
    }

    pub(super) fn into_inner(self) -> Vec<RecoveredTransaction> {
        self.transactions
    }

    /// Removes a transaction.
    pub(super) fn remove(&mut self, hash: &B256) {
        self.transactions.retain(|requeued| requeued.transaction.hash() != hash);
    }

    /// Requeues the transactions of replaced blocks, and records them in the pool file for a
    /// restart.
    pub(super) fn displace(&mut self, displaced: Vec<RecoveredTransaction>) {
        if let Some(log) = &self.pool_log {
            log.keep_displaced(&displaced);
        }
        self.push_front(displaced);
    }

    /// Requeues the transactions of replaced blocks, except the operator's, which are created
    /// again.
    pub(super) fn push_front(&mut self, displaced: Vec<RecoveredTransaction>) {
        let operator = self.operator;
        let mut requeued: Vec<_> =
            displaced.into_iter().filter(|tx| tx.sender != operator).collect();
        // Transactions of older blocks come first, since later ones may depend on them.
        requeued.append(&mut self.transactions);
        self.transactions = requeued;
    }

    /// Drops transactions that a block has included, or that no block can include any more. While
    /// messages are still to be relayed, a lack of ether does not count, since one of them may be a
    /// deposit.
    pub(super) fn forget(
        &mut self,
        node: &Node,
        view: &L1View,
        block: &Arc<Block>,
        rejected: &[(B256, Rejection)],
    ) -> Result<(), SequencerError> {
        let chain = node.read(|node| node.chain.reader().clone());
        self.return_gapped(node, &chain)?;
        if self.transactions.is_empty() {
            return Ok(());
        }
        let is_behind = relayed_after(&chain, block)? < view.messages().len();
        let mut dropped = Vec::new();
        self.transactions.retain(|requeued| {
            let hash = requeued.transaction.hash();
            let reason = rejected.iter().find(|(rejected, _)| rejected == hash);
            // If an older block includes the transaction, this block rejects it, but it was not
            // dropped.
            let included = block.transactions.iter().any(|tx| tx.hash() == hash)
                || reason.is_some() && matches!(chain.transaction(hash), Ok(Some(_)));
            if included {
                return false;
            }
            let is_out = |rejection: &Rejection| {
                // A message that is not relayed yet may deposit the missing ether, but cannot make
                // a transaction smaller.
                rejection.is_final() && (!is_behind || matches!(rejection, Rejection::TooLarge(_)))
            };
            let Some((transaction, reason)) = reason.filter(|(_, reason)| is_out(reason)) else {
                return true;
            };
            tracing::warn!(%transaction, %reason, "dropped transaction");
            dropped.push(DropTransaction { hash: *transaction, reason: reason.to_string() });
            false
        });
        for command in dropped {
            node.execute(command);
        }
        Ok(())
    }

    /// Returns requeued transactions with a nonce gap, or a fee cap below the base fee, to the
    /// pool. Requeued transactions precede the pool's in a block, so missing ones in the pool would
    /// only be included after them. A transaction that the pool rejects for a temporary reason
    /// stays queued, because it was acknowledged.
    pub(super) fn return_gapped(
        &mut self,
        node: &Node,
        chain: &ChainReader,
    ) -> Result<(), SequencerError> {
        let base_fee = u128::from(chain.state().next_base_fee()?);
        let mut next = AddressMap::<u64>::default();
        let mut is_gapped = Vec::with_capacity(self.transactions.len());
        for requeued in &self.transactions {
            let nonce = requeued.transaction.nonce();
            let expected = match next.get(&requeued.sender) {
                Some(expected) => *expected,
                None => chain.nonce(requeued.sender)?,
            };
            let is_below = requeued.transaction.max_fee_per_gas() < base_fee;
            is_gapped.push(nonce > expected || is_below && nonce == expected);
            let reached =
                if nonce == expected && !is_below { nonce.saturating_add(1) } else { expected };
            next.insert(requeued.sender, reached);
        }
        if !is_gapped.contains(&true) {
            return Ok(());
        }
        let all = core::mem::take(&mut self.transactions).into_iter().zip(is_gapped);
        let (gapped, others): (Vec<_>, Vec<_>) = all.partition(|(_, is_gapped)| *is_gapped);
        self.transactions = others.into_iter().map(|(requeued, _)| requeued).collect();
        // They were acknowledged, so the pool must accept them even beyond its limits.
        let limits = node.read(|node| node.settings.pool_limits.clone());
        let limits = node.execute(SetPoolLimits(limits.unbounded()));
        for (requeued, _) in gapped {
            let hash = *requeued.transaction.hash();
            let raw = requeued.transaction.encoded_2718().into();
            match node.submit(PoolTransaction::new(requeued.clone(), None, raw)) {
                Ok(_) | Err(Rejected::Known(_) | Rejected::NonceTooLow { .. }) => {}
                Err(Rejected::Backlog(_)) => self.transactions.push(requeued),
                Err(reason) if may_become_valid(&reason) => self.transactions.push(requeued),
                Err(reason) => {
                    tracing::warn!(transaction = %hash, %reason, "dropped transaction");
                    node.execute(DropTransaction { hash, reason: reason.to_string() });
                }
            }
        }
        node.execute(SetPoolLimits(limits));
        Ok(())
    }
}
