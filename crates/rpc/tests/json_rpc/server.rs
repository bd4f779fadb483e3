//! Misbehaving clients: the server responds to each and keeps running.

use crate::support::{Server, post, read_http, try_read_http, try_send};
use enshrine_rpc::{RunningServer, ServerConfig};
use node::Mining;
use serde_json::{Value, json};
use std::net::SocketAddr;

async fn started(config: ServerConfig) -> (RunningServer, SocketAddr) {
    let server = Server::new(Mining::Auto);
    let config = ServerConfig { port: 0, ..config };
    let server = RunningServer::start(&config, server.methods).await.unwrap();
    let address = server.addresses()[0];
    (server, address)
}

/// Posts any body over a new connection and returns the response.
fn post_text(address: SocketAddr, body: &str) -> Value {
    read_http(&mut try_send(address, body).unwrap())
}

/// Checks that the server still responds.
fn assert_alive(address: SocketAddr) {
    let answer = post(address, &json!({ "jsonrpc": "2.0", "id": 7, "method": "eth_chainId" }));
    assert_eq!(answer, json!({ "jsonrpc": "2.0", "id": 7, "result": "0x1f8f" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_get_specific_errors() {
    let (_server, address) = started(ServerConfig::default()).await;
    for (request, code) in [
        ("{", -32_700),
        ("nonsense", -32_700),
        ("{}", -32_700),
        ("[]", -32_600),
        (r#"{"jsonrpc":"2.0","id":1}"#, -32_600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"eth_nothing"}"#, -32_601),
        (r#"{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":7}"#, -32_602),
        (r#"{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":[[[[[1]]]]]}"#, -32_602),
    ] {
        let answer = post_text(address, request);
        assert_eq!(answer["error"]["code"], code, "{request}: {answer}");
    }
    let answer = post_text(address, &"[".repeat(100_000));
    assert!(answer.get("error").is_some(), "{answer}");
    assert_alive(address);
}

#[tokio::test(flavor = "multi_thread")]
async fn body_and_batch_limits_are_configurable() {
    let options = ServerConfig { max_body: 10 << 20, max_batch: 1_000, ..Default::default() };
    let (_server, address) = started(options).await;
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":null}"#;
    let batch = |count: usize| format!("[{}]", vec![call; count].join(","));
    let answer = post_text(address, &batch(1_000));
    assert_eq!(answer.as_array().map(Vec::len), Some(1_000));
    let answer = post_text(address, &batch(1_001));
    assert!(answer["error"]["code"].is_i64(), "{answer}");

    // 50 MB: the server may close the connection before all of it has been sent.
    if let Ok(mut stream) = try_send(address, &" ".repeat(50 << 20))
        && let Ok(answer) = try_read_http(&mut stream)
    {
        assert!(answer.get("result").is_none(), "{answer}");
    }
    assert_alive(address);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn large_body_is_accepted_within_limit() {
    let (_server, address) =
        started(ServerConfig { max_body: 64 << 20, ..Default::default() }).await;
    let params = "ab".repeat(25 << 20);
    let request = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"eth_sendRawTransaction","params":["0x{params}"]}}"#
    );
    let answer = post_text(address, &request);
    assert_eq!(answer["error"]["code"], -32_602, "{answer}");
    assert_alive(address);
}
