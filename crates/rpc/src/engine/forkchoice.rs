//! `engine_forkchoiceUpdated`: sets the head and starts payload jobs.

use super::{Engine, PayloadAttributes, codes};
use crate::RpcError;
use alloy_primitives::{B256, FixedBytes};
use chain::{Block, ChainReader, RecoveredTransaction};
use codec::PayloadStatus;
use node::{Forkchoice, PoolTransaction, SetForkchoice, SetHead};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use wire::ProtocolFork;

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

impl Engine {
    /// Makes a known block the head and, with attributes, starts a payload job on it. `forks` is
    /// the range of forks that the method's version supports.
    ///
    /// # Errors
    ///
    /// [`RpcError`] with the codes of the Engine API.
    pub fn forkchoice_updated(
        &self,
        state: ForkchoiceState,
        attributes: Option<Value>,
        forks: (ProtocolFork, ProtocolFork),
    ) -> Result<ForkchoiceUpdated, RpcError> {
        let without_payload =
            |payload_status| Ok(ForkchoiceUpdated { payload_status, payload_id: None });
        let head = state.head_block_hash;
        if let Some(invalid) = self.invalid.lock().get(&head) {
            let status = PayloadStatus::invalid(Some(invalid.latest_valid), invalid.reason);
            return without_payload(status);
        }
        let chain = self.api.chain();
        let Some(block) = chain.find_block(&head)? else {
            return without_payload(PayloadStatus::syncing());
        };
        let inconsistent = |reason| RpcError::new(codes::INVALID_FORKCHOICE, reason);
        let below = |name, hash| {
            number_below(&chain, &block, hash)?.ok_or_else(|| {
                inconsistent(format!("the {name} block {hash} is not on the chain of {head}"))
            })
        };
        let (safe, finalized) = (
            below("safe", state.safe_block_hash)?,
            below("finalized", state.finalized_block_hash)?,
        );
        self.policy.check(&chain, &block).map_err(inconsistent)?;
        if chain.head().hash != head {
            let displaced = self.api.node().execute(SetHead(head))?;
            self.offer_again(displaced);
        }
        if !self.policy.keeps_finality() {
            self.api.node().execute(SetForkchoice(Forkchoice { safe, finalized }));
        }
        let payload_id = match attributes {
            None => None,
            Some(value) => {
                let attributes = PayloadAttributes::read(value, forks)?;
                self.fork_within(attributes.timestamp.to(), forks)?;
                Some(self.begin_payload(&block, attributes)?.into())
            }
        };
        Ok(ForkchoiceUpdated { payload_status: PayloadStatus::valid(head), payload_id })
    }

    /// Returns transactions of reorged blocks to the pool, so that other blocks can include them.
    fn offer_again(&self, displaced: Vec<RecoveredTransaction>) {
        use alloy_eips::eip2718::Encodable2718 as _;
        for recovered in displaced {
            let raw = recovered.transaction.encoded_2718().into();
            let hash = *recovered.transaction.hash();
            let offered = self.api.node().submit(PoolTransaction::new(recovered, None, raw));
            if let Err(reason) = offered {
                tracing::debug!(%hash, %reason, "dropped transaction of a reorged block");
            }
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
