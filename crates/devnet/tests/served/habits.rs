//! Behaviour of anvil that its users rely on.

use crate::support::{PROBE, SINK, Served, ask, client, number, serve, serve_as_anvil};
use alloy_primitives::U256;
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    thread,
    time::Duration,
};

/// Returns the word in slot 0, then overwrites it with the calldata word.
const SWAP: &str = "0x5f545f525f355f5560205ff3";
const SWAPPER: &str = "0x00000000000000000000000000000000000000cc";

#[test]
fn concurrent_sends_without_nonce_do_not_collide() {
    const EACH: u64 = 25;
    for mining in [enshrine_devnet::MiningMode::Instant, enshrine_devnet::MiningMode::Manual] {
        let served = serve(|config| config.mining = mining);
        let from = served.devnet.addresses()[0];
        let senders = (0..8).map(|_| {
            let client = client(&served);
            thread::spawn(move || {
                for _ in 0..EACH {
                    let request = json!([{ "from": from, "to": SINK, "value": "0x1" }]);
                    ask(&client, "eth_sendTransaction", request);
                }
            })
        });
        senders.collect::<Vec<_>>().into_iter().for_each(|sender| sender.join().unwrap());
        served.ask("evm_mine", json!([]));
        let balance = served.ask("eth_getBalance", json!([SINK, "latest"]));
        assert_eq!(number(&balance), 8 * EACH);
    }
}

#[test]
fn estimate_sees_pending_state_and_replacement_needs_bump() {
    let served = serve(|config| config.mining = enshrine_devnet::MiningMode::Manual);
    let from = served.devnet.addresses()[0];
    served.ask("anvil_setCode", json!([SWAPPER, SWAP]));
    let set = json!({ "from": from, "to": SWAPPER, "data": format!("0x{:064x}", 7) });
    let cost = |block: &[&str]| {
        let mut params = vec![set.clone()];
        params.extend(block.iter().map(|block| json!(block)));
        number(&served.ask("eth_estimateGas", json!(params)))
    };
    let before = cost(&[]);
    served.ask("eth_sendTransaction", json!([set]));
    assert!(cost(&[]) < before, "the pending transaction has written the slot");
    assert_eq!(cost(&[]), cost(&["pending"]));
    assert_eq!(cost(&["latest"]), before);

    let offer = |fee: &str| {
        let mut again = set.clone();
        again["nonce"] = json!("0x5");
        again["gas"] = json!("0x186a0");
        again["maxFeePerGas"] = json!(fee);
        again["maxPriorityFeePerGas"] = json!("0x1");
        served.client.request::<_, Value>("eth_sendTransaction", json!([again]))
    };
    offer("0x77359400").unwrap();
    assert!(offer("0x77359400").is_err(), "an equal fee is not enough");
    offer("0x77359401").unwrap();
}

#[test]
fn loose_timestamps_follow_the_clock() {
    let times = |loose: bool| {
        let served = serve(|config| {
            config.loose_timestamps = loose;
            config.timestamp = Some(1_000_000);
        });
        let time = || number(&served.block("latest")["timestamp"]);
        served.ask("anvil_mine", json!(["0x7d0"]));
        let ahead = time();
        served.ask("evm_setTime", json!([500_000]));
        served.ask("evm_mine", json!([]));
        (ahead, time())
    };
    let (ahead, back) = times(false);
    assert!(ahead >= 1_002_000 && back == ahead + 1);
    let (ahead, back) = times(true);
    assert!(ahead < 1_002_000 && (500_000..501_000).contains(&back), "{ahead} {back}");
}

#[test]
fn rollback_without_depth_removes_one_block() {
    let served = serve(|_| {});
    served.ask("anvil_mine", json!(["0x3"]));
    served.ask("anvil_rollback", json!([null]));
    assert_eq!(served.number("eth_blockNumber", json!([])), 2);
    assert!(served.client.request::<_, Value>("anvil_rollback", json!([])).is_err());
}

#[test]
fn calls_are_traced_singly_and_in_sequence() {
    let served = serve(|_| {});
    served.ask("anvil_setCode", json!([SWAPPER, SWAP]));
    let swap = |word: u64| json!({ "to": SWAPPER, "data": format!("0x{word:064x}") });
    let word = |word: u64| json!(format!("0x{word:064x}"));
    let traced = served.ask("trace_call", json!([swap(1), ["trace", "stateDiff"]]));
    assert_eq!(traced["output"], word(0));
    assert_eq!(traced["trace"].as_array().unwrap().len(), 1);
    assert!(traced["stateDiff"][SWAPPER]["storage"].is_object(), "{traced}");

    let calls = json!([[swap(1), ["trace"]], [swap(2), ["trace"]], [swap(3), ["trace"]]]);
    let traced = served.ask("trace_callMany", json!([calls, "latest"]));
    let outputs: Vec<_> =
        traced.as_array().unwrap().iter().map(|trace| trace["output"].clone()).collect();
    assert_eq!(outputs, [word(0), word(1), word(2)]);

    let bundles = json!([
        { "transactions": [swap(5), { "to": SWAPPER, "gas": "0x5300" }] },
        { "transactions": [swap(6)] },
    ]);
    let pretended = json!({ SWAPPER: { "stateDiff": { word(0).as_str().unwrap(): word(4) } } });
    let results = served.ask("eth_callMany", json!([bundles, {}, pretended]));
    assert_eq!(results[0][0]["value"], word(4));
    assert!(results[0][1]["error"].as_str().unwrap().contains("OutOfGas"), "{results}");
    assert_eq!(results[1][0]["value"], word(5));
    // The calls do not change the state.
    assert_eq!(served.ask("eth_getStorageAt", json!([SWAPPER, "0x0", "latest"])), word(0));
}

#[test]
fn sequences_of_calls_end_at_deadline() {
    const LIMIT: Duration = Duration::from_millis(500);
    let served = serve_as_anvil(|config| {
        config.gas_limit = 10_000_000_000;
        (config.server.limits.call_time, config.server.limits.trace_time) = (LIMIT, LIMIT);
    });
    // JUMPDEST, PUSH1 0, JUMP: an endless loop.
    served.ask("anvil_setCode", json!([SWAPPER, "0x5b600056"]));
    let bundle = |to: &str| json!([[{ "transactions": [{ "to": to, "gas": "0x2540be400" }] }]]);
    let traced = |to: &str| json!([[[{ "to": to, "gas": "0x2540be400" }, ["trace"]]], "latest"]);
    for (method, params) in [("eth_callMany", bundle(SWAPPER)), ("trace_callMany", traced(SWAPPER))]
    {
        let refused = served.client.request::<_, Value>(method, params).unwrap_err();
        assert!(refused.to_string().contains("took too long"), "{method}: {refused}");
    }
    served.ask("eth_callMany", bundle(SINK));
    served.ask("trace_callMany", traced(SINK));
}

#[test]
fn sequences_of_calls_share_byte_limit() {
    const LIMIT: u64 = 20_000;
    let served = serve_as_anvil(|config| config.server.limits.trace_bytes = LIMIT);
    // Returns 1,000 bytes.
    served.ask("anvil_setCode", json!([SWAPPER, "0x6103e85ff3"]));
    let call = json!({ "to": SWAPPER });
    let bundle = |count: usize| json!([[{ "transactions": vec![&call; count] }]]);
    let traced = |count: usize| json!([vec![(&call, ["trace"]); count], "latest"]);
    // A trace has the output and 500 further bytes.
    for (method, params, most) in
        [("eth_callMany", &bundle as &dyn Fn(usize) -> Value, 10), ("trace_callMany", &traced, 8)]
    {
        served.ask(method, params(most));
        let refused = served.client.request::<_, Value>(method, params(most + 1)).unwrap_err();
        let expected = format!("limit {LIMIT}");
        assert!(refused.to_string().contains(&expected), "{method}: {refused}");
    }
}

#[test]
fn block_is_traced_from_its_rlp() {
    let served = serve(|_| {});
    let from = served.devnet.addresses()[0];
    let create = json!([{ "from": from, "data": PROBE.trim() }]);
    served.ask("eth_sendTransaction", create);
    let raw = served.ask("debug_getRawBlock", json!(["latest"]));
    let tracer = json!({ "tracer": "callTracer" });
    let traced = served.ask("debug_traceBlock", json!([raw, tracer]));
    assert_eq!(traced, served.ask("debug_traceBlockByNumber", json!(["latest", tracer])));
    assert!(served.client.request::<_, Value>("debug_traceBlock", json!(["0x00"])).is_err());
}

#[test]
fn next_block_has_the_requested_prev_randao() {
    let served = serve(|_| {});
    let wanted = json!(format!("0x{:064x}", 77));
    served.ask("anvil_setNextBlockPrevRandao", json!([wanted]));
    served.ask("evm_mine", json!([]));
    assert_eq!(served.block("latest")["mixHash"], wanted);
}

#[test]
fn gas_cap_error_names_the_flag() {
    let send = |served: &Served| {
        let request =
            json!([{ "from": served.devnet.addresses()[0], "to": SINK, "gas": "0x1312d00" }]);
        served.client.request::<_, Value>("eth_sendTransaction", request)
    };
    let error = send(&serve(|_| {})).unwrap_err().to_string();
    assert!(error.contains("--no-tx-gas-cap"), "{error}");
    send(&serve(|config| config.tx_gas_cap = false)).unwrap();
}

#[test]
fn ipc_subscriptions_end_only_by_own_connection() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ipc");
    let served = serve(|config| config.server.ipc = Some(path.clone()));
    let connect = || {
        let stream = UnixStream::connect(&path).unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let mut stream = stream;
        move |method: &str, params: Value| -> Value {
            if !method.is_empty() {
                let request =
                    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
                writeln!(stream, "{request}").unwrap();
            }
            serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap()
        }
    };
    let (mut own, mut other) = (connect(), connect());
    let id = own("eth_subscribe", json!(["newHeads"]))["result"].clone();
    assert!(id.as_str().unwrap().starts_with("0x"), "{id}");
    assert_eq!(other("eth_unsubscribe", json!([id]))["result"], json!(false));
    served.ask("evm_mine", json!([]));
    let seen = own("", Value::Null);
    assert_eq!(seen["params"]["subscription"], id);
    assert_eq!(own("eth_unsubscribe", json!([id]))["result"], json!(true));
}

#[test]
fn pool_lists_senders_in_lower_case() {
    let served = serve(|config| config.mining = enshrine_devnet::MiningMode::Manual);
    let from = served.devnet.addresses()[0];
    served.ask("eth_sendTransaction", json!([{ "from": from, "to": SINK }]));
    let pool = served.ask("txpool_content", json!([]));
    assert!(pool["pending"][format!("{from:#x}")]["0"].is_object(), "{pool}");
}

#[test]
fn filling_a_failing_transaction_is_an_error() {
    let served = serve(|_| {});
    let from = served.devnet.addresses()[0];
    let failing = json!({ "from": from, "data": "0xfe" });
    assert!(served.client.request::<_, Value>("eth_fillTransaction", json!([failing])).is_err());
    // The same transaction is sent, and fails on chain.
    let sent = served.ask("eth_sendTransaction", json!([failing]));
    assert_eq!(served.ask("eth_getTransactionReceipt", json!([sent]))["status"], "0x0");
    let good = json!({ "from": from, "to": SINK });
    assert_eq!(served.ask("eth_fillTransaction", json!([good]))["tx"]["nonce"], "0x1");
}

#[test]
fn reorg_accepts_an_options_object() {
    let served = serve(|_| {});
    served.ask("anvil_mine", json!(["0x3"]));
    let sent = json!([{ "from": served.devnet.addresses()[0], "to": SINK, "value": "0x7" }, 0]);
    let options = json!({ "depth": 2, "tx_block_pairs": [sent] });
    served.ask("anvil_reorg", json!([options]));
    assert_eq!(served.number("eth_getBalance", json!([SINK, "0x2"])), 7);
    served.ask("anvil_reorg", json!({ "depth": 1, "txBlockPairs": [] }));
    assert_eq!(served.number("eth_blockNumber", json!([])), 3);
}

#[test]
fn dump_includes_earlier_states_on_request() {
    let served = serve(|_| {});
    let send = json!([{ "from": served.devnet.addresses()[0], "to": SINK, "value": "0x1" }]);
    for _ in 0..3 {
        served.ask("eth_sendTransaction", send.clone());
    }
    let dump = |past: Value| served.ask("anvil_dumpState", past);
    let (plain, whole) = (dump(json!([])), dump(json!([true])));
    for (packed, is_there) in [(plain, false), (whole, true)] {
        let other = serve(|_| {});
        other.ask("anvil_loadState", json!([packed]));
        let asked = json!([SINK, "0x2"]);
        let balance = other.client.request::<_, U256>("eth_getBalance", asked);
        assert_eq!(balance.is_ok_and(|balance| balance == U256::from(2)), is_there);
    }
}

#[test]
fn opcode_gas_sums_to_gas_used() {
    const CALLER: &str = "0x00000000000000000000000000000000000000dd";
    const INTRINSIC: u64 = 21_000;
    let served = serve(|_| {});
    let from = served.devnet.addresses()[0];
    served.ask("anvil_setCode", json!([SWAPPER, SWAP]));
    // Calls the swapper without arguments and with all but a 64th of the gas, then stops.
    let call = format!("0x5f5f5f5f5f73{}5af100", &SWAPPER[2..]);
    served.ask("anvil_setCode", json!([CALLER, call]));
    // Set the gas limit, because an estimate would be too low for the inner call.
    let send = json!([{ "from": from, "to": CALLER, "gas": "0x186a0" }]);
    let hash = served.ask("eth_sendTransaction", send.clone());
    let receipt = served.ask("eth_getTransactionReceipt", json!([hash]));
    let of_transaction = served.ask("trace_transactionOpcodeGas", json!([hash]));
    assert_eq!(of_transaction["transactionHash"], hash);
    let opcodes = of_transaction["opcodeGas"].as_array().unwrap();
    let of = |name: &str| opcodes.iter().find(|opcode| opcode["opcode"] == name).unwrap();
    assert_eq!(of("PUSH0"), &json!({ "opcode": "PUSH0", "count": 10, "gasUsed": 20 }));
    assert_eq!(of("CALL"), &json!({ "opcode": "CALL", "count": 1, "gasUsed": 2_600 }));
    assert_eq!(of("SLOAD"), &json!({ "opcode": "SLOAD", "count": 1, "gasUsed": 2_100 }));
    let gas = opcodes.iter().map(|opcode| opcode["gasUsed"].as_u64().unwrap()).sum::<u64>();
    assert_eq!(gas + INTRINSIC, number(&receipt["gasUsed"]));

    for at in [json!("latest"), receipt["blockNumber"].clone(), receipt["blockHash"].clone()] {
        let of_block = served.ask("trace_blockOpcodeGas", json!([at]));
        assert_eq!(of_block["blockHash"], receipt["blockHash"]);
        assert_eq!(of_block["transactions"], json!([of_transaction]));
    }
    // Two transactions in one block are reported separately.
    served.ask("evm_setAutomine", json!([false]));
    for _ in 0..2 {
        served.ask("eth_sendTransaction", send.clone());
    }
    served.ask("evm_mine", json!([]));
    let of_block = served.ask("trace_blockOpcodeGas", json!(["latest"]));
    let each: Vec<_> = of_block["transactions"].as_array().unwrap().iter().collect();
    assert_eq!(each.len(), 2);
    assert!(each.iter().all(|each| each["opcodeGas"] == of_transaction["opcodeGas"]), "{of_block}");

    let none = json!(format!("{:#066x}", 1));
    assert!(served.ask("trace_transactionOpcodeGas", json!([none])).is_null());
    assert!(served.ask("trace_blockOpcodeGas", json!([none])).is_null());
    assert!(served.ask("trace_blockOpcodeGas", json!(["0x64"])).is_null());
    let genesis = served.ask("trace_blockOpcodeGas", json!(["earliest"]));
    assert_eq!((&genesis["blockNumber"], &genesis["transactions"]), (&json!(0), &json!([])));
}
