//! Execution and validation of the blocks of another client.

use super::invalid_headers::{Invalid, InvalidHeaderCache};
use crate::RpcError;
use alloy_consensus::Transaction as _;
use alloy_primitives::B256;
use chain::{ChainError, block_of};
use codec::PayloadStatus;
use executor::decode_transaction;
use node::{Node, NodeError, Unverified};
use std::sync::Arc;
use wire::{ByteLists, NewPayloadRequest, ProtocolFork};

/// Validator of the payloads of `engine_newPayload`.
#[derive(Debug)]
pub(crate) struct PayloadValidator {
    node: Arc<Node>,
    invalid: InvalidHeaderCache,
}

impl PayloadValidator {
    pub(crate) fn new(node: Arc<Node>) -> Self {
        Self { node, invalid: InvalidHeaderCache::default() }
    }

    /// Returns the status `INVALID` for a block that was found invalid.
    pub(crate) fn known_invalid(&self, hash: &B256) -> Option<PayloadStatus> {
        let Invalid { latest_valid, reason } = self.invalid.get(hash)?;
        Some(PayloadStatus::invalid(Some(latest_valid), reason))
    }

    /// Executes a payload and inserts the block into the chain if it is valid. The head does not
    /// change.
    ///
    /// # Errors
    ///
    /// [`RpcError`] only for a local fault: an invalid payload yields the status `INVALID`.
    pub(crate) fn validate(
        &self,
        request: &NewPayloadRequest<'_>,
        fork: ProtocolFork,
    ) -> Result<PayloadStatus, RpcError> {
        let status = self.execute(request, fork)?;
        let payload = &request.payload;
        let (number, hash) = (payload.block_number, payload.block_hash);
        tracing::debug!(number, %hash, ?status, "processed payload");
        Ok(status)
    }

    fn execute(
        &self,
        request: &NewPayloadRequest<'_>,
        fork: ProtocolFork,
    ) -> Result<PayloadStatus, RpcError> {
        let unrelated = |reason: String| Ok(PayloadStatus::invalid(None, reason));
        let raw = match block_of(request, fork) {
            Ok(raw) => raw,
            Err(reason) => return unrelated(reason.to_string()),
        };
        match hashes_in(request.payload.transactions) {
            Ok(hashes) if hashes.iter().eq(request.versioned_hashes.iter()) => {}
            Ok(hashes) => {
                let (got, expected) = (hashes.len(), request.versioned_hashes.len());
                let text = "blob versioned hashes";
                return unrelated(format!(
                    "{text} mismatch: transactions have {got}, expected {expected}"
                ));
            }
            Err(reason) => return unrelated(reason),
        }
        let (hash, parent) = (raw.hash, raw.header.parent_hash);
        // Execute on a detached copy of the chain, so that readers do not wait for the execution.
        let chain = self.node.read(|node| node.chain.detached());
        if chain.find_block(&hash)?.is_some() {
            return Ok(PayloadStatus::valid(hash));
        }
        let known = self.invalid.get(&hash).or_else(|| self.invalid.get(&parent));
        if let Some(invalid) = known {
            return Ok(self.refuse(hash, invalid));
        }
        let Some(parent) = chain.find_block(&parent)? else { return Ok(PayloadStatus::syncing()) };
        let refuse = |reason: String| {
            let latest_valid = parent.hash;
            Ok(self.refuse(hash, Invalid { latest_valid, reason }))
        };
        let new = match chain.import(&raw) {
            Ok(new) => new,
            Err(ChainError::Invalid(reason)) => return refuse(reason.to_string()),
            Err(error) => return Err(error.into()),
        };
        match self.node.verify(&new) {
            Ok(()) => {}
            Err(NodeError::Unverified { reason, .. }) => match *reason {
                Unverified::Refused(reason @ execute::ExecuteError::Rules(_)) => {
                    return refuse(reason.to_string());
                }
                // Execution succeeded, but verification failed for a reason other than the L2
                // rules. This is a local fault, not a verdict on the payload.
                reason => return Err(RpcError::internal(reason.to_string())),
            },
            Err(error) => return Err(error.into()),
        }
        self.node.insert(new)?;
        Ok(PayloadStatus::valid(hash))
    }

    fn refuse(&self, hash: B256, invalid: Invalid) -> PayloadStatus {
        let Invalid { latest_valid, reason } = invalid.clone();
        tracing::warn!(%hash, reason, "invalid payload");
        self.invalid.insert(hash, invalid);
        PayloadStatus::invalid(Some(latest_valid), reason)
    }
}

/// Returns the blob versioned hashes of all transactions in a payload.
pub(crate) fn hashes_in(transactions: ByteLists<'_>) -> Result<Vec<[u8; 32]>, String> {
    let mut hashes = Vec::new();
    for (index, bytes) in transactions.iter().enumerate() {
        let transaction =
            decode_transaction(bytes).map_err(|reason| format!("transaction {index}: {reason}"))?;
        let named = transaction.blob_versioned_hashes().unwrap_or_default();
        hashes.extend(named.iter().map(|hash| hash.0));
    }
    Ok(hashes)
}
