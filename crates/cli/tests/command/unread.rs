//! Clients that never read their responses, next to an honest client.

use crate::{
    failover::{Node, SequencedRollup, until},
    support::free_port,
    worst::most_memory,
};
use alloy_consensus::TxEip1559;
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{B256, Bytes, TxKind, U64, hex};
use serde_json::{Value, json};
use std::{
    io::Write as _,
    net::TcpStream,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};
use testkit::{Key, Socket, Timeout, eip1559};

/// Maximum peak memory while clients read no responses, in bytes.
const MOST_UNREAD: u64 = 1_000_000_000;
/// Maximum additional memory of subscriptions to many logs, in bytes.
const MOST_SUBSCRIBED: u64 = 300_000_000;
/// Init code that emits logs without data until 5,000 gas are left.
const EMITTER: &[u8] = &hex!("5b5f5fa06113885a115f5700");

/// Requests the block number until `ends`, and returns the sorted latencies.
fn honest(node: &Node, ends: impl Fn() -> bool) -> Vec<Duration> {
    let mut took = Vec::new();
    while !ends() || took.len() < 200 {
        let begun = Timeout::begin();
        node.public.request::<_, U64>("eth_blockNumber", ()).unwrap();
        took.push(begun.spent());
        thread::sleep(Duration::from_millis(2));
    }
    took.sort();
    took
}

#[test]
fn unread_responses_use_bounded_memory() {
    let (setup, port) = (SequencedRollup::new(), free_port());
    let mut node = Node::new(&setup.with_keys(), setup.rollup.folder.path(), port);
    node.start(&["--role", "sequencer"]);
    let process = node.id().unwrap();
    let before = most_memory(process);
    let block = json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByNumber", "params": ["latest", true] });
    let garbage = json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransactionSync", "params": ["0x02f8"] });
    let batch = Value::from(vec![block; 1_000]).to_string();
    let garbage = Value::from(vec![garbage; 1_000]).to_string();
    let (batch, garbage) = (&batch, &garbage);
    let left = AtomicUsize::new(4);
    let took = thread::scope(|scope| {
        let left = &left;
        for text in [batch, garbage] {
            // 400 batches over one WebSocket, and one over each of 160 HTTP connections.
            scope.spawn(move || {
                let mut one = Socket::connect(("127.0.0.1", port)).unwrap();
                one.0.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
                let sent = (0..400).take_while(|_| one.try_send(text).is_ok()).count();
                eprintln!("{sent} batches of 400 on one socket");
                left.fetch_sub(1, Ordering::Relaxed);
            });
            scope.spawn(move || {
                let mut many: Vec<_> =
                    (0..160).filter_map(|_| TcpStream::connect(("127.0.0.1", port)).ok()).collect();
                for stream in &mut many {
                    stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
                    // The node may close the connection during the write.
                    drop(write!(
                        stream,
                        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                         Content-Length: {}\r\n\r\n{text}",
                        text.len()
                    ));
                }
                thread::sleep(Duration::from_secs(3));
                left.fetch_sub(1, Ordering::Relaxed);
            });
        }
        honest(&node, || left.load(Ordering::Relaxed) == 0)
    });
    let held = most_memory(process);
    eprintln!(
        "memory: {before} bytes before, {held} at most; honest client: median {:?}, p99 {:?}",
        took[took.len() / 2],
        took[took.len() * 99 / 100]
    );
    assert!(held <= MOST_UNREAD, "{held}");
}

#[test]
fn unread_subscriptions_use_bounded_memory() {
    let (setup, port) = (SequencedRollup::new(), free_port());
    let mut node = Node::new(&setup.with_keys(), setup.rollup.folder.path(), port);
    node.start(&["--role", "sequencer"]);
    let process = node.id().unwrap();
    let subscribe =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["logs", {}] });
    let mut accepted = 0;
    let mut sockets: Vec<_> =
        (0..64).map(|_| Socket::connect(("127.0.0.1", port)).unwrap()).collect();
    for socket in &mut sockets {
        for _ in 0..64 {
            accepted += usize::from(socket.try_send(&subscribe.to_string()).is_ok());
        }
    }
    let before = most_memory(process);
    let creation = Key::named("alice")
        .sign(TxEip1559 { input: EMITTER.into(), ..eip1559(0, TxKind::Create, 9_900_000) });
    let raw = Bytes::from(creation.encoded_2718());
    let hash: B256 = node.public.request("eth_sendRawTransaction", (raw,)).unwrap();
    let mut count = 0;
    until("the logs", || {
        let receipt: Value = node.public.request("eth_getTransactionReceipt", (hash,)).unwrap();
        count = receipt["logs"].as_array().map_or(0, Vec::len);
        count > 0
    });
    let took = honest(&node, || true);
    let held = most_memory(process);
    eprintln!(
        "{accepted} subscriptions, {count} logs: {before} bytes before, {held} at most; honest client: p99 {:?}",
        took[took.len() * 99 / 100]
    );
    assert!(count > 24_000, "{count}");
    assert!(held <= before + MOST_SUBSCRIBED, "{before} {held}");
}
