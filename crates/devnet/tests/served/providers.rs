//! Forking from providers that are busy, slow, silent or wrong.

use crate::support::{Served, serve};
use alloy_primitives::U256;
use client::{Client, ClientOptions};
use enshrine_devnet::{Devnet, Fork, Origin};
use serde_json::{Value, json};
use std::{
    io::{BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};
use testkit::read_http;
use tokio::runtime::{Builder, Runtime};

/// Decides on a provider's response by the number of the HTTP request: a response with its status,
/// or `None` to forward the request to the node. Called for a batch as a whole first, then for each
/// of its requests.
type Behavior = dyn Fn(usize, &Value) -> Option<(u16, String)> + Send + Sync;

/// A proxy in front of a node that behaves like a provider.
pub(crate) struct Provider {
    pub(crate) url: String,
    counts: Arc<Counts>,
}

/// Counters of requests.
#[derive(Default)]
struct Counts {
    posts: AtomicUsize,
    batches: AtomicUsize,
    requests: AtomicUsize,
}

impl Provider {
    pub(crate) fn start(
        node: &Served,
        behavior: impl Fn(usize, &Value) -> Option<(u16, String)> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let counts = Arc::<Counts>::default();
        let (behind, count) = (node.url(), Arc::clone(&counts));
        let behavior: Arc<Behavior> = Arc::new(behavior);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (behind, behavior) = (behind.clone(), Arc::clone(&behavior));
                let count = Arc::clone(&count);
                thread::spawn(move || serve_connection(stream, &behind, &*behavior, &count));
            }
        });
        Self { url, counts }
    }

    fn posts(&self) -> usize {
        self.counts.posts.load(Ordering::SeqCst)
    }

    fn batches(&self) -> usize {
        self.counts.batches.load(Ordering::SeqCst)
    }

    pub(crate) fn requests(&self) -> usize {
        self.counts.requests.load(Ordering::SeqCst)
    }
}

/// Serves requests until the client disconnects or an I/O error ends the connection.
fn serve_connection(stream: TcpStream, behind: &str, behavior: &Behavior, count: &Counts) {
    let node = Client::new(behind, ClientOptions::default()).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    while let Ok((_, body)) = read_http(&mut reader) {
        let request: Value = serde_json::from_slice(&body).unwrap();
        let number = count.posts.fetch_add(1, Ordering::SeqCst) + 1;
        let of_node = |request: &Value| {
            let answer = node.post(request.to_string()).unwrap();
            (200, String::from_utf8(answer).unwrap())
        };
        let (status, text) = match &request {
            Value::Array(parts) => {
                count.batches.fetch_add(1, Ordering::SeqCst);
                count.requests.fetch_add(parts.len(), Ordering::SeqCst);
                behavior(number, &request).unwrap_or_else(|| {
                    let answer = |part| behavior(number, part).unwrap_or_else(|| of_node(part));
                    let answers: Vec<_> = parts.iter().map(answer).collect();
                    let failed = answers.iter().find(|(status, _)| *status != 200).cloned();
                    failed.unwrap_or_else(|| {
                        let texts: Vec<_> = answers.into_iter().map(|(_, text)| text).collect();
                        (200, format!("[{}]", texts.join(",")))
                    })
                })
            }
            request => {
                count.requests.fetch_add(1, Ordering::SeqCst);
                behavior(number, request).unwrap_or_else(|| of_node(request))
            }
        };
        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", text.len());
        if writer.write_all(format!("{head}{text}").as_bytes()).is_err() {
            return;
        }
    }
}

pub(crate) fn runtime() -> Runtime {
    Builder::new_multi_thread().enable_all().build().unwrap()
}

/// A fork with a short pause between retries.
pub(crate) fn patient(url: &str) -> Fork {
    Fork { backoff: Duration::from_millis(1), ..Fork::at(url, None) }
}

pub(crate) fn start(runtime: &Runtime, fork: Fork) -> Result<Devnet, String> {
    // With mainnet's increasing timestamps, each block has its own beacon root slot.
    let devnet = Devnet::builder().mainnet().with(|config| config.origin = Origin::Fork(fork));
    runtime.block_on(devnet.spawn()).map_err(|error| error.to_string())
}

pub(crate) fn client(devnet: &Devnet) -> Client {
    Client::new(&devnet.endpoint(), ClientOptions::default()).unwrap()
}

/// A node with distinctive balances.
pub(crate) fn node() -> Served {
    let node = serve(|_| {});
    let client = client(&node.devnet);
    for number in 1_u64..=12 {
        let set = json!([account(number), format!("{:#x}", number * 1_000)]);
        let _: Value = client.request("anvil_setBalance", set).unwrap();
    }
    let _: Value = client.request("evm_mine", json!([])).unwrap();
    node
}

pub(crate) fn account(number: u64) -> String {
    format!("0x{number:0>38}aa")
}

pub(crate) fn check_balances(devnet: &Devnet) {
    let client = client(devnet);
    for number in 1_u64..=12 {
        let asked = json!([account(number), "latest"]);
        let balance: U256 = client.request("eth_getBalance", asked).unwrap();
        assert_eq!(balance, U256::from(number * 1_000));
    }
}

/// A 429 error for a request, or for a batch as a whole.
fn busy(request: &Value) -> String {
    let error = json!({ "code": 429, "message": "Too Many Requests" });
    json!({ "jsonrpc": "2.0", "id": request["id"], "error": error }).to_string()
}

#[test]
fn busy_provider_is_retried() {
    let (node, runtime) = (node(), runtime());
    for status in [200, 429] {
        let provider = Provider::start(&node, move |number, request| {
            (number % 3 == 0).then(|| (status, busy(request)))
        });
        let devnet = start(&runtime, patient(&provider.url)).unwrap();
        check_balances(&devnet);
    }
    // Errors by HTTP status only, and of a failed server.
    for (status, text) in [(429, "slow down"), (503, "")] {
        let provider = Provider::start(&node, move |number, _| {
            (number % 3 == 0).then(|| (status, text.to_owned()))
        });
        let devnet = start(&runtime, patient(&provider.url)).unwrap();
        check_balances(&devnet);
    }
}

#[test]
fn provider_errors_are_passed_on() {
    let (node, runtime) = (node(), runtime());
    let always = Provider::start(&node, |_, request| Some((200, busy(request))));
    let fork = Fork { retries: 2, ..patient(&always.url) };
    let error = start(&runtime, fork).unwrap_err();
    assert!(error.contains("Too Many Requests") && error.contains("429"), "{error}");
    // Two concurrent requests with two retries each.
    assert!(always.requests() <= 6, "{} requests", always.requests());

    let page = Provider::start(&node, |_, _| Some((502, "<h1>bad gateway</h1>".to_owned())));
    let error = start(&runtime, Fork { retries: 0, ..patient(&page.url) }).unwrap_err();
    assert!(error.contains("request to the forked node failed: HTTP 502"), "{error}");
    assert!(error.contains("bad gateway"), "{error}");

    // Also after startup: the forked node's error is passed on to the caller.
    let unwilling = Provider::start(&node, |_, request| {
        let asked = request["params"][0] == json!(account(1));
        let error = json!({ "code": -32_001, "message": "not for you" });
        asked.then(|| {
            (200, json!({ "jsonrpc": "2.0", "id": request["id"], "error": error }).to_string())
        })
    });
    let devnet = start(&runtime, patient(&unwilling.url)).unwrap();
    let asked = json!([account(1), "latest"]);
    let error = client(&devnet).request::<_, Value>("eth_getBalance", asked).unwrap_err();
    assert!(error.to_string().contains("not for you"), "{error}");
    let asked = json!([account(2), "latest"]);
    let balance: U256 = client(&devnet).request("eth_getBalance", asked).unwrap();
    assert_eq!(balance, U256::from(2_000));

    // A transaction that needs a value which the provider refuses does not block others.
    let send = |to: u64| {
        let from = devnet.addresses()[0];
        let request = json!([{ "from": from, "to": account(to), "value": "0x1", "gas": "0x5208" }]);
        client(&devnet).request::<_, Value>("eth_sendTransaction", request)
    };
    let error = send(1).unwrap_err();
    assert!(error.to_string().contains("not for you"), "{error}");
    let status: Value = client(&devnet).request("txpool_status", ()).unwrap();
    assert_eq!(status, json!({ "pending": "0x0", "queued": "0x0" }));
    let sent = send(2).unwrap();
    let receipt: Value = client(&devnet).request("eth_getTransactionReceipt", [sent]).unwrap();
    assert_eq!(receipt["status"], "0x1");
}

#[test]
fn concurrent_requests_are_batched() {
    let (node, runtime) = (node(), runtime());
    let provider = Provider::start(&node, |_, _| None);
    let devnet = start(&runtime, Fork::at(&provider.url, None)).unwrap();
    // Sequential requests would take twenty times as many round trips.
    let (posts, asked) = (provider.posts(), provider.requests());
    assert!(asked >= 30, "{asked} requests");
    assert!(posts <= 5, "{posts} posts for {asked} requests");
    check_balances(&devnet);
    // Balance, nonce and code of an account.
    assert_eq!((provider.posts() - posts, provider.requests() - asked), (12, 36));
    // The slots that a block's system calls read are prefetched, except those that depend on its
    // time; one request prefetches the hashes of eight blocks.
    for expected in [(1, 2), (2, 10), (1, 2)] {
        let (posts, asked) = (provider.posts(), provider.requests());
        let _: Value = client(&devnet).request("evm_mine", ()).unwrap();
        assert_eq!((provider.posts() - posts, provider.requests() - asked), expected);
    }
}

#[test]
fn provider_without_batches_gets_concurrent_requests() {
    let (node, runtime) = (node(), runtime());
    let error = json!({ "code": -32_600, "message": "batches are not for you" });
    let refusal = json!({ "jsonrpc": "2.0", "id": null, "error": error }).to_string();
    let refusals = [
        (200, refusal.clone()),
        (400, refusal),
        (400, r#"{"error":"one at a time"}"#.to_owned()),
        (413, "too long".to_owned()),
    ];
    for (status, text) in refusals {
        let (now, most) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (counted, peak) = (Arc::clone(&now), Arc::clone(&most));
        let provider = Provider::start(&node, move |_, request| {
            if request.is_array() {
                return Some((status, text.clone()));
            }
            let at_once = counted.fetch_add(1, Ordering::SeqCst) + 1;
            peak.fetch_max(at_once, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(100));
            counted.fetch_sub(1, Ordering::SeqCst);
            None
        });
        let devnet = start(&runtime, patient(&provider.url)).unwrap();
        let (asked, at_once) = (provider.requests(), most.load(Ordering::SeqCst));
        assert!(at_once >= 20, "at most {at_once} of {asked} at once");
        check_balances(&devnet);
        assert_eq!(provider.batches(), 1, "no further batch is sent");
    }
}

#[test]
fn partially_answered_batch_is_completed() {
    let (node, runtime) = (node(), runtime());
    let behind = client(&node.devnet);
    let provider = Provider::start(&node, move |_, request| {
        let parts = request.as_array()?;
        let answer = |(index, part): (usize, &Value)| match index % 3 {
            0 => serde_json::from_slice(&behind.post(part.to_string()).unwrap()).unwrap(),
            1 => serde_json::from_str(&busy(part)).unwrap(),
            // A response to a request that was never sent.
            _ => json!({ "jsonrpc": "2.0", "id": 1_000_000 + index, "result": "0x7" }),
        };
        let answers: Vec<Value> = parts.iter().enumerate().map(answer).rev().collect();
        Some((200, Value::from(answers).to_string()))
    });
    let devnet = start(&runtime, patient(&provider.url)).unwrap();
    check_balances(&devnet);
    assert!(provider.batches() > 12, "batching continues");
}

#[test]
fn silent_provider_times_out() {
    let (node, runtime) = (node(), runtime());
    let silent = Provider::start(&node, |number, _| {
        // It answers the requests at startup, and none afterwards.
        if number > 1_000 {
            loop {
                thread::park();
            }
        }
        None
    });
    let timeout = Duration::from_millis(200);
    let fork = Fork { timeout, retries: 1, ..patient(&silent.url) };
    let devnet = start(&runtime, fork).unwrap();
    silent.counts.posts.store(1_001, Ordering::SeqCst);
    let asked = json!([account(1), "latest"]);
    let error = client(&devnet).request::<_, Value>("eth_getBalance", asked).unwrap_err();
    assert!(error.to_string().contains("no answer within 0.2 s"), "{error}");
    // The system contracts' slots for a block are requested once, with one retry.
    let posts = silent.posts();
    let error = client(&devnet).request::<_, Value>("evm_mine", json!([])).unwrap_err();
    assert!(error.to_string().contains("no answer within 0.2 s"), "{error}");
    assert_eq!(silent.posts() - posts, 2);
    // Known values are still returned.
    let number: U256 = client(&devnet).request("eth_blockNumber", json!([])).unwrap();
    assert_eq!(number, U256::ONE);
}

#[test]
fn cheat_waiting_for_provider_does_not_block_reads() {
    let (node, runtime) = (node(), runtime());
    let (holds, is_asked) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
    let (held, seen) = (Arc::clone(&holds), Arc::clone(&is_asked));
    let provider = Provider::start(&node, move |_, request| {
        let of_state = ["eth_getBalance", "eth_getStorageAt"];
        if of_state.iter().any(|method| request["method"] == *method) {
            while held.load(Ordering::SeqCst) {
                seen.store(true, Ordering::SeqCst);
                thread::sleep(Duration::from_millis(5));
            }
        }
        None
    });
    let dumped: Value = client(&node.devnet).request("anvil_dumpState", ()).unwrap();
    let word = format!("{:#066x}", U256::from(7));
    for (method, params) in [
        ("anvil_setBalance", json!([account(21), "0x7"])),
        ("anvil_addBalance", json!([account(21), "0x7"])),
        ("anvil_setNonce", json!([account(21), "0x7"])),
        ("anvil_setCode", json!([account(21), "0x5f"])),
        ("anvil_setStorageAt", json!([account(21), "0x7", word])),
        ("anvil_loadState", json!([dumped])),
    ] {
        let devnet = start(&runtime, Fork { cache: None, ..patient(&provider.url) }).unwrap();
        let number = || client(&devnet).request::<_, Value>("eth_blockNumber", ());
        holds.store(true, Ordering::SeqCst);
        is_asked.store(false, Ordering::SeqCst);
        thread::scope(|scope| {
            let cheat = scope.spawn(|| client(&devnet).request::<_, Value>(method, params));
            while !is_asked.load(Ordering::SeqCst) {
                assert!(!cheat.is_finished(), "{method} sends no request");
                thread::sleep(Duration::from_millis(5));
            }
            let read = number();
            // Release the blocked request, so that a failure does not hang the test.
            holds.store(false, Ordering::SeqCst);
            assert_eq!(read.unwrap(), "0x1", "{method}");
            assert!(cheat.join().unwrap().is_ok(), "{method}");
        });
    }
}

#[test]
fn invalid_fork_url_is_named_once() {
    let runtime = runtime();
    let error = start(&runtime, Fork::at("ftp://x", None)).unwrap_err();
    assert_eq!(error.matches("ftp://x").count(), 1, "{error}");
    assert!(error.starts_with("--fork-url: \"ftp://x\" is not the URL of a node"), "{error}");
    let headers = vec![("no name".to_owned(), "x".to_owned())];
    let error = start(&runtime, Fork { headers, ..Fork::at("http://x", None) }).unwrap_err();
    assert!(error.starts_with("--fork-header: "), "{error}");
}

#[test]
fn invalid_provider_responses_are_errors() {
    let (node, runtime) = (node(), runtime());
    let lie = |method: &'static str, result: Value| {
        Provider::start(&node, move |_, request| {
            let answer = json!({ "jsonrpc": "2.0", "id": request["id"], "result": result });
            (request["method"] == method).then(|| (200, answer.to_string()))
        })
    };
    // At startup.
    let block: Value =
        client(&node.devnet).request("eth_getBlockByNumber", json!(["0x1", false])).unwrap();
    let other = lie("eth_getBlockByNumber", block);
    let error = start(&runtime, Fork { block: Some(0), ..patient(&other.url) }).unwrap_err();
    assert!(error.contains("the node returned block 1, expected"), "{error}");
    for (method, result) in [
        ("eth_getBlockByNumber", Value::Null),
        ("eth_getBlockByNumber", json!("0x")),
        ("eth_chainId", json!("yes")),
        ("eth_getBalance", json!([1])),
        ("eth_getCode", json!("0x0")),
    ] {
        let started = start(&runtime, patient(&lie(method, result.clone()).url));
        let error = started.err().unwrap_or_else(|| panic!("{method} {result} is accepted"));
        assert!(error.contains("--fork-url"), "{method} {result}: {error}");
    }
    // After startup.
    let long = lie("eth_getStorageAt", json!(format!("0x{}", "1".repeat(100))));
    let devnet = start(&runtime, patient(&long.url)).unwrap();
    let asked = json!([account(1), "0x0", "latest"]);
    assert!(client(&devnet).request::<_, Value>("eth_getStorageAt", asked).is_err());
    check_balances(&devnet);
}

#[test]
fn cached_responses_are_reused_for_the_block() {
    let (node, runtime) = (node(), runtime());
    let folder = tempfile::tempdir().unwrap();
    let provider = Provider::start(&node, |_, _| None);
    let fork = Fork { cache: Some(folder.path().to_owned()), ..patient(&provider.url) };
    let asked = |fork: &Fork| {
        let before = provider.requests();
        let devnet = start(&runtime, fork.clone()).unwrap();
        check_balances(&devnet);
        devnet.keep_answers();
        provider.requests() - before
    };
    let (first, second) = (asked(&fork), asked(&fork));
    assert!(first > 30, "{first} requests");
    assert_eq!(second, 2, "only the chain id and the block are requested");
    assert!(asked(&Fork { cache: None, ..fork.clone() }) >= first);

    // An unreadable file is ignored.
    let chain = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap();
    let file = chain.path().join("1/enshrine.json");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, &text[..text.len() / 2]).unwrap();
    assert_eq!(asked(&fork), first);
    // So is a file of another block with the same number.
    let hash: Value = serde_json::from_str(&text).unwrap();
    let other = text.replace(hash["block"].as_str().unwrap(), &format!("0x{:064x}", 7));
    std::fs::write(&file, other).unwrap();
    assert_eq!(asked(&fork), first);

    // anvil's cache is read too, but never modified. It lacks the block's hash and contains the
    // provider's host instead.
    std::fs::remove_file(&file).unwrap();
    let mut kept: Value = serde_json::from_str(&text).unwrap();
    kept.as_object_mut().unwrap().remove("block");
    kept["meta"] = json!({ "cfg_env": {}, "block_env": {}, "hosts": ["provider.example"] });
    let (anvil, kept) = (file.with_file_name("storage.json"), kept.to_string());
    std::fs::write(&anvil, &kept).unwrap();
    assert_eq!(asked(&fork), 2);
    assert_eq!(std::fs::read_to_string(&anvil).unwrap(), kept);
}
