//! Responses of `rollup_syncStatus` and `admin_status`.

#[cfg(feature = "schema")]
use crate::schema;
use crate::{BacklogStatus, BlockNumHash, OptionalQuantity, Quantity};
use alloy_primitives::{Address, B256, U256};
use serde::{Deserialize, Serialize};

/// Heads, synchronisation and faults of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SyncStatus {
    /// Role of the node.
    pub role: Role,
    /// Newest L1 block that the node has read.
    pub l1_head: Option<BlockNumHash>,
    /// Timestamp of that block.
    #[serde(with = "Quantity")]
    pub l1_timestamp: u64,
    /// Number of the newest final L1 block.
    #[serde(with = "Quantity")]
    pub l1_finalized: u64,
    /// Number of messages, forced transactions and posted L2 blocks in memory.
    #[serde(with = "Quantity")]
    pub l1_entries: u64,
    /// Newest L2 block of the node.
    pub unsafe_head: BlockNumHash,
    /// Newest L2 block on L1.
    pub safe_head: BlockNumHash,
    /// Newest L2 block in a final L1 block.
    pub finalized_head: BlockNumHash,
    /// `true` once the node has read all of L1.
    pub synced: bool,
    /// Error that currently prevents the node from working, if there is one.
    pub fault: Option<String>,
    /// Number of times that blocks of this sequencer were replaced on L1 by other blocks of its
    /// account.
    #[serde(with = "Quantity")]
    pub overtaken: u64,
    /// State of the lease, if the node has one.
    pub lease: Option<LeaseStatus>,
    /// Whether the node signs prefixes of its blocks, or `None` if it is not configured to.
    pub preconfirming: Option<Preconfirming>,
    /// Submission to L1, if the node is the sequencer.
    pub submitter: Option<SubmitterStatus>,
    /// `true` if the operator allows the node to build blocks.
    pub sealing: bool,
    /// `true` if the operator allows the node to post blocks.
    pub posting: bool,
    /// Warnings of the configuration checks, and reports of lost files, damage and feed errors.
    pub warnings: Vec<String>,
    /// Client that this node drives over the Engine API, if there is one.
    pub driven: Option<Driven>,
}

/// State of the signing of prefixes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Preconfirming {
    /// `true` if the sequencer signs prefixes of its blocks.
    pub on: bool,
    /// Reason why it does not.
    pub reason: Option<String>,
}

/// Role of a node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// Builds blocks and posts them to L1.
    Sequencer,
    /// Follows L1 and a sequencer.
    Follower,
    /// Not known yet, or a value of a later version.
    #[default]
    #[serde(other)]
    Unknown,
}

/// State of a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LeaseStatus {
    /// `true` if this node holds the lease.
    pub held: bool,
    /// `true` if this node requests the lease.
    pub wanted: bool,
    /// WebSocket URL of another holder, without credentials.
    pub leader: Option<String>,
    /// Error of the last requests to etcd, if they failed.
    pub error: Option<String>,
}

/// State of the submission to L1, and the accounts that it uses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SubmitterStatus {
    /// Account that posts blocks on L1.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Address"))]
    pub address: Address,
    /// Last known balance of this account, in wei.
    #[cfg_attr(feature = "schema", schemars(with = "Quantity"))]
    pub balance: U256,
    /// Account of the operator on the L2, which sends the system transactions.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Address"))]
    pub operator: Address,
    /// Balance of the operator on the L2, in wei.
    #[cfg_attr(feature = "schema", schemars(with = "Quantity"))]
    pub operator_balance: U256,
    /// Upper bound of the amount spent within a day, in wei.
    #[serde(with = "Quantity")]
    pub spent_today: u128,
    /// Hash of the first transaction in flight.
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::Hash>"))]
    pub in_flight: Option<B256>,
    /// Number of the newest L2 block in transactions in flight.
    #[serde(with = "OptionalQuantity")]
    pub posted_head: Option<u64>,
    /// Number of transactions in flight.
    #[serde(with = "Quantity")]
    pub transactions_in_flight: u64,
    /// Number of L2 blocks that are not on L1.
    #[serde(with = "Quantity")]
    pub unsafe_blocks: u64,
    /// Number of block executions for planning L1 transactions.
    #[serde(with = "Quantity")]
    pub planning_executions: u64,
    /// Number of blocks whose facts were computed for evidence.
    #[serde(with = "Quantity")]
    pub evidence_made: u64,
    /// Backlog of blocks that are not on L1 yet.
    pub backlog: BacklogStatus,
}

/// Progress of a client that the node drives over the Engine API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Driven {
    /// URL of the client's Engine API, without credentials.
    pub url: String,
    /// Number of the newest block that the client confirmed as its head.
    #[serde(with = "Quantity")]
    pub number: u64,
    /// Hash of that block.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Hash"))]
    pub hash: B256,
    /// Error of the last update, or `None` if it succeeded.
    pub fault: Option<String>,
}

/// Switches of the operator of a sequencer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Switches {
    /// `true` if the node may build blocks.
    pub sealing: bool,
    /// `true` if the node may post blocks.
    pub posting: bool,
}
