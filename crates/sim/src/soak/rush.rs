//! Clients that never pause: during each fault they send transactions one by one to any node that
//! responds.
//!
//! Each client signs one transaction per nonce, and continues once a node has acknowledged it.
//! Therefore an account's nonce at the head shows exactly which of its acknowledged transactions
//! are included.

use alloy_consensus::TxEip1559;
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use client::{Client, ClientError, ClientOptions};
use eyre::{OptionExt as _, Result, ensure};
use serde_json::Value;
use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    thread::{self, sleep},
    time::Duration,
};
use testkit::localnet::{processes::L2_CHAIN, requests::nonce, say};
use testkit::{ETHER, Key, Timeout, rich};

/// Number of clients, each with its own account.
const CLIENTS: usize = 4;
/// Number of transactions after which a client switches nodes although the current one responds.
const CHANGES: u64 = 16;
/// Timeout of a request, since a suspended node does not respond.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum time until the next acknowledged transaction is included.
const INCLUSION_TIMEOUT: Duration = Duration::from_secs(120);
/// Errors of a node that has the transaction in its pool or in a block.
const THERE: [&str; 3] = ["already known", "nonce too low", "is already used"];

/// A client and its counters.
#[derive(Debug)]
struct Sender {
    key: Key,
    /// Nonce of the next transaction, i.e. the number of acknowledged and not dropped ones.
    next: u64,
    /// Number of acknowledged transactions, including those dropped later.
    acknowledged: u64,
    /// Number of rejections, after each of which the client retries.
    refused: u64,
    /// Number of requests without a response.
    unanswered: u64,
}

/// All clients.
#[derive(Debug)]
pub(super) struct Rush {
    senders: Vec<Sender>,
    /// Number of acknowledged transactions that a node has reported as dropped with a reason.
    dropped: u64,
}

/// Sums over all clients.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sums {
    pub(super) acknowledged: u64,
    pub(super) dropped: u64,
    pub(super) refused: u64,
    pub(super) unanswered: u64,
}

impl Default for Rush {
    fn default() -> Self {
        let sender = |number| {
            let key = Key::named(&format!("rush {number}"));
            Sender { key, next: 0, acknowledged: 0, refused: 0, unanswered: 0 }
        };
        Self { senders: (0..CLIENTS).map(sender).collect(), dropped: 0 }
    }
}

impl Rush {
    /// Returns the genesis accounts of the clients.
    pub(super) fn accounts(&self) -> Vec<(Address, GenesisAccount)> {
        self.senders.iter().map(|sender| (sender.key.address(), rich(1_000_000 * ETHER))).collect()
    }

    pub(super) fn sums(&self) -> Sums {
        let sum = |of: fn(&Sender) -> u64| self.senders.iter().map(of).sum();
        Sums {
            acknowledged: sum(|sender| sender.acknowledged),
            dropped: self.dropped,
            refused: sum(|sender| sender.refused),
            unanswered: sum(|sender| sender.unanswered),
        }
    }

    /// Sends transactions to the nodes at these addresses until `stop` is set.
    pub(super) fn run(&mut self, nodes: &[SocketAddr], stop: &AtomicBool) -> Result<()> {
        let options = ClientOptions { timeout: TIMEOUT, tries: 1, ..ClientOptions::default() };
        let clients: Vec<_> = nodes
            .iter()
            .map(|node| Client::new(&format!("http://{node}"), options))
            .collect::<Result<_, _>>()?;
        ensure!(!clients.is_empty(), "no nodes");
        let clients = &clients;
        thread::scope(|scope| {
            let threads: Vec<_> = self
                .senders
                .iter_mut()
                .map(|sender| scope.spawn(move || sender.run(clients, stop)))
                .collect();
            threads.into_iter().try_for_each(|thread| {
                thread.join().map_err(|_| eyre::eyre!("a client has panicked"))?
            })
        })
    }

    /// Waits until each acknowledged transaction is included, or reported as dropped with a reason.
    ///
    /// # Errors
    ///
    /// If a transaction is neither within the time limit.
    pub(super) fn settle(&mut self, node: &Client) -> Result<()> {
        for sender in &mut self.senders {
            let mut timeout = Timeout::of(INCLUSION_TIMEOUT);
            let mut mined = sender.mined(node)?;
            while mined < sender.next {
                if let Some(reason) = sender.dropped(node, mined)? {
                    let behind = sender.next - mined;
                    say!("{} nonce {mined} was dropped: {reason}", sender.key.address());
                    // The transactions with later nonces are dropped too or wait for this one. The
                    // client sends all of them again.
                    self.dropped += behind;
                    sender.next = mined;
                    break;
                }
                ensure!(
                    timeout.lasts(),
                    "LOST: {} of {} transactions acknowledged to {}, the first {}, status {}",
                    sender.next - mined,
                    sender.acknowledged,
                    sender.key.address(),
                    sender.hash(mined),
                    sender.status(node, mined)?
                );
                sleep(Duration::from_millis(20));
                let now = sender.mined(node)?;
                if now != mined {
                    (mined, timeout) = (now, Timeout::of(INCLUSION_TIMEOUT));
                }
            }
        }
        Ok(())
    }

    /// Checks that a node's blocks include every transaction that was acknowledged and not dropped.
    pub(super) fn check_all(&self, node: &Client) -> Result<()> {
        for sender in &self.senders {
            let (mined, next) = (sender.mined(node)?, sender.next);
            ensure!(mined >= next, "{} of {next} transactions are lost", next - mined);
        }
        Ok(())
    }
}

impl Sender {
    fn run(&mut self, nodes: &[Client], stop: &AtomicBool) -> Result<()> {
        let mut at = self.next as usize % nodes.len();
        while !stop.load(Ordering::Relaxed) {
            let raw = self.raw(self.next);
            let hash = keccak256(&raw);
            match nodes[at].request::<_, B256>("eth_sendRawTransaction", (raw,)) {
                Ok(told) => {
                    ensure!(told == hash, "{hash} was acknowledged as {told}");
                    self.acknowledge();
                    at += usize::from(self.next.is_multiple_of(CHANGES));
                }
                Err(ClientError::Rpc(error)) if error.is_error_resp() => {
                    let refusal = error.to_string();
                    if THERE.iter().any(|text| refusal.contains(text)) {
                        self.acknowledge();
                    } else {
                        self.refused += 1;
                        at += 1;
                    }
                }
                Err(_) => {
                    self.unanswered += 1;
                    at += 1;
                    // Avoids a busy loop while connections are refused.
                    sleep(Duration::from_millis(1));
                }
            }
            at %= nodes.len();
        }
        Ok(())
    }

    const fn acknowledge(&mut self) {
        self.next += 1;
        self.acknowledged += 1;
    }

    /// Returns the only transaction that the client signs for a nonce.
    fn raw(&self, nonce: u64) -> Bytes {
        let transaction = TxEip1559 {
            chain_id: L2_CHAIN,
            nonce,
            gas_limit: 21_000,
            max_fee_per_gas: 100_000_000_000,
            max_priority_fee_per_gas: 1_000_000,
            to: Address::repeat_byte(0x5f).into(),
            value: U256::ONE,
            ..Default::default()
        };
        self.key.sign(transaction).encoded_2718().into()
    }

    fn hash(&self, nonce: u64) -> B256 {
        keccak256(self.raw(nonce))
    }

    /// Returns the number of the account's transactions in blocks.
    fn mined(&self, node: &Client) -> Result<u64> {
        nonce(node, self.key.address())
    }

    fn status(&self, node: &Client, nonce: u64) -> Result<Value> {
        Ok(node.request("rollup_transactionStatus", (self.hash(nonce),))?)
    }

    /// Returns the reason why the node has dropped a transaction, if it has.
    fn dropped(&self, node: &Client, nonce: u64) -> Result<Option<String>> {
        let status = self.status(node, nonce)?;
        if status["status"] != "dropped" {
            return Ok(None);
        }
        let reason = status["reason"].as_str().ok_or_eyre("dropped without a reason")?;
        Ok(Some(reason.to_owned()))
    }
}
