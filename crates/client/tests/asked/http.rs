//! Over HTTP.

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
use enshrine_client::{Client, ClientError, ClientOptions, HttpError, Rotation};
use serde_json::{Value, json};

/// Reaction of the server to a request.
enum Reply {
    /// Answers with this status and body.
    Answer(u16, String),
    /// Has too much to do for so many seconds, and says so.
    Later(u64),
    /// Hangs up.
    HangUp,
    /// Says nothing for as long as the client stays.
    Silence,
}

struct Server {
    url: String,
    requests: Arc<AtomicUsize>,
}

impl Server {
    /// A server that asks `reply` what to do with the n-th request, counted from zero, and its
    /// body.
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
        // A client that has read enough may have hung up.
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
fn a_method_is_called_with_its_parameters_and_its_result_is_typed() {
    let server = Server::new(|_, request| {
        assert_eq!((&request["method"], &request["params"]), (&json!("m"), &json!([1, "a"])));
        result(request, &json!([7, null]))
    });
    let answer: (u64, Option<u64>) =
        server.client(ClientOptions::default()).request("m", (1, "a")).unwrap();
    assert_eq!(answer, (7, None));
}

#[test]
fn a_method_without_parameters_gets_an_empty_list_of_them() {
    let server = Server::new(|_, request| result(request, &request["params"]));
    let params: Value = server.client(ClientOptions::default()).request("m", ()).unwrap();
    assert_eq!(params, json!([]));
}

#[test]
fn an_answer_of_another_type_than_asked_for_is_shown() {
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
fn a_future_that_panics_ends_the_wait_and_the_client_goes_on() {
    let client = Client::new("http://127.0.0.1:1", ClientOptions::default()).unwrap();
    let wait = AssertUnwindSafe(|| client.wait(async { assert_eq!(1, 2, "on purpose") }));
    assert!(catch_unwind(wait).is_err());
    assert_eq!(client.wait(async { 7 }), 7);
}

#[test]
fn the_error_of_the_node_comes_through_with_any_status_and_is_not_asked_for_again() {
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
fn what_fails_on_its_way_is_tried_as_often_as_asked_and_no_oftener() {
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
fn who_is_told_when_to_come_again_does_not_come_earlier() {
    const SECONDS: u64 = 1;
    let open = Mutex::new(None);
    let server = Server::new(move |n, request| {
        let mut open = open.lock().unwrap();
        let at = *open.get_or_insert_with(|| Instant::now() + Duration::from_secs(SECONDS));
        if Instant::now() < at { Reply::Later(SECONDS) } else { result(request, &json!(n)) }
    });
    // By itself it would come after a millisecond, and its second try is its last.
    assert_eq!(server.client(tries(2)).request::<_, u64>("m", ()).unwrap(), 1);
}

#[test]
fn headers_go_along_with_each_request() {
    let server = Server::that_reads_headers(|n, head, request| {
        let has = |line: &str| head.iter().any(|it| it == line);
        assert!(has("authorization: bearer abc") && has("x-key: secret"), "{head:?}");
        // And with each further try.
        if n == 0 { Reply::HangUp } else { result(request, &json!(n)) }
    });
    let headers = [("Authorization", "Bearer abc"), ("x-key", "secret")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let client = Client::of_several(&[&*server.url], &headers, tries(2)).unwrap();
    assert_eq!(client.request::<_, u64>("m", ()).unwrap(), 1);
    assert_eq!(client.request::<_, u64>("m", ()).unwrap(), 2);
}

#[test]
fn several_addresses_are_asked_in_turn_and_one_that_fails_is_left_for_the_next() {
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
fn one_address_is_asked_as_long_as_it_answers_and_the_next_one_from_its_failure_on() {
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
    // Answers that cannot be used are a reason too. With each address failing in turn, it comes
    // back to the first.
    fails.store(false, Ordering::SeqCst);
    client.leave_address(client.turn());
    assert_eq!([ask(), ask()], [7, 7]);
    // A client that asks each address in turn has none to leave.
    let client = Client::of_several(&[&*first.url, &second.url], &[], tries(2)).unwrap();
    client.leave_address(client.turn());
    assert_eq!(client.request::<_, u64>("m", ()).unwrap(), 7);
}

#[test]
fn an_answer_of_just_the_length_that_is_allowed_is_read_and_a_longer_one_is_not() {
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
fn what_is_not_json_is_said_with_its_status() {
    let server = Server::new(|_, _| Reply::Answer(404, "<html>".to_owned()));
    let refused = server.client(ClientOptions::default()).post("{}").unwrap_err();
    assert!(
        matches!(&refused, ClientError::Http(HttpError::NotJson { status: 404, excerpt })
            if excerpt == "<html>"),
        "{refused:?}"
    );
}

#[test]
fn a_refusal_by_status_is_told_with_its_words_and_not_asked_for_again() {
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
fn a_client_does_not_wait_where_nothing_has_ever_listened() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let options = ClientOptions { first_pause: Duration::from_secs(60), ..tries(3) };
    let client = Client::new(&format!("http://{free}"), options).unwrap();
    let (told, tells) = std::sync::mpsc::channel();
    thread::spawn(move || told.send(client.post("{}")));
    let refused = tells.recv_timeout(Duration::from_secs(8)).expect("an answer").unwrap_err();
    assert!(matches!(refused, ClientError::Http(HttpError::Request(_))), "{refused:?}");
}

#[test]
fn a_node_that_says_nothing_is_given_up() {
    let server = Server::new(|_, _| Reply::Silence);
    let options = ClientOptions { timeout: Duration::from_millis(50), ..ClientOptions::default() };
    let refused = server.client(options).post("{}").unwrap_err();
    assert!(matches!(refused, ClientError::Http(HttpError::Timeout(_))), "{refused:?}");
}

#[test]
fn a_thread_of_an_async_runtime_may_wait_and_drop_the_client() {
    let server = Server::new(|_, request| result(request, &json!(1)));
    let client = server.client(ClientOptions::default());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let answer = runtime.block_on(async move {
        tokio::spawn(async move { client.request::<_, u64>("m", ()).unwrap() }).await.unwrap()
    });
    assert_eq!(answer, 1);
}
