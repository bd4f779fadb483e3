//! EXECUTE's reason for a refusal is reported in errors and traces, and can be queried later.

use crate::support::{Served, TOOLS, execute_input, execute_input_with, failure, serve, tool};
use alloy_eips::eip4895::Withdrawal;
use enshrine_devnet::DevnetConfig;
use serde_json::{Value, json};

const EXECUTE: &str = "0x0000000000000000000000000000000000000101";
/// Forwards its calldata to EXECUTE and reverts without data if the call fails.
const FORWARDER: &str = "0x365f5f375f5f365f5f6101015af16014575f5ffd5b00";
const CALLER: &str = "0x00000000000000000000000000000000000000cc";
/// Calls the precompile at 0x02 without data.
const HASHING: &str = "0x5f5f5f5f60025afa00";
const SHA256: &str = "0x00000000000000000000000000000000000000dd";
/// A schema id without an input.
const EMPTY: &str = "0x1201";
const REASON: &str = "stateless input: 0 bytes";

/// Starts a devnet with [`FORWARDER`].
fn forwarding(change: impl FnOnce(&mut DevnetConfig)) -> Served {
    let served = serve(change);
    served.ask("anvil_setCode", json!([CALLER, FORWARDER]));
    served
}

/// Starts such a devnet with default settings.
fn started() -> Served {
    // Blocks with unsigned transactions cannot be verified.
    forwarding(|config| config.verify_blocks = false)
}

fn calling(served: &Served, to: &str, data: &str) -> Value {
    json!({ "from": served.devnet.addresses()[0], "to": to, "data": data, "gas": "0xf42400" })
}

/// Returns the metrics of EXECUTE calls.
fn counted(served: &Served) -> Vec<String> {
    let is_execute = |line: &&str| line.starts_with("enshrine_execute_");
    let page = get(served, "/metrics");
    let mut lines: Vec<_> = page.lines().filter(is_execute).map(str::to_owned).collect();
    lines.sort();
    lines
}

/// Checks that a frame of EXECUTE has the reason of the refusal, if it was refused.
#[track_caller]
fn check_frame(to: &Value, error: &Value, refused: bool) {
    let error = error.as_str().unwrap_or_default();
    assert_eq!(to, EXECUTE);
    assert_eq!(error.contains(REASON), refused, "{error}");
    assert_eq!(error.starts_with("EXECUTE refused: "), refused, "{error}");
}

/// Checks Parity-style traces: the frames of the caller and of EXECUTE.
#[track_caller]
fn check_traces(traces: &Value, refused: bool) {
    assert_eq!(traces.as_array().unwrap().len(), 2, "{traces}");
    assert_eq!((&traces[0]["subtraces"], &traces[1]["subtraces"]), (&json!(1), &json!(0)));
    assert_eq!(traces[1]["traceAddress"], json!([0]));
    check_frame(&traces[1]["action"]["to"], &traces[1]["error"], refused);
}

#[test]
fn failed_calls_report_the_refusal_reason() {
    let served = started();
    for method in ["eth_call", "eth_estimateGas"] {
        let (_, message, data) =
            failure(&served.client, method, json!([calling(&served, EXECUTE, EMPTY), "latest"]));
        assert!(message.contains(REASON), "{method}: {message}");
        assert!(data["execute"][0].as_str().unwrap().contains(REASON), "{method}: {data}");
        // Data that a contract returns is unchanged.
        let (_, message, data) =
            failure(&served.client, method, json!([calling(&served, CALLER, EMPTY), "latest"]));
        assert!(message.starts_with("execution reverted; EXECUTE refused: "), "{message}");
        assert!(message.contains(REASON), "{method}: {message}");
        assert_eq!(data, json!("0x"));
    }
    let valid = calling(&served, CALLER, &execute_input());
    assert_eq!(served.ask("eth_call", json!([valid, "latest"])), json!("0x"));

    let cast = tool(TOOLS.cast())
        .args(["call", CALLER, "--data", EMPTY, "--rpc-url", &served.url()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&cast.stderr);
    assert!(!cast.status.success() && said.contains(REASON), "{said}");
}

#[test]
fn explain_covers_every_call_outcome() {
    let served = started();
    let explain = |data: &str| {
        served.ask("enshrine_explainExecute", json!([calling(&served, CALLER, data)]))[0].clone()
    };
    let refused = explain(EMPTY);
    assert_eq!(refused["verdict"], "refused");
    assert!(refused["reason"].as_str().unwrap().contains(REASON), "{refused}");
    assert_eq!((&refused["calldataBytes"], &refused["address"]), (&json!("0x2"), &json!(EXECUTE)));
    assert_eq!((&refused["gasUsed"], &refused["kind"]), (&refused["gas"], &json!("decode")));

    let valid = explain(&execute_input());
    assert_eq!((&valid["verdict"], &valid["reason"]), (&json!("valid"), &Value::Null));
    assert_eq!(valid["output"].as_str().unwrap().len(), 2 + 2 * 43);

    let dear = forwarding(|config| config.execute_gas = "1000000+0".parse().unwrap());
    let poor = json!({ "to": CALLER, "data": execute_input(), "gas": "0x20000" });
    let poor = dear.ask("enshrine_explainExecute", json!([poor]));
    assert_eq!(poor[0]["verdict"], "outOfGas", "{poor}");
    assert_eq!(poor[0]["kind"], "outOfGas", "{poor}");

    let other = json!({ "to": served.devnet.addresses()[1] });
    assert_eq!(served.ask("enshrine_explainExecute", json!([other])), json!([]));
    let without = serve(|config| config.execute = false);
    let asked = without.refused("enshrine_explainExecute", json!([{}]));
    assert!(asked.contains("has no EXECUTE"), "{asked}");
}

#[test]
fn withdrawals_are_valid_only_with_any_block() {
    let withdrawals = vec![Withdrawal { amount: 1, ..Withdrawal::default() }];
    let (with, without) = (execute_input_with(withdrawals), execute_input());
    let verdicts = |any: bool| {
        let served = forwarding(|config| config.execute_any_block = any);
        [&with, &without].map(|input| {
            let call = json!({ "to": EXECUTE, "data": input, "gas": "0xf42400" });
            served.ask("enshrine_explainExecute", json!([call]))[0].clone()
        })
    };
    let [with, without] = verdicts(false);
    assert_eq!((&with["verdict"], &without["verdict"]), (&json!("refused"), &json!("valid")));
    assert!(with["reason"].as_str().unwrap().contains("withdrawals"), "{with}");
    assert_eq!(with["kind"], "withdrawals");
    let [with, without] = verdicts(true);
    assert_eq!((&with["verdict"], &without["verdict"]), (&json!("valid"), &json!("valid")));
}

#[test]
fn transaction_traces_report_the_refusal_reason() {
    let served = started();
    let send =
        |data: &str| served.ask("eth_sendTransaction", json!([calling(&served, CALLER, data)]));
    let (failed, worked) = (send(EMPTY), send(&execute_input()));
    let explained = served.ask("enshrine_explainExecute", json!([failed]));
    assert!(explained[0]["reason"].as_str().unwrap().contains(REASON), "{explained}");
    assert_eq!(served.ask("enshrine_explainExecute", json!([worked]))[0]["verdict"], "valid");
    let trace = |hash: &Value| {
        served.ask("debug_traceTransaction", json!([hash, { "tracer": "callTracer" }]))
    };
    let frame = &trace(&failed)["calls"][0];
    check_frame(&frame["to"], &frame["error"], true);
    assert_eq!(trace(&worked)["calls"][0].get("error"), None);

    // So do Parity-style traces, which otherwise have no frames of precompiles.
    let replayed = |hash: &Value| {
        let of_kind = |kinds: Value| {
            served.ask("trace_replayTransaction", json!([hash, kinds]))["trace"].clone()
        };
        assert_eq!(of_kind(json!(["vmTrace"])), json!([]));
        of_kind(json!(["trace", "vmTrace"]))
    };
    for (hash, refused) in [(&failed, true), (&worked, false)] {
        for traces in [served.ask("trace_transaction", json!([hash])), replayed(hash)] {
            check_traces(&traces, refused);
        }
    }
    // Other precompiles have no frames, as in anvil.
    served.ask("anvil_setCode", json!([SHA256, HASHING]));
    let hashing = json!({ "from": served.devnet.addresses()[0], "to": SHA256, "gas": "0xf4240" });
    let hash = served.ask("eth_sendTransaction", json!([hashing]));
    let traces = served.ask("trace_transaction", json!([hash]));
    assert_eq!(traces.as_array().unwrap().len(), 1, "{traces}");

    // The metrics count both verdicts.
    let page = get(&served, "/metrics");
    for verdict in ["Ok", "Refused"] {
        let line = format!(r#"enshrine_execute_calls_total{{outcome="{verdict}"}}"#);
        assert!(page.contains(&line), "{line} is not in\n{page}");
    }
}

#[test]
fn all_frame_tracers_report_the_refusal_reason() {
    let served = started();
    let flat = json!({ "tracer": "flatCallTracer" });
    let members = json!({ "callTracer": {}, "flatCallTracer": {} });
    let mux = json!({ "tracer": "muxTracer", "tracerConfig": members });
    for (data, refused) in [(EMPTY, true), (&*execute_input(), false)] {
        let call = calling(&served, CALLER, data);
        let hash = served.ask("eth_sendTransaction", json!([call]));
        let traced = |options: &Value| {
            let sent = served.ask("debug_traceTransaction", json!([hash, options]));
            [sent, served.ask("debug_traceCall", json!([call, "latest", options]))]
        };
        for traces in traced(&flat) {
            check_traces(&traces, refused);
        }
        for traces in traced(&mux) {
            check_traces(&traces["flatCallTracer"], refused);
            let frame = &traces["callTracer"]["calls"][0];
            check_frame(&frame["to"], &frame["error"], refused);
        }
        let kinds = json!(["trace", "stateDiff"]);
        let one = served.ask("trace_call", json!([call, kinds, "latest"]));
        check_traces(&one["trace"], refused);
        assert_eq!(served.ask("trace_call", json!([call, ["vmTrace"]]))["trace"], json!([]));
        // The reason of one call is not reported for the next.
        let other = calling(&served, CALLER, &execute_input());
        let many = served.ask("trace_callMany", json!([[[call, kinds], [other, kinds]], "latest"]));
        check_traces(&many[0]["trace"], refused);
        check_traces(&many[1]["trace"], false);
    }
    // Frames of other precompiles are up to the tracer.
    served.ask("anvil_setCode", json!([SHA256, HASHING]));
    let hashing = calling(&served, SHA256, "0x");
    let traced =
        |options: &Value| served.ask("debug_traceCall", json!([hashing, "latest", options]));
    assert_eq!(traced(&flat).as_array().unwrap().len(), 1);
    let all = json!({ "tracer": "flatCallTracer", "tracerConfig": { "includePrecompiles": true } });
    assert_eq!(traced(&all).as_array().unwrap().len(), 2);
    let traces = traced(&mux);
    assert_eq!(traces["flatCallTracer"].as_array().unwrap().len(), 1, "{traces}");
    assert_eq!(traces["callTracer"]["calls"].as_array().unwrap().len(), 1, "{traces}");
}

#[test]
fn tracing_does_not_recount_execute_calls() {
    let served = started();
    // Two calls in one block: tracing the second one re-executes the first.
    served.ask("evm_setAutomine", json!([false]));
    let sender = served.devnet.addresses()[0];
    let call = json!({ "from": sender, "to": CALLER, "data": EMPTY, "gas": "0x200000" });
    let send = || served.ask("eth_sendTransaction", json!([call]));
    let sent = [send(), send()];
    served.ask("evm_mine", json!([]));
    let block = served.ask("eth_getBlockByNumber", json!(["latest", false]));
    assert_eq!(block["transactions"], json!(sent));
    let before = counted(&served);
    let twice = r#"enshrine_execute_calls_total{outcome="Refused"} 2"#;
    assert!(before.iter().any(|line| line == twice), "{before:#?}");
    let kinds = json!(["trace"]);
    for hash in &sent {
        let explained = served.ask("enshrine_explainExecute", json!([hash]));
        assert_eq!(explained[0]["verdict"], "refused");
        served.ask("debug_traceTransaction", json!([hash, { "tracer": "callTracer" }]));
        served.ask("trace_transaction", json!([hash]));
        served.ask("trace_replayTransaction", json!([hash, kinds]));
    }
    for method in ["debug_traceBlockByNumber", "trace_block", "debug_executionWitness"] {
        served.ask(method, json!([block["number"]]));
    }
    assert_eq!(counted(&served), before);
    // A new call counts.
    served.ask("trace_call", json!([call, kinds]));
    assert_ne!(counted(&served), before);
}

#[test]
fn metrics_record_execute_bytes_and_durations() {
    let served = started();
    served.refused("eth_call", json!([calling(&served, EXECUTE, EMPTY)]));
    served.ask("eth_call", json!([calling(&served, EXECUTE, &execute_input())]));
    let page = get(&served, "/metrics");
    let value = |name: &str| -> f64 {
        let line = page.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{name} is not in\n{page}")).trim().parse().unwrap()
    };
    let bytes = (execute_input().len() - 2) / 2;
    for (outcome, bytes) in [("Refused", 2), ("Ok", bytes)] {
        let of = |name: &str| value(&format!("enshrine_execute_{name}{{outcome=\"{outcome}\"}}"));
        assert_eq!(of("calls_total"), 1.0);
        assert_eq!(of("calldata_bytes_total"), bytes as f64);
        assert_eq!(of("seconds_count"), 1.0);
        assert!(of("seconds_sum") > 0.0, "{page}");
    }
    // Only Linux reports it.
    if cfg!(target_os = "linux") {
        assert!(value("enshrine_resident_memory_bytes") > 1e6, "{page}");
    }
}

/// Returns the response to a GET request.
fn get(served: &Served, path: &str) -> String {
    String::from_utf8(served.page(&format!("GET {path} HTTP/1.1"))).unwrap()
}

#[test]
fn get_requests_serve_monitoring_pages() {
    let served = started();
    served.ask("eth_blockNumber", json!([]));
    assert!(get(&served, "/").contains("JSON-RPC"));
    assert!(get(&served, "/health").ends_with(r#"{"health":true}"#));
    let metrics = get(&served, "/metrics");
    assert!(metrics.starts_with("HTTP/1.1 200") && metrics.ends_with("# EOF\n"), "{metrics}");
    let line = r#"enshrine_rpc_requests_total{method="eth_blockNumber",outcome="Ok"} 1"#;
    assert!(metrics.contains(line), "{metrics}");
    assert!(!get(&served, "/nothing").starts_with("HTTP/1.1 200"));
    served.ask("eth_chainId", json!([]));
}

#[test]
fn head_requests_return_status_only() {
    let served = started();
    let head = |path| {
        let answer = served.page(&format!("HEAD {path} HTTP/1.1"));
        String::from_utf8(answer).unwrap()
    };
    for path in ["/", "/health", "/metrics"] {
        let head = head(path);
        assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{path}: {head}");
    }
    assert!(!head("/nothing").starts_with("HTTP/1.1 200"));
}
