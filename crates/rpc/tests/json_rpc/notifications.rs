//! Requests without an id, which are executed but not answered, and requests with an invalid id.

use crate::support::{Socket, post, read_http};
use enshrine_rpc::{RunningServer, ServerConfig};
use jsonrpsee::{RpcModule, core::to_json_raw_value};
use serde_json::{Value, json};
use std::{
    io::Write as _,
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use testkit::{Timeout, http};
use tokio::sync::Semaphore;

/// Number of `add` calls that have begun and ended, and the semaphore at which they wait.
struct Calls {
    begun: AtomicUsize,
    done: AtomicUsize,
    gate: Semaphore,
}

impl Calls {
    fn done(&self) -> usize {
        self.done.load(Ordering::SeqCst)
    }

    fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }
}

fn module(gate: usize) -> (RpcModule<Arc<Calls>>, Arc<Calls>) {
    let calls = Calls {
        begun: AtomicUsize::default(),
        done: AtomicUsize::default(),
        gate: Semaphore::new(gate),
    };
    let calls = Arc::new(calls);
    let mut module = RpcModule::new(Arc::clone(&calls));
    module
        .register_async_method("add", |_, calls, _| async move {
            calls.begun.fetch_add(1, Ordering::SeqCst);
            let _open = calls.gate.acquire().await;
            calls.done.fetch_add(1, Ordering::SeqCst) + 1
        })
        .unwrap();
    module
        .register_subscription("sub", "note", "unsub", |_, pending, _, _| async {
            let sink = pending.accept().await?;
            sink.send(to_json_raw_value(&"noted")?).await?;
            sink.closed().await;
            Ok(())
        })
        .unwrap();
    (module, calls)
}

async fn started(config: ServerConfig, gate: usize) -> (RunningServer, SocketAddr, Arc<Calls>) {
    let (module, calls) = module(gate);
    let server = RunningServer::start(&ServerConfig { port: 0, ..config }, module.into()).await;
    let server = server.unwrap();
    let address = server.addresses()[0];
    (server, address, calls)
}

/// Runs a blocking client.
async fn client<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(run).await.unwrap()
}

fn notification() -> Value {
    json!({ "jsonrpc": "2.0", "method": "add", "params": [] })
}

fn request(id: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": "add", "params": [] })
}

fn invalid() -> Value {
    let error = json!({ "code": -32600, "message": "Invalid request" });
    json!({ "jsonrpc": "2.0", "id": null, "error": error })
}

/// Status line and body of the response to a posted body.
fn raw_post(address: SocketAddr, body: &Value) -> (String, String) {
    let answer = http(address, "POST / HTTP/1.1", &body.to_string()).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_notification_gets_an_empty_body() {
    let (_server, address, calls) = started(ServerConfig::default(), 100).await;
    client(move || {
        let empty = ("HTTP/1.1 200 OK".to_owned(), String::new());
        assert_eq!(raw_post(address, &notification()), empty);
        assert_eq!(calls.done(), 1);
        assert_eq!(raw_post(address, &json!([notification(), notification()])), empty);
        assert_eq!(calls.done(), 3);
        let unknown = json!({ "jsonrpc": "2.0", "method": "nothing" });
        assert_eq!(raw_post(address, &unknown), empty);

        let batch = json!([notification(), request(&json!(7)), notification()]);
        let answer = post(address, &batch);
        assert_eq!(answer, json!([{ "jsonrpc": "2.0", "id": 7, "result": 5 }]));
        assert_eq!(calls.done(), 6);

        // The connection stays open for further requests.
        let mut stream = TcpStream::connect(address).unwrap();
        let head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
        for body in [notification(), request(&json!("a"))].map(|body| body.to_string()) {
            write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
            let expected = if body.contains("id") { json!(8) } else { Value::Null };
            assert_eq!(read_http(&mut stream)["result"], expected);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_with_invalid_ids_are_not_executed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.ipc");
    let config = ServerConfig { ipc: Some(path.clone()), ..ServerConfig::default() };
    let (_server, address, calls) = started(config, 100).await;
    client(move || {
        let mut ipc = UnixStream::connect(path).unwrap();
        let reading = ipc.try_clone().unwrap();
        let mut answers = serde_json::Deserializer::from_reader(reading).into_iter::<Value>();
        for id in [json!(1.5), json!(true), json!([]), json!({}), json!(-1)] {
            let request = request(&id);
            assert_eq!(post(address, &request), invalid(), "{id}");
            let mut socket = Socket::connect(address).unwrap();
            socket.send(&request);
            assert_eq!(socket.receive(), invalid(), "{id}");
            write!(ipc, "{request}").unwrap();
            assert_eq!(answers.next().unwrap().unwrap(), invalid(), "{id}");
        }
        assert_eq!(calls.begun(), 0);
        // A notification in the same batch is still executed.
        let batch = json!([request(&json!(1.5)), notification(), request(&json!(true))]);
        assert_eq!(post(address, &batch), json!([invalid(), invalid()]));
        assert_eq!(calls.done(), 1);

        for (index, id) in [json!(3), json!("1.5"), json!(null)].into_iter().enumerate() {
            let answer = json!({ "jsonrpc": "2.0", "id": id, "result": 2 * index + 2 });
            assert_eq!(post(address, &request(&id)), answer);
            write!(ipc, "{}", request(&id)).unwrap();
            assert_eq!(answers.next().unwrap().unwrap()["id"], id);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn websocket_and_ipc_notifications_get_no_frame() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.ipc");
    let config = ServerConfig { ipc: Some(path.clone()), ..ServerConfig::default() };
    let (_server, address, calls) = started(config, 100).await;
    client(move || {
        let subscription = json!({ "jsonrpc": "2.0", "method": "sub", "params": [] });
        let sent = [notification(), json!([notification(), notification()]), subscription];
        let done = |count: usize| {
            let timeout = Timeout::begin();
            while calls.done() < count {
                assert!(timeout.lasts(), "{} calls", calls.done());
            }
        };
        let mut socket = Socket::connect(address).unwrap();
        sent.iter().for_each(|sent| socket.send(sent));
        done(3);
        socket.send(&request(&json!(1)));
        assert_eq!(socket.receive(), json!({ "jsonrpc": "2.0", "id": 1, "result": 4 }));

        let mut ipc = UnixStream::connect(path).unwrap();
        let reading = ipc.try_clone().unwrap();
        let mut answers = serde_json::Deserializer::from_reader(reading).into_iter::<Value>();
        sent.iter().for_each(|sent| write!(ipc, "{sent}").unwrap());
        done(7);
        write!(ipc, "{}", request(&json!(1))).unwrap();
        let answer = answers.next().unwrap().unwrap();
        assert_eq!(answer, json!({ "jsonrpc": "2.0", "id": 1, "result": 8 }));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notification_flood_is_bounded() {
    /// The server's maximum number of concurrent requests per WebSocket.
    const AT_ONCE: usize = 32;
    const SENT: usize = 500;
    let (_server, address, calls) = started(ServerConfig::default(), 0).await;
    let held = Arc::clone(&calls);
    let most = client(move || {
        let mut flood = Socket::connect(address).unwrap();
        // Long enough that one read of the server returns only a few.
        let long = json!({ "jsonrpc": "2.0", "method": "add", "params": ["x".repeat(4_000)] });
        (0..SENT).for_each(|_| flood.send(&long));
        // Another client's later request is executed in the meantime.
        let timeout = Timeout::begin();
        while held.begun() < AT_ONCE {
            assert!(timeout.lasts(), "{} calls", held.begun());
        }
        let mut other = Socket::connect(address).unwrap();
        other.send(&json!({ "jsonrpc": "2.0", "id": 1, "method": "unknown" }));
        assert_eq!(other.receive()["error"]["code"], -32601);
        let most = held.begun();
        held.gate.add_permits(1);
        let timeout = Timeout::begin();
        while held.done() < SENT {
            assert!(timeout.lasts(), "{} calls", held.done());
        }
        most
    })
    .await;
    // A single read may return several messages, which then start together.
    assert!((AT_ONCE..SENT / 2).contains(&most), "{most} at once");
    assert_eq!(calls.done(), SENT);
}
