//! Status of a node.

use alloy_primitives::{Address, B256, U256};
use client::RedactedUrl;
use engine::Driven;
use serde::Serialize;

/// Heads, synchronisation and faults of a node.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// `sequencer` or `follower`.
    pub role: &'static str,
    /// Newest L1 block that the node has read.
    pub l1_head: Option<BlockId>,
    /// Timestamp of that block, in seconds.
    pub l1_timestamp: u64,
    /// The newest final L1 block.
    pub l1_finalized: u64,
    /// Number of messages, forced transactions and L2 blocks of L1 in memory.
    pub l1_entries: u64,
    /// The newest L2 block of the node.
    pub unsafe_head: BlockId,
    /// The newest L2 block on L1.
    pub safe_head: BlockId,
    /// The newest L2 block in a final L1 block.
    pub finalized_head: BlockId,
    /// `true` once all of L1 has been read.
    pub synced: bool,
    /// Error of the node's last attempt, if it failed.
    pub fault: Option<String>,
    /// Number of times that other blocks of the same account replaced this sequencer's on L1:
    /// another node has its keys.
    pub overtaken: u64,
    /// The lease without which the node makes no blocks, if it has one.
    pub lease: Option<LeaseStatus>,
    /// The account that advances the rollup, of a sequencer.
    pub submitter: Option<SubmitterStatus>,
    /// `true` if the operator allows the node to make blocks.
    pub sealing: bool,
    /// `true` if the operator allows the node to post blocks.
    pub posting: bool,
    /// Warnings of the checks of the configuration.
    pub warnings: Vec<String>,
    /// The client that this node drives, if there is one.
    pub driven: Option<Driven>,
}

/// State of a lease.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LeaseStatus {
    /// `true` if this node has the lease.
    pub held: bool,
    /// `true` if this node requests the lease.
    pub wanted: bool,
    /// WebSocket URL of another holder.
    pub leader: Option<RedactedUrl>,
}

/// A block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct BlockId {
    /// Block number.
    pub number: u64,
    /// Block hash.
    pub hash: B256,
}

/// The account that advances the rollup.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SubmitterStatus {
    /// Address on L1.
    pub address: Address,
    /// Last known balance, in wei.
    pub balance: U256,
    /// Address of the operator on the L2, whose transactions bring in what comes from L1.
    pub operator: Address,
    /// Its balance on the L2, in wei.
    pub operator_balance: U256,
    /// Maximum wei spent within a day.
    pub spent_today: u128,
    /// The first transaction that is not on L1.
    pub in_flight: Option<B256>,
    /// The newest L2 block in pending transactions.
    pub posted_head: Option<u64>,
    /// Number of pending transactions.
    pub transactions_in_flight: usize,
    /// Number of L2 blocks that are not on L1.
    pub unsafe_blocks: u64,
    /// Number of block executions for planning. Blocks sealed by this process need none.
    pub planning_executions: u64,
    /// Number of times that the facts of a block were computed for evidence: once per block.
    pub evidence_made: u64,
    /// The backlog.
    pub backlog: BacklogStatus,
}

/// Backlog of blocks that wait for L1, against L1's capacity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct BacklogStatus {
    /// Number of blocks.
    pub blocks: u64,
    /// EXECUTE gas of the blocks. A block that leaves no room for another one counts as a whole L1
    /// transaction.
    pub gas: BoundedAmount,
    /// Bytes of their inputs, counted in the same way.
    pub bytes: BoundedAmount,
    /// Age of the oldest block, in seconds.
    pub age: BoundedAmount,
}

/// An amount and its limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct BoundedAmount {
    /// The amount.
    pub used: u64,
    /// Limit of the amount.
    pub limit: u64,
}
