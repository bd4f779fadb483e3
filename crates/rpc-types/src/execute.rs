//! Response of `enshrine_explainExecute`.

use crate::Quantity;
#[cfg(feature = "schema")]
use crate::schema;
use alloy_primitives::{Address, Bytes};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Outcome of a call of EXECUTE.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ExplainedCall {
    /// The verdict on the input.
    pub verdict: Verdict,
    /// Reason why the input was rejected.
    pub reason: Option<String>,
    /// The kind of that reason in one word.
    pub kind: Option<Cow<'static, str>>,
    /// Dialect of the input, i.e. of the called precompile.
    pub dialect: Cow<'static, str>,
    /// Called address.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Address"))]
    pub address: Address,
    /// Length of the calldata, in bytes.
    #[serde(with = "Quantity")]
    pub calldata_bytes: u64,
    /// Gas forwarded to the call.
    #[serde(with = "Quantity")]
    pub gas: u64,
    /// Gas charged.
    #[serde(with = "Quantity")]
    pub gas_used: u64,
    /// Returndata of a valid input.
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::Data>"))]
    pub output: Option<Bytes>,
    /// Execution time, in microseconds.
    #[serde(with = "Quantity")]
    pub microseconds: u64,
}

/// Verdict of EXECUTE on an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// The block is valid.
    Valid,
    /// The input or its block is invalid.
    Refused,
    /// The forwarded gas did not suffice.
    OutOfGas,
    /// The node failed.
    Internal,
    /// A value of a later version.
    #[serde(other)]
    Unknown,
}
