//! Clients that try to exhaust a server's connections, time, memory or subscriptions. The server
//! rejects or closes each of them and keeps serving other clients.

use crate::support::{Server, Socket, post};
use enshrine_rpc::{RequestLimits, RunningServer, ServerConfig, codes};
use jsonrpsee::RpcModule;
use serde_json::{Value, json};
use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::sleep,
    time::Duration,
};
use testkit::Timeout;
use tokio::{net::TcpSocket, sync::Semaphore};

const SHORT: Duration = Duration::from_millis(300);
const HEAD: &str = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";

/// Semaphore that blocks calls until the test opens it.
struct Gate {
    begun: AtomicUsize,
    open: Semaphore,
}

fn echo() -> RpcModule<()> {
    let mut module = RpcModule::new(());
    let echo = |params: jsonrpsee::types::Params<'_>, _: &(), _: &jsonrpsee::Extensions| {
        params.parse::<Value>().unwrap_or_default()
    };
    module.register_method("echo", echo).unwrap();
    module
}

fn request(params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "echo", "params": params })
}

async fn started(config: ServerConfig) -> (RunningServer, SocketAddr) {
    let server = RunningServer::start(&ServerConfig { port: 0, ..config }, echo().into()).await;
    let server = server.unwrap();
    let address = server.addresses()[0];
    (server, address)
}

/// Runs blocking clients.
async fn clients<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(run).await.unwrap()
}

fn is_served(address: SocketAddr) -> bool {
    post(address, &request(&json!([7])))["result"] == json!([7])
}

/// Returns `true` if the server has closed the connection.
fn is_closed(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    match stream.read(&mut [0; 512]) {
        Ok(read) => read == 0,
        Err(error) => {
            !matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_clients_do_not_lock_out_others() {
    const PLACES: u32 = 8;
    let config = ServerConfig { max_connections: PLACES, ..ServerConfig::default() };
    let (_server, address) = started(config).await;
    clients(move || {
        let begin = |head: &str| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(head.as_bytes()).unwrap();
            stream
        };
        // Some send the head slowly, some the body, and some send nothing at all.
        let body = format!("{HEAD}Origin: x\r\nContent-Length: 100\r\n\r\n{{");
        let heads = ["POST / HT", body.as_str(), ""];
        let mut drippers: Vec<_> =
            heads.into_iter().cycle().take(5 * PLACES as usize).map(begin).collect();
        for _ in 0..20 {
            for dripper in &mut drippers {
                // The connection may already be closed.
                let _ = dripper.write_all(b"x");
            }
            assert!(is_served(address));
        }
        // Once all tasks have noticed, the open connections are at most the limit less the one that
        // the honest client used.
        let timeout = Timeout::begin();
        while drippers.iter_mut().filter_map(|one| (!is_closed(one)).then_some(())).count()
            >= PLACES as usize
        {
            assert!(timeout.lasts());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_request_times_out_but_fragmented_succeeds() {
    let config = ServerConfig { request_timeout: SHORT, ..ServerConfig::default() };
    let (_server, address) = started(config).await;
    let (_patient, untimed) = started(ServerConfig::default()).await;
    clients(move || {
        let body = format!("{HEAD}Content-Length: 60000\r\n\r\n");
        let of_full_server = format!("{HEAD}Origin: x\r\nContent-Length: 60000\r\n\r\n");
        for begun in ["", "POST / HTTP/1.1\r\nX: ", &body, &of_full_server] {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(begun.as_bytes()).unwrap();
            let timeout = Timeout::begin();
            // A client that sends nothing runs into the timeout of its first request.
            while !is_closed(&mut stream) {
                let drips = begun.is_empty() || stream.write_all(b" ").is_ok();
                assert!(timeout.lasts() || !drips, "{begun:?} is open");
            }
        }
        let whole = request(&json!([7])).to_string();
        for origin in ["", "Origin: x\r\n"] {
            let mut stream = TcpStream::connect(untimed).unwrap();
            let text = format!("{HEAD}{origin}Content-Length: {}\r\n\r\n{whole}", whole.len());
            for piece in text.as_bytes().chunks(40) {
                stream.write_all(piece).unwrap();
                sleep(Duration::from_millis(1));
            }
            assert_eq!(crate::support::read_http(&mut stream)["result"], json!([7]));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_time_between_requests_is_unlimited() {
    let config = ServerConfig { request_timeout: 5 * SHORT, ..ServerConfig::default() };
    let (_server, address) = started(config).await;
    clients(move || {
        let whole = request(&json!([7])).to_string();
        let mut plain = TcpStream::connect(address).unwrap();
        let mut full = TcpStream::connect(address).unwrap();
        let mut socket = Socket::connect(address).unwrap();
        for round in 0..2 {
            for (stream, origin) in [(&mut plain, ""), (&mut full, "Origin: x\r\n")] {
                let head = format!("{HEAD}{origin}Content-Length: {}\r\n\r\n", whole.len());
                stream.write_all(format!("{head}{whole}").as_bytes()).unwrap();
                assert_eq!(crate::support::read_http(stream)["result"], json!([7]));
            }
            socket.send(&request(&json!([7])));
            assert_eq!(socket.receive()["result"], json!([7]));
            if round == 0 {
                sleep(8 * SHORT);
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn excess_connection_is_rejected_while_others_work() {
    let config = ServerConfig { max_connections: 2, port: 0, ..ServerConfig::default() };
    let gate = Arc::new(Gate { begun: AtomicUsize::new(0), open: Semaphore::new(0) });
    let mut module = RpcModule::from_arc(Arc::clone(&gate));
    let slow = module.register_async_method("echo", |params, gate, _| async move {
        gate.begun.fetch_add(1, Ordering::SeqCst);
        gate.open.acquire().await.unwrap().forget();
        params.parse::<Value>().unwrap_or_default()
    });
    slow.unwrap();
    let server = RunningServer::start(&config, module.into()).await.unwrap();
    let address = server.addresses()[0];
    clients(move || {
        let whole = request(&json!([7])).to_string();
        let ask = |origin: &str| {
            let mut stream = TcpStream::connect(address).unwrap();
            let head = format!("{HEAD}{origin}Content-Length: {}\r\n\r\n", whole.len());
            // The server may have responded and closed the connection already.
            let _ = stream.write_all(format!("{head}{whole}").as_bytes());
            stream
        };
        let mut both = [ask(""), ask("Origin: x\r\n")];
        let timeout = Timeout::begin();
        while gate.begun.load(Ordering::SeqCst) < 2 {
            assert!(timeout.lasts());
        }
        let mut answer = [0; 512];
        let read = ask("").read(&mut answer).unwrap();
        assert!(answer[..read].starts_with(b"HTTP/1.1 429"));
        gate.open.add_permits(100);
        for stream in &mut both {
            assert_eq!(crate::support::read_http(stream)["result"], json!([7]));
        }
        assert!(is_served(address));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn address_at_its_limit_replaces_only_itself() {
    let config = ServerConfig { max_connections_per_address: 3, ..ServerConfig::default() };
    let (_server, address) = started(config).await;
    let from = |last: u8| async move {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((IpAddr::from(Ipv4Addr::new(127, 0, 0, last)), 0).into()).unwrap();
        let stream = socket.connect(address).await.unwrap().into_std().unwrap();
        stream.set_nonblocking(false).unwrap();
        stream
    };
    let mut other = from(2).await;
    let mut many = Vec::new();
    for _ in 0..9 {
        many.push(from(3).await);
    }
    clients(move || {
        let timeout = Timeout::begin();
        let open = |many: &mut Vec<TcpStream>| {
            many.iter_mut().map(|stream| !is_closed(stream)).filter(|open| *open).count()
        };
        while open(&mut many) > 3 {
            assert!(timeout.lasts());
        }
        assert_eq!(open(&mut many), 3);
        assert!(!is_closed(&mut other));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_websocket_is_closed_and_read_one_served() {
    let config = ServerConfig { max_queued: 64 << 10, ..ServerConfig::default() };
    let (_server, address) = started(config).await;
    clients(move || {
        let long = request(&json!(["x".repeat(32 << 10)]));
        let text = long.to_string();
        let mut deaf = Socket::connect(address).unwrap();
        let timeout = Timeout::begin();
        // The system's socket buffers hold additional bytes.
        while deaf.try_send(&text).is_ok() {
            assert!(timeout.lasts(), "the server still accepts requests");
        }
        let mut reader = Socket::connect(address).unwrap();
        for _ in 0..200 {
            reader.send(&long);
            assert_eq!(reader.receive()["result"], long["params"]);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn total_body_limit_closes_slowest_client() {
    let config = ServerConfig { max_held: 1 << 20, ..ServerConfig::default() };
    let (_server, address) = started(config).await;
    clients(move || {
        let part = vec![b' '; 300 << 10];
        let mut slow: Vec<_> = (0..8)
            .map(|_| {
                let mut stream = TcpStream::connect(address).unwrap();
                let head = format!("{HEAD}Content-Length: 10000000\r\n\r\n");
                stream.write_all(head.as_bytes()).unwrap();
                let _ = stream.write_all(&part);
                stream
            })
            .collect();
        let timeout = Timeout::begin();
        while slow.iter_mut().filter_map(|one| (!is_closed(one)).then_some(())).count() > 3 {
            assert!(timeout.lasts(), "more than 1 MiB is held");
        }
        assert!(is_served(address));
        let fits = request(&json!(["x".repeat(200 << 10)]));
        assert_eq!(post(address, &fits)["result"], fits["params"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscriptions_are_limited_per_connection_and_address() {
    // One address gets half of them.
    let node = Server::bounded(RequestLimits { subscriptions: 6, ..RequestLimits::default() });
    let config = ServerConfig { port: 0, max_subscriptions: 2, ..ServerConfig::default() };
    let server = RunningServer::start(&config, node.methods).await.unwrap();
    let address = server.addresses()[0];
    clients(move || {
        let ask = |socket: &mut Socket, method: &str, params: Value| {
            let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
            socket.send(&request);
            socket.receive()
        };
        let subscribe = |socket: &mut Socket| ask(socket, "eth_subscribe", json!(["newHeads"]));
        let (mut first, mut second) =
            (Socket::connect(address).unwrap(), Socket::connect(address).unwrap());
        let id = subscribe(&mut first)["result"].clone();
        assert!(id.is_string() && subscribe(&mut first)["result"].is_string());
        let refused = subscribe(&mut first);
        assert_eq!(refused["error"]["code"], -32_006, "{refused}");
        assert!(refused["error"]["data"].to_string().contains('2'), "{refused}");
        assert!(subscribe(&mut second)["result"].is_string());
        let refused = subscribe(&mut second);
        assert_eq!(refused["error"]["code"], codes::BUSY, "{refused}");
        assert_eq!(refused["error"]["data"], json!({ "got": 4, "limit": 3 }));
        // A subscription that ended frees a permit.
        let timeout = Timeout::begin();
        // The server sends the id before it registers the subscription.
        while ask(&mut first, "eth_unsubscribe", json!([id]))["result"] != true {
            assert!(timeout.lasts());
        }
        while !subscribe(&mut second)["result"].is_string() {
            assert!(timeout.lasts());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_2_is_refused_with_its_own_status() {
    let (_server, address) = started(ServerConfig::default()).await;
    clients(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 505"), "{answer}");
        assert!(is_served(address));
    })
    .await;
}
