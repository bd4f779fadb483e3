//! Block attributes that a builder chooses.

use alloy_eips::eip4895::Withdrawal;
use alloy_primitives::{Address, B256, Bytes};

/// Block attributes that a builder chooses.
#[derive(Debug, Clone, Default)]
pub struct BlockAttributes {
    /// Unix timestamp in seconds; greater than the parent's.
    pub timestamp: u64,
    /// Recipient of the tips.
    pub fee_recipient: Address,
    /// Randomness of the beacon chain (EIP-4399).
    pub prev_randao: B256,
    /// Root of the parent beacon block (EIP-4788); the anchor of an L2.
    pub parent_beacon_block_root: B256,
    /// Target gas limit, which the block approaches by the maximum allowed change; `None` keeps the
    /// parent's.
    pub gas_limit: Option<u64>,
    /// Extra data, at most 32 bytes.
    pub extra_data: Bytes,
    /// Withdrawals; an L2 has none.
    pub withdrawals: Vec<Withdrawal>,
    /// Slot number (EIP-7843); Amsterdam and later.
    pub slot_number: u64,
}
