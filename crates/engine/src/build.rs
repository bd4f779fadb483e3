//! `engine_getPayload`: blocks for others to propose.

use crate::{Engine, NewPayload, PayloadAttributes, codes};
use alloy_eips::Typed2718 as _;
use alloy_primitives::{B256, Bytes, FixedBytes, U256};
use chain::{Block, BudgetRequest};
use rpc::{
    RpcError,
    payload::{Payload, value_of},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use wire::ProtocolFork;

/// Payloads that may be asked for at once; the oldest are forgotten.
const MAX_JOBS: usize = 16;

/// A payload that is to be built, or has been.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    id: [u8; 8],
    parent: B256,
    attributes: PayloadAttributes,
    built: Option<Arc<Block>>,
}

/// Answer of `engine_getPayload`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuiltPayload {
    /// The block.
    pub execution_payload: Payload,
    /// Fees of its transactions for the fee recipient, in wei.
    pub block_value: U256,
    /// The blobs of its transactions.
    pub blobs_bundle: BlobsBundle,
    /// `true` if it is to be preferred to a payload of an external builder.
    pub should_override_builder: bool,
    /// Requests that the block causes, each with its type in front; Prague and later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_requests: Option<Vec<Bytes>>,
}

/// Blobs with their proofs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are those of the Engine API, by their names there")]
pub struct BlobsBundle {
    pub commitments: Vec<Bytes>,
    pub proofs: Vec<Bytes>,
    pub blobs: Vec<Bytes>,
}

impl BuiltPayload {
    fn of(block: &Block, fork: ProtocolFork) -> Self {
        let NewPayload { payload, requests, .. } = NewPayload::of(block);
        Self {
            execution_payload: payload,
            block_value: value_of(block),
            blobs_bundle: BlobsBundle::default(),
            should_override_builder: false,
            execution_requests: (fork >= ProtocolFork::Prague).then_some(requests),
        }
    }
}

impl Engine {
    /// Remembers that a payload is to be built; its id.
    pub(crate) fn begin_payload(
        &self,
        parent: &Block,
        attributes: PayloadAttributes,
    ) -> Result<[u8; 8], RpcError> {
        let invalid = |reason: String| RpcError::new(codes::INVALID_ATTRIBUTES, reason);
        let (got, head) = (attributes.timestamp.to::<u64>(), parent.header.timestamp);
        if got <= head {
            return Err(invalid(format!("the timestamp {got} is not behind the head's {head}")));
        }
        let rules = self.api.node().read(|node| node.settings.verify_blocks);
        if matches!(rules, Some(execute::Rules::L2 { .. })) && !attributes.withdrawals.is_empty() {
            return Err(invalid("an L2 has no withdrawals".to_owned()));
        }
        let id = attributes.id(parent.hash)?;
        let mut jobs = self.jobs.lock();
        if jobs.iter().all(|job| job.id != id) {
            jobs.push_back(Job { id, parent: parent.hash, attributes, built: None });
        }
        if jobs.len() > MAX_JOBS {
            jobs.pop_front();
        }
        Ok(id)
    }

    /// Returns the payload with this id, for a method of these forks. It is built on the first
    /// request, from the pool of that moment, and stays the same.
    ///
    /// # Errors
    ///
    /// [`RpcError`] with the codes of the Engine API.
    pub fn get_payload(
        &self,
        id: FixedBytes<8>,
        forks: (ProtocolFork, ProtocolFork),
    ) -> Result<BuiltPayload, RpcError> {
        let job = self.jobs.lock().iter().find(|job| job.id == id.0).cloned();
        let job = job.ok_or_else(|| {
            RpcError::new(codes::UNKNOWN_PAYLOAD, format!("payload {id} is not being built"))
        })?;
        let fork = self.fork_within(job.attributes.timestamp.to(), forks)?;
        let block = match &job.built {
            Some(block) => Arc::clone(block),
            None => {
                let block = self.build(&job)?;
                let mut jobs = self.jobs.lock();
                match jobs.iter_mut().find(|job| job.id == id.0) {
                    // Two simultaneous requests get the same payload.
                    Some(job) => Arc::clone(job.built.get_or_insert(block)),
                    None => block,
                }
            }
        };
        Ok(BuiltPayload::of(&block, fork))
    }

    /// Builds a payload and verifies it, and keeps it, so that its witness is there when it is
    /// asked for.
    fn build(&self, job: &Job) -> Result<Arc<Block>, RpcError> {
        let node = self.api.node();
        let chain = self.api.chain();
        let parent = chain.state_after(&chain.block(&job.parent)?);
        let (extra_data, budget) =
            node.read(|node| (node.settings.extra_data.clone(), Arc::clone(&node.settings.budget)));
        let attributes = job.attributes.for_block(extra_data);
        let header = parent.open_header(&attributes)?;
        let base_fee = header.base_fee_per_gas.unwrap_or_default();
        let offered: Vec<_> = node.read(|node| {
            // No transaction has the greatest nonce: of a sender who cannot be read nothing is
            // taken.
            let next = |sender| parent.nonce(sender).unwrap_or(u64::MAX);
            let ready = node.pool.ready(base_fee, node.settings.order, next);
            let ready = ready.iter().map(|pooled| pooled.recovered.clone());
            ready.filter(|it| !it.transaction.is_eip4844()).collect()
        });
        let built = parent.build_within(
            &header,
            &attributes.withdrawals,
            &offered,
            &*budget,
            BudgetRequest::default(),
        )?;
        for (index, reason) in &built.rejected {
            let transaction = offered.get(*index).map(|it| *it.transaction.hash());
            tracing::debug!(?transaction, %reason, "rejected transaction");
        }
        let new = built.into_block_with_witness(&chain.config().spec);
        if let Some(block) = chain.find_block(&new.block.hash)? {
            return Ok(block);
        }
        node.verify(&new)?;
        Ok(node.insert(new)?)
    }
}
