//! Number and hash of a block.

use alloy_primitives::B256;
use serde::{Deserialize, Serialize};

/// Number and hash of a block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockNumHash {
    /// Number of the block.
    #[serde(with = "alloy_serde::quantity")]
    pub number: u64,
    /// Hash of the block.
    pub hash: B256,
}
