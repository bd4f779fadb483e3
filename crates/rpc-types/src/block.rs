//! Blocks of the L2.

use crate::Quantity;
#[cfg(feature = "schema")]
use crate::schema;
use alloy_primitives::{B256, Bytes};
use serde::{Deserialize, Serialize};

/// Number and hash of a block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BlockNumHash {
    /// Number of the block.
    #[serde(with = "Quantity")]
    pub number: u64,
    /// Hash of the block.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Hash"))]
    pub hash: B256,
}

/// Input of EXECUTE for a block, with the sequencer's signature on the block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SignedInput {
    /// The input.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Data"))]
    pub input: Bytes,
    /// `None` if the node neither builds blocks nor has received a signature.
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::Data>"))]
    pub signature: Option<Bytes>,
}

/// A signed prefix of the next block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PrefixItem {
    /// SSZ encoding of a `PrefixUpdate`: message, signature, header, and the transactions after
    /// those that the reader already has.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Data"))]
    pub ssz: Bytes,
}
