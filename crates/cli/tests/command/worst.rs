//! Many of the most expensive requests and connections at once, next to an honest client.

use crate::{
    failover::{Node, SequencedRollup},
    support::free_port,
};
use alloy_primitives::U64;
use serde_json::{Value, json};
use std::{
    fs,
    io::Write as _,
    net::TcpStream,
    process::Command,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Duration,
};
use testkit::{Timeout, http};

/// Number of concurrent requests.
const AT_ONCE: usize = 16;
/// Number of rounds.
const ROUNDS: usize = 2;
/// Maximum peak memory of the node, in bytes.
const MOST_MEMORY: u64 = 512_000_000;

/// Number of connections that send a byte per second.
const DRIPPERS: usize = 4_200;
/// Number of requests of the honest client meanwhile, each over a new connection.
const SERVED: usize = 20;

/// Init code with an infinite loop of the cheapest instructions.
const LOOP: &str = "0x5b5f56";
/// Init code with growing memory, which each step of a trace repeats: stores a word at 0, 32, 64,
/// ….
const GROW: &str = "0x5f5b808052602001600156";
/// Number of stack items below an infinite loop.
const DEEP: usize = 1_000;

/// Returns the most expensive known requests, with the resource that each exhausts.
fn worst() -> Vec<(&'static str, Value)> {
    let deep = format!("0x{}5b61{DEEP:04x}56", "5f".repeat(DEEP));
    let call = |code: &str| json!({ "input": code, "gas": "0x2faf080" });
    let trace = |code: &str, options: Value| json!({ "method": "debug_traceCall", "params": [call(code), "latest", options] });
    let ask =
        |method: &str, code: &str| json!({ "method": method, "params": [call(code), "latest"] });
    // Five blocks, each nearly full, use a call's gas limit.
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

/// Sends a request over a new connection; returns the beginning and the length of the response.
fn ask(port: u16, mut request: Value) -> (String, usize) {
    (request["jsonrpc"], request["id"]) = (json!("2.0"), json!(1));
    let server = ("127.0.0.1", port);
    let answer = http(server, "POST / HTTP/1.1", &request.to_string()).unwrap();
    (answer.chars().take(1_000).collect(), answer.len())
}

/// Returns the peak memory of a process, in bytes.
pub(crate) fn most_memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024
}

#[test]
fn expensive_requests_leave_bounded_memory_and_latency() {
    let (setup, port) = (SequencedRollup::new(), free_port());
    let mut node = Node::new(&setup.with_keys(), setup.rollup.folder.path(), port);
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
                    let begun = Timeout::begin();
                    let (answer, length) = ask(port, request);
                    left.fetch_sub(1, Ordering::Relaxed);
                    let said = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
                    let said: String = said.chars().take(120).collect();
                    eprintln!("{name}: {length} bytes in {:?}: {said}", begun.spent());
                    assert!(answer.starts_with("HTTP/1.1 "), "{name}: {answer}");
                });
            }
            // Until the expensive requests have ended, and at least 200 times.
            let mut asked = 0;
            while left.load(Ordering::Relaxed) > 0 || asked < 200 {
                let begun = Timeout::begin();
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
fn dripping_connections_do_not_block_honest_client() {
    // Both ends of each connection need a file descriptor. The node inherits the limit that is set
    // here.
    let own = std::process::id().to_string();
    let raised = Command::new("prlimit").args(["--pid", &own, "--nofile=16384:"]).status();
    assert!(raised.is_ok_and(|status| status.success()), "cannot raise the limit of open files");
    let (setup, port) = (SequencedRollup::new(), free_port());
    let mut node = Node::new(&setup.with_keys(), setup.rollup.folder.path(), port);
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
                    let drips =
                        dripper.as_mut().is_some_and(|stream| stream.write_all(b"x").is_ok());
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
            let begun = Timeout::begin();
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
