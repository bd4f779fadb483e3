//! The requests and connections that take most of a node, many at once, beside an honest client.

use crate::{
    failover::{Node, Scene},
    support::free_port,
};
use alloy_primitives::U64;
use serde_json::{Value, json};
use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    process::Command,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Duration,
};
use testkit::Patience;

/// Requests at once.
const AT_ONCE: usize = 16;
/// Rounds of them.
const ROUNDS: usize = 2;
/// Most memory that the node may ever hold, in bytes.
const MOST_MEMORY: u64 = 512_000_000;

/// Connections that drip.
const DRIPPERS: usize = 4_200;
/// Requests of the honest client meanwhile, each over a connection of its own.
const SERVED: usize = 20;

/// Code of a call that creates a contract: a loop without end of the cheapest steps.
const LOOP: &str = "0x5b5f56";
/// The same with an ever larger memory, which each step of a trace shows again: stores a word at 0,
/// 32, 64, ….
const GROW: &str = "0x5f5b808052602001600156";
/// Fills the stack once, and loops under it.
const DEEP: usize = 1_000;

/// The worst requests that we know of, by what they are after.
fn worst() -> Vec<(&'static str, Value)> {
    let deep = format!("0x{}5b61{DEEP:04x}56", "5f".repeat(DEEP));
    let call = |code: &str| json!({ "input": code, "gas": "0x2faf080" });
    let trace = |code: &str, options: Value| json!({ "method": "debug_traceCall", "params": [call(code), "latest", options] });
    let ask =
        |method: &str, code: &str| json!({ "method": method, "params": [call(code), "latest"] });
    // Five of most of what a block of the L2 holds come to the gas of a call.
    let filling = json!({ "input": LOOP, "gas": "0x895440" });
    let blocks: Vec<_> = (0..5).map(|_| json!({ "calls": [filling] })).collect();
    vec![
        ("steps of a trace", trace(LOOP, json!({}))),
        ("memory in each step", trace(GROW, json!({ "enableMemory": true }))),
        ("stack in each step", trace(&deep, json!({}))),
        ("calls of a trace", trace(GROW, json!({ "tracer": "callTracer" }))),
        ("time of a call", ask("eth_call", LOOP)),
        ("time of an estimate", ask("eth_estimateGas", LOOP)),
        ("an access list", ask("eth_createAccessList", GROW)),
        (
            "a simulation",
            json!({ "method": "eth_simulateV1", "params": [{ "blockStateCalls": blocks }, "latest"] }),
        ),
    ]
}

/// Sends a request over a connection of its own; the first bytes of the answer, and its length.
fn ask(port: u16, mut request: Value) -> (String, usize) {
    (request["jsonrpc"], request["id"]) = (json!("2.0"), json!(1));
    let body = request.to_string();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let length = body.len();
    write!(
        stream,
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let begin = String::from_utf8_lossy(&answer[..answer.len().min(1_000)]).into_owned();
    (begin, answer.len())
}

/// Most memory that a process has ever held, in bytes.
pub(crate) fn most_memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024
}

#[test]
fn sixteen_of_the_worst_requests_at_once_leave_memory_and_time_for_an_honest_client() {
    let (scene, port) = (Scene::new(), free_port());
    let mut node = Node::new(&scene.with_keys(), scene.folder.path(), port);
    node.start(&["--role", "sequencer", "--http-api", "all"]);
    let process = node.id().unwrap();
    let before = most_memory(process);
    let mut took = Vec::new();
    for round in 0..ROUNDS {
        let left = AtomicUsize::new(AT_ONCE);
        thread::scope(|scope| {
            for (name, request) in worst().into_iter().cycle().take(AT_ONCE) {
                let left = &left;
                scope.spawn(move || {
                    let begun = Patience::begin();
                    let (answer, length) = ask(port, request);
                    left.fetch_sub(1, Ordering::Relaxed);
                    let said = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
                    let said: String = said.chars().take(120).collect();
                    eprintln!("{name}: {length} bytes in {:?}: {said}", begun.spent());
                    assert!(answer.starts_with("HTTP/1.1 "), "{name}: {answer}");
                });
            }
            // In the midst of them, and at least so often.
            let mut asked = 0;
            while left.load(Ordering::Relaxed) > 0 || asked < 200 {
                let begun = Patience::begin();
                node.public.request::<_, U64>("eth_blockNumber", ()).unwrap();
                took.push(begun.spent());
                asked += 1;
                thread::sleep(Duration::from_millis(2));
            }
        });
        eprintln!("round {round}: {} MB at most", most_memory(process) / 1_000_000);
    }
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() - 1) * percent / 100];
    let most = most_memory(process);
    eprintln!(
        "{AT_ONCE} of the worst requests at once: {} MB before, {} MB at most; {} requests of an honest client, p50 {:?}, \
         p99 {:?}",
        before / 1_000_000,
        most / 1_000_000,
        took.len(),
        at(50),
        at(99)
    );
    assert!(most <= MOST_MEMORY, "{most} bytes");
}

#[test]
fn thousands_of_dripping_connections_leave_an_honest_client_served() {
    // Both ends of each connection need a descriptor; where few are allowed, the node inherits what
    // is set here.
    let own = std::process::id().to_string();
    let raised = Command::new("prlimit").args(["--pid", &own, "--nofile=16384:"]).status();
    assert!(raised.is_ok_and(|it| it.success()), "the limit of open files cannot be raised");
    let (scene, port) = (Scene::new(), free_port());
    let mut node = Node::new(&scene.with_keys(), scene.folder.path(), port);
    node.start(&["--role", "sequencer"]);
    let begin = || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_nonblocking(true).ok()?;
        stream.write_all(b"POST / HT").ok()?;
        Some(stream)
    };
    let mut drippers: Vec<_> = (0..DRIPPERS).map(|_| begin()).collect();
    let stop = AtomicBool::new(false);
    let mut took = thread::scope(|scope| {
        scope.spawn(|| {
            let mut closed = 0;
            while !stop.load(Ordering::Relaxed) {
                for dripper in &mut drippers {
                    let drips = dripper.as_mut().is_some_and(|it| it.write_all(b"x").is_ok());
                    if !drips {
                        closed += 1;
                        *dripper = begin();
                    }
                }
                thread::sleep(Duration::from_secs(1));
            }
            eprintln!("{DRIPPERS} connections drip, {closed} were closed and opened again");
        });
        let request = json!({ "method": "eth_blockNumber", "params": [] });
        let served = (0..SERVED).map(|_| {
            let begun = Patience::begin();
            let (answer, _) = ask(port, request.clone());
            let took = begun.spent();
            thread::sleep(Duration::from_millis(100));
            answer.contains("result").then_some(took).ok_or(answer)
        });
        let served: Result<Vec<_>, _> = served.collect();
        stop.store(true, Ordering::Relaxed);
        served.unwrap()
    });
    took.sort_unstable();
    eprintln!("honest requests: p50 {:?}, longest {:?}", took[SERVED / 2], took[SERVED - 1]);
}
