//! Blocks as execution payloads of the Engine API.

use alloy_consensus::Transaction as _;
use alloy_eips::eip4895::Withdrawal;
use alloy_primitives::{Address, B256, Bloom, Bytes, U64, U256};
use chain::Block;
use serde::{Deserialize, Serialize};

/// Execution payload as JSON, with the fields of Cancun (`ExecutionPayloadV3`) and Amsterdam
/// (`ExecutionPayloadV4`).
///
/// One type for all versions, so that a method can name the field that a fork requires or lacks.
/// `alloy-rpc-types-engine` has a type per version and an enum over them, which parses a payload
/// without one field as an earlier version and drops the other fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the fields are those of the Engine API, by their names there")]
pub struct Payload {
    pub parent_hash: B256,
    pub fee_recipient: Address,
    pub state_root: B256,
    pub receipts_root: B256,
    pub logs_bloom: Bloom,
    pub prev_randao: B256,
    pub block_number: U64,
    pub gas_limit: U64,
    pub gas_used: U64,
    pub timestamp: U64,
    pub extra_data: Bytes,
    pub base_fee_per_gas: U256,
    pub block_hash: B256,
    pub transactions: Vec<Bytes>,
    pub withdrawals: Vec<Withdrawal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blob_gas_used: Option<U64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excess_blob_gas: Option<U64>,
    /// Amsterdam: RLP of the block access list (EIP-7928).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block_access_list: Option<Bytes>,
    /// Amsterdam: slot number (EIP-7843).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot_number: Option<U64>,
}

impl Payload {
    /// Converts a block to its payload.
    pub fn of(block: &Block) -> Self {
        let header = &block.header;
        Self {
            parent_hash: header.parent_hash,
            fee_recipient: header.beneficiary,
            state_root: header.state_root,
            receipts_root: header.receipts_root,
            logs_bloom: header.logs_bloom,
            prev_randao: header.mix_hash,
            block_number: U64::from(header.number),
            gas_limit: U64::from(header.gas_limit),
            gas_used: U64::from(header.gas_used),
            timestamp: U64::from(header.timestamp),
            extra_data: header.extra_data.clone(),
            base_fee_per_gas: U256::from(header.base_fee_per_gas.unwrap_or_default()),
            block_hash: block.hash,
            transactions: block.raw_transactions(),
            withdrawals: block.withdrawals.clone(),
            blob_gas_used: header.blob_gas_used.map(U64::from),
            excess_blob_gas: header.excess_blob_gas.map(U64::from),
            block_access_list: block.executed.block_access_list.clone(),
            slot_number: header.slot_number.map(U64::from),
        }
    }
}

/// Returns the execution requests of a block, each prefixed with its type (EIP-7685).
pub fn requests_of(block: &Block) -> Vec<Bytes> {
    block.executed.requests.iter().flat_map(|requests| requests.iter().cloned()).collect()
}

/// Returns the amount that a block's transactions pay to its fee recipient, in wei.
pub fn value_of(block: &Block) -> U256 {
    let base_fee = block.header.base_fee_per_gas.unwrap_or_default();
    let tips = block.transactions.iter().enumerate().map(|(index, transaction)| {
        let tip = transaction.effective_tip_per_gas(base_fee).unwrap_or_default();
        U256::from(tip) * U256::from(block.transaction_gas(index))
    });
    tips.sum()
}
