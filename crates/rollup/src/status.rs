//! Status of a rollup node, and its form in the answer of `rollup_syncStatus`.

use crate::lease::Lease;
use alloy_eips::BlockNumHash;
use alloy_primitives::{Address, B256, U256};
use client::RedactedUrl;
use rpc::engine::Driven;
use rpc_types::{Preconfirming, Role, SyncStatus};

/// Heads, synchronisation and faults of a node.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// `sequencer` or `follower`.
    pub role: &'static str,
    /// Latest L1 block that the node has read.
    pub l1_head: Option<BlockNumHash>,
    /// Timestamp of that block, in seconds.
    pub l1_timestamp: u64,
    /// Number of the latest final L1 block.
    pub l1_finalized: u64,
    /// Number of messages, forced transactions and posted L2 blocks in memory.
    pub l1_entries: u64,
    /// Latest L2 block of the node.
    pub unsafe_head: BlockNumHash,
    /// Latest L2 block on L1.
    pub safe_head: BlockNumHash,
    /// Latest L2 block in a final L1 block.
    pub finalized_head: BlockNumHash,
    /// `true` once all of L1 has been read.
    pub synced: bool,
    /// Error that currently prevents the node from working, if there is one.
    pub fault: Option<String>,
    /// Number of times that blocks posted by the same account replaced this sequencer's blocks on
    /// L1. If it is not zero, another node probably has its keys.
    pub overtaken: u64,
    /// State of the lease, if the node has one.
    pub lease: Option<LeaseStatus>,
    /// Whether the node signs prefixes of its blocks, if it is configured to.
    pub preconfirming: Option<Preconfirming>,
    /// Submission to L1, if the node is the sequencer.
    pub submitter: Option<SubmitterStatus>,
    /// `true` if the operator allows the node to make blocks.
    pub sealing: bool,
    /// `true` if the operator allows the node to post blocks.
    pub posting: bool,
    /// Warnings of the configuration checks, and reports of lost files, corruption and feed errors.
    pub warnings: Vec<String>,
    /// Client that this node drives over the Engine API, if there is one.
    pub driven: Option<Driven>,
}

/// State of a lease.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeaseStatus {
    /// `true` if this node holds the lease.
    pub held: bool,
    /// `true` if this node requests the lease.
    pub wanted: bool,
    /// WebSocket URL of another holder.
    pub leader: Option<RedactedUrl>,
    /// Error of the last requests to etcd, if they failed.
    pub error: Option<String>,
}

impl LeaseStatus {
    /// Returns the current state of a lease.
    pub(crate) fn of(lease: &Lease) -> Self {
        let leader = lease.leader().filter(|leader| leader.id != lease.own().id);
        Self {
            held: lease.is_held(),
            wanted: lease.is_wanted(),
            leader: leader.map(|it| RedactedUrl::new(&it.url)),
            error: lease.error(),
        }
    }
}

/// State of the submission to L1, and the accounts that it uses.
#[derive(Debug, Clone, Default)]
pub struct SubmitterStatus {
    /// Address of the account that posts blocks on L1.
    pub address: Address,
    /// Last known balance of this account, in wei.
    pub balance: U256,
    /// Address of the operator on the L2, which sends the system transactions (anchors and messages
    /// from L1).
    pub operator: Address,
    /// Balance of the operator on the L2, in wei.
    pub operator_balance: U256,
    /// Upper bound of the amount spent within a day, in wei.
    pub spent_today: u128,
    /// Hash of the first transaction in flight.
    pub in_flight: Option<B256>,
    /// Number of the latest L2 block in transactions in flight.
    pub posted_head: Option<u64>,
    /// Number of transactions in flight.
    pub transactions_in_flight: usize,
    /// Number of L2 blocks that are not on L1.
    pub unsafe_blocks: u64,
    /// Number of block executions to plan L1 transactions. Blocks sealed by this process need none.
    pub planning_executions: u64,
    /// Number of blocks whose facts were computed for evidence; at most once per block.
    pub evidence_made: u64,
    /// Backlog of blocks that are not on L1 yet.
    pub backlog: BacklogStatus,
}

/// Backlog of blocks that are not on L1 yet, compared with L1's capacity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BacklogStatus {
    /// Number of blocks.
    pub blocks: u64,
    /// EXECUTE gas of the blocks. A block of more than half an L1 transaction counts as a whole
    /// one.
    pub gas: BoundedAmount,
    /// Length of their inputs in bytes, counted in the same way.
    pub bytes: BoundedAmount,
    /// Age of the oldest block, in seconds.
    pub age: BoundedAmount,
}

/// An amount with its limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BoundedAmount {
    /// Amount in use.
    pub used: u64,
    /// Maximum amount.
    pub limit: u64,
}

/// Returns number and hash in the form of the RPC methods.
pub(crate) const fn num_hash(block: BlockNumHash) -> rpc_types::BlockNumHash {
    rpc_types::BlockNumHash { number: block.number, hash: block.hash }
}

impl From<Status> for SyncStatus {
    fn from(status: Status) -> Self {
        let role = match status.role {
            "sequencer" => Role::Sequencer,
            "follower" => Role::Follower,
            _ => Role::Unknown,
        };
        Self {
            role,
            l1_head: status.l1_head.map(num_hash),
            l1_timestamp: status.l1_timestamp,
            l1_finalized: status.l1_finalized,
            l1_entries: status.l1_entries,
            unsafe_head: num_hash(status.unsafe_head),
            safe_head: num_hash(status.safe_head),
            finalized_head: num_hash(status.finalized_head),
            synced: status.synced,
            fault: status.fault,
            overtaken: status.overtaken,
            lease: status.lease.map(Into::into),
            preconfirming: status.preconfirming,
            submitter: status.submitter.map(Into::into),
            sealing: status.sealing,
            posting: status.posting,
            warnings: status.warnings,
            driven: status.driven.map(|driven| rpc_types::Driven {
                url: driven.url.to_string(),
                number: driven.number,
                hash: driven.hash,
                fault: driven.fault,
            }),
        }
    }
}

impl From<LeaseStatus> for rpc_types::LeaseStatus {
    fn from(lease: LeaseStatus) -> Self {
        let LeaseStatus { held, wanted, leader, error } = lease;
        Self { held, wanted, leader: leader.map(|it| it.to_string()), error }
    }
}

impl From<SubmitterStatus> for rpc_types::SubmitterStatus {
    fn from(submitter: SubmitterStatus) -> Self {
        Self {
            address: submitter.address,
            balance: submitter.balance,
            operator: submitter.operator,
            operator_balance: submitter.operator_balance,
            spent_today: submitter.spent_today,
            in_flight: submitter.in_flight,
            posted_head: submitter.posted_head,
            transactions_in_flight: submitter.transactions_in_flight as u64,
            unsafe_blocks: submitter.unsafe_blocks,
            planning_executions: submitter.planning_executions,
            evidence_made: submitter.evidence_made,
            backlog: submitter.backlog.into(),
        }
    }
}

impl From<BacklogStatus> for rpc_types::BacklogStatus {
    fn from(backlog: BacklogStatus) -> Self {
        let BacklogStatus { blocks, gas, bytes, age } = backlog;
        let amount =
            |it: BoundedAmount| rpc_types::BoundedAmount { used: it.used, limit: it.limit };
        Self { blocks, gas: amount(gas), bytes: amount(bytes), age: amount(age) }
    }
}
