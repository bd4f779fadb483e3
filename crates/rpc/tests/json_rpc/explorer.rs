//! Methods for block explorers.

use crate::support::{BOB, Server, raw};
use enshrine_rpc::{
    Api, ErrorStyle, RequestLimits, RpcOptions, WorkerOptions, Workers, codes, explorer,
};
use jsonrpsee::Methods;
use node::Mining;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

/// Returns the methods over the node of a server.
fn methods(server: &Server, limits: RequestLimits) -> Methods {
    let api = Api::new(Arc::clone(&server.node), RpcOptions { limits, ..RpcOptions::default() });
    let workers = Arc::new(Workers::new(&WorkerOptions::default()));
    explorer::methods(api, workers, ErrorStyle::Geth)
}

async fn ask(methods: &Methods, method: &str, params: Value) -> Value {
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let (raw, _) = methods.raw_json_request(&request.to_string(), 1).await.unwrap();
    serde_json::from_str(raw.get()).unwrap()
}

#[tokio::test]
async fn documentation_lists_exactly_the_explorer_methods() {
    let document = include_str!("../../../../docs/methods.md");
    let (_, section) = document.split_once("## For block explorers\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let (_, table) = section.split_once("|---|---|\n").unwrap();
    let mut listed: Vec<_> = table.split('`').skip(1).step_by(2).collect();
    let methods = methods(&Server::new(Mining::Auto), RequestLimits::default());
    let mut known: Vec<_> = methods.method_names().collect();
    listed.sort_unstable();
    known.sort_unstable();
    assert_eq!(listed, known);
}

#[tokio::test]
async fn searches_end_at_their_time_limit() {
    let server = Server::new(Mining::Auto);
    server.ask("eth_sendRawTransaction", json!([raw(0, BOB, vec![])])).await;
    let alice = testkit::Key::named("alice").address();
    let whole = methods(&server, RequestLimits::default());
    let limits = RequestLimits { trace_time: Duration::ZERO, ..RequestLimits::default() };
    let short = methods(&server, limits);
    for (method, params) in [
        ("ots_searchTransactionsBefore", json!([BOB, 0, 25])),
        ("ots_searchTransactionsAfter", json!([BOB, 0, 25])),
        ("ots_getTransactionBySenderAndNonce", json!([alice, 0])),
        ("ots_getContractCreator", json!([BOB])),
    ] {
        assert!(ask(&whole, method, params.clone()).await["error"].is_null(), "{method}");
        let error = &ask(&short, method, params).await["error"];
        assert_eq!(error["code"], codes::BUSY, "{method}: {error}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("the search ended at block"), "{method}: {message}");
    }
}
