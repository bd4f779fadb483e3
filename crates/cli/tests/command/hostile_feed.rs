//! Followers whose feed of unsafe blocks comes from a hostile node: long responses and a flood of
//! notifications.

use crate::{
    failover::{Node, SequencedRollup, until},
    support::free_port,
    worst::most_memory,
};
use serde_json::{Value, json};
use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};
use testkit::http;

/// Length of a text in a long response, in bytes.
const LONG: usize = 10 << 20;
/// Length of a notification of a flood, in bytes; slightly less than a follower accepts.
const NOTIFICATION: usize = 31 << 20;
/// Maximum additional memory of a follower during a flood, in bytes.
const MOST_FLOODED: u64 = 300_000_000;

/// Behaviour of a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Forwards all messages.
    Honest,
    /// Responds with a long text instead of a block.
    Long,
    /// Sends notifications for ever after the response to a subscription.
    Flood,
}

/// Relay of WebSocket connections to a node.
struct Relay {
    port: u16,
    mode: Arc<Mutex<Mode>>,
    /// Number of long messages that were sent.
    sent: Arc<AtomicUsize>,
}

impl Relay {
    fn over(node: u16, mode: Mode) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (mode, sent) = (Arc::new(Mutex::new(mode)), Arc::<AtomicUsize>::default());
        let (modes, counted) = (Arc::clone(&mode), Arc::clone(&sent));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (modes, counted) = (Arc::clone(&modes), Arc::clone(&counted));
                // A failed connection is treated as closed.
                thread::spawn(move || drop(forward(client, node, &modes, &counted)));
            }
        });
        Self { port, mode, sent }
    }

    fn set(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
    }

    fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }
}

/// Forwards one connection until either side closes it.
fn forward(
    mut client: TcpStream,
    node: u16,
    mode: &Mutex<Mode>,
    sent: &AtomicUsize,
) -> io::Result<()> {
    let mut node = TcpStream::connect(("127.0.0.1", node))?;
    let (mut requests, mut upstream) = (client.try_clone()?, node.try_clone()?);
    thread::spawn(move || drop(io::copy(&mut requests, &mut upstream)));
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(read(&mut node, 1)?[0]);
    }
    client.write_all(&head)?;
    loop {
        let mut frame = read(&mut node, 2)?;
        let length = match frame[1] {
            126 => read(&mut node, 2)?,
            127 => read(&mut node, 8)?,
            short => vec![short],
        };
        let bytes = length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        let payload = read(&mut node, bytes)?;
        let mut message: Value = serde_json::from_slice(&payload).unwrap_or_default();
        let mode = *mode.lock().unwrap();
        if mode == Mode::Long && message["result"]["hash"].is_string() {
            let number = sent.fetch_add(1, Ordering::Relaxed);
            // Different each time, so that the fault changes.
            message["result"] = json!(format!("{number} {}", "x".repeat(LONG)));
            client.write_all(&text_frame(&message.to_string()))?;
            continue;
        }
        if frame[1] > 125 {
            frame.extend(length);
        }
        client.write_all(&frame)?;
        client.write_all(&payload)?;
        // A subscription id is longer than a number.
        let id = message["result"].as_str().filter(|id| id.len() > 20);
        if let (Mode::Flood, Some(id)) = (mode, id) {
            let params = json!({ "subscription": id, "result": "x".repeat(NOTIFICATION) });
            let note = json!({ "jsonrpc": "2.0", "method": "eth_subscription", "params": params });
            let note = text_frame(&note.to_string());
            loop {
                client.write_all(&note)?;
                sent.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

fn read(stream: &mut TcpStream, bytes: usize) -> io::Result<Vec<u8>> {
    let mut read = vec![0; bytes];
    stream.read_exact(&mut read)?;
    Ok(read)
}

/// Returns an unmasked frame, as servers send.
fn text_frame(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81, 127];
    frame.extend((text.len() as u64).to_be_bytes());
    frame.extend(text.as_bytes());
    frame
}

/// A follower of a sequencer over a relay.
struct Followed {
    relay: Relay,
    follower: Node,
    port: u16,
    log: PathBuf,
    _sequencer: Node,
    _setup: SequencedRollup,
}

impl Followed {
    fn start(mode: Mode) -> Self {
        let (setup, lead, port) = (SequencedRollup::new(), free_port(), free_port());
        let folder = setup.rollup.folder.path();
        let mut sequencer = Node::new(&setup.with_keys(), folder, lead);
        sequencer.start(&["--role", "sequencer"]);
        let relay = Relay::over(lead, mode);
        let feed = format!("ws://127.0.0.1:{}", relay.port);
        let mut follower = Node::new(&setup.common(), folder, port);
        let log = folder.join("log");
        follower.log = Some(log.clone());
        // Includes the log lines of alloy.
        follower.environment.push(("RUST_LOG".to_owned(), "warn".to_owned()));
        let to_sequencer = sequencer.socket();
        let roles = ["--role", "follower", "--sequencer", &to_sequencer];
        follower.start(&[&roles[..], &["--sequencer-feed", &feed]].concat());
        Self { relay, follower, port, log, _sequencer: sequencer, _setup: setup }
    }

    fn warnings(&self) -> String {
        self.follower.status()["warnings"].to_string()
    }

    /// Makes the relay honest, and waits until the follower uses it.
    fn recovers(&self) {
        self.relay.set(Mode::Honest);
        until("an honest relay", || self.warnings() == "[]");
    }
}

#[test]
fn long_response_of_feed_is_truncated_everywhere() {
    let followed = Followed::start(Mode::Long);
    until("four long responses", || followed.relay.sent() >= 4);
    until("the warning", || followed.warnings().contains("xxx"));
    let health = http(("127.0.0.1", followed.port), "GET /health HTTP/1.1", "").unwrap();
    assert!(health.contains("xxx") && health.len() < 10_000, "{} bytes", health.len());
    let status = followed.follower.status().to_string();
    assert!(status.len() < 10_000, "{} bytes", status.len());
    let (sent, log) = (followed.relay.sent(), fs::read_to_string(&followed.log).unwrap());
    let failures: Vec<_> =
        log.lines().filter(|line| line.contains("feed of unsafe blocks failed")).collect();
    assert!((1..sent).contains(&failures.len()), "{} lines, {sent} responses", failures.len());
    let longest = log.lines().map(str::len).max().unwrap();
    assert!(log.contains("xxx") && longest < 10_000, "{longest} bytes");
    eprintln!("log: {} bytes, longest line {longest}; health: {}", log.len(), health.len());
    followed.recovers();
}

#[test]
fn flood_of_notifications_uses_bounded_memory() {
    // A neighbour that is not flooded.
    let honest = Followed::start(Mode::Honest);
    until("L1", || honest.follower.status()["synced"] == json!(true));
    let before = most_memory(honest.follower.id().unwrap());
    let followed = Followed::start(Mode::Flood);
    let process = followed.follower.id().unwrap();
    until("the flood", || followed.relay.sent() >= 40);
    until("the warning", || followed.warnings().contains("no answer"));
    let held = most_memory(process);
    eprintln!("{} notifications: {before} bytes before, {held} at most", followed.relay.sent());
    assert!(held <= before + MOST_FLOODED, "{before} {held}");
    let log = fs::read_to_string(&followed.log).unwrap();
    let longest = log.lines().map(str::len).max().unwrap_or(0);
    assert!(longest < 10_000, "{longest} bytes");
    followed.recovers();
}
