//! Reports of a watcher to the operator.

use alloy_primitives::{Address, B256, U256};
use preconf::faults::Fault;
use serde::Serialize;

/// Report of a watcher.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WatchReport {
    /// The event.
    pub event: WatchEvent,
    /// Kind of the fault: `equivocation`, `broken`, `lie` or `late`; `withheld` for blocks that the
    /// sequencer does not post, which is not a fault until they are late.
    pub fault: &'static str,
    /// Account whose bond is liable, or for posted blocks the account that signed the last one.
    pub account: Address,
    /// Number of the L2 block.
    pub number: u64,
    /// Hash of the signed header.
    pub block_hash: B256,
    /// Number of L1's head.
    pub l1_head: u64,
    /// L1 transaction of the watcher.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction: Option<B256>,
    /// Reward in wei.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reward: Option<U256>,
    /// Reason why the evidence was not submitted, or was rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Event of a [`WatchReport`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum WatchEvent {
    /// Evidence was found.
    Evidence,
    /// L1 has stored the commitment.
    Committed,
    /// L1 has accepted the accusation.
    Accepted,
    /// L1 rejects the accusation, or its reward is less than its cost. It is retried later.
    Postponed,
    /// L1 has included the watcher's transaction with blocks that the sequencer did not post.
    Posted,
    /// Posting such blocks failed. It is retried later.
    NotPosted,
}

/// Returns the name of a fault in reports and metrics.
pub(super) const fn name(fault: Fault) -> &'static str {
    match fault {
        Fault::Equivocation => "equivocation",
        Fault::Broken => "broken",
        Fault::Lie => "lie",
        Fault::Late => "late",
    }
}
