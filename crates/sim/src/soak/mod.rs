//! Soak test: hours of traffic and faults, with a comparison of all nodes after each step.
//!
//! The seed determines the choices, but not what the processes are doing when a fault occurs.

mod crossing;
mod faults;
mod ledger;
mod plan;
mod rush;

use alloy_primitives::{Address, B256, U64, U256};
use alloy_rpc_types_eth::Log;
use client::Client;
use contracts::{L2_MESSENGER, PREMINT, bindings::INativeRollup, sent_in};
use crossing::Crossing;
use eyre::{Result, WrapErr as _, ensure, eyre};
use ledger::{Endpoints, Ledger, send_all};
use plan::{Fault, Step};
use rush::Rush;
use serde_json::{Value, json};
use std::{
    fs, mem,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    thread::{self, sleep},
    time::{Duration, Instant},
};
use testkit::localnet::{
    processes::{Deploying, Design, Rollup},
    report::Report,
    requests::{ask, balance, block_time, find_hash, number, shown, status, until, until_safe},
    say,
};
use testkit::{ETHER, Key, NodeProcess, Random};
use wire::ProtocolFork;

/// Number of L1 blocks on top of the first deposits before the first fault.
const BURIED: u64 = 16;
/// Forks of L1 and the number of seconds from its start at which they activate, unless a clock jump
/// activates them earlier.
const FORKS: &[(ProtocolFork, u64)] = &[
    (ProtocolFork::Osaka, 4 * 3_600),
    (ProtocolFork::Bpo2, 8 * 3_600),
    (ProtocolFork::Amsterdam, 12 * 3_600),
];
/// Gas limit of L2 blocks.
const GAS_LIMIT: u64 = 60_000_000;
/// Number of steps between checks of recently included transactions.
const LOOK_BACK: u64 = 25;

struct Soak {
    rollup: Rollup,
    /// Oldest L1 block whose state is available since the last start of L1. Reorgs do not remove
    /// it.
    l1_since: u64,
    sequencer: NodeProcess,
    follower: NodeProcess,
    users: Vec<Key>,
    crossing: Crossing,
    random: Random,
    ledger: Ledger,
    rush: Rush,
    steps: u64,
    claims: u64,
    kills: u64,
    reorganisations: u64,
    role_changes: u64,
    faults: u64,
}

/// Arguments of the run.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Duration in minutes
    #[arg(long, value_name = "MINUTES", default_value_t = 30.0)]
    minutes: f64,
    /// Seed of the random choices
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// File for the counts of a run without an error, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Instead, have an adversary try to slash two honest sequencers with a lease and a bond
    #[arg(long, conflicts_with = "json")]
    adversary: bool,
}

/// Runs steps for this many minutes.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let &Arguments { minutes, seed, ref json, adversary } = arguments;
    if adversary {
        return crate::adversary::run(minutes, seed);
    }
    let report = &mut Report::new(false);
    report.part(&format!("Traffic and faults for {minutes} minutes, seed {seed}"));
    let end = Instant::now() + Duration::try_from_secs_f64(minutes * 60.0)?;
    let mut soak = Soak::begin(seed, report)?;
    while Instant::now() < end {
        let step = soak.steps;
        if let Err(error) = soak.step(report) {
            let files = soak.rollup.keep_files().display();
            let again = format!("again by --minutes {minutes} --seed {seed}; files are in {files}");
            return Err(error.wrap_err(format!("step {step}: {again}")));
        }
    }
    soak.check_all()?;
    let time = block_time(soak.rollup.l1.client())?;
    let forks = soak.rollup.forks.iter().filter(|(_, begins)| *begins <= time).count();
    let sums = soak.rush.sums();
    report.shown(format!(
        "clients that never pause: {} transactions acknowledged, {} dropped with a reason, 0 lost; {} rejections, {} \
         requests without a response",
        sums.acknowledged, sums.dropped, sums.refused, sums.unanswered
    ));
    report.shown(format!(
        "{} steps, {} faults, {} L1 reorgs, {} role changes, {forks} L1 forks, {} kills (SIGKILL); {} other \
         transactions acknowledged, all of them on L1; {} claims, {} forced transactions",
        soak.steps,
        soak.faults,
        soak.reorganisations,
        soak.role_changes,
        soak.kills,
        soak.ledger.acknowledged(),
        soak.claims,
        soak.crossing.check_forced(&soak.rollup, soak.sequencer.client())?
    ));
    if let Some(file) = json {
        let counts = json!({
            "minutes": minutes, "seed": seed, "steps": soak.steps, "faults": soak.faults,
            "kills": soak.kills, "reorgs": soak.reorganisations, "role_changes": soak.role_changes,
            "l1_forks": forks, "acknowledged": sums.acknowledged, "dropped": sums.dropped,
            "acknowledged_to_waiting_clients": soak.ledger.acknowledged(), "lost": 0,
            "claims": soak.claims,
        });
        fs::write(file, format!("{counts:#}\n"))?;
    }
    say!("\nAll checks passed.");
    Ok(())
}

impl Soak {
    fn begin(seed: u64, report: &mut Report) -> Result<Self> {
        let rush = Rush::default();
        // L1's limits bound the blocks far below half of this gas, so that the base fee does not
        // rise.
        let (accounts, gas_limit) = (rush.accounts(), Some(GAS_LIMIT));
        let design = Design { forks: FORKS, accounts, gas_limit, ..Deploying::Plainly.into() };
        let mut rollup = Rollup::create(design, report)?;
        rollup.put_proxy()?;
        rollup.pair()?;
        let (mut sequencer, mut follower) =
            (rollup.spawn_sequencer()?, rollup.spawn_kept_follower()?);
        sequencer.until_ready().wrap_err_with(|| rollup.last_words("sequencer.log"))?;
        follower.until_ready().wrap_err_with(|| rollup.last_words("follower.log"))?;
        let users: Vec<_> = ["bob", "carol", "dave", "erin"].map(Key::named).into_iter().collect();
        for user in &users {
            rollup.deposit(&Key::named("alice"), user.address(), 100 * ETHER)?;
        }
        for user in &users {
            until("a deposit", || {
                Ok(balance(sequencer.client(), user.address())? >= U256::from(100 * ETHER))
            })?;
        }
        let crossing = Crossing::begin(&rollup, sequencer.client(), &users)?;
        until_safe(sequencer.client())?;
        rollup.l1.client().request::<_, Value>("anvil_mine", (BURIED,))?;
        // No reorg may remove the set-up.
        let l1_since = number(rollup.l1.client())? - BURIED / 2;
        Ok(Self {
            rollup,
            l1_since,
            sequencer,
            follower,
            users,
            crossing,
            random: Random::new(seed),
            ledger: Ledger::default(),
            rush,
            steps: 0,
            claims: 0,
            kills: 0,
            reorganisations: 0,
            role_changes: 0,
            faults: 0,
        })
    }

    /// Returns the path of L1's state file, for its restarts.
    fn l1_file(&self) -> PathBuf {
        self.rollup.place().join("l1.state")
    }

    fn step(&mut self, report: &mut Report) -> Result<()> {
        let begun = Instant::now();
        let step = Step::draw(&mut self.random, self.users.len() as u64);
        let fault = step.fault;
        faults::save_l1(self, fault)?;
        // The fault starts in the middle of the traffic.
        let ways = Endpoints {
            l2: self.sequencer.client().url().to_owned(),
            l1: self.rollup.l1.client().url().to_owned(),
            message_queue: self.rollup.deployment.message_queue,
            users: self.users.clone(),
            crossing: self.crossing.clone(),
        };
        let (mut rush, nodes) = (mem::take(&mut self.rush), self.rollup.addresses());
        let stop = AtomicBool::new(false);
        let sent = thread::scope(|scope| {
            let traffic = scope.spawn(|| send_all(&ways, &step));
            let rushing = scope.spawn(|| rush.run(&nodes, &stop));
            sleep(Duration::from_millis(step.delay));
            let suffered = self.suffer(fault, step.seed);
            let sent = traffic.join().map_err(|_| eyre!("the traffic has panicked"));
            stop.store(true, Ordering::Relaxed);
            rushing.join().map_err(|_| eyre!("the clients that never pause have panicked"))??;
            suffered.and(sent)
        });
        self.rush = rush;
        let sent = sent.wrap_err_with(|| format!("{fault:?}"))?;
        if let Some(refusal) = sent.refusal {
            // Under a fault a node may be down, or its disk full.
            ensure!(fault != Fault::Nothing, "a transaction was rejected: {refusal}");
        }
        let count = sent.transactions.iter().filter(|sent| sent.acknowledged).count();
        self.ledger.add(sent.transactions);
        let safe = self.check(fault).wrap_err_with(|| format!("after {fault:?}"))?;
        let claims = self.crossing.claim_some(&self.rollup, self.sequencer.client());
        self.claims += claims.wrap_err("claims")?;
        self.steps += 1;
        report.shown(format!(
            "{fault:?}: {count} more transactions, {} so far by the clients that never pause, all on L1 in block {safe}, \
             after {}; {} kills (SIGKILL)",
            self.rush.sums().acknowledged,
            shown(begun),
            self.kills
        ));
        Ok(())
    }

    /// Waits until all work is done, and compares the nodes. Returns the number of the newest L2
    /// block on L1.
    fn check(&mut self, fault: Fault) -> Result<u64> {
        let (l1, l2) = (self.rollup.l1.client(), self.sequencer.client());
        let looks_back = fault.rewrites() || self.steps.is_multiple_of(LOOK_BACK);
        let ledger = &mut self.ledger;
        let all = until("all acknowledged transactions", || ledger.all_included(l2));
        all.wrap_err_with(|| self.ledger.missing())?;
        self.rush.settle(l2)?;
        let mut safe = 0;
        let agreed = until("sequencer, follower and L1 to agree", || {
            // Compares the same block on both nodes, because the safe head may advance meanwhile.
            let now = status(l2)?;
            safe = now.safe_head.number;
            let all = now.unsafe_head.number == safe && deposited(&self.rollup)? == relayed(l2)?;
            let follower = self.follower.client();
            let behind = status(follower)?.safe_head.number < safe;
            // A follower that learns only now of an L1 reorg rewinds for a moment.
            let hash = find_hash(l2, safe)?;
            Ok(all
                && !behind
                && Some(head_of(l1, self.rollup.deployment.rollup)?) == hash
                && find_hash(follower, safe)? == hash)
        });
        agreed.wrap_err_with(|| self.standing())?;
        // Blocks may have been replaced meanwhile.
        self.rush.settle(l2)?;
        if looks_back {
            let (ledger, mut lost) = (&self.ledger, None);
            let whole = until("included transactions to be in blocks", || {
                lost = ledger.look_back(l2)?;
                Ok(lost.is_none())
            });
            whole.wrap_err_with(|| format!("no longer in a block: {lost:?}"))?;
        }

        let sent: U256 = messages(&self.rollup)?.into_iter().sum();
        let paid = self.crossing.claimed_wei(&self.rollup, l2)?;
        let escrow = balance(l1, self.rollup.deployment.message_queue)?;
        ensure!(escrow == sent - paid, "{escrow} wei in escrow, {sent} deposited, {paid} claimed");
        self.crossing.check_tokens(&self.rollup, l2)?;
        self.crossing.check_forced(&self.rollup, l2)?;
        // An unacknowledged transaction may still be included, now or later.
        let (mut held, mut expected) = (U256::ZERO, U256::ZERO);
        let ledger = &mut self.ledger;
        let covered = until("escrow to cover the L2", || {
            held = balance(l2, L2_MESSENGER)?;
            expected = PREMINT - sent + ledger.withdrawn(l2)?;
            Ok(held == expected)
        });
        covered.wrap_err_with(|| format!("the messenger has {held} wei, expected {expected}"))?;
        Ok(safe)
    }

    /// Formats the status of the nodes for an error.
    fn standing(&self) -> String {
        let status = |node: &NodeProcess| match status(node.client()) {
            Ok(status) => format!("{status:?}"),
            Err(error) => format!("{error:#}"),
        };
        format!(
            "sequencer: {}; follower: {}; {} messages, {:?} relayed; sequencer: {}",
            status(&self.sequencer),
            status(&self.follower),
            deposited(&self.rollup).unwrap_or_default(),
            relayed(self.sequencer.client()).ok(),
            self.rollup.last_words("sequencer.log")
        )
    }

    /// Checks that no transaction of the whole run is lost.
    fn check_all(&self) -> Result<()> {
        for node in [&self.sequencer, &self.follower] {
            self.ledger.check_all(node.client())?;
            self.rush.check_all(node.client())?;
        }
        Ok(())
    }
}

/// Returns the logs of a chain that match a filter. Requests cover parts of the chain, because
/// nodes limit the duration of a request, and a soak test creates thousands of blocks.
fn logs(node: &Client, mut filter: Value) -> Result<Vec<Log>> {
    const BLOCKS: u64 = 250;
    let head: U64 = node.request("eth_blockNumber", ())?;
    let mut all = Vec::new();
    for first in (0..=head.to::<u64>()).step_by(BLOCKS as usize) {
        filter["fromBlock"] = json!(U64::from(first));
        filter["toBlock"] = json!(U64::from(first + BLOCKS - 1).min(head));
        all.extend(node.request::<_, Vec<Log>>("eth_getLogs", (filter.clone(),))?);
    }
    Ok(all)
}

/// Returns the values of all L1→L2 messages, in wei.
fn messages(rollup: &Rollup) -> Result<Vec<U256>> {
    let filter = json!({ "address": rollup.deployment.message_queue });
    let logs = logs(rollup.l1.client(), filter)?;
    let sent = sent_in(rollup.deployment.message_queue, logs.iter().map(|log| &log.inner));
    Ok(sent.into_iter().map(|message| U256::from(message.value)).collect())
}

fn deposited(rollup: &Rollup) -> Result<u64> {
    Ok(messages(rollup)?.len() as u64)
}

fn relayed(l2: &Client) -> Result<u64> {
    let slot: B256 = l2.request("eth_getStorageAt", (L2_MESSENGER, "0x0", "latest"))?;
    Ok(U256::from_be_bytes(slot.0).as_limbs()[0])
}

/// Returns the hash of the newest L2 block according to the rollup contract.
fn head_of(l1: &Client, rollup: Address) -> Result<B256> {
    ask(l1, rollup, &INativeRollup::blockHashCall {})
}
