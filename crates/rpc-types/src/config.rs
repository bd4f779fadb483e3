//! Response of `rollup_config`.

#[cfg(feature = "schema")]
use crate::schema;
use crate::{OptionalQuantity, Quantity};
use alloy_primitives::{Address, B256, U256};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Version of the responses.
pub const API_VERSION: &str = "1.0";

/// The rollup that a node follows: its chains, contracts and rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RollupConfig {
    /// Version of the responses, [`API_VERSION`].
    pub api: Cow<'static, str>,
    /// Name and version of the node, as returned by `web3_clientVersion`.
    pub client_version: String,
    /// Chain id of L1.
    #[serde(with = "Quantity")]
    pub l1_chain_id: u64,
    /// Chain id of the L2.
    #[serde(with = "Quantity")]
    pub l2_chain_id: u64,
    /// An L1 block before the deployment of the contracts: all their logs are in later blocks.
    #[serde(with = "Quantity")]
    pub l1_block: u64,
    /// Hash of the first block of the L2.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Hash"))]
    pub genesis_hash: B256,
    /// State root of the first block of the L2.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Hash"))]
    pub genesis_state_root: B256,
    /// Addresses of the contracts.
    pub contracts: Contracts,
    /// Delays and limits.
    pub rules: Rules,
    /// Account that may announce changes, or `None` if the rollup never changes.
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::Address>"))]
    pub owner: Option<Address>,
    /// Account that may pause the message queue, if there is one.
    pub guardian: Option<Guardian>,
    /// Rules of the policy for preconfirmations, or `None` if any account may always advance the
    /// rollup, so that no promise about its next block can be kept.
    pub preconfirmations: Option<PreconfirmationTerms>,
    /// Method by which blocks are proven valid on L1.
    pub verification: Verification,
    /// The EXECUTE precompile of L1.
    pub execute: Execute,
}

/// Addresses of a rollup's contracts. Those without a chain in their name are on L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Contracts {
    /// `NativeRollup`.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Address"))]
    pub rollup: Address,
    /// `L1MessageQueue`.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Address"))]
    pub message_queue: Address,
    /// `ForcedInbox`.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Address"))]
    pub forced: Address,
    /// `RollupExit`, if there is one.
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::Address>"))]
    pub exit: Option<Address>,
    /// The sequencing policy, or `None` if anyone may advance.
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::Address>"))]
    pub policy: Option<Address>,
    /// `L1TokenBridge`, if there is one.
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::Address>"))]
    pub l1_bridge: Option<Address>,
    /// `L2Messenger`, on the L2.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Address"))]
    pub l2_messenger: Address,
    /// `L1Anchor`, on the L2.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Address"))]
    pub l2_anchor: Address,
    /// `L2Accounts`, on the L2.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Address"))]
    pub l2_accounts: Address,
    /// `L2TokenBridge`, on the L2, if there is one.
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::Address>"))]
    pub l2_bridge: Option<Address>,
}

/// Delays and limits of a rollup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Rules {
    /// Source of the rollup's forks.
    pub fork_mode: ForkMode,
    /// Maximum age of a block relative to L1's time, in seconds.
    #[serde(with = "Quantity")]
    pub max_lag: u64,
    /// Age of the head from which on anyone may advance, in seconds.
    #[serde(with = "Quantity")]
    pub open_after: u64,
    /// Time from sending a message until it must be relayed, in seconds.
    #[serde(with = "Quantity")]
    pub relay_deadline: u64,
    /// Time from the announcement of a change until it can be made, in seconds.
    #[serde(with = "Quantity")]
    pub upgrade_delay: u64,
    /// Maximum time of an exit without the operator, from its submission to its claim on L1, in
    /// seconds, if the queue of forced transactions is not longer than a block.
    #[serde(with = "Quantity")]
    pub exit_time: u64,
    /// Number of the newest L2 blocks whose state roots L1 stores, against which messages are
    /// claimed.
    #[serde(with = "Quantity")]
    pub state_roots: u64,
    /// Rules of forced transactions.
    pub forced: ForcedRules,
    /// Rules of messages to the L2.
    pub messages: MessageRules,
}

/// Source of a rollup's forks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum ForkMode {
    /// The forks of L1.
    Follow,
    /// L1's registry.
    Registry,
    /// The rollup's own schedule.
    Pinned,
    /// A value of a later version.
    #[serde(other)]
    Unknown,
}

/// Rules of forced transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ForcedRules {
    /// Time from submission until a transaction is due, in seconds.
    #[serde(with = "Quantity")]
    pub delay: u64,
    /// Time after that for which a full block excuses its omission, in seconds.
    #[serde(with = "Quantity")]
    pub grace: u64,
    /// Time after that until the first transaction of the queue expires, in seconds.
    #[serde(with = "Quantity")]
    pub expiry: u64,
    /// Minimum ratio of fee cap to base fee at submission with which a transaction may wait for a
    /// lower base fee.
    #[cfg_attr(feature = "schema", schemars(with = "Quantity"))]
    pub fee_cap_margin: U256,
    /// Minimum base fee that is used with this factor, in wei.
    #[cfg_attr(feature = "schema", schemars(with = "Quantity"))]
    pub fee_cap_floor: U256,
    /// Minimum price per unit of gas, in percent of L1's base fee.
    #[serde(with = "Quantity")]
    pub fee_percent: u64,
    /// Maximum size of a transaction, in bytes.
    #[serde(with = "Quantity")]
    pub max_size: u64,
    /// Maximum gas limit of a transfer.
    #[serde(with = "Quantity")]
    pub max_gas: u64,
    /// Maximum gas limit of a call of a bounded target.
    #[serde(with = "Quantity")]
    pub max_bounded_gas: u64,
}

/// Rules of messages to the L2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct MessageRules {
    /// Maximum gas limit of a message.
    #[serde(with = "Quantity")]
    pub max_gas: u64,
    /// Maximum length of the data of a message, in bytes.
    #[serde(with = "Quantity")]
    pub max_data: u64,
    /// Minimum price per unit of a message's gas, in percent of L1's base fee.
    #[serde(with = "Quantity")]
    pub fee_percent: u64,
}

/// Account that may pause the message queue, and the bounds of its pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Guardian {
    /// The account.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Address"))]
    pub account: Address,
    /// Duration of a pause, in seconds.
    #[serde(with = "Quantity")]
    pub pause: u64,
    /// Maximum amount that all claims together may withdraw during a pause, in wei.
    #[serde(with = "Quantity")]
    pub limit: u128,
}

/// Rules of the sequencing policy for preconfirmations. All values except the domain are on L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PreconfirmationTerms {
    /// Contract in whose domain (EIP-712) this node signs and verifies messages: a registry of
    /// bonds, or the rollup.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Address"))]
    pub domain: Address,
    /// Registry in which the policy requires a bond (`PreconfBonds`), if it requires one. Only
    /// messages in the domain of this contract can be evidence against a bond.
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::Address>"))]
    pub bonds: Option<Address>,
    /// Minimum bond of a sequencer, in wei.
    #[cfg_attr(feature = "schema", schemars(with = "Quantity"))]
    pub min_bond: U256,
    /// Time from the timestamp of a signed block to the end of the promise, in seconds.
    #[serde(with = "Quantity")]
    pub post_within: u64,
    /// Age from which any account may post a sealed, signed block, in seconds, if the policy has
    /// `post`.
    #[serde(with = "OptionalQuantity")]
    pub post_delay: Option<u64>,
    /// Age of the head from which the policy lets any account advance, in seconds.
    #[serde(with = "Quantity")]
    pub timeout: u64,
}

/// Method by which blocks are proven valid on L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Verification {
    /// By EXECUTE.
    Native,
    /// By a contract that receives a proof with each input.
    Verified,
    /// A value of a later version.
    #[serde(other)]
    Unknown,
}

/// The EXECUTE precompile of L1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Execute {
    /// Address of the precompile.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Address"))]
    pub address: Address,
    /// Name of the schedule of its gas.
    pub schedule: String,
    /// `true` if L1 sells this gas on a market, at a price that varies.
    pub market: bool,
    /// `true` if this node reads inputs from blobs.
    pub blobs: bool,
}
