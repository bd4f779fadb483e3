//! `engine_forkchoiceUpdated`: the blocks that a consensus client selects.

use super::codes;
use crate::RpcError;
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{B256, FixedBytes};
use chain::{Block, ChainReader, RecoveredTransaction};
use codec::PayloadStatus;
use node::{Forkchoice, Node, PoolTransaction};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Blocks that a consensus client selects (`ForkchoiceStateV1`). A zero hash means that the safe or
/// finalized block is not known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the fields are those of the Engine API, with its names")]
pub struct ForkchoiceState {
    pub head_block_hash: B256,
    pub safe_block_hash: B256,
    pub finalized_block_hash: B256,
}

/// Result of `engine_forkchoiceUpdated` (`ForkchoiceUpdatedResponseV1`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ForkchoiceUpdated {
    /// Status of the head.
    pub payload_status: PayloadStatus,
    /// Id of the payload job, if the request had attributes.
    #[serde(default)]
    pub payload_id: Option<FixedBytes<8>>,
}

impl ForkchoiceState {
    /// Returns the numbers of the safe and the finalized block of a chain with this head.
    ///
    /// # Errors
    ///
    /// [`codes::INVALID_FORKCHOICE`] if one of them is neither the head nor an ancestor of it.
    pub(super) fn finality(
        &self,
        chain: &ChainReader,
        head: &Arc<Block>,
    ) -> Result<Forkchoice, RpcError> {
        let below = |name, hash| {
            number_below(chain, head, hash)?.ok_or_else(|| {
                let head = head.hash;
                let text = format!("the {name} block {hash} is not on the chain of {head}");
                RpcError::new(codes::INVALID_FORKCHOICE, text)
            })
        };
        Ok(Forkchoice {
            safe: below("safe", self.safe_block_hash)?,
            finalized: below("finalized", self.finalized_block_hash)?,
        })
    }
}

/// Returns transactions of reorged blocks to the pool, so that other blocks can include them.
pub(super) fn return_to_pool(node: &Node, displaced: Vec<RecoveredTransaction>) {
    for recovered in displaced {
        let raw = recovered.transaction.encoded_2718().into();
        let hash = *recovered.transaction.hash();
        if let Err(reason) = node.submit(PoolTransaction::new(recovered, None, raw)) {
            tracing::debug!(%hash, %reason, "dropped transaction of a reorged block");
        }
    }
}

/// Returns the number of a block if it is the head or an ancestor of it, otherwise `None`. A zero
/// hash stands for the first block.
fn number_below(
    chain: &ChainReader,
    head: &Arc<Block>,
    hash: B256,
) -> Result<Option<u64>, RpcError> {
    if hash.is_zero() {
        return Ok(Some(chain.first_number()));
    }
    let Some(wanted) = chain.find_block(&hash)? else { return Ok(None) };
    let number = wanted.header.number;
    let mut block = Arc::clone(head);
    while block.header.number > number {
        // All ancestors of a canonical block are canonical.
        if chain.canonical_hash(block.header.number)? == Some(block.hash) {
            let is_below = chain.canonical_hash(number)? == Some(hash);
            return Ok(is_below.then_some(number));
        }
        let Some(parent) = chain.find_block(&block.header.parent_hash)? else { return Ok(None) };
        block = parent;
    }
    Ok((block.hash == hash).then_some(number))
}
