//! Storage of the protocol contracts on the L2.

use alloy_primitives::U256;
use chain::{Block, ChainError, ChainReader};
use contracts::{L1_ANCHOR, L2_MESSENGER};
use std::sync::Arc;

/// Returns the number of messages covered by the anchor after a block, from `L1Anchor`.
pub(crate) fn covered_by(chain: &ChainReader, block: &Arc<Block>) -> Result<u64, ChainError> {
    let slot = chain.state_after(block).storage(L1_ANCHOR, U256::ZERO)?;
    Ok(slot.as_limbs()[1])
}

/// Returns the number of messages relayed after a block, from `L2Messenger`.
pub(crate) fn relayed_after(chain: &ChainReader, block: &Arc<Block>) -> Result<u64, ChainError> {
    let slot = chain.state_after(block).storage(L2_MESSENGER, U256::ZERO)?;
    Ok(slot.as_limbs()[0])
}

/// Returns the number of messages sent to L1 up to a block, from `L2Messenger`.
pub(crate) fn sent_after(chain: &ChainReader, block: &Arc<Block>) -> Result<u64, ChainError> {
    let slot = chain.state_after(block).storage(L2_MESSENGER, U256::ZERO)?;
    Ok(slot.as_limbs()[1])
}
