//! Requests to a fork about blocks of the forked node.

use crate::support::{PROBE, SINK, Served, ask, client, refused, serve};
use client::Client;
use enshrine_devnet::{Fork, Origin};
use serde_json::{Value, json};

/// Reverts with a zero word.
const REVERTS: &str = "0x60205ffd";
const REVERTER: &str = "0x00000000000000000000000000000000000000bb";
/// `value()` and `set(uint256)` of the contract that the parity scripts use.
const VALUE: &str = "0x3fa4f245";
const SET: &str = "0x60fe47b1";
/// Number of the forked block.
const FORK: u64 = 4;

fn list(value: &Value) -> Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("{value}")).clone()
}

fn hash_of(client: &Client, number: u64) -> Value {
    let at = format!("{number:#x}");
    ask(client, "eth_getBlockByNumber", json!([at, false]))["hash"].clone()
}

/// Forks the latest block of a node, without rate limiting.
fn forking(other: &Served) -> Served {
    let fork = Fork { units_per_second: None, ..Fork::at(other.url(), None) };
    serve(|config| config.origin = Origin::Fork(fork))
}

/// A node and a fork of it, both with blocks after the forked one.
struct Both {
    /// Clients of the forked node and of the fork.
    there: Client,
    here: Client,
    from: Value,
    contract: Value,
    /// Transactions of the forked node, starting with block 1.
    sent: Vec<Value>,
    _nodes: (Served, Served),
}

impl Both {
    /// Block 1 creates the contract and block 2 sets it to 42; block 3 contains a payment, and
    /// block 4, the forked block, a transaction that reverts. Afterwards the forked node has
    /// another payment, and the fork sets the contract to 7 in its block 5.
    fn new() -> Self {
        let other = serve(|_| {});
        let there = client(&other);
        let from = json!(other.devnet.addresses()[0]);
        ask(&there, "anvil_setCode", json!([REVERTER, REVERTS]));
        let mut sent = Vec::new();
        let mut send = |transaction: Value| {
            let hash = ask(&there, "eth_sendTransaction", json!([transaction]));
            sent.push(hash.clone());
            ask(&there, "eth_getTransactionReceipt", json!([hash]))
        };
        let receipt = send(json!({ "from": from, "data": PROBE.trim() }));
        let contract = receipt["contractAddress"].clone();
        send(json!({ "from": from, "to": contract, "data": set(42) }));
        send(json!({ "from": from, "to": SINK, "value": "0x5" }));
        let receipt = send(json!({ "from": from, "to": REVERTER, "gas": "0x186a0" }));
        assert_eq!((&receipt["status"], &receipt["blockNumber"]), (&json!("0x0"), &json!("0x4")));

        let fork = forking(&other);
        let here = client(&fork);
        send(json!({ "from": from, "to": SINK, "value": "0x1" }));
        let changed = json!([{ "from": from, "to": contract, "data": set(7) }]);
        ask(&here, "eth_sendTransaction", changed);
        assert_eq!(ask(&here, "eth_blockNumber", json!([])), "0x5");
        Self { there, here, from, contract, sent, _nodes: (other, fork) }
    }

    /// Sends a request to both nodes, which must return the same non-empty response.
    fn same(&self, method: &str, params: Value) -> Value {
        let asked = format!("{method} {params}");
        let theirs = ask(&self.there, method, params.clone());
        let ours = ask(&self.here, method, params);
        assert_eq!(ours, theirs, "{asked}");
        assert!(!theirs.is_null() && theirs != json!([]), "{asked} returns nothing");
        ours
    }
}

fn set(value: u64) -> String {
    format!("{SET}{value:064x}")
}

#[test]
fn earlier_state_is_the_forked_nodes() {
    let both = Both::new();
    let (from, contract) = (&both.from, &both.contract);
    let hash = hash_of(&both.there, 2);
    let call = json!({ "from": from, "to": contract, "data": VALUE });
    for at in [json!("0x2"), json!({ "blockNumber": "0x2" }), json!({ "blockHash": hash }), hash] {
        let value = both.same("eth_call", json!([call, at]));
        assert_eq!(value, format!("0x{:064x}", 42));
        for (method, params) in [
            ("eth_getBalance", json!([from, at])),
            ("eth_getCode", json!([contract, at])),
            ("eth_getStorageAt", json!([contract, "0x0", at])),
            ("eth_getStorageValues", json!([{ contract.as_str().unwrap(): ["0x0"] }, at])),
            ("eth_getTransactionCount", json!([from, at])),
            ("eth_getAccount", json!([from, at])),
            ("eth_getAccountInfo", json!([contract, at])),
            ("eth_getProof", json!([contract, ["0x0"], at])),
            ("eth_estimateGas", json!([call, at])),
            ("eth_createAccessList", json!([call, at])),
            ("eth_simulateV1", json!([{ "blockStateCalls": [{ "calls": [call] }] }, at])),
            ("debug_traceCall", json!([call, at, { "tracer": "callTracer" }])),
            ("trace_call", json!([call, ["trace"], at])),
            ("ots_hasCode", json!([contract, at])),
        ] {
            both.same(method, params);
        }
    }
    assert_eq!(both.same("ots_hasCode", json!([contract, "0x0"])), false);
    assert_eq!(both.same("ots_hasCode", json!([contract, 0])), false);
    assert_eq!(both.same("ots_hasCode", json!([contract, 2])), true);
    assert_eq!(both.same("eth_getBalance", json!([SINK, "earliest"])), "0x0");
}

#[test]
fn state_from_fork_on_is_local() {
    let both = Both::new();
    let call = json!({ "to": both.contract, "data": VALUE });
    ask(&both.here, "anvil_setBalance", json!([SINK, "0x64"]));
    // The forked block, which both have under this hash, and the fork's first own block.
    for (number, expected) in [(FORK, 42), (FORK + 1, 7)] {
        let hash = hash_of(&both.here, number);
        for at in [json!(format!("{number:#x}")), json!({ "blockHash": hash })] {
            let value = ask(&both.here, "eth_call", json!([call, at]));
            assert_eq!(value, format!("0x{expected:064x}"), "{at}");
            assert_eq!(ask(&both.here, "ots_hasCode", json!([both.contract, at])), true);
        }
    }
    assert_eq!(ask(&both.here, "eth_getBalance", json!([SINK, "latest"])), "0x64");
    // The forked node's later block is not part of this chain, nor is an unknown hash.
    for hash in [hash_of(&both.there, FORK + 1), json!(format!("0x{}", "11".repeat(32)))] {
        let error = refused(&both.here, "eth_call", json!([call, { "blockHash": hash }]));
        assert!(error.contains("not found"), "{error}");
        assert!(ask(&both.here, "eth_getBlockReceipts", json!([hash])).is_null());
        assert!(ask(&both.here, "eth_getBlockByHash", json!([hash, false])).is_null());
    }
}

#[test]
fn blocks_up_to_fork_are_forked_nodes() {
    let both = Both::new();
    // Only the forked node has the transactions of the forked block.
    for number in [2, FORK] {
        let (at, hash) = (json!(format!("{number:#x}")), hash_of(&both.there, number));
        for (method, params) in [
            ("eth_getBlockByHash", json!([hash, true])),
            ("eth_getHeaderByNumber", json!([at])),
            ("eth_getHeaderByHash", json!([hash])),
            ("eth_getBlockReceipts", json!([at])),
            ("eth_getBlockReceipts", json!([hash])),
            ("eth_getBlockReceipts", json!([{ "blockHash": hash }])),
            ("eth_getUncleCountByBlockHash", json!([hash])),
            ("eth_getBlockTransactionCountByHash", json!([hash])),
            ("eth_getTransactionByBlockHashAndIndex", json!([hash, "0x0"])),
            ("eth_getRawTransactionByBlockHashAndIndex", json!([hash, "0x0"])),
            ("debug_getRawBlock", json!([at])),
            ("debug_getRawHeader", json!([hash])),
            ("debug_traceBlockByHash", json!([hash, { "tracer": "callTracer" }])),
            ("trace_block", json!([at])),
            ("trace_replayBlockTransactions", json!([at, ["trace"]])),
            ("erigon_getHeaderByNumber", json!([at])),
            // As Otterscan sends it.
            ("erigon_getHeaderByNumber", json!([number])),
            ("ots_getBlockDetails", json!([number])),
            ("ots_getBlockDetailsByHash", json!([hash])),
            ("ots_getBlockTransactions", json!([number, 0, 10])),
        ] {
            both.same(method, params);
        }
    }
    let logs = json!([{ "blockHash": hash_of(&both.there, 2), "address": both.contract }]);
    both.same("eth_getLogs", logs);

    // The fork's own blocks come from the fork.
    let number = FORK + 1;
    let (at, hash) = (json!(format!("{number:#x}")), hash_of(&both.here, number));
    assert_ne!(hash, hash_of(&both.there, number));
    for (method, params) in [
        ("eth_getBlockReceipts", json!([hash])),
        ("debug_traceBlockByHash", json!([hash, { "tracer": "callTracer" }])),
        ("trace_replayBlockTransactions", json!([at, ["trace"]])),
    ] {
        assert_eq!(list(&ask(&both.here, method, params)).len(), 1, "{method}");
    }
    for details in [
        ask(&both.here, "ots_getBlockDetails", json!([number])),
        ask(&both.here, "ots_getBlockDetailsByHash", json!([hash])),
    ] {
        assert_eq!(
            (&details["block"]["hash"], &details["block"]["transactionCount"]),
            (&hash, &json!(1))
        );
    }
    let page = ask(&both.here, "ots_getBlockTransactions", json!([number, 0, 10]));
    assert_eq!(page["fullblock"]["transactions"][0]["to"], both.contract);
}

#[test]
fn earlier_transactions_are_traced_by_forked_node() {
    let both = Both::new();
    let (changing, paying, reverting) = (&both.sent[1], &both.sent[2], &both.sent[3]);
    for hash in [changing, paying, reverting] {
        for (method, params) in [
            ("debug_getRawTransaction", json!([hash])),
            ("debug_traceTransaction", json!([hash, { "tracer": "callTracer" }])),
            ("trace_transaction", json!([hash])),
            ("trace_replayTransaction", json!([hash, ["trace"]])),
            ("trace_get", json!([hash, []])),
            ("trace_transactionOpcodeGas", json!([hash])),
            ("ots_traceTransaction", json!([hash])),
            ("ots_getTransactionError", json!([hash])),
        ] {
            both.same(method, params);
        }
    }
    both.same("ots_getInternalOperations", json!([paying]));
    let error = |hash: &Value| both.same("ots_getTransactionError", json!([hash]));
    assert_eq!((error(changing), error(reverting)), (json!("0x"), json!(format!("0x{:064x}", 0))));

    // The fork's own transactions are traced by the fork, even if the result is empty; unknown ones
    // return null.
    let creation = json!([{ "from": both.from, "data": PROBE.trim() }]);
    let hash = ask(&both.here, "eth_sendTransaction", creation);
    assert_eq!(ask(&both.here, "ots_traceTransaction", json!([hash])), json!([]));
    assert_eq!(ask(&both.here, "ots_getTransactionError", json!([hash])), "0x");
    let replayed = ask(&both.here, "trace_replayTransaction", json!([hash, ["trace"]]));
    assert_eq!(replayed["trace"][0]["type"], "create");
    let unknown = json!([format!("0x{}", "11".repeat(32))]);
    assert_eq!(ask(&both.here, "ots_traceTransaction", unknown.clone()), json!([]));
    assert!(ask(&both.here, "ots_getTransactionError", unknown).is_null());
}

#[test]
fn trace_filter_joins_both_nodes() {
    let both = Both::new();
    let pay = json!([{ "from": both.from, "to": SINK, "value": "0x2" }]);
    ask(&both.here, "eth_sendTransaction", pay);
    let filter = |from: u64, to: u64, more: Value| {
        let mut filter =
            json!({ "fromBlock": format!("{from:#x}"), "toBlock": format!("{to:#x}") });
        filter.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([filter])
    };
    let none = || json!({});
    both.same("trace_filter", filter(1, FORK, none()));
    both.same("trace_filter", filter(1, FORK, json!({ "after": 1, "count": 2 })));
    both.same("trace_filter", filter(1, 3, json!({ "toAddress": [SINK] })));

    let theirs = list(&ask(&both.there, "trace_filter", filter(1, FORK, none())));
    let ours = list(&ask(&both.here, "trace_filter", filter(FORK + 1, FORK + 2, none())));
    let all = [theirs, ours].concat();
    assert_eq!(all.len(), 6);
    let found = |more: Value| list(&ask(&both.here, "trace_filter", filter(1, FORK + 2, more)));
    assert_eq!(found(none()), all);
    assert_eq!(list(&ask(&both.here, "trace_filter", json!([{}]))), all);
    for (after, count) in [(0, 2), (1, 3), (3, 2), (3, 100), (5, 1), (6, 1), (2, 0)] {
        let part: Vec<_> = all.iter().skip(after).take(count).cloned().collect();
        assert_eq!(found(json!({ "after": after, "count": count })), part, "{after} {count}");
    }
    let paid = found(json!({ "toAddress": [SINK] }));
    let values: Vec<_> = paid.iter().map(|trace| &trace["action"]["value"]).collect();
    assert_eq!(values, ["0x5", "0x2"], "later transactions of the forked node are missing");
}

#[test]
fn fee_history_joins_both_nodes() {
    let both = Both::new();
    let history = |client: &Client, count: u64, newest: u64| {
        let params = json!([format!("{count:#x}"), format!("{newest:#x}"), [0.0, 50.0, 100.0]]);
        ask(client, "eth_feeHistory", params)
    };
    for (count, newest) in [(1, 1), (2, 3), (3, FORK)] {
        let (theirs, ours) =
            (history(&both.there, count, newest), history(&both.here, count, newest));
        assert_eq!(ours["oldestBlock"], theirs["oldestBlock"]);
        let counted = usize::try_from(count).unwrap();
        for member in ["baseFeePerGas", "baseFeePerBlobGas", "reward"] {
            assert_eq!(
                list(&ours[member])[..counted],
                list(&theirs[member])[..counted],
                "{member}"
            );
        }
        assert_eq!(list(&ours["gasUsedRatio"]).len(), counted);
    }
    let without = ask(&both.here, "eth_feeHistory", json!(["0x1", "0x1", []]));
    assert_eq!(without["oldestBlock"], "0x1");

    // Blocks 2 to 4 are the forked node's; block 5 and the fee after it are the fork's.
    let (theirs, ours) = (history(&both.there, 3, FORK), history(&both.here, 1, FORK + 1));
    let joined = history(&both.here, 4, FORK + 1);
    assert_eq!(joined["oldestBlock"], "0x2");
    for member in ["baseFeePerGas", "baseFeePerBlobGas", "blobGasUsedRatio", "reward"] {
        let mut expected = list(&theirs[member]);
        expected.truncate(3);
        expected.extend(list(&ours[member]));
        assert_eq!(list(&joined[member]), expected, "{member}");
    }
    // Floating-point numbers are reserialised on the way.
    let ratios = [list(&theirs["gasUsedRatio"]), list(&ours["gasUsedRatio"])].concat();
    let found = list(&joined["gasUsedRatio"]);
    assert_eq!(found.len(), ratios.len());
    for (found, expected) in found.iter().zip(&ratios) {
        let (found, expected) = (found.as_f64().unwrap(), expected.as_f64().unwrap());
        assert!(expected > 0.0 && (found / expected - 1.0).abs() < 1e-9, "{found} {expected}");
    }
    // Only the base fee after the forked block is the fork's.
    let last = history(&both.here, 2, FORK);
    assert_eq!(last["reward"], history(&both.there, 2, FORK)["reward"]);
    assert_eq!(list(&last["baseFeePerGas"])[2], list(&ours["baseFeePerGas"])[0]);
    // Blocks of the fork only.
    assert_eq!((&ours["oldestBlock"], list(&ours["gasUsedRatio"]).len()), (&json!("0x5"), 1));
}

#[test]
fn safe_and_finalized_follow_the_local_head() {
    let other = serve(|_| {});
    ask(&client(&other), "anvil_mine", json!(["0xc8"]));
    let fork = forking(&other);
    let (there, here) = (client(&other), client(&fork));
    let block = |client: &Client, at: &str| ask(client, "eth_getBlockByNumber", json!([at, false]));
    for (tag, number) in [("safe", "0xa8"), ("finalized", "0x88"), ("latest", "0xc8")] {
        let found = block(&here, tag);
        assert_eq!(found["number"], number, "{tag}");
        assert_eq!(found, block(&there, tag), "{tag}");
    }
    // A tag refers to the state of the same block.
    ask(&here, "anvil_setBalance", json!([SINK, "0x64"]));
    let balance = |at: &str| ask(&here, "eth_getBalance", json!([SINK, at]));
    assert_eq!((balance("safe"), balance("latest")), (json!("0x0"), json!("0x64")));

    // The tags follow the head, from the forked node's blocks to the fork's own.
    ask(&here, "anvil_mine", json!(["0x28"]));
    let safe = block(&here, "safe");
    assert_eq!((&safe["number"], &safe), (&json!("0xd0"), &block(&here, "0xd0")));
    let finalized = block(&here, "finalized");
    assert_eq!((&finalized["number"], &finalized), (&json!("0xb0"), &block(&there, "0xb0")));
}
