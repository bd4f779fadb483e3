//! Responses of `rollup_getForced` and `rollup_getForcedTransactions`.

#[cfg(feature = "schema")]
use crate::schema;
use crate::{OptionalQuantity, Quantity};
use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};

/// A transaction that was submitted to the forced inbox on L1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ForcedTransaction {
    /// Index in the queue, counted from zero.
    #[serde(with = "Quantity")]
    pub index: u64,
    /// Hash of the L2 transaction.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Hash"))]
    pub hash: B256,
    /// Sender of the L2 transaction.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Address"))]
    pub sender: Address,
    /// Target of the L2 transaction.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Address"))]
    pub to: Address,
    /// Nonce of the L2 transaction.
    #[serde(with = "Quantity")]
    pub nonce: u64,
    /// Gas limit of the L2 transaction.
    #[serde(with = "Quantity")]
    pub gas_limit: u64,
    /// Fee cap of the L2 transaction, in wei per gas.
    #[serde(with = "Quantity")]
    pub max_fee: u128,
    /// `true` if its fee cap entitles it to wait for a base fee that it can pay.
    pub priced: bool,
    /// L1 block in which it was submitted.
    #[serde(with = "Quantity")]
    pub l1_block: u64,
    /// L1 transaction that submitted it.
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::Hash>"))]
    pub l1_transaction: Option<B256>,
    /// Timestamp of that block.
    #[serde(with = "Quantity")]
    pub submitted_at: u64,
    /// Timestamp of an L2 block from which on it must be included.
    #[serde(with = "Quantity")]
    pub due: u64,
    /// Timestamp until which a full block excuses its omission.
    #[serde(with = "Quantity")]
    pub grace_until: u64,
    /// Earliest timestamp from which on it may expire.
    #[serde(with = "Quantity")]
    pub expires: u64,
    /// Its outcome.
    pub outcome: ForcedOutcome,
    /// L2 block that includes it, if there is one.
    #[serde(with = "OptionalQuantity")]
    pub l2_block: Option<u64>,
    /// `true` if L1 has finalized the L2 block that includes it, or its other outcome.
    pub finalized: bool,
}

/// Outcome of a forced transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum ForcedOutcome {
    /// In the queue, and not due.
    Waiting,
    /// In the queue and due: an L2 block must resolve it once it is the first.
    Due,
    /// An L2 block includes it, whether or not L1 has discharged it.
    Included,
    /// No block includes it, and its nonce, its sender's balance or code makes it invalid.
    Invalid,
    /// It does not pay the base fee.
    Underpriced,
    /// No block has included it for too long.
    Expired,
    /// It is a transfer to an account with code.
    TargetHasCode,
    /// A value of a later version.
    #[serde(other)]
    Unknown,
}

/// Selection of forced transactions for a page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ForcedFilter {
    /// Lists transactions of this sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::Address>"))]
    pub sender: Option<Address>,
    /// Lists indexes below this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Quantity>,
    /// Maximum number of entries, from 1 to 100; 25 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<Quantity>,
}

/// A page of forced transactions, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ForcedPage {
    /// The transactions.
    pub transactions: Vec<ForcedTransaction>,
    /// Value of `before` for the next page; `None` after the last one.
    #[serde(with = "OptionalQuantity")]
    pub next: Option<u64>,
}
