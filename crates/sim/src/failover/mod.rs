//! Two sequencers with one key and a lease in etcd, of which the leader is killed or suspended
//! again and again while it signs prefixes, and the members of etcd and their links fail.
//!
//! Every published transaction must be in a block at the promised position, and no two signatures
//! may be evidence of a fault. No prefix may be signed while etcd has no majority, and signing must
//! resume after each fault.

mod members;

use crate::{
    kills::{PublishedUpdates, conflicts, look_once, require_kept, until_all_safe},
    payers::payers,
};
use alloy_primitives::{B256, U64};
use client::{Client, ClientOptions};
use eyre::{Result, WrapErr as _, ensure, eyre};
use members::{Cluster, FAULTS, Fault};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, sleep},
    time::{Duration, Instant},
};
use testkit::{
    Key, NodeProcess, Random,
    localnet::{
        processes::{Deploying, L2_CHAIN, Rollup},
        report::Report,
        requests::{status, transfer, until},
    },
};

/// Number of sending accounts.
const PAYERS: usize = 16;
/// Interval between polls, and between transfers.
const LOOK: Duration = Duration::from_millis(20);
/// Timeout of a request: a suspended node does not respond.
const TIMEOUT: Duration = Duration::from_millis(500);
/// Maximum time for which a node leads before the next fault, in milliseconds: two blocks.
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
    /// Number of faults of etcd's members, of their disks, and of the links to and between them
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    member_faults: u64,
    /// Seed of the random choices
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Two sequencers, with the flags of each.
pub(crate) struct Pair<'a> {
    rollup: &'a Rollup,
    flags: [Vec<String>; 2],
    pub(crate) nodes: [NodeProcess; 2],
}

impl<'a> Pair<'a> {
    /// Starts the nodes with these endpoints of etcd each.
    pub(crate) fn start(rollup: &'a Rollup, endpoints: [String; 2], folder: &Path) -> Result<Self> {
        let mut names = ["a", "b"].into_iter();
        let flags = endpoints.map(|endpoints| {
            let name = names.next().unwrap_or_default();
            let own = folder.join(name).to_string_lossy().into_owned();
            let shared = FLAGS.map(str::to_owned);
            let lease = ["--lease-endpoints".to_owned(), endpoints];
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
    pub(crate) fn leader(&self, not: Option<usize>) -> Result<usize> {
        let mut leader = 0;
        until("a leader", || {
            let leads = |at: &usize| {
                let client = quick(&self.nodes[*at]);
                let status = client.and_then(|client| status(&client));
                status.is_ok_and(|status| status.lease.is_some_and(|lease| lease.held))
            };
            let found = (0..2).filter(|at| Some(*at) != not).find(leads);
            leader = found.unwrap_or_default();
            Ok(found.is_some())
        })?;
        Ok(leader)
    }

    /// Describes both nodes, after a failure.
    fn shown(&self) -> String {
        let of = |node| match quick(node).and_then(|client| status(&client)) {
            Ok(it) => format!("{:?}, {:?}, {:?}", it.lease, it.preconfirming, it.fault),
            Err(error) => error.to_string(),
        };
        let [a, b] = &self.nodes;
        format!("{}\n{}\n{}", of(a), of(b), self.rollup.last_words("sequencer.log"))
    }

    pub(crate) fn restart(&mut self, at: usize) -> Result<()> {
        self.nodes[at].kill();
        self.nodes[at] = begin(self.rollup, &self.flags[at])?;
        Ok(())
    }
}

fn begin(rollup: &Rollup, flags: &[String]) -> Result<NodeProcess> {
    rollup.sequencer_with(&flags.iter().map(String::as_str).collect::<Vec<_>>())
}

fn quick(node: &NodeProcess) -> Result<Client> {
    quick_client(node.client().url())
}

/// Creates a client with a short timeout.
pub(crate) fn quick_client(url: &str) -> Result<Client> {
    let options = ClientOptions { timeout: TIMEOUT, ..ClientOptions::default() };
    Ok(Client::new(url, options)?)
}

/// What a run does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Kill,
    Pause,
    Member(Fault),
}

/// Remaining events of a run.
#[derive(Debug)]
struct Remaining {
    kills: u64,
    pauses: u64,
    faults: u64,
}

impl Remaining {
    const fn all(&self) -> u64 {
        self.kills + self.pauses + self.faults
    }

    const fn next(&mut self, random: &mut Random) -> Event {
        let at = random.below(self.all());
        if at < self.kills {
            self.kills -= 1;
            Event::Kill
        } else if at < self.kills + self.pauses {
            self.pauses -= 1;
            Event::Pause
        } else {
            self.faults -= 1;
            Event::Member(FAULTS[self.faults as usize % FAULTS.len()])
        }
    }
}

/// Times from the end of a fault to the next prefix, by fault.
type Resumed = BTreeMap<&'static str, Vec<Duration>>;

/// Runs the simulation.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let &Arguments { kills, pauses, member_faults: faults, seed } = arguments;
    let report = &mut Report::new(false);
    report.part(&format!(
        "Two sequencers with a lease, {kills} kills, {pauses} pauses, {faults} faults of etcd, seed {seed}"
    ));
    let Some(mut cluster) = Cluster::start()? else { return Ok(()) };
    let rollup = Rollup::create(Deploying::ByScripts, report)?;
    let mut pair =
        Pair::start(&rollup, [0, 1].map(|node| cluster.endpoints(node)), &rollup.place())?;
    let leader = pair.leader(None)?;
    let payers = payers(&rollup, &pair.nodes[leader], PAYERS)?;
    let mut random = Random::new(seed);
    let (mut prefixes, mut gaps, mut without) = (PublishedUpdates::new(), Vec::new(), 0);
    let (mut nonces, mut resumed) = (vec![0; PAYERS], Resumed::new());
    let mut remaining = Remaining { kills, pauses, faults };
    while remaining.all() > 0 {
        let leader = pair.leader(None)?;
        let before = prefixes.len();
        let life = Duration::from_millis(1 + random.below(LONGEST_LIFE));
        watch(&pair, &payers, &mut nonces, &mut prefixes, |_| {
            sleep(life);
            Ok(())
        })?;
        without += u64::from(prefixes.len() == before);
        let event = remaining.next(&mut random);
        let pause = Duration::from_millis(1 + random.below(LONGEST_PAUSE));
        if let Event::Member(fault) = event {
            cluster.begin(fault, leader, &mut random)?;
        }
        let is_killed = match event {
            Event::Kill => true,
            Event::Pause => false,
            Event::Member(fault) => fault.is_with_kill(&mut random),
        };
        if is_killed {
            pair.nodes[leader].kill();
        } else if event == Event::Pause {
            pair.nodes[leader].pause()?;
        }
        let ended = Instant::now();
        watch(&pair, &payers, &mut nonces, &mut prefixes, |newest| match event {
            Event::Member(fault) => {
                let took = suffer(&mut cluster, fault, leader, pause, newest, &mut random);
                let took = took.wrap_err_with(|| {
                    format!("{} for {pause:?}: {}", fault.name(), pair.shown())
                })?;
                resumed.entry(fault.name()).or_default().push(took);
                Ok(())
            }
            Event::Kill => {
                until("another prefix", || Ok(is_after(newest, ended)))?;
                gaps.push(ended.elapsed());
                Ok(())
            }
            // The first signature of another node, or of the same one if the pause was short.
            Event::Pause => until("another prefix", || {
                if ended.elapsed() >= pause {
                    pair.nodes[leader].resume()?;
                }
                Ok(is_after(newest, ended) && ended.elapsed() >= pause)
            }),
        })?;
        if event == Event::Pause {
            pair.nodes[leader].resume()?;
        }
        if is_killed {
            pair.restart(leader)?;
        }
        for node in &mut pair.nodes {
            let status = node.ended()?;
            ensure!(status.is_none(), "a node has exited: {status:?}");
        }
        if remaining.all().is_multiple_of(10) {
            report.shown(format!("{} left, {} prefixes seen", remaining.all(), prefixes.len()));
        }
    }
    let leader = pair.leader(None)?;
    let client = pair.nodes[leader].client();
    until_all_safe(client, &prefixes)?;
    let pairs = conflicts(&prefixes)?;
    let transactions = require_kept(client, &prefixes)?;
    report.shown(format!(
        "{kills} kills (SIGKILL), {pauses} pauses (SIGSTOP), {faults} faults of etcd, {} prefixes seen, {pairs} pairs \
         for one parent compared, 0 in conflict; {transactions} preconfirmed transactions, all in their blocks; \
         {without} times no prefix before",
        prefixes.len()
    ));
    print_times(report, "a kill", gaps);
    for (fault, times) in resumed {
        print_times(report, &format!("the end of {} times {fault}", times.len()), times);
    }
    report.end();
    Ok(())
}

fn print_times(report: &mut Report, what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    if let (Some(median), Some(longest)) = (times.get(times.len() / 2), times.last()) {
        let (median, longest) = (median.as_millis(), longest.as_millis());
        report.shown(format!(
            "from {what} to the next prefix: {median} ms at the median, {longest} ms at maximum"
        ));
    }
}

/// Returns `true` if a prefix was first seen after this time.
fn is_after(newest: &Mutex<Option<Instant>>, time: Instant) -> bool {
    newest.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|at| at > time)
}

/// Waits while a fault lasts, and repairs it. Returns the time from the repair to the next prefix.
fn suffer(
    cluster: &mut Cluster,
    fault: Fault,
    leader: usize,
    pause: Duration,
    newest: &Mutex<Option<Instant>>,
    random: &mut Random,
) -> Result<Duration> {
    sleep(fault.first_part(random));
    let since = Instant::now();
    cluster.worsen(fault, leader, random);
    sleep(pause);
    if fault.is_without_majority() {
        ensure!(!is_after(newest, since), "a prefix was signed without a majority of etcd");
    }
    cluster.repair()?;
    let repaired = Instant::now();
    until("another prefix", || Ok(is_after(newest, repaired)))?;
    Ok(repaired.elapsed())
}

/// Sends transfers to both nodes and polls their prefixes, while `action` runs. Its argument is the
/// time at which a new prefix was seen last.
fn watch(
    pair: &Pair<'_>,
    payers: &[Key],
    nonces: &mut [u64],
    prefixes: &mut PublishedUpdates,
    action: impl FnOnce(&Mutex<Option<Instant>>) -> Result<()>,
) -> Result<()> {
    let (done, newest) = (AtomicBool::new(false), Mutex::new(None));
    let all = Mutex::new(std::mem::take(prefixes));
    let poisoned = |_| eyre!("a thread has panicked");
    thread::scope(|scope| {
        for node in &pair.nodes {
            let client = quick(node)?;
            let (all, newest, done) = (&all, &newest, &done);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    let mut found = PublishedUpdates::new();
                    // A node that is killed or suspended does not respond.
                    let _ = look_once(&client, &mut found);
                    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                    let before = all.len();
                    all.extend(found);
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
    *prefixes = all.into_inner().map_err(poisoned)?;
    Ok(())
}

/// Sends a transfer to the first node that accepts it. After a rejection, continues with the nonce
/// that the node reports.
pub(crate) fn send(clients: &[Client], payer: &Key, nonce: &mut u64) {
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
