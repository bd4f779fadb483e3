//! Forks of a node that reorganises, and forks whose node is replaced.

use crate::{
    providers::{Provider, account, check_balances, client, node, patient, runtime, start},
    support::{Served, ask, failure, refused, serve},
};
use client::{Client, ClientOptions};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Number of the forked block.
const FORKED: &str = "0x1";

/// A node whose first block differs from that of [`node`], with other balances.
fn other_chain() -> Served {
    let node = serve(|_| {});
    let there = client(&node.devnet);
    for number in 1_u64..=12 {
        ask(&there, "anvil_setBalance", json!([account(number), "0xbad"]));
    }
    ask(&there, "evm_mine", json!([]));
    node
}

/// A node that returns another chain for block numbers once the switch is on, but still has its old
/// blocks by hash.
fn reorganising(before: &Served, after: &Served) -> (Provider, Arc<AtomicBool>) {
    let switch = Arc::<AtomicBool>::default();
    let (is_on, after) = (Arc::clone(&switch), client(&after.devnet));
    let provider = Provider::start(before, move |_, request| {
        let by_hash = request["params"].to_string().contains("blockHash");
        if !is_on.load(Ordering::SeqCst) || by_hash || request.is_array() {
            return None;
        }
        Some((200, String::from_utf8(after.post(request.to_string()).unwrap()).unwrap()))
    });
    (provider, switch)
}

fn hash_of(node: &Served, tag: &str) -> Value {
    ask(&client(&node.devnet), "eth_getBlockByNumber", json!([tag, false]))["hash"].clone()
}

#[test]
fn fork_reads_one_chain_across_an_upstream_reorg() {
    let (before, after, runtime) = (node(), other_chain(), runtime());
    let (provider, switch) = reorganising(&before, &after);
    let devnet = start(&runtime, patient(&provider.url)).unwrap();
    let here = client(&devnet);
    let balance = |number| ask(&here, "eth_getBalance", json!([account(number), "latest"]));
    assert_eq!(balance(1), "0x3e8");
    switch.store(true, Ordering::SeqCst);
    check_balances(&devnet);
    let send = json!([{ "from": devnet.addresses()[0], "to": account(13), "value": "0x1" }]);
    let sent = ask(&here, "eth_sendTransaction", send);
    assert_eq!(ask(&here, "eth_getTransactionReceipt", json!([sent]))["status"], "0x1");

    // Requests without a block hash fail.
    let (_, message, data) = failure(&here, "eth_getBlockByNumber", json!([FORKED, false]));
    let hashes = json!({ "got": hash_of(&after, FORKED), "expected": hash_of(&before, FORKED) });
    assert!(message.contains("has replaced block 1"), "{message}");
    assert_eq!(data, hashes);
    let logs = json!([{ "fromBlock": "0x0", "toBlock": "latest" }]);
    assert_eq!(failure(&here, "eth_getLogs", logs).2, hashes);
    let own = ask(&here, "eth_getBlockByNumber", json!(["0x2", false]));
    assert_eq!(own["parentHash"], hash_of(&before, FORKED));

    switch.store(false, Ordering::SeqCst);
    let block = ask(&here, "eth_getBlockByNumber", json!([FORKED, false]));
    assert_eq!(block["hash"], hash_of(&before, FORKED));
}

/// A node in front of another that rejects reads by block hash with this error once the switch is
/// on.
fn refusing_hashes(
    node: &Served,
    behind: &Provider,
    switch: &Arc<AtomicBool>,
    (code, message): (i64, &'static str),
) -> Provider {
    let behind = Client::new(&behind.url, ClientOptions::default()).unwrap();
    let is_on = Arc::clone(switch);
    Provider::start(node, move |_, request| {
        if request.is_array() {
            return None;
        }
        let by_hash = request["params"].to_string().contains("blockHash");
        let answer = match by_hash && is_on.load(Ordering::SeqCst) {
            true => {
                let error = json!({ "code": code, "message": message });
                json!({ "jsonrpc": "2.0", "id": request["id"], "error": error }).to_string()
            }
            false => String::from_utf8(behind.post(request.to_string()).unwrap()).unwrap(),
        };
        Some((200, answer))
    })
}

/// The end of the error for a replaced forked block.
fn replaced(before: &Served, after: &Served) -> String {
    let [got, expected] = [after, before].map(|node| hash_of(node, FORKED));
    format!("got {}, expected {}", got.as_str().unwrap(), expected.as_str().unwrap())
}

#[test]
fn state_of_dropped_block_is_an_error() {
    let (before, after, runtime) = (node(), other_chain(), runtime());
    let (behind, switch) = reorganising(&before, &after);
    let provider = refusing_hashes(&before, &behind, &switch, (-32_000, "header not found"));
    let devnet = start(&runtime, patient(&provider.url)).unwrap();
    let here = client(&devnet);
    let known = || ask(&here, "eth_getBalance", json!([account(1), "latest"]));
    assert_eq!(known(), "0x3e8");
    switch.store(true, Ordering::SeqCst);
    let error = refused(&here, "eth_getBalance", json!([account(2), "latest"]));
    assert!(error.contains(&replaced(&before, &after)), "{error}");
    // Known values are still returned.
    assert_eq!(known(), "0x3e8");
}

#[test]
fn provider_without_block_hash_parameters_is_checked() {
    let (before, after, runtime) = (node(), other_chain(), runtime());
    let (behind, switch) = reorganising(&before, &after);
    let always = Arc::new(AtomicBool::new(true));
    let error = (-32_602, "invalid argument 1: hex string expected");
    let provider = refusing_hashes(&before, &behind, &always, error);
    let devnet = start(&runtime, patient(&provider.url)).unwrap();
    check_balances(&devnet);
    switch.store(true, Ordering::SeqCst);
    let error = refused(&client(&devnet), "eth_getBalance", json!([account(13), "latest"]));
    assert!(error.contains(&replaced(&before, &after)), "{error}");
    check_balances(&devnet);
}

#[test]
fn new_fork_url_serves_further_reads() {
    let (upstream, runtime) = (node(), runtime());
    let [first, second] = [(); 2].map(|()| Provider::start(&upstream, |_, _| None));
    let devnet = start(&runtime, patient(&first.url)).unwrap();
    let here = client(&devnet);
    let balance = |number| ask(&here, "eth_getBalance", json!([account(number), "latest"]));
    assert_eq!(balance(1), "0x3e8");
    assert!(ask(&here, "anvil_setRpcUrl", json!([second.url])).is_null());
    let asked = (first.requests(), second.requests());
    check_balances(&devnet);
    assert_eq!(first.requests(), asked.0);
    assert!(second.requests() > asked.1);
    let info = ask(&here, "anvil_nodeInfo", json!([]));
    assert_eq!(info["forkConfig"]["forkUrl"], second.url);
    ask(&here, "anvil_reset", json!([{ "forking": {} }]));
    check_balances(&devnet);
    assert_eq!(first.requests(), asked.0);
}

#[test]
fn new_fork_url_of_other_chain_is_rejected() {
    let (upstream, other, runtime) = (node(), other_chain(), runtime());
    let devnet = start(&runtime, patient(&upstream.url())).unwrap();
    let here = client(&devnet);
    let (code, message, data) = failure(&here, "anvil_setRpcUrl", json!([other.url()]));
    let [got, expected] = [&other, &upstream].map(|node| hash_of(node, FORKED));
    assert_eq!((code, data), (-32_602, json!({ "got": got, "expected": expected })));
    assert!(message.contains("does not have the forked block 1"), "{message}");
    let shorter = serve(|_| {});
    let (_, message, data) = failure(&here, "anvil_setRpcUrl", json!([shorter.url()]));
    assert_eq!(data, json!({ "got": null, "expected": expected }));
    assert!(message.contains("got no block"), "{message}");
    let message = refused(&here, "anvil_setRpcUrl", json!(["ftp://x"]));
    assert!(message.contains("\"ftp://x\" is not the URL of a node"), "{message}");
    check_balances(&devnet);
    // Without a fork there is nothing to change, as in anvil.
    let alone = client(&shorter.devnet);
    assert!(ask(&alone, "anvil_setRpcUrl", json!(["http://localhost:1"])).is_null());
}

#[test]
fn dump_of_fork_loads_without_forked_node() {
    let runtime = runtime();
    let upstream = node();
    let there = client(&upstream.devnet);
    // Returns slot 0.
    ask(&there, "anvil_setCode", json!([account(20), "0x5f545f5260205ff3"]));
    ask(&there, "anvil_setStorageAt", json!([account(20), "0x0", format!("{:#066x}", 42)]));
    ask(&there, "evm_mine", json!([]));
    let devnet = start(&runtime, patient(&upstream.url())).unwrap();
    let here = client(&devnet);
    let call = json!([{ "to": account(20) }, "latest"]);
    let value = ask(&here, "eth_call", call.clone());
    assert_eq!(value, format!("{:#066x}", 42));
    check_balances(&devnet);
    let from = devnet.addresses()[0];
    let pay = |to: u64| json!([{ "from": from, "to": account(to), "value": "0x1" }]);
    ask(&here, "eth_sendTransaction", pay(1));
    let dump = ask(&here, "anvil_dumpState", json!([]));
    let head = ask(&here, "eth_getBlockByNumber", json!(["latest", false]));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.json");
    devnet.dump_state(&file).unwrap();
    drop((devnet, upstream));

    let by_method = serve(|_| {});
    ask(&client(&by_method.devnet), "anvil_loadState", json!([dump]));
    let by_flag = serve(|_| {});
    by_flag.devnet.load_state(&file).unwrap();
    for plain in [by_method, by_flag] {
        let here = client(&plain.devnet);
        let balance = |number| ask(&here, "eth_getBalance", json!([account(number), "latest"]));
        assert_eq!((balance(1), balance(2)), (json!("0x3e9"), json!("0x7d0")));
        assert_eq!(ask(&here, "eth_call", call.clone()), value);
        assert_eq!(ask(&here, "eth_getBlockByNumber", json!(["latest", false])), head);
        let sent = ask(&here, "eth_sendTransaction", pay(2));
        let receipt = ask(&here, "eth_getTransactionReceipt", json!([sent]));
        assert_eq!((&receipt["status"], &receipt["blockNumber"]), (&json!("0x1"), &json!("0x4")));
        assert_eq!(balance(2), "0x7d1");
    }
}
