//! What a node tells of itself: lines for whoever watches it, and numbers for whoever measures it.

use crate::{
    Api, CallRequest, ExecuteCall, Note, Outcome as Called, RpcError, call::transaction_error,
    call_tree::call_tree, notes,
};
use alloy_evm::Evm as _;
use execute::{ExecuteError, ObservedCall};
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, text},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use revm_inspectors::tracing::{TracingInspector, TracingInspectorConfig};
use std::{
    fmt, mem,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

/// The target of what a user is told: requests, transactions, blocks, what contracts print. Each is
/// an event at the level `INFO` with a field `text`, which is how it looks for people; its other
/// fields are for programs.
pub const STORY: &str = "enshrine::story";

/// A number with a fraction.
type Seconds = Gauge<f64, AtomicU64>;

/// Which requests.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: &'static str,
    outcome: Outcome,
}

/// How a request or a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
enum Outcome {
    Ok,
    Refused,
    OutOfGas,
    Error,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Verdict {
    outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Method {
    method: &'static str,
}

/// Makes the text of a call of `console.log` from its calldata, if it is one.
pub type ConsoleDecoder = fn(&[u8]) -> Option<String>;

/// What is told of what is executed, beyond that it was.
#[derive(Debug, Clone, Copy, Default)]
pub struct Telling {
    /// How the calldata of `console.log` is to be read; `None` leaves it out.
    pub console: Option<ConsoleDecoder>,
    /// Whether the traces of what fails are told.
    pub failures: bool,
    /// Whether all traces are told.
    pub traces: bool,
    /// Whether traces show changes of storage.
    pub storage: bool,
}

/// A number that goes up and down.
#[derive(Debug, Clone)]
pub struct Level(Gauge);

impl Level {
    /// It is this now; what is beyond 2^63 is shown as that.
    pub fn set(&self, value: u64) {
        self.0.set(i64::try_from(value).unwrap_or(i64::MAX));
    }
}

/// Numbers of the answers of one method, found once.
#[derive(Debug)]
pub(crate) struct Answers {
    good: Counter,
    latency: Histogram,
}

impl Answers {
    /// There is one more.
    pub(crate) fn count(&self, took: Duration, is_good: bool) {
        if is_good {
            self.good.inc();
        }
        self.latency.observe(took.as_secs_f64());
    }
}

/// What a node tells of itself. It is shared by all that happens in it.
pub struct Journal {
    /// What is told of what is executed.
    pub telling: Telling,
    muted: AtomicBool,
    registry: Registry,
    requests: Family<Request, Counter>,
    latency: Family<Method, Histogram>,
    blocks: Counter,
    transactions: Counter,
    gas: Counter,
    height: Gauge,
    pool: Gauge,
    memory: Seconds,
    execute: Family<Verdict, Counter>,
    execute_bytes: Family<Verdict, Counter>,
    execute_seconds: Family<Verdict, Histogram>,
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("muted", &self.muted).finish_non_exhaustive()
    }
}

/// From 50 microseconds to 26 seconds.
fn latencies() -> Histogram {
    Histogram::new(exponential_buckets(50e-6, 3.0, 13))
}

impl Default for Journal {
    fn default() -> Self {
        let mut journal = Self {
            telling: Telling::default(),
            muted: AtomicBool::new(false),
            registry: Registry::with_prefix("enshrine"),
            requests: Family::default(),
            latency: Family::new_with_constructor(latencies),
            blocks: Counter::default(),
            transactions: Counter::default(),
            gas: Counter::default(),
            height: Gauge::default(),
            pool: Gauge::default(),
            memory: Gauge::default(),
            execute: Family::default(),
            execute_bytes: Family::default(),
            execute_seconds: Family::new_with_constructor(latencies),
        };
        let all = &mut journal.registry;
        all.register("rpc_requests", "Requests by method and outcome", journal.requests.clone());
        all.register(
            "rpc_request_seconds",
            "Time from the arrival of a request to its answer",
            journal.latency.clone(),
        );
        all.register("blocks", "Blocks that were made here", journal.blocks.clone());
        all.register(
            "transactions",
            "Transactions in blocks that were made here",
            journal.transactions.clone(),
        );
        all.register("gas", "Gas used by blocks that were made here", journal.gas.clone());
        all.register("head_number", "Number of the newest block", journal.height.clone());
        all.register("pool_transactions", "Transactions that wait", journal.pool.clone());
        all.register("resident_memory_bytes", "Memory of the process", journal.memory.clone());
        all.register("execute_calls", "Calls of EXECUTE by verdict", journal.execute.clone());
        all.register(
            "execute_calldata_bytes",
            "Calldata of EXECUTE by verdict",
            journal.execute_bytes.clone(),
        );
        all.register(
            "execute_seconds",
            "Time that EXECUTE took by verdict",
            journal.execute_seconds.clone(),
        );
        journal
    }
}

impl Journal {
    /// A journal that tells this much.
    pub fn new(telling: Telling) -> Self {
        Self { telling, ..Self::default() }
    }

    /// A number of the owner's own, shown among the others by this name.
    pub fn level(&mut self, name: &str, help: &str) -> Level {
        let gauge = Gauge::default();
        self.registry.register(name, help, gauge.clone());
        Level(gauge)
    }

    /// Stops telling what happens, or goes on with it. Numbers are kept in any case.
    pub fn mute(&self, muted: bool) {
        self.muted.store(muted, Ordering::Relaxed);
    }

    /// Whether somebody listens to what happens.
    pub fn is_told(&self) -> bool {
        !self.muted.load(Ordering::Relaxed)
            && tracing::enabled!(target: STORY, tracing::Level::INFO)
    }

    /// A request has come. Methods of a [`Registry`](crate::Registry) say so themselves.
    pub fn asked(&self, method: &'static str) {
        if self.is_told() {
            tracing::info!(target: STORY, text = method, method, "request");
        }
    }

    /// Where the answers of a method are counted.
    pub(crate) fn answers_of(&self, method: &'static str) -> Answers {
        Answers {
            good: self.requests.get_or_create_owned(&Request { method, outcome: Outcome::Ok }),
            latency: self.latency.get_or_create_owned(&Method { method }),
        }
    }

    /// A request has been answered with an error, to those parameters.
    pub(crate) fn failed(&self, method: &'static str, params: &str, error: &str) {
        self.requests.get_or_create(&Request { method, outcome: Outcome::Error }).inc();
        if self.is_told() {
            let params = excerpt(params);
            let text = format!(
                "\nRPC request failed:\n    Request: {method} {params}\n    Error: {error}\n"
            );
            tracing::info!(target: STORY, text, method, params, error, "request failed");
        }
    }

    /// A call has been made for somebody who only wants to know.
    pub(crate) fn called(&self, api: &Api, request: &CallRequest, outcome: &Called) {
        if !self.is_told() {
            return;
        }
        self.printed(&outcome.notes);
        let Telling { failures, traces, .. } = self.telling;
        if (traces || failures && !outcome.result.is_success())
            && let Ok(text) = self.traced(api, request)
        {
            tracing::info!(target: STORY, text = format!("Traces:\n{text}"), trace = text, "traces");
        }
    }

    fn traced(&self, api: &Api, request: &CallRequest) -> Result<String, RpcError> {
        let call = request.prepare(api)?;
        let mut state = call.source.open();
        let inspector = TracingInspector::new(TracingInspectorConfig::all());
        let mut evm = call.evm(&mut state, inspector, true)?;
        let (done, notes) = notes::watch_again(|| evm.transact_raw(call.transaction.clone()));
        done.map_err(transaction_error)?;
        let calls = mem::take(evm.inspector_mut().traces_mut());
        Ok(call_tree(calls, &notes, &self.telling))
    }

    /// Tells what contracts have printed.
    pub fn printed(&self, notes: &[Note]) {
        let Some(read) = self.telling.console else { return };
        for note in notes {
            if let Note::Console(data) = note {
                let text = read(data).unwrap_or_else(|| data.to_string());
                tracing::info!(target: STORY, text, line = text, "console");
            }
        }
    }

    /// A block has been made.
    pub fn made(&self, number: u64, transactions: usize, gas: u64, waiting: usize) {
        self.blocks.inc();
        self.transactions.inc_by(transactions as u64);
        self.gas.inc_by(gas);
        self.state(number, waiting);
    }

    /// How things stand.
    pub fn state(&self, number: u64, waiting: usize) {
        self.height.set(i64::try_from(number).unwrap_or(i64::MAX));
        self.pool.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }

    /// EXECUTE was called.
    fn executed(&self, call: &ObservedCall<'_>) {
        let bytes = call.calldata.len();
        let outcome = match call.outcome {
            Ok(_) => Outcome::Ok,
            Err(ExecuteError::OutOfGas { .. }) => Outcome::OutOfGas,
            Err(ExecuteError::Internal(_)) => Outcome::Error,
            Err(_) => Outcome::Refused,
        };
        let verdict = Verdict { outcome };
        self.execute.get_or_create(&verdict).inc();
        self.execute_bytes.get_or_create(&verdict).inc_by(bytes as u64);
        self.execute_seconds.get_or_create(&verdict).observe(call.took.as_secs_f64());
        match call.outcome {
            Ok(_) => tracing::debug!(bytes, gas = call.gas, took = ?call.took, "EXECUTE accepts"),
            Err(reason @ ExecuteError::OutOfGas { .. }) => {
                tracing::info!(%reason, bytes, gas = call.gas, "EXECUTE is not paid");
            }
            Err(reason) => {
                tracing::warn!(%reason, kind = reason.kind(), bytes, gas = call.gas, "EXECUTE refuses");
            }
        }
    }

    /// All numbers, in the text format of Prometheus.
    pub fn metrics(&self) -> String {
        if let Some(bytes) = resident() {
            self.memory.set(bytes);
        }
        let mut page = String::new();
        // Writing to a string does not fail.
        let _ = text::encode(&mut page, &self.registry);
        page
    }
}

/// Memory of this process, in bytes, where the system tells.
fn resident() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0)
}

/// As much of a text as is shown.
fn excerpt(text: &str) -> String {
    const MOST: usize = 1000;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

/// EXECUTE tells the journal of each of its calls, and the log why it refuses.
#[derive(Debug)]
pub struct ExecuteObserver(pub Arc<Journal>);

impl execute::CallObserver for ExecuteObserver {
    fn called(&self, call: &ObservedCall<'_>) {
        if !notes::is_again() {
            self.0.executed(call);
        }
        notes::note(Note::Execute(ExecuteCall::of(call)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_stands_in_the_page() {
        let journal = Journal::default();
        let answers = journal.answers_of("eth_call");
        answers.count(Duration::from_millis(2), true);
        answers.count(Duration::from_millis(2), false);
        journal.failed("eth_call", "[]", "no");
        journal.made(7, 2, 42_000, 3);
        let page = journal.metrics();
        for line in [
            r#"enshrine_rpc_requests_total{method="eth_call",outcome="Ok"} 1"#,
            r#"enshrine_rpc_requests_total{method="eth_call",outcome="Error"} 1"#,
            r#"enshrine_rpc_request_seconds_count{method="eth_call"} 2"#,
            "enshrine_blocks_total 1",
            "enshrine_transactions_total 2",
            "enshrine_gas_total 42000",
            "enshrine_head_number 7",
            "enshrine_pool_transactions 3",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
        }
        assert!(page.ends_with("# EOF\n"));
    }

    #[test]
    fn long_parameters_are_cut_at_a_character() {
        assert_eq!(excerpt("short"), "short");
        let cut = excerpt(&"ä".repeat(2_000));
        assert!(cut.starts_with('ä') && cut.ends_with("… (4000 bytes)"));
    }
}
