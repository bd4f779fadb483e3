//! Response of `rollup_budget`.

use crate::Quantity;
use serde::{Deserialize, Serialize};

/// Use of L1's limits by the block under construction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Budget {
    /// Number of the block.
    #[serde(with = "Quantity")]
    pub block: u64,
    /// Number of transactions in it.
    #[serde(with = "Quantity")]
    pub transactions: u64,
    /// Number of executable transactions in the pool that do not fit into it.
    #[serde(with = "Quantity")]
    pub waiting: u64,
    /// Bytes of the EXECUTE input in its shortest form.
    pub input_bytes: BudgetAmount,
    /// EXECUTE gas.
    pub execute_gas: BudgetAmount,
    /// L2 gas.
    pub gas: BudgetAmount,
    /// Resource with the smallest remaining share.
    pub nearest: BudgetBound,
    /// Blocks of a sequencer that are not on L1 yet.
    pub backlog: Option<BacklogStatus>,
}

/// Used, allowed and remaining amount of one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BudgetAmount {
    /// Amount in use.
    #[serde(with = "Quantity")]
    pub used: u64,
    /// Maximum amount.
    #[serde(with = "Quantity")]
    pub limit: u64,
    /// Remaining amount.
    #[serde(with = "Quantity")]
    pub left: u64,
}

/// A bounded resource of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum BudgetBound {
    /// Bytes of the EXECUTE input.
    InputBytes,
    /// EXECUTE gas.
    ExecuteGas,
    /// L2 gas.
    Gas,
    /// A value of a later version.
    #[serde(other)]
    Unknown,
}

/// Backlog of blocks that are not on L1 yet, compared with L1's capacity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BacklogStatus {
    /// Number of blocks.
    #[serde(with = "Quantity")]
    pub blocks: u64,
    /// EXECUTE gas of the blocks. A block that fills more than half of an L1 transaction counts as
    /// a full transaction.
    pub gas: BoundedAmount,
    /// Length of their inputs in bytes, counted in the same way.
    pub bytes: BoundedAmount,
    /// Age of the oldest block, in seconds.
    pub age: BoundedAmount,
}

/// An amount with its limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BoundedAmount {
    /// Amount in use.
    #[serde(with = "Quantity")]
    pub used: u64,
    /// Maximum amount.
    #[serde(with = "Quantity")]
    pub limit: u64,
}
