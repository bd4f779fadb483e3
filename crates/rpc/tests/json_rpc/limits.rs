//! Limits of one request: time, and the bytes of a trace, a response and a batch.

use crate::support::{BOB, LOGGER, Server, post, raw, raw_to};
use alloy_primitives::{Bytes, TxKind, hex};
use enshrine_rpc::{RequestLimits, RunningServer, ServerConfig, codes};
use node::Mining;
use rpc_types::methods::EXPLAIN_EXECUTE;
use serde_json::{Value, json};
use std::{io::Write as _, os::unix::net::UnixStream, time::Duration};

/// JUMPDEST, PUSH1 0, JUMP: an endless loop.
const LOOP: &str = "0x5b600056";
/// Reads one slot after another until the gas is used up.
const READS: &str = "0x5f5b80545060010160015600";

/// Parameters of a traced call of `code` with this gas limit and these trace options.
fn traced(code: &str, gas: u64, mut options: Value) -> Value {
    options["stateOverrides"] = json!({ BOB.to_string(): { "code": code } });
    json!([{ "to": BOB, "gas": format!("{gas:#x}") }, "latest", options])
}

/// `got` and `limit` in the error of a response.
fn bound(answer: &Value) -> (u64, u64) {
    assert_eq!(answer["error"]["code"], codes::BUSY, "{answer:.300}");
    let data = &answer["error"]["data"];
    let number = |name: &str| data[name].as_u64().unwrap_or_else(|| panic!("{name}: {answer}"));
    (number("got"), number("limit"))
}

#[tokio::test]
async fn trace_stops_at_step_beyond_byte_limit() {
    const LIMIT: u64 = 1 << 20;
    let server = Server::bounded(RequestLimits { trace_bytes: LIMIT, ..RequestLimits::default() });
    for (code, gas, options) in [
        (LOOP, 5_000_000, json!({})),
        (LOOP, 5_000_000, json!({ "disableStack": true, "disableStorage": true })),
        // Each step records all slots read so far.
        (READS, 1_000_000, json!({})),
    ] {
        let answer = server.answer("debug_traceCall", traced(code, gas, options)).await;
        let (got, limit) = bound(&answer);
        assert_eq!(limit, LIMIT);
        assert!(LIMIT < got && got < LIMIT + (128 << 10), "{got} is far above the limit");
    }
    // 64 KiB of memory: MSTORE at its end, followed by steps that record it.
    let memory = "0x5f61ffe0525b5b5b5b5b5b5b5b5b5b00";
    let with = json!({ "enableMemory": true });
    let answer = server.answer("debug_traceCall", traced(memory, 60_000, with)).await;
    assert_eq!(bound(&answer).1, LIMIT);
    // Traces within the limit succeed, and so do tracers that record no steps.
    for (code, gas, options) in [
        (LOOP, 30_000, json!({})),
        (memory, 60_000, json!({})),
        (LOOP, 5_000_000, json!({ "tracer": "callTracer" })),
        (LOOP, 5_000_000, json!({ "limit": 100 })),
        (READS, 30_000, json!({ "disableStorage": true })),
    ] {
        let params = traced(code, gas, options);
        let answer = server.answer("debug_traceCall", params.clone()).await;
        assert!(answer.get("result").is_some(), "{params}: {answer:.300}");
    }
}

#[tokio::test]
async fn block_traces_share_byte_limit() {
    let trace = |limit: u64, transactions: u64| async move {
        let server =
            Server::bounded(RequestLimits { trace_bytes: limit, ..RequestLimits::default() });
        server.node.execute(node::SetMining(Mining::Manual));
        for nonce in 0..transactions {
            server.ask("eth_sendRawTransaction", json!([raw(nonce, LOGGER, vec![])])).await;
        }
        server.node.mine(&node::MineRequest::default()).unwrap();
        server.answer("debug_traceBlockByNumber", json!(["0x1", {}])).await
    };
    assert!(trace(16_000, 1).await.get("result").is_some());
    assert_eq!(bound(&trace(16_000, 9).await).1, 16_000);
    assert!(trace(256_000, 9).await.get("result").is_some());
}

/// Signs the creation of a contract with this init code.
fn creation(nonce: u64, init: &str) -> Bytes {
    raw_to(nonce, TxKind::Create, hex::decode(init).unwrap())
}

/// The limit of steps applies to each transaction, the limit of bytes to all of them.
#[tokio::test]
async fn recorded_steps_are_counted_per_transaction() {
    const LIMIT: u64 = 256 << 10;
    let server = Server::bounded(RequestLimits { trace_bytes: LIMIT, ..RequestLimits::default() });
    server.node.execute(node::SetMining(Mining::Manual));
    // JUMPDESTs without memory, and the same after an MSTORE that expands it to 8 KiB.
    let few = creation(0, &format!("{}00", "5b".repeat(60)));
    let large = creation(1, &format!("5f611fe052{}00", "5b".repeat(60)));
    for transaction in [few, large] {
        server.ask("eth_sendRawTransaction", json!([transaction])).await;
    }
    server.node.mine(&node::MineRequest::default()).unwrap();
    let trace = |steps: u64| {
        let options = json!({ "enableMemory": true, "limit": steps });
        server.answer("debug_traceBlockByNumber", json!(["0x1", options]))
    };
    let (got, limit) = bound(&trace(50).await);
    assert!((limit, true) == (LIMIT, got < LIMIT + (32 << 10)), "{got} of {limit}");
    let traces = trace(10).await;
    let traces = traces["result"].as_array().unwrap();
    assert!(
        traces.iter().all(|trace| trace["result"]["structLogs"].as_array().unwrap().len() == 10)
    );
}

#[tokio::test]
async fn prestate_size_is_checked_before_serialisation() {
    let params = json!([{ "to": LOGGER }, "latest", { "tracer": "prestateTracer" }]);
    let server = Server::bounded(RequestLimits { trace_bytes: 1_000, ..RequestLimits::default() });
    let answer = server.answer("debug_traceCall", params.clone()).await;
    assert_eq!(bound(&answer).1, 1_000);
    let answer = Server::new(Mining::Auto).answer("debug_traceCall", params).await;
    assert!(answer.get("result").is_some(), "{answer}");
}

#[tokio::test]
async fn requests_time_out_by_their_class() {
    let calls = [
        ("eth_getLogs", json!([{ "fromBlock": "0x0" }])),
        ("eth_estimateGas", json!([{ "to": LOGGER }])),
        ("eth_createAccessList", json!([{ "to": LOGGER }])),
        ("eth_simulateV1", json!([{ "blockStateCalls": [{ "calls": [{ "to": LOGGER }] }] }])),
    ];
    let traces = [("debug_traceCall", json!([{ "to": LOGGER }, "latest", {}]))];
    let hurried = RequestLimits { call_time: Duration::ZERO, ..RequestLimits::default() };
    let no_traces = RequestLimits { trace_time: Duration::ZERO, ..RequestLimits::default() };
    for (limits, ended, answered) in
        [(hurried, &calls[..], &traces[..]), (no_traces, &traces[..], &calls[..])]
    {
        let server = Server::bounded(limits);
        for (method, params) in ended {
            let answer = server.answer(method, params.clone()).await;
            assert_eq!(bound(&answer).1, 0, "{method}");
        }
        for (method, params) in answered {
            assert!(!server.ask(method, params.clone()).await.is_null(), "{method}");
        }
    }
    // A caller may request a shorter timeout, in geth's format, but no longer one.
    let with = |timeout: &str| json!([{ "to": LOGGER }, "latest", { "timeout": timeout }]);
    let server = Server::new(Mining::Auto);
    assert_eq!(bound(&server.answer("debug_traceCall", with("0s")).await).1, 0);
    assert!(!server.ask("debug_traceCall", with("60s")).await.is_null());
    assert_eq!(server.code("debug_traceCall", with("soon")).await, i64::from(codes::PARAMS));
    let server =
        Server::bounded(RequestLimits { trace_time: Duration::ZERO, ..RequestLimits::default() });
    assert_eq!(bound(&server.answer("debug_traceCall", with("1h")).await).1, 0);
}

/// Without the states of old blocks, the search reads all blocks.
#[tokio::test]
async fn search_by_nonce_ends_at_deadline() {
    let alice = testkit::Key::named("alice").address();
    let params = json!([alice, "0x0"]);
    let answered = async |limits: RequestLimits, has_states: bool| {
        let server = Server::bounded(limits);
        for nonce in 0..4 {
            server.ask("eth_sendRawTransaction", json!([raw(nonce, BOB, vec![])])).await;
        }
        if !has_states {
            server.node.read(|node| {
                let root = node.chain.head().header.state_root;
                node.chain.store().retain(&[root]).unwrap();
            });
        }
        server.answer("eth_getTransactionBySenderAndNonce", params.clone()).await
    };
    let hurried = RequestLimits { call_time: Duration::ZERO, ..RequestLimits::default() };
    for (limits, has_states) in [
        (RequestLimits::default(), false),
        (RequestLimits::default(), true),
        (hurried.clone(), true),
    ] {
        assert_eq!(answered(limits, has_states).await["result"]["blockNumber"], "0x1");
    }
    let ended = answered(hurried, false).await;
    assert_eq!(bound(&ended).1, 0);
    assert!(ended.to_string().contains("the search ended at block 4"), "{ended}");
}

#[tokio::test]
async fn long_executions_end_at_deadline() {
    const GAS: u64 = 10_000_000_000;
    let server = Server::of_long_calls(GAS, Duration::from_millis(500));
    let gas = format!("{GAS:#x}");
    let requests = |code: &str| {
        let call = json!({ "to": BOB, "gas": gas });
        let state = json!({ BOB.to_string(): { "code": code } });
        let block = json!({ "gasLimit": gas });
        let simulated =
            json!({ "blockOverrides": block, "stateOverrides": state, "calls": [call] });
        [
            ("eth_call", json!([call, "latest", state])),
            ("eth_estimateGas", json!([call, "latest", state, block])),
            ("eth_createAccessList", json!([call, "latest", state])),
            ("eth_simulateV1", json!([{ "blockStateCalls": [simulated] }])),
            (EXPLAIN_EXECUTE.name, json!([call, "latest", state])),
        ]
    };
    // The pool has a thread per core, so the last request waits for one of the others.
    let [a, b, c, d, e] = requests(LOOP);
    let call = ("eth_call", json!([{ "to": BOB }]));
    let [a, b, c, d, e, call] =
        [a, b, c, d, e, call].map(|(method, params)| server.answer(method, params));
    let (a, b, c, d, e, call) = tokio::join!(a, b, c, d, e, call);
    for answer in [a, b, c, d, e] {
        assert_eq!(bound(&answer).1, 500);
    }
    assert_eq!(call["result"], "0x");
    // The same requests succeed if the code stops.
    for (method, params) in requests("0x00").into_iter().take(4) {
        assert!(!server.ask(method, params).await.is_null(), "{method}");
    }
}

#[tokio::test]
async fn deadline_is_checked_before_each_call() {
    let server = Server::of_long_calls(1_000_000_000, Duration::from_millis(200));
    // Calls BLAKE2F twice: MSTORE of the rounds, then STATICCALL with 213 bytes.
    let called = |rounds: u32| {
        let call = "5f5f60d55f60095afa50";
        let code = format!("0x63{rounds:08x}60e01b5f52{call}{call}00");
        let state = json!({ BOB.to_string(): { "code": code } });
        server.answer("eth_call", json!([{ "to": BOB, "gas": "0x3b9aca00" }, "latest", state]))
    };
    assert_eq!(bound(&called(300_000_000).await).1, 200);
    assert_eq!(called(1).await["result"], "0x");
}

#[tokio::test]
async fn log_bytes_are_counted_during_search() {
    let server = Server::bounded(RequestLimits { trace_bytes: 2_000, ..RequestLimits::default() });
    for nonce in 0..6 {
        server.ask("eth_sendRawTransaction", json!([raw(nonce, LOGGER, vec![])])).await;
    }
    let range = |to: &str| json!([{ "fromBlock": "0x1", "toBlock": to }]);
    let (got, limit) = bound(&server.answer("eth_getLogs", range("0x6")).await);
    assert!((limit, true) == (2_000, (2_000..3_000).contains(&got)), "{got} of {limit}");
    assert_eq!(server.ask("eth_getLogs", range("0x2")).await.as_array().map(Vec::len), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn response_and_batch_sizes_are_limited() {
    const LIMIT: u64 = 4_000;
    let node = Server::new(Mining::Auto);
    let folder = tempfile::tempdir().unwrap();
    let ipc = folder.path().join("node.ipc");
    let config = ServerConfig {
        port: 0,
        max_response: u32::try_from(LIMIT).unwrap(),
        ipc: Some(ipc.clone()),
        ..ServerConfig::default()
    };
    let server = RunningServer::start(&config, node.methods).await.unwrap();
    let address = server.addresses()[0];
    let asking = tokio::task::spawn_blocking(move || {
        let request = |method: &str, params: Value| json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let trace = request("debug_traceCall", traced(LOOP, 23_000, json!({})));
        let short = request("debug_traceCall", traced(LOOP, 21_010, json!({})));
        let answer = post(address, &trace);
        assert_eq!(answer["error"]["code"], codes::TOO_BIG, "{answer:.300}");
        let data = &answer["error"]["data"];
        assert!(data["limit"] == LIMIT && data["got"].as_u64() > Some(LIMIT), "{answer}");
        assert!(post(address, &short).get("result").is_some());

        let block = request("eth_getBlockByNumber", json!(["0x0", false]));
        let batch = |count: usize| json!(vec![block.clone(); count]);
        let answer = post(address, &batch(20));
        assert_eq!(answer["error"]["code"], codes::BATCH_TOO_BIG, "{answer:.300}");
        assert!(answer.to_string().contains(&LIMIT.to_string()), "{answer}");
        assert_eq!(post(address, &batch(2)).as_array().map(Vec::len), Some(2));

        let mut local = UnixStream::connect(ipc).unwrap();
        let reading = local.try_clone().unwrap();
        let mut answers = serde_json::Deserializer::from_reader(reading).into_iter::<Value>();
        write!(local, "{}", batch(20)).unwrap();
        let answer = answers.next().unwrap().unwrap();
        assert_eq!(answer["error"]["code"], codes::BATCH_TOO_BIG, "{answer:.300}");
        let data = &answer["error"]["data"];
        assert!(data["limit"] == LIMIT && data["got"].as_u64() > Some(LIMIT), "{answer}");
        write!(local, "{}", batch(2)).unwrap();
        assert_eq!(answers.next().unwrap().unwrap().as_array().map(Vec::len), Some(2));
    });
    asking.await.unwrap();
}

/// A filter for logs with this number of addresses and topics, half of them each.
fn filter_of(items: u64) -> Value {
    let address = |index: u64| format!("{index:#042x}");
    let topic = |index: u64| format!("{index:#066x}");
    let addresses: Vec<_> = (0..items / 2).map(address).collect();
    let topics: Vec<_> = (items / 2..items).map(topic).collect();
    json!({ "address": addresses, "topics": [topics] })
}

#[tokio::test]
async fn log_filter_items_are_limited() {
    let server = Server::new(Mining::Auto);
    for method in ["eth_getLogs", "eth_newFilter"] {
        assert_eq!(server.code(method, json!([filter_of(1_026)])).await, -32_602, "{method}");
        let accepted = server.answer(method, json!([filter_of(1_024)])).await;
        assert!(accepted.get("result").is_some(), "{accepted}");
    }
}

#[tokio::test]
async fn unpolled_filter_is_removed_for_its_items() {
    let server = Server::new(Mining::Auto);
    let small = server.ask("eth_newFilter", json!([filter_of(2)])).await;
    let mut ids = Vec::new();
    for _ in 0..1_024 {
        ids.push(server.ask("eth_newFilter", json!([filter_of(1_024)])).await);
        // The first one is polled, the second one is not.
        server.ask("eth_getFilterChanges", json!([ids[0]])).await;
    }
    let is_installed = async |id: &Value| {
        server.answer("eth_getFilterChanges", json!([id])).await.get("result").is_some()
    };
    assert!(is_installed(&ids[0]).await && !is_installed(&ids[1]).await);
    assert!(is_installed(&ids[2]).await && is_installed(&small).await);
}

#[tokio::test]
async fn unpolled_filter_is_removed_at_the_limit() {
    let server = Server::new(Mining::Auto);
    let mut ids = Vec::new();
    for _ in 0..10_001 {
        ids.push(server.ask("eth_newBlockFilter", json!([])).await);
        server.ask("eth_getFilterChanges", json!([ids[0]])).await;
    }
    let code = async |id: &Value| server.answer("eth_getFilterChanges", json!([id])).await;
    for (at, is_installed) in [(0, true), (1, false), (2, true), (10_000, true)] {
        assert_eq!(code(&ids[at]).await.get("result").is_some(), is_installed, "{at}");
    }
}

#[tokio::test]
async fn past_logs_of_all_filters_share_byte_limit() {
    const LIMIT: u64 = 3_000;
    let limits = RequestLimits { trace_bytes: LIMIT, ..RequestLimits::default() };
    let server = Server::with_past_logs(limits);
    for nonce in 0..2 {
        server.ask("eth_sendRawTransaction", json!([raw(nonce, LOGGER, vec![])])).await;
    }
    // Two logs of at least 500 bytes each: two of these filters fit, three do not.
    let install = async || server.ask("eth_newFilter", json!([{ "fromBlock": "0x0" }])).await;
    let empty = server.ask("eth_newBlockFilter", json!([])).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(install().await);
    }
    let poll = async |id: &Value| {
        let answer = server.answer("eth_getFilterChanges", json!([id])).await;
        answer["result"].as_array().map(Vec::len)
    };
    assert_eq!((poll(&ids[0]).await, poll(&ids[1]).await), (None, Some(2)));
    // The logs of a polled or uninstalled filter do not count.
    ids.push(install().await);
    assert_eq!(server.ask("eth_uninstallFilter", json!([ids[2]])).await, json!(true));
    ids.push(install().await);
    assert_eq!((poll(&ids[3]).await, poll(&ids[4]).await), (Some(2), Some(2)));
    assert_eq!((poll(&ids[1]).await, poll(&empty).await), (Some(0), Some(0)));
}

#[tokio::test]
async fn filter_changes_beyond_byte_limit_come_later() {
    const LIMIT: u64 = 2_000;
    let server = Server::bounded(RequestLimits { trace_bytes: LIMIT, ..RequestLimits::default() });
    let filter = server.ask("eth_newFilter", json!([{ "address": LOGGER }])).await;
    for nonce in 0..20 {
        server.ask("eth_sendRawTransaction", json!([raw(nonce, LOGGER, vec![0; 32])])).await;
    }
    let (mut polls, mut found) = (0, Vec::new());
    while found.len() < 20 {
        let changes = server.ask("eth_getFilterChanges", json!([filter])).await;
        let changes = changes.as_array().unwrap().clone();
        assert!(!changes.is_empty(), "the logs of one block are always returned");
        found.extend(changes.iter().map(|log| log["blockNumber"].clone()));
        polls += 1;
    }
    assert!(polls > 1, "all logs in one response");
    let expected: Vec<_> = (1..=20).map(|number| json!(format!("{number:#x}"))).collect();
    assert_eq!(found, expected);
    assert_eq!(server.ask("eth_getFilterChanges", json!([filter])).await, json!([]));
}
