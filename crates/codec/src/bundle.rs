//! A block with its witness in one JSON document.

use crate::OwnedWitness;
use crate::json::{HexBytes, WitnessDocument};
use alloy_primitives::{B256, Bytes};
use serde::Deserialize;
use wire::DecodeError;

/// Everything needed to verify a block, as one JSON file:
/// `{"chainId", "block", "witness", "preStateRoot"?}`.
///
/// `block` is the block's RLP (`debug_getRawBlock`); `witness` is the result of
/// `debug_executionWitness` in the form of any client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// RLP of the block.
    pub block: Bytes,
    /// Root of the state before the block, if the document names it.
    pub pre_state_root: Option<B256>,
    /// The witness, in canonical form.
    pub witness: OwnedWitness,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    chain_id: u64,
    block: HexBytes,
    #[serde(default)]
    pre_state_root: Option<B256>,
    witness: WitnessDocument,
}

impl Bundle {
    /// Reads the document.
    pub fn from_json(json: &[u8]) -> Result<Self, DecodeError> {
        let document: Document = serde_json::from_slice(json).map_err(|error| {
            DecodeError::Json { what: "block bundle", message: error.to_string() }
        })?;
        Ok(Self {
            chain_id: document.chain_id,
            block: document.block.0,
            pre_state_root: document.pre_state_root,
            witness: OwnedWitness::from_document(document.witness)?,
        })
    }

    /// Writes the document.
    pub fn to_json(&self) -> String {
        let hex = |list: &[Bytes]| list.iter().map(Bytes::to_string).collect::<Vec<_>>();
        serde_json::json!({
            "chainId": self.chain_id,
            "block": self.block.to_string(),
            "preStateRoot": self.pre_state_root,
            "witness": {
                "state": hex(&self.witness.state),
                "codes": hex(&self.witness.codes),
                "headers": hex(&self.witness.headers),
            },
        })
        .to_string()
    }
}
