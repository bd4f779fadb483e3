//! Parameters of `engine_newPayload`.

use crate::{RpcError, payload::Payload};
use alloy_consensus::Transaction as _;
use alloy_primitives::{B256, Bytes};
use codec::{Encode as _, OwnedWitness};
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
        let hashes =
            block.transactions.iter().filter_map(|transaction| transaction.blob_versioned_hashes());
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
