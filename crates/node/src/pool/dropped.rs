//! Transactions that have left a pool without being included in a block.

use alloy_primitives::{B256, map::B256Map};
use std::collections::VecDeque;

/// Maximum number of records of dropped transactions.
const LIMIT: usize = 8_192;

/// Reason why a transaction left a pool without being included in a block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DropReason {
    /// Another transaction with the same nonce pays more.
    #[error("replaced by {0}")]
    Replaced(B256),
    /// The pool was full.
    #[error("evicted: the pool is full of transactions that pay more")]
    Evicted,
    /// The pool had too many gapped transactions.
    #[error("evicted: too many gapped transactions")]
    TooManyGapped,
    /// The missing nonce did not arrive in time.
    #[error("expired: a lower nonce was missing for {0} blocks")]
    Expired(u64),
    /// The sender's balance no longer covers its pending transactions.
    #[error("the sender's balance of {balance} wei does not cover its pending transactions")]
    Unfunded {
        /// Balance of the sender, in wei.
        balance: alloy_primitives::U256,
    },
    /// A block includes another transaction with the same nonce.
    #[error("its nonce was used by another transaction")]
    NonceUsed,
    /// No block can include the transaction.
    #[error("no block can include it: {0}")]
    Invalid(String),
}

/// The last dropped transactions, with the reasons.
#[derive(Debug, Clone, Default)]
pub(super) struct Dropped {
    order: VecDeque<B256>,
    reasons: B256Map<DropReason>,
}

impl Dropped {
    /// Records a transaction, and discards the oldest record if there are too many.
    pub(super) fn record(&mut self, hash: B256, reason: DropReason) {
        tracing::debug!(transaction = %hash, %reason, "dropped transaction");
        if self.reasons.insert(hash, reason).is_some() {
            return;
        }
        self.order.push_back(hash);
        if self.order.len() > LIMIT
            && let Some(oldest) = self.order.pop_front()
        {
            self.reasons.remove(&oldest);
        }
    }

    pub(super) fn reason(&self, hash: &B256) -> Option<&DropReason> {
        self.reasons.get(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_dropped_transactions_are_remembered_up_to_limit() {
        let mut dropped = Dropped::default();
        let hash = |number: usize| B256::left_padding_from(&number.to_be_bytes());
        for number in 0..2 * LIMIT {
            dropped.record(hash(number), DropReason::Evicted);
            // Record every other transaction twice.
            if number % 2 == 0 {
                dropped.record(hash(number), DropReason::NonceUsed);
            }
        }
        assert_eq!((dropped.order.len(), dropped.reasons.len()), (LIMIT, LIMIT));
        assert_eq!(dropped.reason(&hash(LIMIT - 1)), None);
        assert_eq!(dropped.reason(&hash(LIMIT)), Some(&DropReason::NonceUsed));
    }
}
