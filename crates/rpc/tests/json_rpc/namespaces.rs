//! Namespaces: each transport serves and lists only its own.

use crate::support::{Server, Socket, post};
use enshrine_rpc::{Namespaces, RunningServer, ServeError, ServerConfig, codes};
use node::Mining;
use serde_json::{Value, json};
use std::net::SocketAddr;

fn config(http: &str, ws: &str) -> ServerConfig {
    ServerConfig {
        port: 0,
        http_api: http.parse().unwrap(),
        ws_api: ws.parse().unwrap(),
        ..ServerConfig::default()
    }
}

fn request(method: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": [] })
}

/// Responses over HTTP, in a batch, and over WebSocket.
async fn answers(address: SocketAddr, method: &'static str) -> [Value; 3] {
    let asking = tokio::task::spawn_blocking(move || {
        let alone = post(address, &request(method));
        let batch = post(address, &json!([request(method)]));
        let mut socket = Socket::connect(address).unwrap();
        socket.send(&request(method));
        [alone, batch[0].clone(), socket.receive()]
    });
    asking.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn transports_serve_only_their_namespaces() {
    let node = Server::new(Mining::Auto);
    let config = config("eth,net", "eth,txpool,debug");
    let server = RunningServer::start(&config, node.methods).await.unwrap();
    let address = server.addresses()[0];
    for answer in answers(address, "eth_chainId").await {
        assert_eq!(answer["result"], "0x1f8f");
    }
    let [alone, batch, socket] = answers(address, "txpool_status").await;
    for answer in [alone, batch] {
        let error = &answer["error"];
        assert_eq!(error["code"], codes::METHOD, "{answer}");
        assert!(error["message"].as_str().unwrap().contains("--http-api"), "{answer}");
        assert_eq!(error["data"], json!({ "got": "txpool", "expected": ["eth", "net", "rpc"] }));
    }
    assert_eq!(socket["result"]["pending"], "0x0", "{socket}");
    let [alone, _, socket] = answers(address, "net_version").await;
    assert_eq!(alone["result"], "8079");
    assert_eq!(socket["error"]["data"]["got"], "net", "{socket}");
    // An unknown method of a served namespace gets the usual error.
    assert_eq!(answers(address, "eth_nothing").await[0]["error"]["code"], codes::METHOD);
}

#[tokio::test(flavor = "multi_thread")]
async fn rpc_modules_lists_served_namespaces() {
    let node = Server::new(Mining::Auto);
    let config = config("eth", "all");
    let server = RunningServer::start(&config, node.methods).await.unwrap();
    let [alone, batch, socket] = answers(server.addresses()[0], "rpc_modules").await;
    assert_eq!(alone["result"], json!({ "eth": "1.0", "rpc": "1.0" }));
    assert_eq!(batch["result"], alone["result"]);
    for namespace in ["debug", "enshrine", "eth", "net", "rpc", "testing", "txpool", "web3"] {
        assert_eq!(socket["result"][namespace], "1.0", "{namespace}: {socket}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_namespace_is_rejected_at_startup() {
    let node = Server::new(Mining::Auto);
    let error = RunningServer::start(&config("eth,dbug", "all"), node.methods.clone()).await;
    let Err(ServeError::Namespace { flag, got, expected }) = error else { panic!("{error:?}") };
    assert_eq!((flag, got.as_str()), ("--http-api", "dbug"));
    assert!(expected.contains("debug,"), "{expected}");
    assert_eq!(Namespaces::default(), Namespaces::All);
    assert!(RunningServer::start(&config("eth,debug", "none"), node.methods).await.is_ok());
}
