//! The requests that Otterscan 2.10.0 was recorded to send from a browser, on both chains.

use crate::process::{Localnet, until};
use alloy_primitives::{Address, U64, U256};
use client::Client;
use serde_json::{Value, json};

/// A block that neither chain reaches.
const UNKNOWN: u64 = 99_999_999;
/// A page with all transactions of an account.
const WHOLE: usize = 100_000;

fn ask(node: &Client, method: &str, params: &Value) -> Value {
    let answer = node.request(method, params.clone());
    answer.unwrap_or_else(|error| panic!("{method} {params}: {error}"))
}

fn quantity(value: &Value) -> u64 {
    serde_json::from_value::<U64>(value.clone()).unwrap().to()
}

/// Returns the transactions of an account up to a block, the newest one first, as found by a search
/// in this direction. Both chains have new blocks while the test runs.
fn up_to(node: &Client, account: Address, last: u64, direction: &str) -> Vec<Value> {
    let method = format!("ots_searchTransactions{direction}");
    let found = ask(node, &method, &json!([account, 0, WHOLE]));
    assert!(found["firstPage"] == true && found["lastPage"] == true, "{found}");
    let all = found["txs"].as_array().unwrap().iter();
    all.filter(|transaction| quantity(&transaction["blockNumber"]) <= last).cloned().collect()
}

/// Returns the number of transactions of an account.
fn count(node: &Client, account: Address) -> usize {
    up_to(node, account, u64::MAX, "Before").len()
}

/// Opens the pages of an account, and those of its newest transaction and its block. Returns the
/// number of transactions.
fn open_account(node: &Client, account: Address) -> usize {
    let head = quantity(&ask(node, "eth_blockNumber", &json!([])));
    let all = up_to(node, account, head, "Before");
    assert_eq!(all, up_to(node, account, head, "After"));
    let ask = |method: &str, params: Value| ask(node, method, &params);
    for method in ["eth_getBalance", "eth_getCode", "eth_getTransactionCount", "ots_hasCode"] {
        ask(method, json!([account, "latest"]));
    }
    ask("ots_getContractCreator", json!([account]));
    ask("ots_searchTransactionsAfter", json!([account, 0, 25]));
    let before = ask("ots_searchTransactionsBefore", json!([account, 0, 25]));
    let transactions = before["txs"].as_array().unwrap();
    for transaction in transactions {
        // As JSON numbers.
        let number = quantity(&transaction["blockNumber"]);
        ask("ots_hasCode", json!([transaction["from"], number]));
        ask("ots_getInternalOperations", json!([transaction["hash"]]));
        ask("ots_getTransactionError", json!([transaction["hash"]]));
    }
    let Some(newest) = transactions.first() else { return 0 };
    let hash = &newest["hash"];
    for method in [
        "eth_getTransactionByHash",
        "eth_getTransactionReceipt",
        "ots_getInternalOperations",
        "ots_getTransactionError",
        "ots_traceTransaction",
    ] {
        assert!(!ask(method, json!([hash])).is_null(), "{method}");
    }
    assert!(ask("trace_replayTransaction", json!([hash, ["stateDiff"]]))["stateDiff"].is_object());
    let nonce = quantity(&newest["nonce"]);
    let found = ask("ots_getTransactionBySenderAndNonce", json!([newest["from"], nonce]));
    assert_eq!(found, *hash);
    let number = quantity(&newest["blockNumber"]);
    let page = ask("ots_getBlockTransactions", json!([number, 0, 25]));
    assert!(page["fullblock"]["transactions"].to_string().contains(hash.as_str().unwrap()));
    assert_eq!(ask("ots_getBlockDetails", json!([number]))["block"]["hash"], newest["blockHash"]);
    all.len()
}

/// The state before the deposits in the state file is not stored: only the transfer that is in the
/// transaction itself is known.
fn deposits_show_transfers(l1: &Client, queue: Address) {
    let deposits = up_to(l1, queue, u64::MAX, "After");
    let value = |it: &Value| serde_json::from_value::<U256>(it["value"].clone()).unwrap();
    let oldest = deposits.iter().rfind(|deposit| value(deposit) > U256::ZERO).unwrap();
    let operations = ask(l1, "ots_getInternalOperations", &json!([oldest["hash"]]));
    let expected = json!([{
        "type": 0, "from": oldest["from"], "to": queue, "value": oldest["value"]
    }]);
    assert_eq!(operations, expected);
    let call = json!([oldest["hash"]]);
    assert!(l1.request::<_, Value>("ots_traceTransaction", call).is_err());
}

#[test]
fn otterscan_finds_accounts_of_both_chains() {
    let localnet = Localnet::start(&[]);
    // The state file of L1 has the first transactions of the queue, and this is a new one.
    let (user, queue) = (localnet.user(0), localnet.contract("messageQueue"));
    let before = count(&localnet.l1, user);
    let payment = json!({ "from": user, "to": Address::repeat_byte(0x0e), "value": "0x1" });
    ask(&localnet.l1, "eth_sendTransaction", &json!([payment]));
    until("the payment", || open_account(&localnet.l1, user) > before);
    assert!(count(&localnet.l1, queue) > 10);
    deposits_show_transfers(&localnet.l1, queue);
    assert!(open_account(&localnet.l2, localnet.contract("l2Messenger")) > 0);
    for node in [&localnet.l1, &localnet.l2] {
        let head: U64 = node.request("eth_blockNumber", ()).unwrap();
        assert_eq!(ask(node, "ots_getApiLevel", &json!([])), json!(8));
        assert!(ask(node, "erigon_getHeaderByNumber", &json!([head.to::<u64>()])).is_object());
        assert!(ask(node, "ots_getBlockDetails", &json!([UNKNOWN])).is_null());
        let unknown = json!([format!("0x{UNKNOWN:064x}")]);
        assert!(ask(node, "eth_getTransactionByHash", &unknown).is_null());
    }
}
