//! The calls of the Engine API.

use super::{
    BuiltPayload, ForkchoiceState, ForkchoiceUpdated, PayloadAttributes, build::build_payload,
    codes, forkchoice::return_to_pool, payload_store::PayloadStore,
    payload_validator::PayloadValidator,
};
use crate::{Api, RpcError};
use alloy_primitives::FixedBytes;
use chain::{Block, ChainReader};
use codec::{OwnedWitness, PayloadStatus, PayloadVerdict};
use node::{SetForkchoice, SetHead};
use serde_json::Value;
use std::{fmt, sync::Arc};
use wire::{NewPayloadRequest, ProtocolFork};

/// Local policy for the heads that a consensus client selects.
pub trait HeadPolicy: fmt::Debug + Send + Sync {
    /// Checks that a block may become the head.
    ///
    /// # Errors
    ///
    /// The reason for which it may not.
    fn check(&self, chain: &ChainReader, head: &Block) -> Result<(), String>;

    /// Returns `true` if the safe and finalized blocks of `engine_forkchoiceUpdated` are ignored.
    fn keeps_finality(&self) -> bool {
        false
    }
}

/// Policy that accepts every head.
impl HeadPolicy for () {
    fn check(&self, _: &ChainReader, _: &Block) -> Result<(), String> {
        Ok(())
    }
}

/// Implementation of the Engine API on a node.
#[derive(Debug)]
pub struct Engine {
    pub(crate) api: Api,
    policy: Arc<dyn HeadPolicy>,
    validator: PayloadValidator,
    payloads: PayloadStore,
}

impl Engine {
    /// Creates the Engine API of a node.
    pub fn new(api: Api, policy: Arc<dyn HeadPolicy>) -> Self {
        let validator = PayloadValidator::new(Arc::clone(api.node()));
        Self { api, policy, validator, payloads: PayloadStore::default() }
    }

    pub(crate) fn fork_at(&self, timestamp: u64) -> Option<ProtocolFork> {
        self.api.chain().config().spec.fork_at(timestamp)
    }

    /// Returns the fork that is active at a timestamp if the method supports it.
    pub(crate) fn fork_within(
        &self,
        timestamp: u64,
        (first, last): (ProtocolFork, ProtocolFork),
    ) -> Result<ProtocolFork, RpcError> {
        let fork = self.fork_at(timestamp);
        fork.filter(|fork| (first..=last).contains(fork)).ok_or_else(|| {
            let name = fork.map_or("an older fork", ProtocolFork::name);
            let text = format!(
                "{name} is active at timestamp {timestamp}, the method supports {first} to {last}"
            );
            RpcError::new(codes::UNSUPPORTED_FORK, text)
        })
    }

    /// Executes a payload and inserts the block into the chain if it is valid. The head does not
    /// change.
    ///
    /// # Errors
    ///
    /// [`RpcError`] only for a local fault: an invalid payload yields the status `INVALID`.
    pub fn new_payload(
        &self,
        request: &NewPayloadRequest<'_>,
        fork: ProtocolFork,
    ) -> Result<PayloadStatus, RpcError> {
        self.validator.validate(request, fork)
    }

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
        if let Some(status) = self.validator.known_invalid(&head) {
            return without_payload(status);
        }
        let (node, chain) = (self.api.node(), self.api.chain());
        let Some(block) = chain.find_block(&head)? else {
            return without_payload(PayloadStatus::syncing());
        };
        let finality = state.finality(&chain, &block)?;
        let refused = |reason| RpcError::new(codes::INVALID_FORKCHOICE, reason);
        self.policy.check(&chain, &block).map_err(refused)?;
        if chain.head().hash != head {
            return_to_pool(node, node.execute(SetHead(head))?);
        }
        if !self.policy.keeps_finality() {
            node.execute(SetForkchoice(finality));
        }
        let payload_id = match attributes {
            None => None,
            Some(value) => {
                let attributes = PayloadAttributes::read(value, forks)?;
                self.fork_within(attributes.timestamp.to(), forks)?;
                let rules = node.read(|node| node.settings.verify_blocks);
                let is_l2 = matches!(rules, Some(execute::Rules::L2 { .. }));
                Some(self.payloads.begin(&block, attributes, is_l2)?)
            }
        };
        Ok(ForkchoiceUpdated { payload_status: PayloadStatus::valid(head), payload_id })
    }

    /// Returns the payload with this id if its fork is one of the method's. The first request
    /// builds it from the pool at that time; later requests return the same payload.
    ///
    /// # Errors
    ///
    /// [`RpcError`] with the codes of the Engine API.
    pub fn get_payload(
        &self,
        id: FixedBytes<8>,
        forks: (ProtocolFork, ProtocolFork),
    ) -> Result<BuiltPayload, RpcError> {
        let job = self.payloads.job(id)?;
        let fork = self.fork_within(job.attributes.timestamp.to(), forks)?;
        let block = match &job.built {
            Some(block) => Arc::clone(block),
            None => self.payloads.resolve(id, build_payload(self.api.node(), &job)?),
        };
        Ok(BuiltPayload::of(&block, fork))
    }

    /// Returns the block and its witness if the status is `VALID`.
    pub(crate) fn witness_if_valid(
        &self,
        status: &PayloadStatus,
    ) -> Result<Option<(Arc<Block>, OwnedWitness)>, RpcError> {
        let (PayloadVerdict::Valid, Some(hash)) = (status.status, status.latest_valid_hash) else {
            return Ok(None);
        };
        let chain = self.api.chain();
        let block = chain.block(&hash)?;
        let witness = chain.witness_of(&block)?;
        let witness = witness.ok_or_else(|| RpcError::params("the first block has no witness"))?;
        Ok(Some((block, witness)))
    }
}

impl crate::Context for Engine {
    fn reads_may_wait(&self) -> bool {
        self.api.reads_may_wait()
    }
}
