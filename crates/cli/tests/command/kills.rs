//! A sequencer that is killed repeatedly, also during its start, while clients send transactions
//! without pause: every acknowledged transaction is included in a block.
//!
//! `ENSHRINE_KILLS` sets the number of kills.

use crate::support::{Deployed, free_port};
use alloy_consensus::TxEip1559;
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, U64, U256, hex};
use client::{Client, ClientOptions};
use std::{
    env,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};
use testkit::{ETHER, Key, Random, Timeout, allowed_balances, eip1559, http, rich};

const CLIENTS: usize = 4;
/// Default number of kills.
const KILLS: u64 = 10;

/// A client that sends its next transaction as soon as the previous one is acknowledged.
struct Sender {
    key: Key,
    port: u16,
    /// Number of acknowledged transactions of all clients.
    acknowledged: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Sender {
    /// Runs until it is stopped; returns the number of its acknowledged transactions.
    fn run(self) -> u64 {
        let mut nonce = 0;
        while !self.stop.load(Ordering::Relaxed) {
            let signed = self.key.sign(TxEip1559 {
                max_priority_fee_per_gas: 1_000_000,
                value: U256::ONE,
                ..eip1559(nonce, Address::repeat_byte(0xb0), 21_000)
            });
            let raw = hex::encode_prefixed(signed.encoded_2718());
            let body = format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"eth_sendRawTransaction","params":["{raw}"]}}"#
            );
            // Without a response, it sends the transaction again.
            let Ok(answer) = http(("127.0.0.1", self.port), "POST / HTTP/1.1", &body) else {
                thread::sleep(Duration::from_millis(1));
                continue;
            };
            let is_there = ["already known", "nonce too low", "is already used"];
            if answer.contains(r#""result""#) || is_there.iter().any(|text| answer.contains(text)) {
                nonce += 1;
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
            } else if !answer.contains("pending transactions") {
                // The response is truncated by a kill. A complete response with another error is a
                // failure.
                assert!(!answer.contains(r#""error""#), "{answer}");
            }
        }
        nonce
    }
}

/// A node process, killed on drop.
struct Node(Child);

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn killed_sequencer_loses_no_acknowledged_transaction() {
    let kills = env::var("ENSHRINE_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    let advance = Key::named("advance").address();
    let keys: Vec<_> = (0..CLIENTS).map(|index| Key::named(&format!("client {index}"))).collect();
    let accounts = keys.iter().map(|key| (key.address(), rich(1_000 * ETHER)));
    let rollup = Deployed::new(&[advance], |fixture| {
        fixture.gas_limit(30_000_000).rich(["operator"], ETHER).accounts(accounts)
    });
    let allowed = allowed_balances(&rollup.deployment.genesis);
    let port = free_port();
    let start = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_enshrine"));
        command.args(["node", "--role", "sequencer", "--l1", rollup.l1.client().url()]);
        command.args(["--allow-balance", &allowed]);
        command.args(["--deployment", &rollup.file, "--data-dir"]);
        command.arg(rollup.folder.path().join("l2"));
        command.args(["--http-port", &port.to_string(), "--block-time-ms", "200"]);
        command.args(["--submit-interval-ms", "1000", "--poll-interval-ms", "50"]);
        command.env("ENSHRINE_ADVANCE_KEY", Key::named("advance").secret().to_string());
        command.env("ENSHRINE_OPERATOR_KEY", Key::named("operator").secret().to_string());
        Node(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap())
    };

    let (acknowledged, stop) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
    let clients: Vec<_> = keys
        .iter()
        .map(|key| {
            let (acknowledged, stop) = (Arc::clone(&acknowledged), Arc::clone(&stop));
            let sender = Sender { key: key.clone(), port, acknowledged, stop };
            thread::spawn(move || sender.run())
        })
        .collect();
    let mut random = Random::new(kills);
    for kill in 0..kills {
        let node = start();
        if kill > 0 && random.one_in(3) {
            // Usually during the start.
            thread::sleep(Duration::from_millis(random.below(600)));
        } else {
            let enough = acknowledged.load(Ordering::Relaxed) + 1 + random.below(150);
            let timeout = Timeout::begin();
            while acknowledged.load(Ordering::Relaxed) < enough {
                assert!(timeout.lasts(), "the node does not answer after kill {kill}");
                thread::sleep(Duration::from_millis(1));
            }
        }
        drop(node);
    }
    stop.store(true, Ordering::Relaxed);
    let sent: Vec<u64> = clients.into_iter().map(|client| client.join().unwrap()).collect();

    let _node = start();
    let options =
        ClientOptions { timeout: Duration::from_secs(10), tries: 1, ..ClientOptions::default() };
    let l2 = Client::new(&format!("http://127.0.0.1:{port}"), options).unwrap();
    let mined = |key: &Key| -> Option<u64> {
        l2.request::<_, U64>("eth_getTransactionCount", (key.address(), "latest"))
            .ok()
            .map(|quantity| quantity.to())
    };
    let timeout = Timeout::begin();
    let found = loop {
        let found: Vec<_> = keys.iter().map(|key| mined(key).unwrap_or_default()).collect();
        if found.iter().zip(&sent).all(|(found, sent)| found >= sent) || !timeout.lasts() {
            break found;
        }
        thread::sleep(Duration::from_millis(100));
    };
    let all: u64 = sent.iter().sum();
    let lost: u64 = sent.iter().zip(&found).map(|(sent, found)| sent.saturating_sub(*found)).sum();
    eprintln!("{all} acknowledged over {kills} kills, {lost} lost");
    assert_eq!(lost, 0, "acknowledged by account: {sent:?}, mined: {found:?}");
    let balance: U256 =
        l2.request("eth_getBalance", (Address::repeat_byte(0xb0), "latest")).unwrap();
    assert!(balance >= U256::from(all), "{balance}");
}
