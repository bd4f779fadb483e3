//! Configuration of a submitter.

use std::time::Duration;

/// Limits and timeouts of a submitter.
#[derive(Debug, Clone)]
pub struct SubmitterConfig {
    /// Priority fee, in wei per gas.
    pub tip: u128,
    /// Maximum fee, in wei per gas.
    pub max_fee: u128,
    /// Maximum blob fee, in wei per blob gas. While blobs cost more, blocks are posted as calldata.
    pub max_blob_fee: u128,
    /// Maximum fee of a transaction without its blobs, in wei. L1 nodes reject transactions above
    /// their `--rpc.txfeecap`.
    pub max_tx_fee: u128,
    /// Number of L1 blocks without the transaction after which its fees are bumped.
    pub bump_after: u64,
    /// Time after which a transaction is resent if there is no L1 block.
    pub resend_after: Duration,
    /// Maximum spending within a day, in wei.
    pub daily_limit: u128,
    /// Balance below which the submitter logs a warning, in wei.
    pub low_balance: u128,
    /// Maximum number of transactions in flight.
    pub max_in_flight: usize,
}

impl Default for SubmitterConfig {
    fn default() -> Self {
        Self {
            tip: 1_000_000_000,
            max_fee: 500_000_000_000,
            max_blob_fee: 100_000_000_000,
            max_tx_fee: 1_000_000_000_000_000_000,
            bump_after: 3,
            resend_after: Duration::from_secs(12),
            daily_limit: 10_000_000_000_000_000_000,
            low_balance: 1_000_000_000_000_000_000,
            max_in_flight: 8,
        }
    }
}
