//! The server over real sockets, with a small test module.

use crate::support::Socket;
use enshrine_rpc::{Health, Pages, RunningServer, ServeError, ServerConfig, allow_open_files};
use jsonrpsee::{RpcModule, core::to_json_raw_value, types::error::TOO_BIG_BATCH_REQUEST_CODE};
use serde_json::{Value, json};
use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    sync::Arc,
    time::Duration,
};
use testkit::send_http;

fn module() -> RpcModule<()> {
    let mut module = RpcModule::new(());
    module
        .register_method("echo", |params, _, _| params.parse::<Value>().unwrap_or_default())
        .unwrap();
    module
        .register_subscription("sub", "note", "unsub", |_, pending, _, _| async {
            let sink = pending.accept().await?;
            sink.send(to_json_raw_value(&"noted")?).await?;
            sink.closed().await;
            Ok(())
        })
        .unwrap();
    module
}

fn config() -> ServerConfig {
    let mut config = ServerConfig { port: 0, max_body: 10_000, ..ServerConfig::default() };
    config.access.hosts.push("x".to_owned());
    config
}

/// Returns the status line, headers and body of the response to a request.
fn http(address: SocketAddr, method: &str, body: &str) -> String {
    let cors = "origin: http://here\r\naccess-control-request-method: POST";
    testkit::http(address, &format!("{method} / HTTP/1.1\r\n{cors}"), body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn http_serves_batches_and_rejects_large_bodies() {
    let server = RunningServer::start(&config(), module().into()).await.unwrap();
    let address = server.addresses()[0];
    let request = r#"{"jsonrpc":"2.0","id":1,"method":"echo","params":[7]}"#;
    let answer = http(address, "POST", request);
    assert!(answer.ends_with(r#"{"jsonrpc":"2.0","id":1,"result":[7]}"#), "{answer}");
    assert!(answer.contains("access-control-allow-origin: *"));
    let answer = http(address, "POST", &format!("[{request},{request}]"));
    assert_eq!(answer.matches("\"result\":[7]").count(), 2);
    assert!(http(address, "POST", "{").contains("-32700"));
    assert!(http(address, "POST", "[]").contains("-32600"));
    let large = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"echo","params":["{}"]}}"#,
        "a".repeat(20_000)
    );
    assert!(!http(address, "POST", &large).contains("result"));
    assert!(http(address, "POST", request).contains("[7]"));
    assert!(http(address, "OPTIONS", "").contains("access-control-allow-methods"));
    server.stop().await;
    assert!(TcpStream::connect(address).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn occupied_port_error_names_address() {
    let server = RunningServer::start(&config(), module().into()).await.unwrap();
    let taken = ServerConfig { port: server.addresses()[0].port(), ..config() };
    let error = RunningServer::start(&taken, module().into()).await.unwrap_err();
    assert!(
        matches!(error, ServeError::Address { address, .. } if address == server.addresses()[0])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn cors_headers_follow_the_configuration() {
    for (allowed, status, expected) in [
        (None, "403", None),
        (Some("http://there"), "403", None),
        (Some("http://here"), "200", Some("http://here")),
    ] {
        let mut config = config();
        config.access.origin = allowed.map(str::to_owned);
        let server = RunningServer::start(&config, module().into()).await.unwrap();
        let answer = http(server.addresses()[0], "POST", "{}");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        let found =
            answer.lines().find_map(|line| line.strip_prefix("access-control-allow-origin: "));
        assert_eq!(found, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ipc_serves_subscriptions_and_removes_its_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.ipc");
    let config = ServerConfig { ipc: Some(path.clone()), ..config() };
    let server = RunningServer::start(&config, module().into()).await.unwrap();
    let socket = path.clone();
    tokio::task::spawn_blocking(move || {
        let mut stream = UnixStream::connect(socket).unwrap();
        let reading = stream.try_clone().unwrap();
        let mut answers = serde_json::Deserializer::from_reader(reading).into_iter::<Value>();
        // Sent in two parts, as a socket may deliver them.
        stream.write_all(br#"{"jsonrpc":"2.0","id":1,"meth"#).unwrap();
        stream.write_all(br#"od":"echo","params":[1]}"#).unwrap();
        assert_eq!(answers.next().unwrap().unwrap()["result"], json!([1]));
        stream.write_all(br#"[{"jsonrpc":"2.0","id":2,"method":"echo","params":[2]}]"#).unwrap();
        assert_eq!(answers.next().unwrap().unwrap()[0]["result"], json!([2]));
        stream.write_all(br#"{"jsonrpc":"2.0","id":3,"method":"sub","params":[]}"#).unwrap();
        let two = [answers.next().unwrap().unwrap(), answers.next().unwrap().unwrap()];
        assert!(two.iter().any(|value| value["params"]["result"] == json!("noted")), "{two:?}");
        assert!(two.iter().any(|value| value["id"] == json!(3)), "{two:?}");
        stream.write_all(b"nonsense").unwrap();
        assert_eq!(answers.next().unwrap().unwrap()["error"]["code"], json!(-32700));
    })
    .await
    .unwrap();
    server.stop().await;
    assert!(!path.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_owner_may_connect_over_ipc() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.ipc");
    let config = ServerConfig { ipc: Some(path.clone()), ..config() };
    let server = RunningServer::start(&config, module().into()).await.unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    server.stop().await;
}

/// Connects to the IPC socket of a server with batches of at most two requests, and sends each text.
/// Returns the responses.
async fn ipc_responses<const N: usize>(sent: [String; N]) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.ipc");
    let config = ServerConfig { ipc: Some(path.clone()), max_batch: 2, ..config() };
    let server = RunningServer::start(&config, module().into()).await.unwrap();
    let asking = tokio::task::spawn_blocking(move || {
        let mut stream = UnixStream::connect(path).unwrap();
        let reading = stream.try_clone().unwrap();
        let mut answers = serde_json::Deserializer::from_reader(reading).into_iter::<Value>();
        let ask = |text: &String| {
            stream.write_all(text.as_bytes()).unwrap();
            answers.next().unwrap().unwrap()
        };
        sent.iter().map(ask).collect()
    });
    let answers = asking.await.unwrap();
    server.stop().await;
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn ipc_connection_survives_values_other_than_requests() {
    let answers =
        ipc_responses(["12 ", "\"{\"", "true\n", "null ", REQUEST].map(str::to_owned)).await;
    let (valid, invalid) = answers.split_last().unwrap();
    for answer in invalid {
        assert_eq!(answer["error"]["code"], json!(-32600), "{answer}");
    }
    assert_eq!(valid["result"], json!([7]));
}

#[tokio::test(flavor = "multi_thread")]
async fn ipc_batch_length_is_limited() {
    let batches = [3, 2].map(|count| format!("[{}]", vec![REQUEST; count].join(",")));
    let answers = ipc_responses(batches).await;
    assert_eq!(answers[0]["error"]["code"], json!(TOO_BIG_BATCH_REQUEST_CODE), "{}", answers[0]);
    assert_eq!(answers[1].as_array().map(Vec::len), Some(2));
}

const REQUEST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"echo","params":[7]}"#;

/// Sends a request over a keep-alive connection.
fn send(stream: &mut TcpStream) {
    let head = "POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    // The server may have responded and closed the connection already.
    let request = format!("{head}content-length: {}\r\n\r\n{REQUEST}", REQUEST.len());
    let _ = stream.write_all(request.as_bytes());
}

/// Sends a request over a keep-alive connection and returns the first response.
fn ask(stream: &mut TcpStream) -> String {
    send(stream);
    receive(stream)
}

fn receive(stream: &mut TcpStream) -> String {
    let mut answer = [0; 1024];
    let read = stream.read(&mut answer).unwrap();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn connection_limit_closes_least_recently_used() {
    let config = ServerConfig { max_connections: 3, ..config() };
    let server = RunningServer::start(&config, module().into()).await.unwrap();
    let connect = || TcpStream::connect(server.addresses()[0]).unwrap();
    // The server runs connections on several threads and marks one as idle after writing its
    // response, so wait until its order of events matches this test's.
    let settled = || tokio::time::sleep(Duration::from_millis(500));
    // One connection sends nothing, one is idle after a request, one was upgraded to a WebSocket.
    let silent = connect();
    settled().await;
    let mut idle = connect();
    assert!(ask(&mut idle).contains("\"result\":[7]"));
    settled().await;
    let Socket(upgraded) = Socket::connect(server.addresses()[0]).unwrap();
    settled().await;

    // Each counts as one connection, and they are closed in the order of their last use.
    for mut gone in [silent, idle, upgraded] {
        let mut next = connect();
        assert!(ask(&mut next).contains("\"result\":[7]"));
        // If the server had closed another connection, this read would block without a timeout.
        gone.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let read = gone.read(&mut [0; 64]).map_err(|error| error.kind());
        assert!(matches!(read, Ok(0) | Err(ErrorKind::ConnectionReset)), "{read:?}");
        std::mem::forget(next);
        settled().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_thousand_open_connections_are_served() {
    allow_open_files();
    let server = RunningServer::start(&config(), module().into()).await.unwrap();
    let address = server.addresses()[0];
    let mut open: Vec<_> = (0..1_200).map(|_| TcpStream::connect(address).unwrap()).collect();
    for _ in 0..2 {
        // All connections are active at once.
        open.iter_mut().for_each(send);
        for stream in &mut open {
            assert!(receive(stream).ends_with("\"result\":[7]}"));
        }
    }
}

/// Health check whose page has this many bytes, without the quotes.
#[derive(Debug)]
struct LongPage(usize);

impl Health for LongPage {
    fn health(&self) -> (bool, Value) {
        (true, "x".repeat(self.0).into())
    }
}

/// Starts a server with a page of this many bytes.
async fn with_page(bytes: usize, config: ServerConfig) -> RunningServer {
    let pages = Pages {
        name: "a node".to_owned(),
        telemetry: Arc::default(),
        health: Arc::new(LongPage(bytes - 2)),
        more: None,
    };
    RunningServer::start_with_pages(&config, module().into(), Some(pages)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn unread_pages_count_against_held_bytes() {
    // Much more than the buffers of a socket.
    const PAGE: usize = 32 << 20;
    let server = with_page(PAGE, ServerConfig { max_held: 3 * PAGE, ..config() }).await;
    let address = server.addresses()[0];
    let request = || send_http(address, "GET /health HTTP/1.1", "").unwrap();
    let mut first = request();
    let unread: Vec<_> = (0..8)
        .map(|_| {
            let stream = request();
            // The first bytes arrive once the page is queued.
            stream.peek(&mut [0]).unwrap();
            stream
        })
        .collect();
    let mut answer = Vec::new();
    // A closed connection may be reset.
    let _ = first.read_to_end(&mut answer);
    assert!(answer.len() < PAGE, "the connection that waits for longest is closed");
    drop(unread);
    for _ in 0..8 {
        let answer = testkit::http(address, "GET /health HTTP/1.1", "").unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.len() > PAGE);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_beyond_response_limit_are_rejected() {
    for (bytes, status) in [(1_000, 200), (1_001, 500)] {
        let server = with_page(bytes, ServerConfig { max_response: 1_000, ..config() }).await;
        let head = "GET /health HTTP/1.1";
        let answer = testkit::http(server.addresses()[0], head, "").unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        let says = "the page has 1001 bytes, expected at most 1000";
        assert_eq!(answer.ends_with(says), status == 500, "{answer}");
        server.stop().await;
    }
}
