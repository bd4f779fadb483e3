//! Status of a node.

use alloy_primitives::{Address, B256, U256};
use engine::Driven;
use serde::Serialize;

/// Heads, synchronisation and faults of a node.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// `sequencer` or `follower`.
    pub role: &'static str,
    /// The L1 head that it has read.
    pub l1_head: Option<BlockId>,
    /// Time of that head, in seconds.
    pub l1_timestamp: u64,
    /// The newest final L1 block.
    pub l1_finalized: u64,
    /// Number of messages, forced transactions and taken L2 blocks of L1 that the node holds in memory.
    pub l1_entries: u64,
    /// The newest L2 block of the node.
    pub unsafe_head: BlockId,
    /// The newest L2 block that L1 has taken.
    pub safe_head: BlockId,
    /// The newest L2 block that a final L1 block has taken.
    pub finalized_head: BlockId,
    /// `true` once all of L1 has been read.
    pub synced: bool,
    /// Error of the node's last attempt, if it failed.
    pub fault: Option<String>,
    /// Number of times that L1 took blocks of the same account in the places of this sequencer's: another node has
    /// its keys.
    pub overtaken: u64,
    /// The lease without which the node makes no blocks, if it has one.
    pub lease: Option<LeaseStatus>,
    /// The account that advances the rollup, if this node does.
    pub submitter: Option<SubmitterStatus>,
    /// `true` if the operator lets the node make blocks.
    pub sealing: bool,
    /// `true` if the operator lets the node send blocks to L1.
    pub posting: bool,
    /// Warnings of the checks of the configuration, as long as their causes last.
    pub warnings: Vec<String>,
    /// The client that is kept at the head of this node, if there is one.
    pub driven: Option<Driven>,
}

/// A lease as a node knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LeaseStatus {
    /// `true` if this node has it.
    pub held: bool,
    /// `true` if this node asks for it.
    pub wanted: bool,
    /// WebSocket URL of the node that has it, if another has.
    pub leader: Option<String>,
}

/// A block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct BlockId {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
}

/// The account that advances the rollup.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SubmitterStatus {
    /// The account on L1.
    pub address: Address,
    /// Its balance when it was asked last, in wei.
    pub balance: U256,
    /// Wei that were spent within a day, at most.
    pub spent_today: u128,
    /// The first transaction that L1 does not have yet.
    pub in_flight: Option<B256>,
    /// The newest L2 block that these carry.
    pub posted_head: Option<u64>,
    /// Number of transactions in flight.
    pub transactions_in_flight: usize,
    /// L2 blocks that L1 does not have yet.
    pub unsafe_blocks: u64,
    /// Number of times that a block was executed to plan its way to L1: none that this process has sealed.
    pub planning_executions: u64,
    /// Number of times that a block was looked through for the evidence that L1 may ask for: once for each.
    pub evidence_made: u64,
    /// The blocks that wait for L1.
    pub backlog: BacklogStatus,
}

/// Blocks that wait for L1, against what L1 takes in time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct BacklogStatus {
    /// Number of blocks.
    pub blocks: u64,
    /// Gas that EXECUTE asks for them. A block that leaves no room for another one counts as a whole L1 transaction.
    pub gas: BoundedAmount,
    /// Bytes of their inputs, counted in the same way.
    pub bytes: BoundedAmount,
    /// Age of the oldest, in seconds.
    pub age: BoundedAmount,
}

/// An amount and its limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct BoundedAmount {
    /// The amount.
    pub used: u64,
    /// Most that it may be.
    pub limit: u64,
}
