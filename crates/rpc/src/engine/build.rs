//! `engine_getPayload`: builds blocks that a consensus client proposes.

use super::{NewPayload, payload_store::PayloadJob};
use crate::{
    RpcError,
    payload::{Payload, value_of},
};
use alloy_eips::Typed2718 as _;
use alloy_primitives::{B256, Bytes, U256};
use chain::{Block, BlockBuilder, BudgetRequest};
use node::Node;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use wire::ProtocolFork;

/// Result of `engine_getPayload`, in all versions from Cancun on. `alloy-rpc-types-engine` has a
/// type per version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuiltPayload {
    /// The block.
    pub execution_payload: Payload,
    /// Priority fees that the fee recipient receives, in wei.
    pub block_value: U256,
    /// Blobs of the block's transactions; always empty for a block of this builder.
    pub blobs_bundle: BlobsBundle,
    /// Whether the consensus client should prefer this payload to one of an external builder.
    pub should_override_builder: bool,
    /// EIP-7685 execution requests, each prefixed with its type; Prague and later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_requests: Option<Vec<Bytes>>,
}

/// Blobs with their KZG commitments and proofs (`BlobsBundle`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are those of the Engine API, with its names")]
pub struct BlobsBundle {
    pub commitments: Vec<Bytes>,
    pub proofs: Vec<Bytes>,
    pub blobs: Vec<Bytes>,
}

impl BuiltPayload {
    pub(super) fn of(block: &Block, fork: ProtocolFork) -> Self {
        let NewPayload { payload, requests, .. } = NewPayload::of(block);
        Self {
            execution_payload: payload,
            block_value: value_of(block),
            blobs_bundle: BlobsBundle::default(),
            should_override_builder: false,
            execution_requests: (fork >= ProtocolFork::Prague).then_some(requests),
        }
    }

    /// Converts the payload to the parameters of `engine_newPayload`.
    pub fn into_new_payload(self, parent_beacon_block_root: B256) -> NewPayload {
        NewPayload {
            payload: self.execution_payload,
            versioned_hashes: Vec::new(),
            parent_beacon_block_root,
            requests: self.execution_requests.unwrap_or_default(),
        }
    }
}

/// Builds a payload, verifies it and inserts it into the chain, so that a later request for its
/// witness succeeds.
pub(super) fn build_payload(node: &Node, job: &PayloadJob) -> Result<Arc<Block>, RpcError> {
    let chain = node.read(|node| node.chain.reader().clone());
    let parent = chain.state_after(&chain.block(&job.parent)?);
    let (extra_data, budget) =
        node.read(|node| (node.settings.extra_data.clone(), Arc::clone(&node.settings.budget)));
    let attributes = job.attributes.for_block(extra_data);
    let header = parent.open_header(&attributes)?;
    let base_fee = header.base_fee_per_gas.unwrap_or_default();
    let offered: Vec<_> = node.read(|node| {
        // No transaction has the maximum nonce (EIP-2681), so this skips a sender whose account
        // cannot be read.
        let next = |sender| parent.nonce(sender).unwrap_or(u64::MAX);
        let ready = node.pool.ready(base_fee, node.settings.order, next);
        let ready = ready.iter().map(|pooled| pooled.recovered.clone());
        ready.filter(|recovered| !recovered.transaction.is_eip4844()).collect()
    });
    let built = BlockBuilder::new(&parent).build_within(
        &header,
        &attributes.withdrawals,
        &offered,
        &*budget,
        BudgetRequest::default(),
    )?;
    for (index, reason) in &built.rejected {
        let transaction = offered.get(*index).map(|recovered| *recovered.transaction.hash());
        tracing::debug!(?transaction, %reason, "rejected transaction");
    }
    let new = built.executed;
    if let Some(block) = chain.find_block(&new.block.hash)? {
        return Ok(block);
    }
    node.verify(&new)?;
    Ok(node.insert(new)?)
}
