//! The EXECUTE gas market on a devnet: calls, estimates, traces, snapshots and state files.

use crate::support::{Served, execute_input, number, serve};
use alloy_consensus::TxEip1559;
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{B256, Bytes, TxKind, U256, hex};
use serde_json::{Value, json};
use std::sync::LazyLock;
use variants::market::{LIMIT, MARKET_ADDRESS, excess_at, next_excess, price};

const EXECUTE: &str = "0x0000000000000000000000000000000000000101";
const BASE_FEE: u64 = 1_000_000_000;
/// Gas of every EXECUTE call in this file, whatever its input.
const CALL: u64 = 400_000;
/// Flat gas schedules; three calls with the second one fill a block.
const CHEAP: &str = "400000+0";
const FILLING: &str = "20000000+0";

static INPUT: LazyLock<String> = LazyLock::new(execute_input);

/// Starts a devnet with the market and a flat gas schedule.
fn started(schedule: &str) -> Served {
    serve(|config| {
        config.execute_market = true;
        config.execute_gas = schedule.parse().unwrap();
        config.tx_gas_cap = false;
        config.gas_limit = 100_000_000;
    })
}

fn call(served: &Served, gas: u64) -> Value {
    let (from, gas) = (served.devnet.addresses()[0], format!("{gas:#x}"));
    json!({ "from": from, "to": EXECUTE, "data": *INPUT, "gas": gas })
}

/// Signs and sends an EXECUTE call, and returns its hash.
fn send(served: &Served, nonce: u64, gas: u64) -> B256 {
    let signed = served.key(0).sign(TxEip1559 {
        chain_id: served.devnet.chain_id(),
        nonce,
        gas_limit: gas,
        max_fee_per_gas: 50_000_000_000,
        to: TxKind::Call(EXECUTE.parse().unwrap()),
        input: hex::decode(&*INPUT).unwrap().into(),
        ..Default::default()
    });
    let raw = json!([Bytes::from(signed.encoded_2718())]);
    serde_json::from_value(served.ask("eth_sendRawTransaction", raw)).unwrap()
}

/// Price, excess and limit, read from the contract.
fn market(served: &Served, at: &str) -> [u64; 3] {
    let call = json!([{ "to": MARKET_ADDRESS }, at]);
    let words: Bytes = serde_json::from_value(served.ask("eth_call", call)).unwrap();
    assert_eq!(words.len(), 96);
    [0, 1, 2].map(|at| U256::from_be_slice(&words[32 * at..][..32]).to())
}

#[test]
fn market_price_follows_demand() {
    let served = started(FILLING);
    let [wei, excess, limit] = market(&served, "latest");
    assert_eq!((excess, limit), (excess_at(BASE_FEE), LIMIT));
    assert!(wei.abs_diff(BASE_FEE) < 100, "{wei}");
    served.ask("evm_setAutomine", json!([false]));
    let hashes: Vec<_> = (0..4).map(|nonce| send(&served, nonce, 24_000_000)).collect();
    served.ask("evm_mine", json!([]));
    let receipt = |hash: &B256| served.ask("eth_getTransactionReceipt", json!([hash]));
    let status: Vec<_> = hashes.iter().map(|hash| receipt(hash)["status"].clone()).collect();
    assert_eq!(status, ["0x1", "0x1", "0x1", "0x0"]);
    assert_eq!(number(&receipt(&hashes[3])["gasUsed"]), 24_000_000, "it used all its gas");
    assert_eq!(market(&served, "latest")[1], next_excess(excess, LIMIT, BASE_FEE));
    assert_eq!(market(&served, "0x0")[1], excess, "past states keep their excess");

    // All methods report the same reason.
    let refused = "EXECUTE gas limit of the block exceeded: 80000000 with this call, \
                   the limit is 60000000";
    let explained = served.ask("enshrine_explainExecute", json!([hashes[3]]));
    assert_eq!(explained[0]["verdict"], "refused");
    assert_eq!(explained[0]["reason"], refused);
    assert_eq!(served.ask("enshrine_explainExecute", json!([hashes[2]]))[0]["verdict"], "valid");
    // Traces of whole blocks have the reason too, because each call runs with the usage of the
    // earlier ones.
    let at = served.ask("eth_blockNumber", json!([]));
    let traces = served.ask("debug_traceBlockByNumber", json!([at, { "tracer": "callTracer" }]));
    let parity = served.ask("trace_block", json!([at]));
    for index in 0..4 {
        let error = traces[index]["result"]["error"].as_str().unwrap_or_default();
        assert_eq!(error.contains(refused), index == 3, "{traces}");
        assert_eq!(parity[index].get("error").is_some(), index == 3, "{parity}");
    }
    for hash in &hashes {
        let trace = served.ask("debug_traceTransaction", json!([hash, { "tracer": "callTracer" }]));
        assert_eq!(trace["gasUsed"], receipt(hash)["gasUsed"]);
        let error = trace["error"].as_str().unwrap_or_default();
        assert_eq!(error.contains(refused), *hash == hashes[3], "{trace}");
        let replayed = served.ask("trace_transaction", json!([hash]));
        assert_eq!(replayed[0].get("error").is_some(), *hash == hashes[3], "{replayed}");
    }
}

#[test]
fn call_cost_follows_market_of_its_block() {
    let served = started(CHEAP);
    // The minimum gas limit with which a call succeeds shows its cost.
    let least = |at: &str| {
        let (mut low, mut high) = (21_000, 2_000_000);
        while high - low > 1 {
            let middle = u64::midpoint(low, high);
            let call = json!([call(&served, middle), at]);
            match served.client.request::<_, Value>("eth_call", call) {
                Ok(_) => high = middle,
                Err(_) => low = middle,
            }
        }
        high
    };
    let blocks: Vec<_> = (0..4)
        .map(|nonce| {
            send(&served, nonce, 2_000_000);
            let head = served.ask("eth_blockNumber", json!([]));
            let block = served.ask("eth_getBlockByNumber", json!([head, false]));
            let at = block["number"].as_str().unwrap().to_owned();
            let wei = u128::from(market(&served, &at)[0]);
            let base_fee = u128::from(number(&block["baseFeePerGas"]));
            let charge = (u128::from(CALL) * wei).div_ceil(base_fee);
            (at, u64::try_from(charge).unwrap())
        })
        .collect();
    let besides: Vec<_> = blocks.iter().map(|(at, charge)| least(at) - charge).collect();
    assert_eq!(besides, [besides[0]; 4]);
    assert!(blocks[0].1 != blocks[3].1);
}

#[test]
fn estimate_covers_worst_case_price_change() {
    let served = started(FILLING);
    let plain = serve(|config| {
        config.execute_gas = FILLING.parse().unwrap();
        config.tx_gas_cap = false;
        config.gas_limit = 100_000_000;
    });
    let request = |served: &Served| {
        let mut call = call(served, 0);
        call.as_object_mut().unwrap().remove("gas");
        json!([call])
    };
    let (estimate, without) = (
        served.number("eth_estimateGas", request(&served)),
        plain.number("eth_estimateGas", request(&plain)),
    );
    let ratio = estimate as f64 / without as f64;
    assert!((ratio - 9.0 / 7.0).abs() < 0.01, "{estimate} {without}");
    assert_eq!(
        served.number("eth_estimateGas", request(&served)),
        estimate,
        "the estimate has no side effects"
    );
    // At the head, the estimate uses the base fee of the next block, which is an eighth lower.
    let at_head = json!([request(&served)[0], "latest"]);
    let ratio = served.number("eth_estimateGas", at_head) as f64 / without as f64;
    assert!((ratio - 9.0 / 8.0).abs() < 0.01, "{ratio}");
    // Worst case: a block that uses the whole limit, followed by the lowest possible base fee.
    served.ask("evm_setAutomine", json!([false]));
    for nonce in 0..3 {
        send(&served, nonce, 26_000_000);
    }
    served.ask("evm_mine", json!([]));
    assert!(market(&served, "latest")[0] > BASE_FEE * 112 / 100);
    served.ask("anvil_setNextBlockBaseFeePerGas", json!([format!("{:#x}", BASE_FEE * 7 / 8)]));
    let sent = send(&served, 3, estimate);
    let short = send(&served, 4, estimate * 9 / 10);
    served.ask("evm_mine", json!([]));
    let status = |hash| served.ask("eth_getTransactionReceipt", json!([hash]))["status"].clone();
    assert_eq!((status(sent), status(short)), (json!("0x1"), json!("0x0")));
    let error = served.refused("eth_estimateGas", json!([call(&served, 21_500)]));
    assert!(error.contains("gas required exceeds allowance"), "{error}");
}

#[test]
fn market_price_survives_snapshots_and_state_files() {
    let served = started(FILLING);
    let begin = market(&served, "latest");
    let snapshot = served.ask("evm_snapshot", json!([]));
    send(&served, 0, 26_000_000);
    let then = market(&served, "latest");
    assert_ne!(then, begin);
    let dump = served.ask("anvil_dumpState", json!([]));
    assert_eq!(served.ask("evm_revert", json!([snapshot])), json!(true));
    assert_eq!(market(&served, "latest"), begin);
    assert_eq!(served.ask("anvil_loadState", json!([dump])), json!(true));
    assert_eq!(market(&served, "latest"), then);
    // The pending block has the price that the next block will have.
    assert_eq!(market(&served, "pending")[2], LIMIT);
    served.ask("evm_mine", json!([]));
    assert_eq!(market(&served, "latest")[1], then[1] - LIMIT / 2);
    assert_eq!(market(&served, "latest")[0], price(then[1] - LIMIT / 2));
}

#[test]
fn fork_opens_or_continues_the_market() {
    let first = started(FILLING);
    send(&first, 0, 26_000_000);
    let remote = first.url();
    let forking = |market: bool, url: &str| {
        serve(|config| {
            *config = config.clone().forking(url, None);
            config.execute_market = market;
            config.execute_gas = FILLING.parse().unwrap();
            config.tx_gas_cap = false;
        })
    };
    let second = forking(true, &remote);
    assert_eq!(market(&second, "latest"), market(&first, "latest"));
    let sent = send(&second, 1, 26_000_000);
    let receipt = second.ask("eth_getTransactionReceipt", json!([sent]));
    assert_eq!(receipt["status"], "0x1");
    assert_ne!(market(&second, "latest"), market(&first, "latest"));

    let plain = serve(|_| {});
    let opened = forking(true, &plain.url());
    let [wei, ..] = market(&opened, "latest");
    assert!(wei.abs_diff(BASE_FEE) < BASE_FEE / 7, "{wei}");
    // Without the flag there is no market.
    let none = forking(false, &plain.url());
    assert_eq!(none.ask("eth_getCode", json!([MARKET_ADDRESS, "latest"])), json!("0x"));
    let nothing = json!([{ "to": MARKET_ADDRESS }, "latest"]);
    assert_eq!(none.ask("eth_call", nothing), json!("0x"));
}

#[test]
fn simulated_blocks_update_the_price() {
    let served = started(FILLING);
    let [_, excess, _] = market(&served, "latest");
    let call = |count: usize| {
        let ask = json!({ "to": MARKET_ADDRESS });
        let calls = vec![call(&served, 25_000_000); count];
        json!([{ "blockStateCalls": [
            { "blockOverrides": { "baseFeePerGas": format!("{BASE_FEE:#x}") }, "calls": calls },
            { "calls": [ask] },
        ] }, "latest"])
    };
    for count in [0, 1, 2] {
        let done = served.ask("eth_simulateV1", call(count));
        let words = done[1]["calls"][0]["returnData"].as_str().unwrap();
        let after = U256::from_str_radix(&words[2 + 64..][..64], 16).unwrap();
        let expected = next_excess(excess, 20_000_000 * count as u64, BASE_FEE);
        assert_eq!(after, U256::from(expected), "{count}: {done}");
    }
}
