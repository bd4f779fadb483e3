//! The gas of calls and transactions is bounded on a chain whose blocks have no gas limit.

use crate::support::{Served, serve_as_anvil};
use chain::MAX_EXECUTION_GAS;
use serde_json::{Value, json};

const TARGET: &str = "0x00000000000000000000000000000000000000cc";
/// 64 MB of memory, for 8,600,000,000 gas.
const AFFORDABLE: u32 = 64 << 20;
/// 256 MB of memory, for 137,000,000,000 gas.
const EXCESSIVE: u32 = 256 << 20;

/// Code that expands the memory to this size: MSTORE8 at its last byte.
fn expanding(bytes: u32) -> String {
    format!("0x5f63{:08x}5300", bytes - 1)
}

fn unlimited() -> Served {
    serve_as_anvil(|config| config.gas_limit = u64::MAX)
}

/// Returns the outcome of a method that executes code of this memory size with all possible gas.
fn outcome(served: &Served, method: &str, bytes: u32) -> Result<Value, String> {
    let state = json!({ TARGET: { "code": expanding(bytes) } });
    let call = json!({ "to": TARGET, "gas": "0xffffffffffffffff" });
    let block = json!({ "gasLimit": "0xffffffffffffffff" });
    let params = match method {
        "eth_call" | "eth_estimateGas" => json!([call, "latest", state, block]),
        "eth_createAccessList" => json!([call, "latest", state]),
        "eth_callMany" => json!([[{ "transactions": [call] }], {}, state]),
        "trace_call" => json!([call, ["trace"], "latest", state, block]),
        "debug_traceCall" => {
            json!([call, "latest", { "tracer": "callTracer", "stateOverrides": state }])
        }
        _ => json!([{ "blockStateCalls": [
            { "blockOverrides": block, "stateOverrides": state, "calls": [call] }
        ]}]),
    };
    let answer = served.client.request::<_, Value>(method, params);
    let answer = answer.map_err(|error| error.to_string())?;
    let error = match method {
        "eth_createAccessList" => &answer["error"],
        "eth_callMany" => &answer[0][0]["error"],
        "trace_call" => &answer["trace"][0]["error"],
        "debug_traceCall" => &answer["error"],
        "eth_simulateV1" => &answer[0]["calls"][0]["error"]["message"],
        _ => &Value::Null,
    };
    match error.as_str() {
        Some(error) => Err(error.to_owned()),
        None => Ok(answer),
    }
}

#[test]
fn calls_have_bounded_gas_without_block_limit() {
    let served = unlimited();
    for method in [
        "eth_call",
        "eth_estimateGas",
        "eth_createAccessList",
        "eth_callMany",
        "trace_call",
        "debug_traceCall",
        "eth_simulateV1",
    ] {
        let error = outcome(&served, method, EXCESSIVE).unwrap_err().to_lowercase();
        let is_out_of_gas = ["out of gas", "memoryoog"].iter().any(|text| error.contains(text));
        assert!(is_out_of_gas, "{method}: {error}");
        let answer = outcome(&served, method, AFFORDABLE);
        assert!(answer.is_ok(), "{method}: {answer:?}");
    }
}

#[test]
fn transactions_above_execution_gas_are_refused() {
    let served = unlimited();
    let from = served.devnet.addresses()[0];
    let transaction =
        |gas: u64| json!([{ "from": from, "to": TARGET, "gas": format!("{gas:#x}") }]);
    for gas in [MAX_EXECUTION_GAS + 1, 1 << 60] {
        let error = served.refused("eth_sendTransaction", transaction(gas));
        let expected = format!("gas limit {gas} exceeds {MAX_EXECUTION_GAS}");
        assert!(error.contains(&expected), "{error}");
    }
    served.ask("eth_sendTransaction", transaction(MAX_EXECUTION_GAS));
    // A transaction whose estimate fails is sent with the maximum gas, and fails in its block.
    served.ask("anvil_setCode", json!([TARGET, "0x5f5ffd"]));
    let hash = served.ask("eth_sendTransaction", json!([{ "from": from, "to": TARGET }]));
    let sent = served.ask("eth_getTransactionByHash", json!([hash]));
    assert_eq!(sent["gas"], format!("{MAX_EXECUTION_GAS:#x}"));
    let receipt = served.ask("eth_getTransactionReceipt", json!([hash]));
    assert_eq!(receipt["status"], "0x0");
}
