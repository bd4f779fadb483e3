//! Over a WebSocket.

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
    /// Answers with this result.
    Result(Value),
    /// Answers with this error.
    Error(i64, &'static str),
    /// Hangs up.
    HangUp,
    /// Says nothing.
    Silence,
}

struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

impl Server {
    /// A server that asks `reply` what to do with the n-th request, counted from zero over all
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
                // One connection after another.
                runtime.block_on(serve(stream, &reply, &counted));
            }
        });
        Self { address, connections, requests }
    }

    fn client(&self, options: ClientOptions) -> Client {
        Client::new(&format!("ws://{}", self.address), options).unwrap()
    }

    /// Connections and requests so far.
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
fn requests_share_a_connection_and_the_next_one_after_its_end_makes_another() {
    let server = Server::new(|n| if n == 2 { Reply::HangUp } else { Reply::Result(json!(n)) });
    let client = server.client(ClientOptions::default());
    assert_eq!(server.counts(), (0, 0), "nothing is sent before it is asked");
    assert_eq!((ask(&client).unwrap(), ask(&client).unwrap()), (json!(0), json!(1)));
    assert_eq!(server.counts(), (1, 2));
    let refused = ask(&client).unwrap_err().to_string();
    assert!(refused.contains("the connection ended"), "{refused}");
    assert_eq!(ask(&client).unwrap(), json!(3));
    assert_eq!(server.counts(), (2, 4), "what has failed is not sent again by itself");
}

#[test]
fn what_fails_on_its_way_or_meets_a_busy_node_is_tried_as_often_as_asked_and_no_oftener() {
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
fn the_error_of_the_node_comes_through_and_is_not_asked_for_again() {
    let server = Server::new(|_| Reply::Error(3, "execution reverted"));
    let refused = ask(&server.client(tries(3))).unwrap_err();
    let ClientError::Rpc(error) = &refused else { panic!("{refused:?}") };
    assert_eq!(error.as_error_resp().map(|error| error.code), Some(3));
    assert_eq!(server.counts(), (1, 1));
}

#[test]
fn an_answer_of_the_length_that_is_allowed_is_read_and_a_longer_one_is_not() {
    let bare = json!({"jsonrpc": "2.0", "id": 0, "result": ""}).to_string().len();
    let server = Server::new(|_| Reply::Result(json!("a".repeat(1000))));
    let with = |longest_answer| server.client(ClientOptions { longest_answer, ..tries(2) });
    assert_eq!(ask(&with(bare + 1000)).unwrap(), json!("a".repeat(1000)));
    let refused = ask(&with(bare + 999)).unwrap_err().to_string();
    assert!(refused.contains(&format!("longer than {} bytes", bare + 999)), "{refused}");
    assert_eq!(server.counts(), (3, 3), "it is asked for twice, and not without end");
}

#[test]
fn a_connection_over_which_nothing_is_said_is_given_up_for_another() {
    let timeout = Duration::from_millis(300);
    let silent = Server::new(|_| Reply::Silence);
    let refused =
        ask(&silent.client(ClientOptions { timeout, ..tries(1) })).unwrap_err().to_string();
    assert!(refused.contains("no answer within 0.3 s"), "{refused}");
    let server = Server::new(|n| if n == 0 { Reply::Silence } else { Reply::Result(json!(n)) });
    // More often than it takes, in case this machine is slow.
    let answer = ask(&server.client(ClientOptions { timeout, ..tries(20) })).unwrap();
    assert!(answer.as_u64() >= Some(1), "{answer}");
    assert!(server.counts().0 >= 2, "{:?}", server.counts());
}

#[test]
fn a_client_does_not_wait_where_nothing_has_ever_listened() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let options = ClientOptions { first_pause: Duration::from_secs(60), ..tries(3) };
    let client = Client::new(&format!("ws://{free}"), options).unwrap();
    let (told, tells) = std::sync::mpsc::channel();
    thread::spawn(move || told.send(ask(&client)));
    let refused = tells.recv_timeout(Duration::from_secs(8)).expect("an answer");
    assert!(matches!(refused, Err(ClientError::Rpc(_))), "{refused:?}");
}

#[test]
fn pages_are_not_had_over_a_websocket() {
    let client = Client::new("ws://localhost", ClientOptions::default()).unwrap();
    assert!(matches!(client.get("/eth/v1/beacon/genesis", None), Err(ClientError::NoPages(_))));
    assert!(matches!(client.post("{}"), Err(ClientError::NoPages(_))));
}

#[test]
fn a_handshake_that_a_busy_server_refuses_is_tried_again_and_one_that_is_forbidden_is_not() {
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
