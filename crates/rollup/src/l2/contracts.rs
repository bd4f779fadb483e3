//! Storage of the protocol contracts on the L2.

use alloy_consensus::{Header, Transaction};
use alloy_primitives::U256;
use alloy_sol_types::SolCall as _;
use chain::{Block, ChainError, ChainReader};
use contracts::{Anchor, L1_ANCHOR, L2_MESSENGER, bindings::IL1Anchor};
use std::sync::Arc;

/// Returns the new anchor of a block: the one in its header, if one of its transactions is the
/// `prove` call for it.
pub(crate) fn proven_anchor<'a, T: Transaction + 'a>(
    header: &Header,
    mut transactions: impl Iterator<Item = &'a T>,
) -> Option<Anchor> {
    let carried = header.parent_beacon_block_root?;
    transactions.find_map(|transaction| {
        if transaction.to() != Some(L1_ANCHOR) {
            return None;
        }
        let call = IL1Anchor::proveCall::abi_decode(transaction.input()).ok()?;
        // Anyone can call the contract with any anchor; the block only proves the one whose hash is
        // in its header.
        let anchor = Anchor::of_call(&call);
        (anchor.hash() == carried).then_some(anchor)
    })
}

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
