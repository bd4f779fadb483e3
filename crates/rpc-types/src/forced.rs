//! Answers of `rollup_getForced` and `rollup_getForcedTransactions`.

use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};

/// A transaction that was forced by L1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ForcedTransaction {
    /// Index in the queue, counted from zero.
    #[serde(with = "alloy_serde::quantity")]
    pub index: u64,
    /// Hash of the L2 transaction.
    pub hash: B256,
    /// Sender of the L2 transaction.
    pub sender: Address,
    /// Target of the L2 transaction.
    pub to: Address,
    /// Nonce of the L2 transaction.
    #[serde(with = "alloy_serde::quantity")]
    pub nonce: u64,
    /// Gas limit of the L2 transaction.
    #[serde(with = "alloy_serde::quantity")]
    pub gas_limit: u64,
    /// Fee cap of the L2 transaction, in wei per gas.
    #[serde(with = "alloy_serde::quantity")]
    pub max_fee: u128,
    /// `true` if its fee cap entitles it to wait for a base fee that it can pay.
    pub priced: bool,
    /// L1 block in which it was submitted.
    #[serde(with = "alloy_serde::quantity")]
    pub l1_block: u64,
    /// L1 transaction that submitted it.
    pub l1_transaction: Option<B256>,
    /// Timestamp of that block.
    #[serde(with = "alloy_serde::quantity")]
    pub submitted_at: u64,
    /// Timestamp of an L2 block from which on it must be included.
    #[serde(with = "alloy_serde::quantity")]
    pub due: u64,
    /// Timestamp until which a full block excuses its omission.
    #[serde(with = "alloy_serde::quantity")]
    pub grace_until: u64,
    /// Earliest timestamp from which on it may expire.
    #[serde(with = "alloy_serde::quantity")]
    pub expires: u64,
    /// What became of it.
    pub outcome: ForcedOutcome,
    /// L2 block that includes it, if there is one.
    #[serde(with = "alloy_serde::quantity::opt")]
    pub l2_block: Option<u64>,
    /// `true` if L1 has finalized the L2 block that includes it, or its other outcome.
    pub finalized: bool,
}

/// What became of a forced transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ForcedOutcome {
    /// It is in the queue, and not due.
    Waiting,
    /// It is in the queue, and each L2 block must deal with it if it is the first.
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

/// A page of forced transactions, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ForcedPage {
    /// The transactions.
    pub transactions: Vec<ForcedTransaction>,
    /// Value of `before` for the next page; `None` after the last one.
    #[serde(with = "alloy_serde::quantity::opt")]
    pub next: Option<u64>,
}
