//! Limits of a pool.

use alloy_primitives::map::AddressSet;

/// Limits of a pool.
///
/// A transaction is *gapped* if a nonce between its sender's next one and its own is missing.
/// Gapped transactions cost their senders nothing while the nonce is missing, so they have separate
/// limits and are evicted first. Those that became gapped through a reorg do not count against
/// these limits, because their senders have sent all nonces.
#[derive(Debug, Clone)]
pub struct PoolLimits {
    /// Maximum number of transactions.
    pub transactions: usize,
    /// Maximum number of bytes of encoded transactions, blobs included.
    pub bytes: usize,
    /// Maximum number of transactions of one sender.
    pub per_sender: usize,
    /// Maximum number of gapped transactions.
    pub gapped: usize,
    /// Maximum number of gapped transactions of one sender.
    pub gapped_per_sender: usize,
    /// Number of blocks after which a gapped transaction is dropped.
    pub gapped_lifetime: u64,
    /// `true` if a sender's balance must cover the maximum cost of all its pending transactions
    /// together, and an account that delegates to code (EIP-7702), which others can drain, may have
    /// only one pending transaction.
    pub holds_balances: bool,
    /// `true` if legacy transactions without a chain id (before EIP-155) are accepted.
    pub accepts_unprotected: bool,
    /// Local senders, which have no limits and are never evicted.
    pub local: AddressSet,
}

impl PoolLimits {
    /// Returns the limits for a node with a public RPC.
    pub fn public() -> Self {
        Self {
            transactions: 20_000,
            bytes: 64 << 20,
            per_sender: 1_024,
            gapped: 1_024,
            gapped_per_sender: 16,
            gapped_lifetime: 300,
            holds_balances: true,
            accepts_unprotected: false,
            local: AddressSet::default(),
        }
    }

    /// Returns these limits without bounds on numbers and bytes, to restore transactions that were
    /// accepted under other limits.
    #[must_use]
    pub fn unbounded(self) -> Self {
        let Self { holds_balances, accepts_unprotected, local, .. } = self;
        Self { holds_balances, accepts_unprotected, local, ..Self::default() }
    }
}

impl Default for PoolLimits {
    /// No limits.
    fn default() -> Self {
        Self {
            transactions: usize::MAX,
            bytes: usize::MAX,
            per_sender: usize::MAX,
            gapped: usize::MAX,
            gapped_per_sender: usize::MAX,
            gapped_lifetime: u64::MAX,
            holds_balances: false,
            accepts_unprotected: true,
            local: AddressSet::default(),
        }
    }
}
