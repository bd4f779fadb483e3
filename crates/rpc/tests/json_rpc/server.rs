//! Misbehaving clients: the server responds to each and keeps running.

use crate::support::Server;
use enshrine_rpc::{RunningServer, ServerConfig};
use node::Mining;
use serde_json::{Value, json};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const RETRY_TIMEOUT: Duration = Duration::from_secs(60);

async fn post(stream: &mut TcpStream, body: &[u8]) -> std::io::Result<String> {
    let head = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    read_answer(stream).await
}

/// Reads one response, delimited by its Content-Length.
async fn read_answer(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut answer = Vec::new();
    let mut chunk = vec![0; 64 << 10];
    loop {
        let got = timeout(RETRY_TIMEOUT, stream.read(&mut chunk)).await??;
        if got == 0 {
            break;
        }
        answer.extend_from_slice(&chunk[..got]);
        let text = String::from_utf8_lossy(&answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .lines()
            .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if length.is_some_and(|length: usize| body.len() >= length) {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn body(answer: &str) -> Value {
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    serde_json::from_str(body).unwrap_or(Value::Null)
}

async fn started(config: ServerConfig) -> (RunningServer, SocketAddr) {
    let server = Server::new(Mining::Auto);
    let config = ServerConfig { port: 0, ..config };
    let server = RunningServer::start(&config, server.methods).await.unwrap();
    let address = server.addresses()[0];
    (server, address)
}

/// Checks that the server still responds.
async fn assert_alive(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = br#"{"jsonrpc":"2.0","id":7,"method":"eth_chainId"}"#;
    let answer = body(&post(&mut stream, request).await.unwrap());
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
        let mut stream = TcpStream::connect(address).await.unwrap();
        let answer = post(&mut stream, request.as_bytes()).await.unwrap();
        assert_eq!(body(&answer)["error"]["code"], code, "{request}: {answer}");
    }
    let deep = "[".repeat(100_000);
    let mut stream = TcpStream::connect(address).await.unwrap();
    let answer = post(&mut stream, deep.as_bytes()).await.unwrap();
    assert!(answer.contains("error"), "{answer}");
    assert_alive(address).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn body_and_batch_limits_are_configurable() {
    let options = ServerConfig { max_body: 10 << 20, max_batch: 1_000, ..Default::default() };
    let (_server, address) = started(options).await;
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":null}"#;
    let batch = |count: usize| format!("[{}]", vec![call; count].join(","));

    let mut stream = TcpStream::connect(address).await.unwrap();
    let answer = body(&post(&mut stream, batch(1_000).as_bytes()).await.unwrap());
    assert_eq!(answer.as_array().map(Vec::len), Some(1_000));
    let answer = body(&post(&mut stream, batch(1_001).as_bytes()).await.unwrap());
    assert!(answer["error"]["code"].is_i64(), "{answer}");

    // 50 MB: the server may close the connection before all of it has been sent.
    let mut stream = TcpStream::connect(address).await.unwrap();
    let large = vec![b' '; 50 << 20];
    if let Ok(answer) = post(&mut stream, &large).await {
        assert!(!answer.contains("result"), "{answer}");
    }
    assert_alive(address).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn large_body_is_accepted_within_limit() {
    let (_server, address) =
        started(ServerConfig { max_body: 64 << 20, ..Default::default() }).await;
    let params = "ab".repeat(25 << 20);
    let request = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"eth_sendRawTransaction","params":["0x{params}"]}}"#
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    let answer = body(&post(&mut stream, request.as_bytes()).await.unwrap());
    assert_eq!(answer["error"]["code"], -32_602, "{answer}");
    assert_alive(address).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn thousand_concurrent_connections_are_served() {
    const CONNECTIONS: usize = 1_000;
    let (_server, address) = started(ServerConfig::default()).await;
    let mut open = Vec::new();
    for _ in 0..CONNECTIONS {
        open.push(TcpStream::connect(address).await.unwrap());
    }
    // Send all requests before reading any response, so that all connections are active at once.
    let request = r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}"#;
    for stream in &mut open {
        let head = format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{request}",
            request.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
    }
    for stream in &mut open {
        assert_eq!(body(&read_answer(stream).await.unwrap())["result"], "0x1f8f");
    }
    drop(open);
    assert_alive(address).await;
}
