//! Health and metrics of a rollup node.

use crate::{
    Switches,
    l1::LastResponse,
    service::{node_handle::NodeHandle, supervisor::Actor},
};
use alloy_primitives::U256;
use rpc::{Gauge, Health, Telemetry};
use rpc_types::{BacklogStatus, SyncStatus};
use serde_json::{Map, Value, json};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Gauges of a rollup node for `/metrics`.
#[derive(Debug)]
pub(crate) struct Levels {
    l1_head: Gauge,
    l1_timestamp: Gauge,
    l1_entries: Gauge,
    overtaken: Gauge,
    unsafe_head: Gauge,
    safe_head: Gauge,
    finalized_head: Gauge,
    is_synced: Gauge,
    has_fault: Gauge,
    driven_head: Gauge,
    balance: Gauge,
    operator_balance: Gauge,
    spent: Gauge,
    backlog_blocks: Gauge,
    backlog: [(Gauge, Gauge); 3],
    planning_executions: Gauge,
    sealing_stopped: Gauge,
    posting_stopped: Gauge,
    not_preconfirming: Gauge,
    check_warnings: Gauge,
}

impl Levels {
    pub(crate) fn new(telemetry: &mut Telemetry) -> Self {
        let mut gauge = |name: &str, help: &str| telemetry.gauge(name, help);
        Self {
            l1_head: gauge("rollup_l1_head", "Number of the newest L1 block that was read"),
            l1_timestamp: gauge("rollup_l1_timestamp", "Timestamp of that block in seconds"),
            l1_entries: gauge(
                "rollup_l1_entries",
                "Messages, forced transactions and posted L2 blocks in memory",
            ),
            overtaken: gauge(
                "rollup_overtaken",
                "Times that blocks of another node with the same keys replaced this sequencer's",
            ),
            unsafe_head: gauge("rollup_unsafe_head", "Number of the newest L2 block"),
            safe_head: gauge("rollup_safe_head", "Number of the newest L2 block on L1"),
            finalized_head: gauge("rollup_finalized_head", "Number of the newest final L2 block"),
            is_synced: gauge("rollup_synced", "1 if all of L1 has been read"),
            has_fault: gauge("rollup_fault", "1 if the node has a fault"),
            driven_head: gauge("rollup_driven_head", "Number of the head of the driven client"),
            balance: gauge("rollup_submitter_balance_gwei", "Balance of the L1 account"),
            operator_balance: gauge(
                "rollup_operator_balance_gwei",
                "Balance of the operator on the L2, which pays for relayed messages",
            ),
            spent: gauge("rollup_submitter_spent_gwei", "Maximum amount spent within a day"),
            backlog_blocks: gauge("rollup_backlog_blocks", "Blocks that are not on L1 yet"),
            backlog: [
                (
                    gauge("rollup_backlog_gas", "EXECUTE gas of the backlog"),
                    gauge("rollup_backlog_gas_limit", "EXECUTE gas that L1 can include in time"),
                ),
                (
                    gauge("rollup_backlog_bytes", "Input bytes of the backlog"),
                    gauge("rollup_backlog_bytes_limit", "Input bytes that L1 can include in time"),
                ),
                (
                    gauge("rollup_backlog_age", "Age of the oldest backlog block in seconds"),
                    gauge("rollup_backlog_age_limit", "Maximum age of a block in seconds"),
                ),
            ],
            planning_executions: gauge(
                "rollup_planning_executions",
                "Block executions to plan L1 transactions",
            ),
            sealing_stopped: gauge("rollup_sealing_stopped", "1 if the operator stopped sealing"),
            posting_stopped: gauge("rollup_posting_stopped", "1 if the operator stopped posting"),
            not_preconfirming: gauge(
                "rollup_not_preconfirming",
                "1 if the node is configured to sign prefixes of blocks and signs none",
            ),
            check_warnings: gauge(
                "rollup_check_warnings",
                "Warnings of the checks of the configuration",
            ),
        }
    }

    /// Sets the gauges from a status.
    pub(crate) fn show(&self, status: &SyncStatus) {
        self.l1_head.set(status.l1_head.map_or(0, |head| head.number));
        self.l1_timestamp.set(status.l1_timestamp);
        self.l1_entries.set(status.l1_entries);
        self.overtaken.set(status.overtaken);
        self.unsafe_head.set(status.unsafe_head.number);
        self.safe_head.set(status.safe_head.number);
        self.finalized_head.set(status.finalized_head.number);
        self.is_synced.set(status.synced.into());
        self.has_fault.set(status.fault.is_some().into());
        self.sealing_stopped.set((!status.sealing).into());
        self.posting_stopped.set((!status.posting).into());
        let is_silent = status.preconfirming.as_ref().is_some_and(|status| !status.on);
        self.not_preconfirming.set(is_silent.into());
        self.check_warnings.set(status.warnings.len() as u64);
        if let Some(driven) = &status.driven {
            self.driven_head.set(driven.number);
        }
        if let Some(submitter) = &status.submitter {
            let gwei = submitter.balance / U256::from(GWEI);
            self.balance.set(gwei.saturating_to());
            let gwei = submitter.operator_balance / U256::from(GWEI);
            self.operator_balance.set(gwei.saturating_to());
            self.spent.set(u64::try_from(submitter.spent_today / GWEI).unwrap_or(u64::MAX));
            let BacklogStatus { blocks, gas, bytes, age } = submitter.backlog;
            self.backlog_blocks.set(blocks);
            for ((used, limit), amount) in self.backlog.iter().zip([gas, bytes, age]) {
                used.set(amount.used);
                limit.set(amount.limit);
            }
            self.planning_executions.set(submitter.planning_executions);
        }
    }
}

/// Gauges of the actors. A separate task sets them, because a hanging actor cannot.
#[derive(Debug)]
pub(crate) struct ActorLevels {
    /// Time since the last progress of each actor in seconds, in the order of [`Actor::ORDER`].
    ages: [Gauge; Actor::ORDER.len()],
    panicked: Gauge,
}

/// Update interval of the actors' gauges.
const ACTORS_INTERVAL: Duration = Duration::from_millis(500);

impl ActorLevels {
    pub(crate) fn new(telemetry: &mut Telemetry) -> Self {
        let ages = Actor::ORDER.map(|actor| {
            let name = actor.name();
            let help =
                format!("Seconds since the last progress of the actor {name}, 0 if not running");
            telemetry.gauge(&format!("rollup_actor_age_{name}"), &help)
        });
        let panicked =
            telemetry.gauge("rollup_actor_panicked", "1 if an actor of the node panicked");
        Self { ages, panicked }
    }

    /// Sets the gauges until the task is aborted.
    pub(crate) fn follow(self, shared: &Arc<NodeHandle>) -> tokio::task::JoinHandle<()> {
        let shared = Arc::downgrade(shared);
        tokio::spawn(async move {
            while let Some(shared) = shared.upgrade() {
                self.ages.iter().for_each(|gauge| gauge.set(0));
                for (actor, age) in shared.supervisor.ages(Instant::now()) {
                    self.ages[actor as usize].set(age.as_secs());
                }
                self.panicked.set(shared.supervisor.panicked().is_some().into());
                drop(shared);
                tokio::time::sleep(ACTORS_INTERVAL).await;
            }
        })
    }
}

const GWEI: u128 = 1_000_000_000;

/// Readiness of a node for `/health`: it has read all of L1, has no fault and no panicked actor,
/// and L1 has responded recently.
#[derive(Debug)]
pub(crate) struct Readiness {
    pub(crate) shared: Arc<NodeHandle>,
    /// Time of L1's last response.
    pub(crate) answered: LastResponse,
    pub(crate) longest_silence: Duration,
}

impl Readiness {
    /// Minimum of [`Self::longest_silence`], which is longer if L1 is polled rarely.
    pub(crate) const LONGEST_SILENCE: Duration = Duration::from_secs(5);

    fn at(&self, now: Instant) -> (bool, Value) {
        let status = self.shared.status.lock();
        // Computed here, because the thread that reads L1 may be blocked by the unanswered request.
        let age = self.answered.age(now);
        let is_silent = age.is_none_or(|age| age > self.longest_silence);
        let supervisor = &self.shared.supervisor;
        let panicked = supervisor.panicked();
        // A node that is behind or whose L1 is silent still serves requests, but a load balancer
        // should send users elsewhere.
        let is_ready = status.synced && status.fault.is_none() && !is_silent && panicked.is_none();
        // Measured at the time of the request, so that the age of a hanging actor grows.
        let actors: Map<String, Value> = supervisor
            .ages(now)
            .map(|(actor, age)| (actor.name().to_owned(), age.as_secs().into()))
            .collect();
        let silence = || {
            let limit = self.longest_silence.as_secs();
            Some(format!("L1 has not responded for more than {limit} s"))
        };
        let fault = panicked.map(|fault| fault.to_string()).or_else(|| status.fault.clone());
        let fault = fault.or_else(|| silence().filter(|_| is_silent));
        let Switches { sealing, posting } = self.shared.controls.get();
        let warnings = self.shared.all_warnings();
        let body = json!({
            "alive": true,
            "ready": is_ready,
            "l1Head": status.l1_head.map(|head| head.number),
            "l1AnswerAge": age.map(|age| age.as_secs()),
            "unsafeHead": status.unsafe_head.number,
            "safeHead": status.safe_head.number,
            "lag": status.unsafe_head.number.saturating_sub(status.safe_head.number),
            "fault": fault,
            "sealing": sealing,
            "posting": posting,
            "warnings": warnings,
            "actors": actors,
        });
        (is_ready, body)
    }
}

impl Health for Readiness {
    fn health(&self) -> (bool, Value) {
        self.at(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// While L1 does not respond, the node is not ready, even if its last status was synced.
    #[test]
    fn node_with_silent_l1_is_not_ready() {
        let (shared, answered) = (Arc::<NodeHandle>::default(), LastResponse::default());
        let longest_silence = Readiness::LONGEST_SILENCE;
        shared.status.lock().synced = true;
        let ready =
            Readiness { shared: Arc::clone(&shared), answered: answered.clone(), longest_silence };
        let begun = Instant::now();
        let after = |seconds| begun + Duration::from_secs(seconds);
        assert!(!ready.at(begun).0, "L1 has never answered");
        answered.note(begun);
        for (seconds, expected) in [(0, true), (5, true), (6, false), (95, false)] {
            let (is_ready, body) = ready.at(after(seconds));
            assert_eq!((is_ready, &body["l1AnswerAge"]), (expected, &json!(seconds)), "{body}");
            assert_eq!(body["fault"].is_null(), expected, "{body}");
        }
        answered.note(after(95));
        assert!(ready.at(after(95)).0);
        // A fault is still reported.
        shared.status.lock().fault = Some("the disk".to_owned());
        let (is_ready, body) = ready.at(after(95));
        assert_eq!((is_ready, &body["fault"]), (false, &json!("the disk")));
    }
}
