//! Methods for block explorers.

use crate::support::{BOB, LOGGER, Server, raw, raw_to};
use alloy_primitives::{Address, TxKind, hex};
use enshrine_rpc::{
    Api, ErrorStyle, RequestLimits, RpcOptions, WorkerOptions, Workers, codes, explorer,
};
use node::Mining;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

/// Returns the methods for explorers over the node of a server.
fn explorer(server: &Server, limits: RequestLimits) -> Server {
    let node = Arc::clone(&server.node);
    let api = Api::new(Arc::clone(&node), RpcOptions { limits, ..RpcOptions::default() });
    let workers = Arc::new(Workers::new(&WorkerOptions::default()));
    Server { node, methods: explorer::methods(api, workers, ErrorStyle::Geth) }
}

#[tokio::test]
async fn documentation_lists_exactly_the_explorer_methods() {
    let document = include_str!("../../../../docs/methods.md");
    let (_, section) = document.split_once("## For block explorers\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let (_, table) = section.split_once("|---|---|\n").unwrap();
    let mut listed: Vec<_> = table.split('`').skip(1).step_by(2).collect();
    let explorer = explorer(&Server::new(Mining::Auto), RequestLimits::default());
    let mut known: Vec<_> = explorer.methods.method_names().collect();
    listed.sort_unstable();
    known.sort_unstable();
    assert_eq!(listed, known);
}

#[tokio::test]
async fn searches_end_at_their_time_limit() {
    let server = Server::new(Mining::Auto);
    server.ask("eth_sendRawTransaction", json!([raw(0, BOB, vec![])])).await;
    let alice = testkit::Key::named("alice").address();
    let whole = explorer(&server, RequestLimits::default());
    let limits = RequestLimits { trace_time: Duration::ZERO, ..RequestLimits::default() };
    let short = explorer(&server, limits);
    for (method, params) in [
        ("ots_searchTransactionsBefore", json!([BOB, 0, 25])),
        ("ots_searchTransactionsAfter", json!([BOB, 0, 25])),
        ("ots_getTransactionBySenderAndNonce", json!([alice, 0])),
        ("ots_getContractCreator", json!([BOB])),
    ] {
        assert!(whole.answer(method, params.clone()).await["error"].is_null(), "{method}");
        let error = &short.answer(method, params).await["error"];
        assert_eq!(error["code"], codes::BUSY, "{method}: {error}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("the search ended at block"), "{method}: {message}");
    }
}

#[tokio::test]
async fn searches_without_states_find_named_addresses() {
    let server = Server::new(Mining::Auto);
    let called = Address::repeat_byte(0xca);
    // CALL(GAS, to, 0, 0, 0, 0, 0).
    let call = |to: Address| [&[0x5f; 5][..], &[0x73], to.as_slice(), &[0x5a, 0xf1]].concat();
    let init = [call(LOGGER), call(called)].concat();
    for transaction in [raw(0, BOB, vec![]), raw_to(1, TxKind::Create, init), raw(2, BOB, vec![])] {
        server.ask("eth_sendRawTransaction", json!([transaction])).await;
    }
    let explorer = explorer(&server, RequestLimits::default());
    let alice = testkit::Key::named("alice").address();
    let created = alice.create(1);
    let counts = async || {
        let mut counts = Vec::new();
        for address in [alice, BOB, created, LOGGER, called] {
            for method in ["ots_searchTransactionsBefore", "ots_searchTransactionsAfter"] {
                let answer = explorer.answer(method, json!([address, 0, 25])).await;
                counts.push(answer["result"]["txs"].as_array().unwrap().len());
            }
        }
        counts
    };
    let creator = async |contract: Address| {
        explorer.answer("ots_getContractCreator", json!([contract])).await["result"].clone()
    };
    assert_eq!(counts().await, [3, 3, 2, 2, 1, 1, 1, 1, 1, 1]);
    let known = creator(created).await;
    assert_eq!(known["creator"], json!(alice));

    server.node.read(|node| {
        let root = node.chain.head().header.state_root;
        node.chain.store().retain(&[root]).unwrap();
    });
    let traced = explorer.answer("trace_block", json!(["0x2"])).await;
    assert!(traced["error"].is_object(), "{traced}");
    // Only the log names it, and nothing names the other one.
    assert_eq!(counts().await, [3, 3, 2, 2, 1, 1, 1, 1, 0, 0]);
    assert_eq!(creator(created).await, known);
    assert_eq!(creator(called).await, Value::Null);
    // Accounts are labelled by their present code, in blocks that exist.
    for (address, number, expected) in
        [(LOGGER, 1, json!(true)), (BOB, 1, json!(false)), (LOGGER, 9, Value::Null)]
    {
        let answer = explorer.answer("ots_hasCode", json!([address, number])).await;
        assert_eq!(answer["result"], expected, "{answer}");
    }
}

#[tokio::test]
async fn details_of_unknown_block_are_null() {
    let server = Server::new(Mining::Auto);
    let explorer = explorer(&server, RequestLimits::default());
    let genesis = server.ask("eth_getBlockByNumber", json!(["0x0", false])).await["hash"].clone();
    for (method, known, unknown) in [
        ("ots_getBlockDetails", json!([0]), json!([9])),
        ("ots_getBlockDetailsByHash", json!([genesis]), json!([format!("0x{:064x}", 9)])),
    ] {
        assert!(explorer.answer(method, known).await["result"].is_object(), "{method}");
        let answer = explorer.answer(method, unknown).await;
        assert!(answer["error"].is_null() && answer["result"].is_null(), "{answer}");
    }
}

/// Returns the methods for explorers over the node of a server, with this limit of a trace.
fn bounded_explorer(server: &Server, trace_bytes: u64) -> Server {
    explorer(server, RequestLimits { trace_bytes, ..RequestLimits::default() })
}

/// Returns the limit in the error of a response.
fn limit(answer: &Value) -> Option<u64> {
    let error = &answer["error"];
    (error["code"] == codes::BUSY).then(|| error["data"]["limit"].as_u64()).flatten()
}

#[tokio::test]
async fn filtered_traces_share_byte_limit() {
    let server = Server::new(Mining::Auto);
    for nonce in 0..6 {
        server.ask("eth_sendRawTransaction", json!([raw(nonce, BOB, vec![])])).await;
    }
    let explorer = bounded_explorer(&server, 2_000);
    let traces = async |to: u64, more: Value| {
        let mut filter = json!({ "fromBlock": "0x1", "toBlock": format!("{to:#x}") });
        filter.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        explorer.answer("trace_filter", json!([filter])).await
    };
    let count = |answer: Value| answer["result"].as_array().map(Vec::len);
    assert_eq!(limit(&traces(6, json!({})).await), Some(2_000));
    assert_eq!(count(traces(3, json!({})).await), Some(3));
    // Only the traces of the response count.
    assert_eq!(count(traces(6, json!({ "count": 2 })).await), Some(2));
    assert_eq!(count(traces(6, json!({ "after": 3 })).await), Some(3));
    assert_eq!(count(traces(6, json!({ "after": 1, "count": 0 })).await), Some(0));
    assert_eq!(limit(&traces(6, json!({ "after": 1 })).await), Some(2_000));
    assert_eq!(count(traces(6, json!({ "toAddress": [LOGGER] })).await), Some(0));
}

#[tokio::test]
async fn pages_of_searches_end_at_byte_limit() {
    let server = Server::new(Mining::Auto);
    for nonce in 0..6 {
        server.ask("eth_sendRawTransaction", json!([raw(nonce, BOB, vec![0; 500])])).await;
    }
    let numbers = |answer: &Value| -> Vec<String> {
        let page = answer["result"]["txs"].as_array().unwrap();
        page.iter()
            .map(|transaction| transaction["blockNumber"].as_str().unwrap().to_owned())
            .collect()
    };
    let before = async |explorer: &Server, block: u64| {
        explorer.answer("ots_searchTransactionsBefore", json!([BOB, block, 1_000])).await
    };
    let whole = explorer(&server, RequestLimits::default());
    let all = before(&whole, 0).await;
    assert_eq!((numbers(&all).len(), &all["result"]["lastPage"]), (6, &json!(true)));
    let small = bounded_explorer(&server, 5_000);
    let (mut found, mut block) = (Vec::new(), 0);
    loop {
        let page = before(&small, block).await;
        let of_page = numbers(&page);
        assert!(of_page.len() <= 2, "{of_page:?}");
        found.extend(of_page);
        if page["result"]["lastPage"] == true {
            break;
        }
        block = u64::from_str_radix(&found.last().unwrap()[2..], 16).unwrap();
    }
    assert_eq!(found, numbers(&all));
}

/// A VM trace has the code of each frame, and the memory that each step writes.
#[tokio::test]
async fn vm_trace_counts_codes_and_memory() {
    let server = Server::new(Mining::Auto);
    // Init code of 6,000 bytes that stops, and short one that copies 1,000 bytes ten times.
    let long = format!("00{}", "00".repeat(5_999));
    let copies = format!("{}00", "6103e85f5f39".repeat(10));
    for (nonce, init) in (0..).zip([long, copies]) {
        let transaction = raw_to(nonce, TxKind::Create, hex::decode(init).unwrap());
        server.ask("eth_sendRawTransaction", json!([transaction])).await;
    }
    let traced = async |trace_bytes: u64, block: &str, kind: &str| {
        let explorer = bounded_explorer(&server, trace_bytes);
        explorer.answer("trace_replayBlockTransactions", json!([block, [kind]])).await
    };
    for (block, bytes) in [("0x1", 20_000), ("0x2", 20_000)] {
        assert_eq!(limit(&traced(bytes, block, "vmTrace").await), Some(bytes), "{block}");
        for (bytes, kind) in [(bytes, "trace"), (2 * bytes, "vmTrace")] {
            let answer = traced(bytes, block, kind).await;
            assert!(answer["error"].is_null(), "{block}, {kind}: {answer:.300}");
            assert!(answer.to_string().len() as u64 <= 2 * bytes, "{block}, {kind}");
        }
    }
}
