//! Two sequencers with one key and a lease in etcd, of which the leader is killed or suspended again
//! and again while it signs prefixes.
//!
//! What either has shown to anyone must be in the blocks, at the same position, and no two of their
//! signatures may be evidence of a fault.

use crate::{
    kills::{AllShown, conflicts, look_once, require_kept},
    payers::payers,
};
use alloy_primitives::{B256, U64};
use client::{Client, ClientOptions};
use eyre::{Result, eyre};
use std::{
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, sleep},
    time::{Duration, Instant},
};
use testkit::{
    Etcd, Key, NodeProcess, Random,
    localnet::{
        processes::{Deploying, L2_CHAIN, Rollup},
        report::Report,
        requests::{status, transfer, until, until_safe},
    },
};

/// Number of sending accounts.
const PAYERS: usize = 16;
/// Interval between polls, and between transfers.
const LOOK: Duration = Duration::from_millis(20);
/// Timeout of a request: a suspended node does not respond.
const TIMEOUT: Duration = Duration::from_millis(500);
/// Longest time from a leader to its end, in milliseconds: two blocks.
const LONGEST_LIFE: u64 = 4_000;
/// Longest suspension, in milliseconds: twice the time of a takeover.
const LONGEST_PAUSE: u64 = 12_000;
const FLAGS: [&str; 9] = [
    "--preconfirm",
    "--poll-interval-ms",
    "50",
    "--daily-limit-gwei",
    "1000000000000",
    "--role",
    "sequencer",
    "--lease-url",
    "ws://127.0.0.1:9545",
];

/// Arguments of the run.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Number of times that the leader is killed
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    kills: u64,
    /// Number of times that the leader is suspended
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    pauses: u64,
    /// Seed of the random choices
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Two sequencers, with the flags of each.
struct Pair<'a> {
    rollup: &'a Rollup,
    flags: [Vec<String>; 2],
    nodes: [NodeProcess; 2],
}

impl<'a> Pair<'a> {
    fn start(rollup: &'a Rollup, etcd: &Etcd, folder: &Path) -> Result<Self> {
        let flags = ["a", "b"].map(|name| {
            let own = folder.join(name).to_string_lossy().into_owned();
            let shared = FLAGS.map(str::to_owned);
            let lease = ["--lease-endpoints".to_owned(), etcd.urls().join(",")];
            shared
                .into_iter()
                .chain(lease)
                .chain(["--data-dir".to_owned(), own])
                .collect::<Vec<_>>()
        });
        let nodes = [begin(rollup, &flags[0])?, begin(rollup, &flags[1])?];
        Ok(Self { rollup, flags, nodes })
    }

    /// Waits until a node holds the lease, other than `not` if it is given.
    fn leader(&self, not: Option<usize>) -> Result<usize> {
        let mut leader = 0;
        until("a leader", || {
            let leads = |at: &usize| {
                let client = quick(&self.nodes[*at]);
                let status = client.and_then(|client| status(&client));
                status.is_ok_and(|it| it.lease.is_some_and(|lease| lease.held))
            };
            let found = (0..2).filter(|at| Some(*at) != not).find(leads);
            leader = found.unwrap_or_default();
            Ok(found.is_some())
        })?;
        Ok(leader)
    }

    fn restart(&mut self, at: usize) -> Result<()> {
        self.nodes[at].kill();
        self.nodes[at] = begin(self.rollup, &self.flags[at])?;
        Ok(())
    }
}

fn begin(rollup: &Rollup, flags: &[String]) -> Result<NodeProcess> {
    rollup.sequencer_with(&flags.iter().map(String::as_str).collect::<Vec<_>>())
}

fn quick(node: &NodeProcess) -> Result<Client> {
    let options = ClientOptions { timeout: TIMEOUT, ..ClientOptions::default() };
    Ok(Client::new(node.client().url(), options)?)
}

/// Runs the simulation.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let &Arguments { mut kills, mut pauses, seed } = arguments;
    let report = &mut Report::new(false);
    report
        .part(&format!("Two sequencers with a lease, {kills} kills, {pauses} pauses, seed {seed}"));
    let Some(etcd) = Etcd::start(3, "failover of preconfirmations")? else { return Ok(()) };
    let rollup = Rollup::create(Deploying::ByScripts, report)?;
    let mut pair = Pair::start(&rollup, &etcd, &rollup.place())?;
    let leader = pair.leader(None)?;
    let payers = payers(&rollup, &pair.nodes[leader], PAYERS)?;
    let mut random = Random::new(seed);
    let (mut shown, mut gaps, mut without) = (AllShown::new(), Vec::new(), 0);
    let mut nonces = vec![0; PAYERS];
    while kills + pauses > 0 {
        let leader = pair.leader(None)?;
        let before = shown.len();
        let life = Duration::from_millis(1 + random.below(LONGEST_LIFE));
        watch(&pair, &payers, &mut nonces, &mut shown, |_| {
            sleep(life);
            Ok(())
        })?;
        without += u64::from(shown.len() == before);
        let is_kill = random.below(kills + pauses) < kills;
        let pause = Duration::from_millis(1 + random.below(LONGEST_PAUSE));
        if is_kill {
            kills -= 1;
            pair.nodes[leader].kill();
        } else {
            pauses -= 1;
            pair.nodes[leader].pause()?;
        }
        let ended = Instant::now();
        watch(&pair, &payers, &mut nonces, &mut shown, |newest| {
            // The first signature of another node, or of the same one if the pause was short.
            until("another prefix", || {
                if !is_kill && ended.elapsed() >= pause {
                    pair.nodes[leader].resume()?;
                }
                let newest = newest.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(newest.is_some_and(|at| at > ended) && (is_kill || ended.elapsed() >= pause))
            })?;
            if is_kill {
                gaps.push(ended.elapsed());
            }
            Ok(())
        })?;
        if is_kill {
            pair.restart(leader)?;
        } else {
            pair.nodes[leader].resume()?;
        }
        if (kills + pauses) % 10 == 0 {
            let left = kills + pauses;
            report.shown(format!("{left} left, {} prefixes seen", shown.len()));
        }
    }
    let leader = pair.leader(None)?;
    let client = pair.nodes[leader].client();
    until_safe(client)?;
    let pairs = conflicts(&shown)?;
    let transactions = require_kept(client, &shown)?;
    report.shown(format!(
        "{} kills (SIGKILL), {} pauses (SIGSTOP), {} prefixes seen, {pairs} pairs for one parent compared, 0 in \
         conflict; {transactions} preconfirmed transactions, all in their blocks; {without} times no prefix before",
        arguments.kills,
        arguments.pauses,
        shown.len()
    ));
    gaps.sort_unstable();
    if let (Some(median), Some(longest)) = (gaps.get(gaps.len() / 2), gaps.last()) {
        report.shown(format!(
            "from a kill to the next prefix: {} ms at the median, {} ms at most",
            median.as_millis(),
            longest.as_millis()
        ));
    }
    report.end();
    Ok(())
}

/// Sends transfers to both nodes and polls their prefixes, while `action` runs. Its argument is the
/// time at which a new prefix was seen last.
fn watch(
    pair: &Pair<'_>,
    payers: &[Key],
    nonces: &mut [u64],
    shown: &mut AllShown,
    action: impl FnOnce(&Mutex<Option<Instant>>) -> Result<()>,
) -> Result<()> {
    let (done, newest) = (AtomicBool::new(false), Mutex::new(None));
    let all = Mutex::new(std::mem::take(shown));
    let poisoned = |_| eyre!("a thread has panicked");
    thread::scope(|scope| {
        for node in &pair.nodes {
            let client = quick(node)?;
            let (all, newest, done) = (&all, &newest, &done);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    let mut seen = AllShown::new();
                    // A node that is killed or suspended does not respond.
                    let _ = look_once(&client, &mut seen);
                    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                    let before = all.len();
                    all.extend(seen);
                    if all.len() > before {
                        *newest.lock().unwrap_or_else(PoisonError::into_inner) =
                            Some(Instant::now());
                    }
                    drop(all);
                    sleep(LOOK);
                }
            });
        }
        let clients = [quick(&pair.nodes[0])?, quick(&pair.nodes[1])?];
        let (sent, sender_done) = (&mut *nonces, &done);
        scope.spawn(move || {
            while !sender_done.load(Ordering::Relaxed) {
                for (payer, nonce) in payers.iter().zip(&mut *sent) {
                    send(&clients, payer, nonce);
                    sleep(LOOK);
                }
            }
        });
        let outcome = action(&newest);
        done.store(true, Ordering::Relaxed);
        outcome
    })?;
    *shown = all.into_inner().map_err(poisoned)?;
    Ok(())
}

/// Sends a transfer to the first node that accepts it, and advances the nonce to what the node has.
fn send(clients: &[Client], payer: &Key, nonce: &mut u64) {
    let raw = transfer(L2_CHAIN, payer, *nonce, payer.address(), 1_000_000);
    for client in clients {
        if client.request::<_, B256>("eth_sendRawTransaction", (raw.clone(),)).is_ok() {
            *nonce += 1;
            return;
        }
        let pending =
            client.request::<_, U64>("eth_getTransactionCount", (payer.address(), "pending"));
        if let Ok(pending) = pending {
            *nonce = pending.to();
        }
    }
}
