//! Requests over HTTP.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::tries;
use alloy_json_rpc::RpcError;
use alloy_provider::Provider as _;
use core::error::Error as _;
use enshrine_client::{Client, ClientError, ClientOptions, Excerpt, HttpError, Rotation};
use serde_json::{Value, json};

/// Reaction of the server to a request.
enum Reply {
    /// Responds with this status and body.
    Answer(u16, String),
    /// Responds with status 429 and this `Retry-After`, in seconds.
    Later(u64),
    /// Closes the connection.
    HangUp,
    /// Sends nothing until the client disconnects.
    Silence,
}

struct Server {
    url: String,
    requests: Arc<AtomicUsize>,
}

impl Server {
    /// Creates a server that calls `reply` with the index and the body of each request.
    fn new(reply: impl Fn(usize, &Value) -> Reply + Send + 'static) -> Self {
        Self::that_reads_headers(move |n, _, body| reply(n, body))
    }

    /// Creates a server whose `reply` also receives the header lines, in lower case.
    fn that_reads_headers(
        reply: impl Fn(usize, &[String], &Value) -> Reply + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.unwrap(), |head, body| {
                    reply(count.fetch_add(1, Ordering::SeqCst), head, body)
                });
            }
        });
        Self { url, requests }
    }

    fn client(&self, options: ClientOptions) -> Client {
        Client::new(&self.url, options).unwrap()
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn serve(mut stream: TcpStream, reply: impl FnOnce(&[String], &Value) -> Reply) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut head, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let line = line.trim().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
        head.push(line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let mut answer = |status: u16, more: &str, text: &str| {
        let length = text.len();
        let head = format!(
            "HTTP/1.1 {status} x\r\ncontent-length: {length}\r\n{more}connection: close\r\n\r\n"
        );
        // The client may have disconnected after the part that it needed.
        let _ = stream.write_all((head + text).as_bytes());
    };
    match reply(&head, &serde_json::from_slice(&body).unwrap_or_default()) {
        Reply::Answer(status, text) => answer(status, "", &text),
        Reply::Later(seconds) => answer(429, &format!("retry-after: {seconds}\r\n"), "{}"),
        Reply::HangUp => {}
        Reply::Silence => {
            let _ = reader.read(&mut [0]);
        }
    }
}

fn result(request: &Value, result: &Value) -> Reply {
    let answer = json!({ "jsonrpc": "2.0", "id": request["id"], "result": result });
    Reply::Answer(200, answer.to_string())
}

#[test]
fn request_sends_parameters_and_returns_typed_result() {
    let server = Server::new(|_, request| {
        assert_eq!((&request["method"], &request["params"]), (&json!("m"), &json!([1, "a"])));
        result(request, &json!([7, null]))
    });
    let answer: (u64, Option<u64>) =
        server.client(ClientOptions::default()).request("m", (1, "a")).unwrap();
    assert_eq!(answer, (7, None));
}

#[test]
fn unit_parameters_become_empty_list() {
    let server = Server::new(|_, request| result(request, &request["params"]));
    let params: Value = server.client(ClientOptions::default()).request("m", ()).unwrap();
    assert_eq!(params, json!([]));
}

#[test]
fn deserialization_error_contains_response() {
    let server = Server::new(|_, request| result(request, &json!("many")));
    let client = server.client(ClientOptions::default());
    let refused = client.request::<_, u64>("m", ());
    let Err(ClientError::Rpc(RpcError::DeserError { text, .. })) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(text, r#""many""#);
    assert_eq!(client.request::<_, String>("m", ()).unwrap(), "many");
}

#[test]
fn long_responses_are_truncated_in_error_texts() {
    const LONG: usize = 10 << 20;
    let is_bounded = |error: ClientError, is_long: bool| {
        let text = error.to_string();
        assert!(text.len() < Excerpt::LIMIT + 100, "{} bytes", text.len());
        assert_eq!(
            (text.contains("xxx"), text.contains("more bytes")),
            (is_long, is_long),
            "{text}"
        );
        // Reports of error chains contain the texts of the sources too.
        assert!(error.source().is_none());
    };
    for name in ["message", "data", "result", "none"] {
        let long = "x".repeat(LONG);
        let server = Server::new(move |_, request| {
            let mut error = json!({ "code": -32000, "message": "no", "data": "no" });
            match name {
                "result" => return result(request, &json!(long)),
                "none" => {}
                name => error[name] = json!(long),
            }
            let answer = json!({ "jsonrpc": "2.0", "id": request["id"], "error": error });
            Reply::Answer(200, answer.to_string())
        });
        let client = server.client(ClientOptions::default());
        is_bounded(client.request::<_, u64>("m", ()).unwrap_err(), name != "none");
        // The errors of alloy's provider.
        let provider = client.provider().clone();
        let error = client.wait(async move { provider.get_block_number().await });
        is_bounded(error.unwrap_err().into(), name != "none");
    }
}

#[test]
fn panicking_future_leaves_client_usable() {
    let client = Client::new("http://127.0.0.1:1", ClientOptions::default()).unwrap();
    let wait = AssertUnwindSafe(|| client.wait(async { assert_eq!(1, 2, "on purpose") }));
    assert!(catch_unwind(wait).is_err());
    assert_eq!(client.wait(async { 7 }), 7);
}

#[test]
fn json_rpc_error_is_returned_without_retry() {
    for status in [200, 400, 500] {
        let server = Server::new(move |_, request| {
            let error = json!({ "code": -32000, "message": "no", "data": { "why": [1] } });
            let answer = json!({ "jsonrpc": "2.0", "id": request["id"], "error": error });
            Reply::Answer(status, answer.to_string())
        });
        let refused = server.client(tries(3)).request::<_, Value>("m", ());
        let Err(ClientError::Rpc(RpcError::ErrorResp(error))) = refused else {
            panic!("{status}: {refused:?}")
        };
        assert_eq!((error.code, &*error.message), (-32000, "no"));
        assert_eq!(error.data.unwrap().get(), r#"{"why":[1]}"#);
        assert_eq!(server.requests(), 1);
    }
}

#[test]
fn transport_failures_are_retried_up_to_limit() {
    let flaky = || {
        Server::new(|n, request| match n {
            0 => Reply::HangUp,
            1 => Reply::Answer(503, "busy".to_owned()),
            _ => result(request, &json!(n)),
        })
    };
    let server = flaky();
    assert_eq!(server.client(tries(3)).request::<_, u64>("m", ()).unwrap(), 2);
    let server = flaky();
    assert!(server.client(tries(2)).request::<_, u64>("m", ()).is_err());
    assert_eq!(server.requests(), 2);
}

#[test]
fn retry_after_header_delays_retry() {
    const SECONDS: u64 = 1;
    let open = Mutex::new(None);
    let server = Server::new(move |n, request| {
        let mut open = open.lock().unwrap();
        let at = *open.get_or_insert_with(|| Instant::now() + Duration::from_secs(SECONDS));
        if Instant::now() < at { Reply::Later(SECONDS) } else { result(request, &json!(n)) }
    });
    // Without `Retry-After`, the second and last attempt would follow after a millisecond.
    assert_eq!(server.client(tries(2)).request::<_, u64>("m", ()).unwrap(), 1);
}

#[test]
fn headers_are_sent_with_each_request() {
    let server = Server::that_reads_headers(|n, head, request| {
        let has = |line: &str| head.iter().any(|header| header == line);
        assert!(has("authorization: bearer abc") && has("x-key: secret"), "{head:?}");
        // Each retry has the headers too.
        if n == 0 { Reply::HangUp } else { result(request, &json!(n)) }
    });
    let headers = [("Authorization", "Bearer abc"), ("x-key", "secret")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let client = Client::of_several(&[&*server.url], &headers, tries(2)).unwrap();
    assert_eq!(client.request::<_, u64>("m", ()).unwrap(), 1);
    assert_eq!(client.request::<_, u64>("m", ()).unwrap(), 2);
}

#[test]
fn requests_rotate_over_addresses() {
    let answers = || Server::new(|_, request| result(request, &json!(7)));
    let (first, second) = (answers(), answers());
    let client = Client::of_several(&[&*first.url, &second.url], &[], tries(1)).unwrap();
    for _ in 0..6 {
        assert_eq!(client.request::<_, u64>("m", ()).unwrap(), 7);
    }
    assert_eq!((first.requests(), second.requests()), (3, 3));

    let (broken, good) = (Server::new(|_, _| Reply::HangUp), answers());
    let client = Client::of_several(&[&*broken.url, &good.url], &[], tries(2)).unwrap();
    assert_eq!(client.request::<_, u64>("m", ()).unwrap(), 7);
    assert_eq!((broken.requests(), good.requests()), (1, 1));
}

#[test]
fn failover_rotation_switches_address_on_failure() {
    let fails = Arc::<AtomicBool>::default();
    let is_failing = Arc::clone(&fails);
    let first = Server::new(move |_, request| match is_failing.load(Ordering::SeqCst) {
        true => Reply::HangUp,
        false => result(request, &json!(7)),
    });
    let second = Server::new(|_, request| result(request, &json!(8)));
    let options = ClientOptions { rotation: Rotation::OnFailure, ..tries(2) };
    let client = Client::of_several(&[&*first.url, &second.url], &[], options).unwrap();
    let ask = || client.request::<_, u64>("m", ()).unwrap();
    assert_eq!([ask(), ask(), ask()], [7, 7, 7]);
    fails.store(true, Ordering::SeqCst);
    assert_eq!([ask(), ask()], [8, 8]);
    assert_eq!((first.requests(), second.requests()), (4, 2));
    // The caller can also leave an address whose responses it cannot use. After both addresses have
    // failed, the client returns to the first.
    fails.store(false, Ordering::SeqCst);
    client.leave_address(client.turn());
    assert_eq!([ask(), ask()], [7, 7]);
    // With `Rotation::EachRequest`, `leave_address` has no effect.
    let client = Client::of_several(&[&*first.url, &second.url], &[], tries(2)).unwrap();
    client.leave_address(client.turn());
    assert_eq!(client.request::<_, u64>("m", ()).unwrap(), 7);
}

#[test]
fn http_response_size_limit_is_exact() {
    let text = json!("x".repeat(1_000)).to_string();
    let length = text.len();
    for (longest_answer, accepted) in [(length, true), (length - 1, false)] {
        let text = text.clone();
        let server = Server::new(move |_, _| Reply::Answer(200, text.clone()));
        let options = ClientOptions { longest_answer, ..tries(2) };
        let answer = server.client(options).post("{}");
        match answer {
            Ok(answer) => assert!(accepted && answer.len() == length),
            Err(ClientError::Http(HttpError::TooLong(longest))) => {
                assert!(!accepted && longest == longest_answer);
            }
            Err(error) => panic!("{error}"),
        }
        assert_eq!(server.requests(), 1);
    }
}

#[test]
fn non_json_response_error_contains_status() {
    let server = Server::new(|_, _| Reply::Answer(404, "<html>".to_owned()));
    let refused = server.client(ClientOptions::default()).post("{}").unwrap_err();
    assert!(
        matches!(&refused, ClientError::Http(HttpError::NotJson { status: 404, excerpt })
            if excerpt == "<html>"),
        "{refused:?}"
    );
}

#[test]
fn client_error_status_is_not_retried() {
    let words = r#"{"error":"forbidden: no key"}"#;
    let server = Server::new(move |_, _| Reply::Answer(403, words.to_owned()));
    let refused = server.client(tries(3)).post("{}").unwrap_err();
    assert!(
        matches!(&refused, ClientError::Http(HttpError::Status { status: 403, excerpt }) if excerpt == words),
        "{refused:?}"
    );
    assert_eq!(server.requests(), 1);
}

#[test]
fn refused_first_connection_fails_without_retry() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let options = ClientOptions { first_pause: Duration::from_secs(60), ..tries(3) };
    let client = Client::new(&format!("http://{free}"), options).unwrap();
    let (told, tells) = std::sync::mpsc::channel();
    thread::spawn(move || told.send(client.post("{}")));
    let refused = tells.recv_timeout(Duration::from_secs(8)).expect("an answer").unwrap_err();
    assert!(matches!(refused, ClientError::Http(HttpError::Request(_))), "{refused:?}");
}

#[test]
fn silent_node_causes_timeout() {
    let server = Server::new(|_, _| Reply::Silence);
    let options = ClientOptions { timeout: Duration::from_millis(50), ..ClientOptions::default() };
    let refused = server.client(options).post("{}").unwrap_err();
    assert!(matches!(refused, ClientError::Http(HttpError::Timeout(_))), "{refused:?}");
}

#[test]
fn client_works_on_async_runtime_thread() {
    let server = Server::new(|_, request| result(request, &json!(1)));
    let client = server.client(ClientOptions::default());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let answer = runtime.block_on(async move {
        tokio::spawn(async move { client.request::<_, u64>("m", ()).unwrap() }).await.unwrap()
    });
    assert_eq!(answer, 1);
}
