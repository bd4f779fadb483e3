//! Console output and metrics of a node.

use crate::{ExecuteCall, Note, precompile_events};
use execute::{ExecuteError, ObservedCall};
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, text},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge as PrometheusGauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use std::{
    fmt,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Tracing target of the console output: requests, transactions, blocks, and lines that contracts
/// print. Each is an event of level `INFO`, with human-readable text in the field `text` and
/// machine-readable data in the others.
pub const CONSOLE_OUTPUT: &str = "enshrine::console";

/// Gauge with a fractional value.
type Seconds = PrometheusGauge<f64, AtomicU64>;

/// Labels of a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: &'static str,
    outcome: Outcome,
}

/// Outcome of a request or a call.
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

/// Decodes the calldata of `console.log` to text; `None` for any other calldata.
pub type ConsoleDecoder = fn(&[u8]) -> Option<String>;

/// Selects the details of executed transactions and calls in the console output.
#[derive(Debug, Clone, Copy, Default)]
pub struct ConsoleOptions {
    /// Decoder of `console.log` calldata; `None` omits these lines.
    pub console: Option<ConsoleDecoder>,
    /// `true` to print the traces of failed transactions and calls.
    pub failures: bool,
    /// `true` to print all traces.
    pub traces: bool,
    /// `true` to show storage changes in traces.
    pub storage: bool,
}

/// A histogram of durations.
#[derive(Debug, Clone)]
pub struct Latency(Histogram);

impl Latency {
    /// Records one duration.
    pub fn observe(&self, took: Duration) {
        self.0.observe(took.as_secs_f64());
    }
}

/// Gauge of an integer.
#[derive(Debug, Clone)]
pub struct Gauge(PrometheusGauge);

impl Gauge {
    /// Sets the value, saturating at 2^63 - 1.
    pub fn set(&self, value: u64) {
        self.0.set(i64::try_from(value).unwrap_or(i64::MAX));
    }
}

/// Response counters of one method, resolved once to avoid a lookup per request.
#[derive(Debug)]
pub(crate) struct Answers {
    good: Counter,
    latency: Histogram,
}

impl Answers {
    /// Counts one response.
    pub(crate) fn count(&self, took: Duration, is_good: bool) {
        if is_good {
            self.good.inc();
        }
        self.latency.observe(took.as_secs_f64());
    }
}

/// Console output and metrics of a node, shared by all of its components.
pub struct Telemetry {
    /// Details of the console output.
    pub console_options: ConsoleOptions,
    muted: AtomicBool,
    registry: Registry,
    requests: Family<Request, Counter>,
    latency: Family<Method, Histogram>,
    blocks: Counter,
    transactions: Counter,
    gas: Counter,
    height: PrometheusGauge,
    pool: PrometheusGauge,
    memory: Seconds,
    execute: Family<Verdict, Counter>,
    execute_bytes: Family<Verdict, Counter>,
    execute_seconds: Family<Verdict, Histogram>,
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").field("muted", &self.muted).finish_non_exhaustive()
    }
}

/// Creates a histogram with buckets from 50 microseconds to 26 seconds.
fn latencies() -> Histogram {
    Histogram::new(exponential_buckets(50e-6, 3.0, 13))
}

impl Default for Telemetry {
    fn default() -> Self {
        let mut telemetry = Self {
            console_options: ConsoleOptions::default(),
            muted: AtomicBool::new(false),
            registry: Registry::with_prefix("enshrine"),
            requests: Family::default(),
            latency: Family::new_with_constructor(latencies),
            blocks: Counter::default(),
            transactions: Counter::default(),
            gas: Counter::default(),
            height: PrometheusGauge::default(),
            pool: PrometheusGauge::default(),
            memory: PrometheusGauge::default(),
            execute: Family::default(),
            execute_bytes: Family::default(),
            execute_seconds: Family::new_with_constructor(latencies),
        };
        let all = &mut telemetry.registry;
        all.register("rpc_requests", "Requests by method and outcome", telemetry.requests.clone());
        all.register(
            "rpc_request_seconds",
            "Time from the arrival of a request to its response",
            telemetry.latency.clone(),
        );
        all.register("blocks", "Blocks built by this node", telemetry.blocks.clone());
        all.register(
            "transactions",
            "Transactions in blocks built by this node",
            telemetry.transactions.clone(),
        );
        all.register("gas", "Gas used by blocks built by this node", telemetry.gas.clone());
        all.register("head_number", "Number of the head block", telemetry.height.clone());
        all.register("pool_transactions", "Transactions in the pool", telemetry.pool.clone());
        all.register(
            "resident_memory_bytes",
            "Resident memory of the process",
            telemetry.memory.clone(),
        );
        all.register("execute_calls", "Calls of EXECUTE by verdict", telemetry.execute.clone());
        all.register(
            "execute_calldata_bytes",
            "Calldata of EXECUTE by verdict",
            telemetry.execute_bytes.clone(),
        );
        all.register(
            "execute_seconds",
            "Duration of EXECUTE calls by verdict",
            telemetry.execute_seconds.clone(),
        );
        telemetry
    }
}

impl Telemetry {
    /// Creates telemetry with these console options.
    pub fn new(console_options: ConsoleOptions) -> Self {
        Self { console_options, ..Self::default() }
    }

    /// Registers a gauge under `name`, exported with the other metrics.
    pub fn gauge(&mut self, name: &str, help: &str) -> Gauge {
        let gauge = PrometheusGauge::default();
        self.registry.register(name, help, gauge.clone());
        Gauge(gauge)
    }

    /// Registers a histogram of durations from 10 milliseconds to 5 minutes. Its name ends in
    /// `_seconds`.
    pub fn latency(&mut self, name: &str, help: &str) -> Latency {
        let histogram = Histogram::new(exponential_buckets(0.01, 2.0, 16));
        self.registry.register(name, help, histogram.clone());
        Latency(histogram)
    }

    /// Turns the console output off or on; metrics are not affected.
    pub fn mute(&self, muted: bool) {
        self.muted.store(muted, Ordering::Relaxed);
    }

    /// Returns `true` if the console output is on.
    pub fn has_console_output(&self) -> bool {
        !self.muted.load(Ordering::Relaxed)
            && tracing::enabled!(target: CONSOLE_OUTPUT, tracing::Level::INFO)
    }

    /// Reports a request. A [`Registry`](crate::Registry) does this for its own methods.
    pub fn count_request(&self, method: &'static str) {
        if self.has_console_output() {
            tracing::info!(target: CONSOLE_OUTPUT, text = method, method, "request");
        }
    }

    /// Returns the response counters of a method.
    pub(crate) fn answers_of(&self, method: &'static str) -> Answers {
        Answers {
            good: self.requests.get_or_create_owned(&Request { method, outcome: Outcome::Ok }),
            latency: self.latency.get_or_create_owned(&Method { method }),
        }
    }

    /// Counts and reports a failed request with its parameters.
    pub(crate) fn failed(&self, method: &'static str, params: &str, error: &str) {
        self.requests.get_or_create(&Request { method, outcome: Outcome::Error }).inc();
        if self.has_console_output() {
            let params = excerpt(params);
            let text = format!(
                "\nRPC request failed:\n    Request: {method} {params}\n    Error: {error}\n"
            );
            tracing::info!(target: CONSOLE_OUTPUT, text, method, params, error, "request failed");
        }
    }

    /// Prints lines logged by contracts.
    pub fn printed(&self, notes: &[Note]) {
        let Some(read) = self.console_options.console else { return };
        for note in notes {
            if let Note::Console(data) = note {
                let text = read(data).unwrap_or_else(|| data.to_string());
                tracing::info!(target: CONSOLE_OUTPUT, text, line = text, "console");
            }
        }
    }

    /// Counts a block built by this node.
    pub fn record_block(&self, number: u64, transactions: usize, gas: u64, waiting: usize) {
        self.blocks.inc();
        self.transactions.inc_by(transactions as u64);
        self.gas.inc_by(gas);
        self.state(number, waiting);
    }

    /// Sets the gauges of the head block and the pool.
    pub fn state(&self, number: u64, waiting: usize) {
        self.height.set(i64::try_from(number).unwrap_or(i64::MAX));
        self.pool.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }

    /// Counts and logs a call of the EXECUTE precompile.
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
                tracing::info!(%reason, bytes, gas = call.gas, "EXECUTE ran out of gas");
            }
            Err(reason) => {
                tracing::warn!(%reason, kind = reason.kind(), bytes, gas = call.gas, "EXECUTE refuses");
            }
        }
    }

    /// Returns all metrics in the Prometheus text format.
    pub fn metrics(&self) -> String {
        if let Some(bytes) = resident() {
            self.memory.set(bytes);
        }
        let mut page = String::new();
        // Writing to a string cannot fail.
        let _ = text::encode(&mut page, &self.registry);
        page
    }
}

/// Returns the resident memory of this process in bytes, or `None` without `/proc`.
fn resident() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0)
}

/// Shortens a text for display.
fn excerpt(text: &str) -> String {
    const MOST: usize = 1000;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

/// Observer that counts each EXECUTE call and logs the reason of each refusal.
#[derive(Debug)]
pub struct ExecuteObserver(pub Arc<Telemetry>);

impl execute::CallObserver for ExecuteObserver {
    fn now(&self) -> Duration {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        START.elapsed()
    }

    fn called(&self, call: &ObservedCall<'_>) {
        if !precompile_events::is_replaying() {
            self.0.executed(call);
        }
        precompile_events::note(Note::Execute(ExecuteCall::of(call)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_page_contains_recorded_values() {
        let telemetry = Telemetry::default();
        let answers = telemetry.answers_of("eth_call");
        answers.count(Duration::from_millis(2), true);
        answers.count(Duration::from_millis(2), false);
        telemetry.failed("eth_call", "[]", "no");
        telemetry.record_block(7, 2, 42_000, 3);
        let page = telemetry.metrics();
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
    fn long_parameters_are_truncated_at_character_boundary() {
        assert_eq!(excerpt("short"), "short");
        let cut = excerpt(&"ä".repeat(2_000));
        assert!(cut.starts_with('ä') && cut.ends_with("… (4000 bytes)"));
    }
}
