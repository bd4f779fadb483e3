//! Requests over a WebSocket.

use super::tries;
use enshrine_client::{Client, ClientError, ClientOptions};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};
use tokio::{net::TcpStream, runtime::Builder};
use tokio_tungstenite::{accept_async, tungstenite::Message};

/// Reaction of the server to a request.
enum Reply {
    /// Responds with this result.
    Result(Value),
    /// Responds with this error.
    Error(i64, &'static str),
    /// Closes the connection.
    HangUp,
    /// Sends no response.
    Silence,
}

struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

impl Server {
    /// Creates a server that calls `reply` with the index of each request, counted over all
    /// connections.
    fn new(reply: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, requests) = (Arc::new(AtomicUsize::new(0)), Arc::default());
        let (accepted, counted) = (Arc::clone(&connections), Arc::clone(&requests));
        thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            for stream in listener.incoming() {
                accepted.fetch_add(1, Ordering::SeqCst);
                let stream = stream.unwrap();
                stream.set_nonblocking(true).unwrap();
                // Serves one connection at a time.
                runtime.block_on(serve(stream, &reply, &counted));
            }
        });
        Self { address, connections, requests }
    }

    fn client(&self, options: ClientOptions) -> Client {
        Client::new(&format!("ws://{}", self.address), options).unwrap()
    }

    /// Returns the number of connections and of requests so far.
    fn counts(&self) -> (usize, usize) {
        (self.connections.load(Ordering::SeqCst), self.requests.load(Ordering::SeqCst))
    }
}

async fn serve(
    stream: std::net::TcpStream,
    reply: impl Fn(usize) -> Reply,
    requests: &AtomicUsize,
) {
    let mut socket = accept_async(TcpStream::from_std(stream).unwrap()).await.unwrap();
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        let request: Value = serde_json::from_str(&text).unwrap();
        let id = &request["id"];
        let answer = match reply(requests.fetch_add(1, Ordering::SeqCst)) {
            Reply::Result(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
            Reply::Error(code, message) => {
                json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
            }
            Reply::HangUp => return,
            Reply::Silence => continue,
        };
        if socket.send(Message::text(answer.to_string())).await.is_err() {
            return;
        }
    }
}

fn ask(client: &Client) -> Result<Value, ClientError> {
    client.request("m", json!([1]))
}

#[test]
fn requests_share_connection_and_reopen_it() {
    let server = Server::new(|n| if n == 2 { Reply::HangUp } else { Reply::Result(json!(n)) });
    let client = server.client(ClientOptions::default());
    assert_eq!(server.counts(), (0, 0), "connects on the first request");
    assert_eq!((ask(&client).unwrap(), ask(&client).unwrap()), (json!(0), json!(1)));
    assert_eq!(server.counts(), (1, 2));
    let refused = ask(&client).unwrap_err().to_string();
    assert!(refused.contains("the connection ended"), "{refused}");
    assert_eq!(ask(&client).unwrap(), json!(3));
    assert_eq!(server.counts(), (2, 4), "a failed request is not resent");
}

#[test]
fn failures_and_rate_limits_are_retried() {
    let two_faults = |n| match n {
        0 => Reply::HangUp,
        1 => Reply::Error(429, "Too Many Requests"),
        _ => Reply::Result(json!("there")),
    };
    let server = Server::new(two_faults);
    assert_eq!(ask(&server.client(tries(3))).unwrap(), json!("there"));
    assert_eq!(server.counts(), (2, 3));
    let server = Server::new(two_faults);
    let refused = ask(&server.client(tries(2))).unwrap_err().to_string();
    assert!(refused.contains("Too Many Requests"), "{refused}");
    assert_eq!(server.counts(), (2, 2));
}

#[test]
fn websocket_error_is_returned_without_retry() {
    let server = Server::new(|_| Reply::Error(3, "execution reverted"));
    let refused = ask(&server.client(tries(3))).unwrap_err();
    let ClientError::Rpc(error) = &refused else { panic!("{refused:?}") };
    assert_eq!(error.as_error_resp().map(|error| error.code), Some(3));
    assert_eq!(server.counts(), (1, 1));
}

#[test]
fn websocket_response_size_limit_is_exact() {
    let bare = json!({"jsonrpc": "2.0", "id": 0, "result": ""}).to_string().len();
    let server = Server::new(|_| Reply::Result(json!("a".repeat(1000))));
    let with = |longest_answer| server.client(ClientOptions { longest_answer, ..tries(2) });
    assert_eq!(ask(&with(bare + 1000)).unwrap(), json!("a".repeat(1000)));
    let refused = ask(&with(bare + 999)).unwrap_err().to_string();
    assert!(refused.contains(&format!("longer than {} bytes", bare + 999)), "{refused}");
    assert_eq!(server.counts(), (3, 3), "the long response is requested twice, not forever");
}

#[test]
fn silent_connection_is_replaced() {
    let timeout = Duration::from_millis(300);
    let silent = Server::new(|_| Reply::Silence);
    let refused =
        ask(&silent.client(ClientOptions { timeout, ..tries(1) })).unwrap_err().to_string();
    assert!(refused.contains("no answer within 0.3 s"), "{refused}");
    let server = Server::new(|n| if n == 0 { Reply::Silence } else { Reply::Result(json!(n)) });
    // More attempts than necessary, in case the machine is slow.
    let answer = ask(&server.client(ClientOptions { timeout, ..tries(20) })).unwrap();
    assert!(answer.as_u64() >= Some(1), "{answer}");
    assert!(server.counts().0 >= 2, "{:?}", server.counts());
}

#[test]
fn refused_first_connection_fails_without_retry() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let options = ClientOptions { first_pause: Duration::from_secs(60), ..tries(3) };
    let client = Client::new(&format!("ws://{free}"), options).unwrap();
    let (told, tells) = std::sync::mpsc::channel();
    thread::spawn(move || told.send(ask(&client)));
    let refused = tells.recv_timeout(Duration::from_secs(8)).expect("an answer");
    assert!(matches!(refused, Err(ClientError::Rpc(_))), "{refused:?}");
}

#[test]
fn websocket_rejects_plain_http_requests() {
    let client = Client::new("ws://localhost", ClientOptions::default()).unwrap();
    assert!(matches!(client.get("/eth/v1/beacon/genesis", None), Err(ClientError::NoPages(_))));
    assert!(matches!(client.post("{}"), Err(ClientError::NoPages(_))));
}

#[test]
fn only_transient_handshake_failures_are_retried() {
    for (status, expected) in [("429 Too Many Requests", 2), ("503 Busy", 2), ("401 No", 1)] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = format!("ws://{}", listener.local_addr().unwrap());
        let client = Client::new(&client, tries(2)).unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                let mut head = [0; 1_024];
                let _ = stream.read(&mut head);
                let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
            }
        });
        let refused = ask(&client).unwrap_err().to_string();
        assert!(refused.contains(&status[..3]), "{refused}");
        assert_eq!(asked.load(Ordering::SeqCst), expected, "{status}");
    }
}
