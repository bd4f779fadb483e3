//! Payload attributes of `engine_forkchoiceUpdated`.

use super::codes;
use crate::RpcError;
use alloy_eips::eip4895::Withdrawal;
use alloy_primitives::{Address, B256, Bytes, U64, keccak256};
use chain::BlockAttributes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wire::ProtocolFork;

/// `PayloadAttributesV3`, or `PayloadAttributesV4` if the last two fields are set.
///
/// Unlike the type of `alloy-rpc-types-engine`, it requires withdrawals and the parent beacon block
/// root, which all supported versions have, so that the error names the missing field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the fields are those of the Engine API, with its names")]
pub struct PayloadAttributes {
    pub timestamp: U64,
    pub prev_randao: B256,
    pub suggested_fee_recipient: Address,
    pub withdrawals: Vec<Withdrawal>,
    pub parent_beacon_block_root: B256,
    /// Slot number; Amsterdam and later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot_number: Option<U64>,
    /// Gas limit towards which the block moves; Amsterdam and later, except in earlier drafts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_gas_limit: Option<U64>,
}

impl PayloadAttributes {
    /// Parses the attributes and checks that they have the fields of the method's forks.
    pub(crate) fn read(
        value: Value,
        forks: (ProtocolFork, ProtocolFork),
    ) -> Result<Self, RpcError> {
        let invalid = |reason: String| RpcError::new(codes::INVALID_ATTRIBUTES, reason);
        let read: Self = serde_json::from_value(value)
            .map_err(|error| invalid(format!("payload attributes: {error}")))?;
        let has_slot = forks.0 >= ProtocolFork::Amsterdam;
        if read.slot_number.is_some() != has_slot {
            let text = if has_slot { "is missing" } else { "does not exist in this version" };
            return Err(invalid(format!("payload attributes: slotNumber {text}")));
        }
        if read.target_gas_limit.is_some() && !has_slot {
            let text = "payload attributes: targetGasLimit does not exist in this version";
            return Err(invalid(text.to_owned()));
        }
        Ok(read)
    }

    /// Returns the payload id: the first 8 bytes of the hash of the parent and the attributes.
    pub(crate) fn id(&self, parent: B256) -> Result<[u8; 8], RpcError> {
        let text =
            serde_json::to_vec(self).map_err(|error| RpcError::internal(error.to_string()))?;
        let hash = keccak256([parent.as_slice(), &text].concat());
        Ok(hash.first_chunk().copied().unwrap_or_default())
    }

    pub(crate) fn for_block(&self, extra_data: Bytes) -> BlockAttributes {
        BlockAttributes {
            timestamp: self.timestamp.to(),
            fee_recipient: self.suggested_fee_recipient,
            prev_randao: self.prev_randao,
            parent_beacon_block_root: self.parent_beacon_block_root,
            gas_limit: self.target_gas_limit.map(|limit| limit.to()),
            extra_data,
            withdrawals: self.withdrawals.clone(),
            slot_number: self.slot_number.unwrap_or_default().to(),
        }
    }
}
