//! What a monitor sees of a node.

use crate::{Status, rpc_methods::Shared};
use alloy_primitives::U256;
use rpc::{Health, Journal, Level};
use serde_json::{Value, json};
use std::sync::Arc;

/// The numbers of a rollup's node, as `/metrics` shows them.
#[derive(Debug)]
pub(crate) struct Levels {
    l1_head: Level,
    l1_timestamp: Level,
    unsafe_head: Level,
    safe_head: Level,
    finalized_head: Level,
    is_synced: Level,
    has_fault: Level,
    driven_head: Level,
    balance: Level,
    spent: Level,
}

impl Levels {
    /// Adds them to a journal.
    pub(crate) fn new(journal: &mut Journal) -> Self {
        let mut level = |name: &str, help: &str| journal.level(name, help);
        Self {
            l1_head: level("rollup_l1_head", "Number of the newest L1 block that was read"),
            l1_timestamp: level("rollup_l1_timestamp", "Time of that block in seconds"),
            unsafe_head: level("rollup_unsafe_head", "Number of the newest L2 block"),
            safe_head: level("rollup_safe_head", "Number of the newest L2 block that L1 has"),
            finalized_head: level("rollup_finalized_head", "Number of the newest final L2 block"),
            is_synced: level("rollup_synced", "Whether all of L1 has been read"),
            has_fault: level("rollup_fault", "Whether something could not be done"),
            driven_head: level("rollup_driven_head", "Number of the head of the driven client"),
            balance: level("rollup_submitter_balance_gwei", "What is left to advance with"),
            spent: level("rollup_submitter_spent_gwei", "What was spent within a day, at most"),
        }
    }

    /// Shows a status.
    pub(crate) fn show(&self, status: &Status) {
        self.l1_head.set(status.l1_head.map_or(0, |head| head.number));
        self.l1_timestamp.set(status.l1_timestamp);
        self.unsafe_head.set(status.unsafe_head.number);
        self.safe_head.set(status.safe_head.number);
        self.finalized_head.set(status.finalized_head.number);
        self.is_synced.set(status.synced.into());
        self.has_fault.set(status.fault.is_some().into());
        if let Some(driven) = &status.driven {
            self.driven_head.set(driven.number);
        }
        if let Some(submitter) = &status.submitter {
            let gwei = submitter.balance / U256::from(GWEI);
            self.balance.set(gwei.saturating_to());
            self.spent.set(u64::try_from(submitter.spent_today / GWEI).unwrap_or(u64::MAX));
        }
    }
}

/// Wei in a gwei.
const GWEI: u128 = 1_000_000_000;

/// Ready is a node that has read all of L1 and could do all that was to be done.
#[derive(Debug)]
pub(crate) struct Readiness(pub(crate) Arc<Shared>);

impl Health for Readiness {
    fn health(&self) -> (bool, Value) {
        let status = self.0.status.lock();
        let is_ready = status.synced && status.fault.is_none();
        let said = json!({
            "alive": true,
            "ready": is_ready,
            "l1Head": status.l1_head.map(|head| head.number),
            "unsafeHead": status.unsafe_head.number,
            "safeHead": status.safe_head.number,
            "lag": status.unsafe_head.number.saturating_sub(status.safe_head.number),
            "fault": status.fault,
        });
        (is_ready, said)
    }
}
