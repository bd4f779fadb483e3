//! `engine_newPayload`: executes and validates the blocks of another client.

use super::{Engine, state::Invalid};
use crate::{RpcError, payload::Payload};
use alloy_consensus::Transaction as _;
use alloy_primitives::{B256, Bytes};
use chain::{ChainError, block_of};
use codec::{Encode as _, OwnedWitness, PayloadStatus};
use executor::decode_transaction;
use node::{NodeError, Unverified};
use wire::{
    ByteLists, DecodeError, ExecutionPayload, NewPayloadRequest, PayloadShape, ProtocolFork,
    Records, StatelessInput,
};

/// Parameters of `engine_newPayload`; Cancun and later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPayload {
    /// The execution payload.
    pub payload: Payload,
    /// Blob versioned hashes of all transactions, in order.
    pub versioned_hashes: Vec<B256>,
    /// The header's `parent_beacon_block_root`.
    pub parent_beacon_block_root: B256,
    /// EIP-7685 execution requests, each prefixed with its type; Prague and later.
    pub requests: Vec<Bytes>,
}

impl NewPayload {
    /// Returns the parameters for a block.
    pub fn of(block: &chain::Block) -> Self {
        let hashes = block.transactions.iter().filter_map(|it| it.blob_versioned_hashes());
        Self {
            payload: Payload::of(block),
            versioned_hashes: hashes.flatten().copied().collect(),
            parent_beacon_block_root: block.header.parent_beacon_block_root.unwrap_or_default(),
            requests: crate::payload::requests_of(block),
        }
    }

    /// Calls a function with the [`NewPayloadRequest`] that these parameters form.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if the execution requests are malformed.
    pub fn with_request<T>(
        &self,
        fork: ProtocolFork,
        then: impl FnOnce(&NewPayloadRequest<'_>) -> T,
    ) -> Result<T, DecodeError> {
        let payload = &self.payload;
        let withdrawals: Vec<_> =
            payload.withdrawals.iter().copied().map(codec::withdrawal_record).collect();
        let hashes: Vec<[u8; 32]> = self.versioned_hashes.iter().map(|hash| hash.0).collect();
        let request = NewPayloadRequest {
            payload: ExecutionPayload {
                shape: PayloadShape::of(fork),
                parent_hash: payload.parent_hash,
                fee_recipient: payload.fee_recipient,
                state_root: payload.state_root,
                receipts_root: payload.receipts_root,
                logs_bloom: payload.logs_bloom.as_ref(),
                prev_randao: payload.prev_randao,
                block_number: payload.block_number.to(),
                gas_limit: payload.gas_limit.to(),
                gas_used: payload.gas_used.to(),
                timestamp: payload.timestamp.to(),
                extra_data: &payload.extra_data,
                base_fee_per_gas: payload.base_fee_per_gas,
                block_hash: payload.block_hash,
                transactions: ByteLists::from(&payload.transactions),
                withdrawals: Records::new(&withdrawals),
                blob_gas_used: payload.blob_gas_used.unwrap_or_default().to(),
                excess_blob_gas: payload.excess_blob_gas.unwrap_or_default().to(),
                block_access_list: payload.block_access_list.as_ref().map_or(&[], AsRef::as_ref),
                slot_number: payload.slot_number.unwrap_or_default().to(),
            },
            versioned_hashes: Records::new(&hashes),
            parent_beacon_block_root: self.parent_beacon_block_root,
            execution_requests: codec::requests_from_typed(&self.requests)?,
        };
        Ok(then(&request))
    }

    /// Checks that the payload has the fields of a fork's method, and that each execution request
    /// has data, in ascending order of types.
    pub(crate) fn check_form(&self, fork: ProtocolFork) -> Result<(), RpcError> {
        let payload = &self.payload;
        let is_amsterdam = fork >= ProtocolFork::Amsterdam;
        for (field, is_there, expected) in [
            ("blobGasUsed", payload.blob_gas_used.is_some(), true),
            ("excessBlobGas", payload.excess_blob_gas.is_some(), true),
            ("blockAccessList", payload.block_access_list.is_some(), is_amsterdam),
            ("slotNumber", payload.slot_number.is_some(), is_amsterdam),
        ] {
            if is_there != expected {
                let text = if expected { "is missing" } else { "does not exist in this version" };
                return Err(RpcError::params(format!("payload: {field} {text}")));
            }
        }
        let ascend = |pair: &[Bytes]| pair[0].first() < pair[1].first();
        if self.requests.iter().any(|request| request.len() < 2)
            || !self.requests.windows(2).all(ascend)
        {
            let text = "execution requests must have a type and data, in ascending order";
            return Err(RpcError::params(text));
        }
        Ok(())
    }

    /// Encodes the EXECUTE input for a payload and its witness.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if the execution requests are malformed.
    pub fn stateless_input(
        &self,
        fork: ProtocolFork,
        chain_id: u64,
        witness: &OwnedWitness,
    ) -> Result<Vec<u8>, DecodeError> {
        self.with_request(fork, |request| {
            let (request, witness) = (request.clone(), witness.view());
            StatelessInput { fork, request, witness, chain_id }.encode()
        })
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

impl Engine {
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
        let status = self.validate(request, fork)?;
        let payload = &request.payload;
        let (number, hash) = (payload.block_number, payload.block_hash);
        tracing::debug!(number, %hash, ?status, "processed payload");
        Ok(status)
    }

    fn validate(
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
        let chain = self.api.node().read(|node| node.chain.detached());
        if chain.find_block(&hash)?.is_some() {
            return Ok(PayloadStatus::valid(hash));
        }
        let known = {
            let invalid = self.invalid.lock();
            invalid.get(&hash).or_else(|| invalid.get(&parent))
        };
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
        match self.api.node().verify(&new) {
            Ok(()) => {}
            Err(NodeError::Unverified { reason, .. }) => match *reason {
                Unverified::Refused(reason @ execute::ExecuteError::Rules(_)) => {
                    return refuse(reason.to_string());
                }
                // Execution succeeded, but verification failed for a reason other than the L2
                // rules: a local fault, not a verdict on the payload.
                reason => return Err(RpcError::internal(reason.to_string())),
            },
            Err(error) => return Err(error.into()),
        }
        self.api.node().insert(new)?;
        Ok(PayloadStatus::valid(hash))
    }

    fn refuse(&self, hash: B256, invalid: Invalid) -> PayloadStatus {
        let Invalid { latest_valid, reason } = invalid.clone();
        tracing::warn!(%hash, reason, "invalid payload");
        self.invalid.lock().insert(hash, invalid);
        PayloadStatus::invalid(Some(latest_valid), reason)
    }
}
