//! A transaction in a pool.

use alloy_consensus::Transaction as _;
use alloy_eips::eip7594::BlobTransactionSidecarVariant;
use alloy_primitives::{Address, B256, Bytes, U256};
use chain::RecoveredTransaction;
use std::{cmp::Reverse, sync::Arc};

/// The blobs of a transaction, with commitments and proofs.
pub type Sidecar = BlobTransactionSidecarVariant;

/// A transaction in the pool.
#[derive(Debug, Clone)]
pub struct PoolTransaction {
    /// The transaction and its sender.
    pub recovered: RecoveredTransaction,
    /// Blobs of the transaction, if it has any.
    pub sidecar: Option<Arc<Sidecar>>,
    /// Encoding as it was sent, blobs included.
    pub raw: Bytes,
    /// Position in the order of arrival.
    pub(super) arrival: u64,
    /// Accounts whose authorizations (EIP-7702) the transaction contains, if the pool needs them.
    pub(super) authorities: Vec<Address>,
}

/// State of the sender of a new transaction, and of the chain, at admission.
#[derive(Debug, Clone, Default)]
pub struct AdmissionContext {
    /// Next nonce of the sender.
    pub nonce: u64,
    /// Balance of the sender, in wei.
    pub balance: U256,
    /// `true` if the sender delegates to code (EIP-7702).
    pub is_delegated: bool,
    /// Accounts whose authorizations (EIP-7702) the transaction contains.
    pub authorities: Vec<Address>,
    /// Base fee of the next block, in wei per gas.
    pub base_fee: u64,
    /// Number of the head.
    pub block: u64,
}

/// Eviction priority of a transaction: effective tip, arrival and hash; the lowest is evicted
/// first. The tip is `None`, the lowest, if the fee cap is below the base fee.
pub(super) type EvictionPriority = (Option<u128>, Reverse<u64>, B256);

impl PoolTransaction {
    /// Creates a transaction that the pool has not yet admitted.
    pub const fn new(
        recovered: RecoveredTransaction,
        sidecar: Option<Arc<Sidecar>>,
        raw: Bytes,
    ) -> Self {
        Self { recovered, sidecar, raw, arrival: 0, authorities: Vec::new() }
    }

    /// Returns the transaction hash.
    pub fn hash(&self) -> &B256 {
        self.recovered.transaction.hash()
    }

    /// Returns the transaction's sender.
    pub const fn sender(&self) -> Address {
        self.recovered.sender
    }

    /// Returns the transaction's nonce.
    pub fn nonce(&self) -> u64 {
        self.recovered.transaction.nonce()
    }

    /// Returns the maximum cost of the transaction for its sender, in wei ([`chain::max_cost`]).
    pub fn cost(&self) -> U256 {
        chain::max_cost(&self.recovered.transaction)
    }

    /// Returns the effective tip per gas under a base fee, in wei; `None` if the fee cap is below
    /// the base fee.
    pub(super) fn tip(&self, base_fee: u64) -> Option<u128> {
        self.recovered.transaction.effective_tip_per_gas(base_fee)
    }

    pub(super) fn worth(&self, base_fee: u64) -> EvictionPriority {
        (self.tip(base_fee), Reverse(self.arrival), *self.hash())
    }

    /// Returns `true` if fee cap and tip are higher than another's by `bump` percent. Without a
    /// bump a higher fee cap is enough.
    pub(super) fn outbids(&self, other: &Self, bump: u8) -> bool {
        let (new, old) = (&self.recovered.transaction, &other.recovered.transaction);
        let enough = |new: u128, old: u128| {
            let more = old.saturating_mul(bump.into()) / 100;
            new >= old.saturating_add(more) && new > old
        };
        let fees = enough(new.max_fee_per_gas(), old.max_fee_per_gas());
        // A higher fee cap alone costs the sender nothing, because the sender pays only base fee
        // and tip.
        let tips = bump == 0 || enough(tip_cap(new), tip_cap(old));
        let blobs = match (new.max_fee_per_blob_gas(), old.max_fee_per_blob_gas()) {
            (Some(new), Some(old)) => new >= old.saturating_mul(2),
            _ => true,
        };
        fees && tips && blobs
    }
}

fn tip_cap(transaction: &impl alloy_consensus::Transaction) -> u128 {
    transaction.max_priority_fee_per_gas().unwrap_or_else(|| transaction.max_fee_per_gas())
}
