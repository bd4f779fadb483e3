//! Request for a block.

use alloy_eips::eip4895::Withdrawal;
use alloy_primitives::B256;
use chain::RecoveredTransaction;

/// Parameters of a block: the Engine API's payload attributes, with additions for an L2.
#[derive(Debug, Clone, Default)]
pub struct MineRequest {
    /// Block timestamp; `None` for the clock's.
    pub timestamp: Option<u64>,
    /// Transactions that come before all others, if they are valid in the block. They need not be
    /// in the pool.
    pub transactions: Vec<RecoveredTransaction>,
    /// Number of the first of these transactions that the block must begin with. Otherwise
    /// [`Node::seal`](crate::Node::seal) fails.
    pub fixed: usize,
    /// Transactions of the pool to include, if they are valid in the block; `None` for all
    /// executable ones.
    pub only: Option<Vec<B256>>,
    /// Withdrawals of the block.
    pub withdrawals: Vec<Withdrawal>,
    /// Target of the gas limit, towards which each block moves from its parent's; `None` to keep
    /// the parent's.
    pub gas_target: Option<u64>,
    /// Anchor of the block.
    pub parent_beacon_block_root: B256,
    /// Bytes to keep free in the EXECUTE input, for other data in the L1 transaction.
    pub reserved_bytes: usize,
    /// Maximum sum of the gas limits of transactions from the pool; `None` for no limit. The first
    /// transaction is always included, so that no transaction is too large for every block.
    pub pool_gas: Option<u64>,
}
