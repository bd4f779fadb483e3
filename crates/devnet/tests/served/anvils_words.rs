//! Errors have anvil's codes and messages; the expected values are those of stock anvil 1.7.1.

use crate::support::{SINK, Served, failure, number, serve_as_anvil};
use serde_json::{Value, json};

const POOR: &str = "0x00000000000000000000000000000000000000ab";
const REVERTER: &str = "0x00000000000000000000000000000000000000ac";
/// Reverts with its calldata.
const REVERT: &str = "0x365f5f37365ffd";

fn started() -> Served {
    let served = serve_as_anvil(|_| {});
    served.ask("anvil_setCode", json!([REVERTER, REVERT]));
    served
}

/// A selector followed by 32-byte words.
fn words(selector: &str, words: &[&str]) -> String {
    let words: String = words.iter().map(|word| format!("{word:0>64}")).collect();
    format!("0x{selector}{words}")
}

#[test]
fn revert_reasons_match_anvil() {
    let served = started();
    let from = served.devnet.addresses()[0];
    let text = format!("{:0<64}", "68656c6c6f");
    let cases = [
        ("0x".to_owned(), "execution reverted"),
        ("0xdeadbeef".to_owned(), "execution reverted: custom error 0xdeadbeef"),
        ("0xdeadbeefff".to_owned(), "execution reverted: custom error 0xdeadbeef: ff"),
        ("0xdead".to_owned(), "execution reverted: custom error bytes 0xdead"),
        ("0x68656c6c6f20776f726c64".to_owned(), "execution reverted: hello world"),
        (words("08c379a0", &["20", "5", &text]), "execution reverted: hello"),
        (
            words("4e487b71", &["11"]),
            "execution reverted: panic: arithmetic underflow or overflow (0x11)",
        ),
        (
            words("4e487b71", &["32"]),
            "execution reverted: panic: array out-of-bounds access (0x32)",
        ),
        (words("4e487b71", &["99"]), "execution reverted: panic: unknown code (0x99)"),
    ];
    for (data, message) in &cases {
        let request = json!({ "from": from, "to": REVERTER, "data": data });
        let expected = (3, (*message).to_owned(), json!(data));
        assert_eq!(failure(&served.client, "eth_call", json!([request, "latest"])), expected);
        assert_eq!(failure(&served.client, "eth_estimateGas", json!([request])), expected);
        assert_eq!(failure(&served.client, "eth_fillTransaction", json!([request])), expected);
        let many = served.ask("eth_callMany", json!([[{ "transactions": [request] }]]));
        assert_eq!(many[0][0]["error"], *message);
        // A sent transaction is mined and fails on chain.
        let hash = served.ask("eth_sendTransaction", json!([request]));
        let receipt = served.ask("eth_getTransactionReceipt", json!([hash]));
        assert_eq!(receipt["status"], "0x0");
        let error = served.ask("ots_getTransactionError", json!([hash]));
        assert_eq!(error, json!(data));
        let tracer = json!([hash, { "tracer": "callTracer" }]);
        let trace = served.ask("debug_traceTransaction", tracer);
        assert_eq!(trace["error"], "execution reverted");
    }
}

#[test]
fn halt_errors_match_anvil() {
    let served = started();
    let from = served.devnet.addresses()[0];
    for (code, name) in [
        ("0xfe", "InvalidFEOpcode"),
        ("0x0c", "OpcodeNotFound"),
        ("0x01", "StackUnderflow"),
        ("0x5b5f56", "OutOfGas"),
        ("0x60ff60ff60ff3e", "OutOfOffset"),
    ] {
        let request = json!([{ "from": from, "data": code }, "latest"]);
        let expected = (-32_603, format!("EVM error {name}"), Value::Null);
        assert_eq!(failure(&served.client, "eth_call", request.clone()), expected);
        if name != "OutOfGas" {
            assert_eq!(failure(&served.client, "eth_estimateGas", request), expected);
        }
    }
    let endless = json!([{ "from": from, "data": "0x5b5f56" }]);
    let words = "Out of gas: gas required exceeds allowance: 30000000".to_owned();
    assert_eq!(failure(&served.client, "eth_estimateGas", endless), (-32_003, words, Value::Null));
    assert_eq!(served.ask("eth_call", json!([{ "from": from, "data": "0x00" }])), "0x");
}

#[test]
fn insufficient_funds_errors_match_anvil() {
    let served = started();
    let transfer = json!({ "from": POOR, "to": SINK, "value": "0x1" });
    assert_eq!(served.number("eth_estimateGas", json!([transfer])), 21_000);
    let call = json!({ "from": POOR, "to": SINK, "value": "0x2540be400", "data": "0x42" });
    for (method, request) in [
        ("eth_estimateGas", json!([call])),
        ("eth_call", json!([call])),
        ("debug_traceCall", json!([call, "latest", {}])),
        (
            "eth_sendTransaction",
            json!([{
                "from": served.devnet.addresses()[0], "to": SINK, "value": "0x84595161401484a000000",
            }]),
        ),
    ] {
        let (code, words, _) = failure(&served.client, method, request);
        assert_eq!(code, -32_003, "{method}");
        assert!(words.starts_with("Insufficient funds for gas * price + value"), "{words}");
    }
    let rich = json!({ POOR: { "balance": "0xde0b6b3a7640000" } });
    let estimate = served.ask("eth_estimateGas", json!([call, "latest", rich]));
    assert!(number(&estimate) > 21_000);
    // Contracts and precompiles are not plain recipients.
    let to_contract = json!([{ "from": POOR, "to": REVERTER, "value": "0x1" }]);
    assert!(served.refused("eth_estimateGas", to_contract).contains("Insufficient funds"));
    let to_precompile = json!([{ "from": POOR, "to": format!("0x{:040x}", 4), "value": "0x1" }]);
    assert!(served.refused("eth_estimateGas", to_precompile).contains("Insufficient funds"));
}

#[test]
fn filled_transaction_keeps_tip_above_fee_cap() {
    let served = started();
    let from = served.devnet.addresses()[0];
    let fill = |fee: &str| {
        let request = json!([{ "from": from, "to": SINK, "maxFeePerGas": fee }]);
        let filled = served.ask("eth_fillTransaction", request);
        let tx = &filled["tx"];
        (number(&tx["maxFeePerGas"]), number(&tx["maxPriorityFeePerGas"]))
    };
    assert_eq!(fill("0x3b9ac"), (244_140, 1_000_000_000));
    assert_eq!(fill("0x77359400"), (2_000_000_000, 1_000_000_000));
    let both = |fee: &str, tip: &str| json!([{ "from": from, "to": SINK, "maxFeePerGas": fee, "maxPriorityFeePerGas": tip }]);
    // The base fee is checked first.
    let words = served.refused("eth_sendTransaction", both("0x989680", "0x5f5e100"));
    assert!(words.contains("max fee per gas less than block base fee"), "{words}");
    let words = served.refused("eth_sendTransaction", both("0x77359400", "0x87359400"));
    assert!(words.contains("max priority fee per gas higher than max fee per gas"), "{words}");
}

#[test]
fn trace_of_unknown_transaction_is_empty() {
    let served = started();
    let empty = json!({ "failed": false, "gas": 0, "returnValue": "0x", "structLogs": [] });
    for hash in ["00", "11"] {
        let hash = format!("0x{}", hash.repeat(32));
        assert_eq!(served.ask("debug_traceTransaction", json!([hash])), empty);
        let tracer = json!([hash, { "tracer": "callTracer" }]);
        assert_eq!(served.ask("debug_traceTransaction", tracer), empty);
    }
    let from = served.devnet.addresses()[0];
    let hash = served.ask("eth_sendTransaction", json!([{ "from": from, "to": SINK }]));
    assert_eq!(served.ask("debug_traceTransaction", json!([hash]))["gas"], 21_000);
}

#[test]
fn log_range_beyond_head_is_rejected() {
    let served = started();
    let beyond = json!([{ "fromBlock": "0x10", "toBlock": "0x20" }]);
    assert_eq!(failure(&served.client, "eth_getLogs", beyond).0, -32_602);
    let across = json!([{ "fromBlock": "0x0", "toBlock": "0x20" }]);
    assert_eq!(failure(&served.client, "eth_getLogs", across).0, -32_602);
    let known = json!([{ "fromBlock": "0x0", "toBlock": "latest" }]);
    assert_eq!(served.ask("eth_getLogs", known), json!([]));
}

#[test]
fn broken_system_contract_is_not_internal_error() {
    let served = started();
    let withdrawals = "0x00000961Ef480Eb55e80D19ad83579A64c007002";
    served.ask("anvil_setCode", json!([withdrawals, "0xfe"]));
    let transfer = json!([{ "from": served.devnet.addresses()[0], "to": SINK }]);
    for (method, params) in [("evm_mine", json!([])), ("eth_sendTransaction", transfer)] {
        let (code, words, _) = failure(&served.client, method, params);
        // Internal errors would have code -32603 and be logged.
        assert_eq!(code, -32_000, "{method}: {words}");
        assert!(words.contains("withdrawal requests contract"), "{method}: {words}");
    }
    served.ask("anvil_setCode", json!([withdrawals, "0x00"]));
    served.ask("evm_mine", json!([]));
}
