//! What a watcher tells the operator.

use alloy_primitives::{Address, B256, U256};
use preconf::faults::Fault;
use serde::Serialize;

/// What a watcher has found or done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WatchReport {
    /// What happened.
    pub event: WatchEvent,
    /// Kind of the fault: `equivocation`, `broken`, `lie` or `late`; `withheld` for blocks that the
    /// sequencer does not post, which is no fault until it is late.
    pub fault: &'static str,
    /// Account whose bond pays for it; for blocks the account that has signed the last one.
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
    /// L1 rejects the accusation, or it is not worth its cost. It is tried again later.
    Postponed,
    /// L1 has included blocks that the sequencer did not post.
    Posted,
    /// Such blocks were not posted. It is tried again later.
    NotPosted,
}

/// Name of a fault in reports and metrics.
pub(super) const fn name(fault: Fault) -> &'static str {
    match fault {
        Fault::Equivocation => "equivocation",
        Fault::Broken => "broken",
        Fault::Lie => "lie",
        Fault::Late => "late",
    }
}
