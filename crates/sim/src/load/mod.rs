//! An L2 under load: accepted transactions, latency to the pending block and to followers, and the
//! rates of posting to L1 and of derivation from it. Devnet, sequencer and followers are processes
//! on the same machine.

mod accepted;
mod cost;
mod large;
mod lifted;
mod preconfirmed;
mod slow_l1;

use accepted::Accepted;
use alloy_primitives::{Address, B256, Bytes, U64, U256, keccak256};
use client::{Client, ClientOptions};
use cost::Cost;
use eyre::{OptionExt as _, Result, ensure, eyre};
use large::Large;
use lifted::Lifted;
use preconfirmed::Preconfirmed;
use serde::Serialize;
use serde_json::{Value, json};
use slow_l1::SlowL1;
use std::{
    ops::Range,
    sync::atomic::{AtomicBool, Ordering},
    thread::{self, sleep},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use testkit::localnet::{
    budget::Budget,
    processes::{Deploying, L2_CHAIN, Rollup},
    report::Report,
    requests::{balance, number as head, status, transfer, until, until_safe},
    say,
};
use testkit::{ETHER, Key, NodeProcess};

/// Number of sending accounts.
const PAYERS: usize = 32;
/// Number of transfers per account.
const TRANSFERS: u64 = 200;
/// Number of sending threads.
const SENDERS: usize = 4;
/// Tip of the load, in wei per gas.
const TIP: u128 = 1_000_000;
/// Interval between polls of a head.
const LOOK: Duration = Duration::from_millis(2);
/// Interval between transfers that probe the pending block.
const PROBE: Duration = Duration::from_millis(50);

/// Percentiles in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
struct Spread {
    p50: f64,
    p99: f64,
}

impl Spread {
    fn of(mut all: Vec<f64>) -> Result<Self> {
        all.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let index = (share * all.len() as f64) as usize;
            all.get(index.min(all.len().saturating_sub(1))).copied().ok_or_eyre("nothing measured")
        };
        Ok(Self { p50: at(0.5)?, p99: at(0.99)? })
    }
}

/// Measurements of one kind of load.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Load {
    /// Number of transfers.
    transfers: u64,
    /// Transfers that the sequencer and devnets accept per second.
    accepted_per_second: Accepted,
    /// Time from the acknowledgement of a transfer until it is in the pending block.
    #[serde(rename = "pendingMilliseconds")]
    pending_ms: Spread,
    /// Time from a head of the sequencer to the same head of a follower with its feed.
    #[serde(rename = "followerLagMilliseconds")]
    follower_lag_ms: Spread,
    /// Number of L2 blocks from the L1 block with a deposit to the block that relays it.
    deposit_blocks: u64,
    /// Transfers per second, from the first submission to the last inclusion on L1.
    settled_per_second: f64,
    /// Likewise in Mgas per second.
    settled_mgas_per_second: f64,
    /// Limit that bounds a block of transfers, on an L1 with mainnet's limits.
    bound: Budget,
    /// L1 gas of all `advance` transactions, per transfer.
    l1_gas_per_transfer: u64,
    /// Rate at which an empty follower derives the L2 from L1, including its start.
    rebuilt_mgas_per_second: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    lifted: Option<Lifted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    large: Option<Large>,
    #[serde(skip_serializing_if = "Option::is_none")]
    preconfirmed: Option<Preconfirmed>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    preconfirming_costs: Vec<Cost>,
    #[serde(rename = "slowL1", skip_serializing_if = "Option::is_none")]
    slow_l1: Option<SlowL1>,
}

/// Prints a row of the table.
fn row(what: &str, value: impl std::fmt::Display) {
    let value = value.to_string();
    say!("  {what:<58}{value:>18}");
}

impl Load {
    fn print(&self) {
        let of = |it: Spread| format!("{:.1} / {:.1}", it.p50, it.p99);
        say!("\nAn L2 of processes on this machine, {} transfers", self.transfers);
        self.accepted_per_second.print();
        row("accepted until pending, ms, p50 / p99", of(self.pending_ms));
        row("head of the sequencer until the follower's, ms, p50 / p99", of(self.follower_lag_ms));
        row("deposit on L1 until on L2, blocks", self.deposit_blocks.to_string());
        row("settled on L1, transfers per second", format!("{:.0}", self.settled_per_second));
        row("settled on L1, Mgas per second", format!("{:.1}", self.settled_mgas_per_second));
        row("L1 gas per transfer", self.l1_gas_per_transfer.to_string());
        row("rebuilt from L1, Mgas per second", format!("{:.0}", self.rebuilt_mgas_per_second));
        say!("  limit of a full block: {}", self.bound.shown());
        if let Some(lifted) = &self.lifted {
            lifted.print();
        }
        if let Some(large) = &self.large {
            large.print();
        }
        if let Some(preconfirmed) = &self.preconfirmed {
            preconfirmed.print();
        }
        self.preconfirming_costs.iter().for_each(Cost::print);
        if let Some(slow_l1) = &self.slow_l1 {
            slow_l1.print();
        }
    }
}

/// Arguments of the measurement.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Number of accounts of the large L2; 0 skips it
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000)]
    accounts: u64,
    /// Measure only an L2 on a slow L1
    #[arg(long, conflicts_with = "json")]
    only_slow_l1: bool,
    /// Measure only the large L2
    #[arg(long, conflicts_with_all = ["json", "only_slow_l1"])]
    only_large: bool,
    /// Measure only signed prefixes
    #[arg(long, conflicts_with_all = ["json", "only_slow_l1", "only_large"])]
    only_preconfirmed: bool,
    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,
}

/// Steps and measurements of a run, as one JSON document.
#[derive(Debug, Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    report: &'a Report,
    load: &'a Load,
}

/// Measures an L2 under load and prints the figures.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut report = Report::new(arguments.json);
    if arguments.only_slow_l1 {
        slow_l1::run(&mut report)?.print();
        report.end();
        return Ok(());
    }
    if arguments.only_large {
        ensure!(arguments.accounts > 0, "--only-large measures at least one account, got 0");
        large::run(arguments.accounts, &mut report)?.print();
        report.end();
        return Ok(());
    }
    if arguments.only_preconfirmed {
        let latencies = preconfirmed::run(&mut report)?;
        let costs = cost::run(&mut report)?;
        latencies.print();
        costs.iter().for_each(Cost::print);
        report.end();
        return Ok(());
    }
    let load = measure(arguments.accounts, &mut report)?;
    report.end();
    if arguments.json {
        let document = Document { report: &report, load: &load };
        say!("{}", serde_json::to_string_pretty(&document)?);
    } else {
        load.print();
        say!("\nAll checks passed.");
    }
    Ok(())
}

/// Measures all L2s, the large one with this many accounts.
fn measure(accounts: u64, report: &mut Report) -> Result<Load> {
    let accepted = accepted::run(report)?;
    let mut load = of_a_small_one(accepted, report)?;
    load.lifted = Some(lifted::run(report)?);
    if accounts > 0 {
        load.large = Some(large::run(accounts, report)?);
    }
    load.preconfirmed = Some(preconfirmed::run(report)?);
    load.preconfirming_costs = cost::run(report)?;
    load.slow_l1 = Some(slow_l1::run(report)?);
    Ok(load)
}

/// Measures a small L2 on an L1 with mainnet's limits.
fn of_a_small_one(accepted: Accepted, report: &mut Report) -> Result<Load> {
    report.part("An L2 under load");
    let rollup = Rollup::create(Deploying::Plainly, report)?;
    let many = (PAYERS as u64 * TRANSFERS * 2).to_string();
    let sequencer = rollup.sequencer_with(&[
        "--poll-interval-ms",
        "100",
        "--pool-transactions",
        &many,
        "--pool-per-account",
        &many,
    ])?;

    let payers: Vec<Key> = (0..PAYERS).map(|index| Key::named(&format!("payer {index}"))).collect();
    let probe = Key::named("probe");
    for key in payers.iter().chain([&probe]) {
        rollup.deposit(&Key::named("alice"), key.address(), ETHER)?;
    }
    let has = |key: &Key| {
        let (node, address) = (sequencer.client(), key.address());
        move || Ok(balance(node, address)? >= U256::from(ETHER))
    };
    until("the deposits", has(&probe))?;
    report.built(format!("{} accounts have their deposits", PAYERS + 1));
    let late = Key::named("late");
    rollup.deposit(&Key::named("alice"), late.address(), ETHER)?;
    let before = head(sequencer.client())?;
    until("a deposit", has(&late))?;
    let deposit_blocks = head(sequencer.client())? - before;

    let raw: Vec<_> = payers.iter().map(|payer| transfers(payer, 0..TRANSFERS)).collect();
    until_l1_time(&rollup)?;

    let first = head(sequencer.client())?;
    let l1_before = head(rollup.l1.client())?;
    let done = AtomicBool::new(false);
    let begun = Instant::now();
    send_all(sequencer.client().url(), &raw)?;
    let bound = Budget::of(sequencer.client())?;
    report.shown(format!(
        "the sequencer has accepted all transfers; limit of a block: {}",
        bound.shown()
    ));
    let follower = rollup.follower_of(&sequencer)?;
    let (pending, polled) = thread::scope(|scope| {
        let looks =
            [&sequencer, &follower].map(|node| scope.spawn(|| heads(node.client().url(), &done)));
        let probes = scope.spawn(|| probe_pending(sequencer.client().url(), &probe, &done));
        let settled = until_settled(&sequencer, &payers, TRANSFERS);
        done.store(true, Ordering::Relaxed);
        let pending = probes.join().map_err(|_| eyre!("the probes have panicked"))?;
        let mut polled = Vec::new();
        for look in looks {
            polled.push(look.join().map_err(|_| eyre!("the poll of a head has panicked"))??);
        }
        settled?;
        eyre::Ok((pending?, polled))
    })?;
    let took = begun.elapsed().as_secs_f64();
    report.shown("all transfers are on L1".to_owned());

    let last = head(sequencer.client())?;
    let (count, gas) = blocks(sequencer.client(), first + 1, last)?;
    let transfers = PAYERS as u64 * TRANSFERS;
    ensure!(count >= transfers, "{count} transactions in the blocks, {transfers} were sent");
    let lags = lags(&polled);
    let l1_gas = advances(rollup.l1.client(), rollup.deployment.rollup, l1_before + 1)?;

    let (_, all_gas) = blocks(sequencer.client(), 1, last)?;
    drop(follower);
    let rebuilding = rebuild(&rollup, sequencer, report)?;

    Ok(Load {
        transfers,
        accepted_per_second: accepted,
        pending_ms: Spread::of(pending)?,
        follower_lag_ms: Spread::of(lags)?,
        deposit_blocks,
        settled_per_second: transfers as f64 / took,
        settled_mgas_per_second: gas as f64 / 1e6 / took,
        bound,
        l1_gas_per_transfer: l1_gas / transfers,
        rebuilt_mgas_per_second: all_gas as f64 / 1e6 / rebuilding,
        lifted: None,
        large: None,
        preconfirmed: None,
        preconfirming_costs: Vec::new(),
        slow_l1: None,
    })
}

/// Waits until the clock has reached the time of L1's head. Each deposit is an L1 block one second
/// after the previous one, and while L1's time is ahead, the L2 seals only one block per L1 block.
fn until_l1_time(rollup: &Rollup) -> Result<()> {
    until("the time of L1's head", || {
        let head: Value = rollup.l1.client().request("eth_getBlockByNumber", ("latest", false))?;
        let time: U64 = serde_json::from_value(head["timestamp"].clone())?;
        Ok(SystemTime::now() >= UNIX_EPOCH + Duration::from_secs(time.to()))
    })
}

/// Stops a sequencer, and returns the seconds until an empty follower has derived all its posted
/// blocks.
fn rebuild(rollup: &Rollup, sequencer: NodeProcess, report: &mut Report) -> Result<f64> {
    let expected = until_safe(sequencer.client())?;
    drop(sequencer);
    let begun = Instant::now();
    let rebuilt = rollup.follower()?;
    until(
        "the chain to be rebuilt",
        || Ok(status(rebuilt.client())?.safe_head.number >= expected),
    )?;
    report.shown("a follower has derived all blocks from L1".to_owned());
    Ok(begun.elapsed().as_secs_f64())
}

/// Returns an address without a known key.
fn stranger(kind: &str, number: u64) -> Address {
    Address::from_word(keccak256(format!("{kind} {number}")))
}

/// Signs transfers of an account with these nonces, each to a new account.
fn transfers(payer: &Key, nonces: Range<u64>) -> Vec<Bytes> {
    let name = payer.address().to_string();
    nonces.map(|nonce| transfer(L2_CHAIN, payer, nonce, stranger(&name, nonce), TIP)).collect()
}

/// Sends transactions, those of each account in order. Returns the time until all are accepted.
fn send_all(url: &str, raw: &[Vec<Bytes>]) -> Result<Duration> {
    let part = |accounts: &[Vec<Bytes>]| -> Result<()> {
        let client = Client::new(url, ClientOptions::default())?;
        for index in 0..accounts.first().map_or(0, Vec::len) {
            for account in accounts {
                client.request::<_, B256>("eth_sendRawTransaction", (account[index].clone(),))?;
            }
        }
        Ok(())
    };
    let begun = Instant::now();
    thread::scope(|scope| {
        let parts: Vec<_> = raw
            .chunks(raw.len().div_ceil(SENDERS))
            .map(|accounts| scope.spawn(move || part(accounts)))
            .collect();
        for part in parts {
            part.join().map_err(|_| eyre!("a sender has panicked"))??;
        }
        eyre::Ok(())
    })?;
    Ok(begun.elapsed())
}

/// Sends transfers one by one, with a tip that puts them first. Returns the milliseconds until each
/// is in the pending block.
fn probe_pending(url: &str, probe: &Key, done: &AtomicBool) -> Result<Vec<f64>> {
    let client = Client::new(url, ClientOptions::default())?;
    let mut all = Vec::new();
    for nonce in 0.. {
        if done.load(Ordering::Relaxed) {
            break;
        }
        let to = stranger("probe", nonce);
        let raw = transfer(L2_CHAIN, probe, nonce, to, 1_000 * TIP);
        client.request::<_, B256>("eth_sendRawTransaction", (raw,))?;
        let begun = Instant::now();
        while client.request::<_, U256>("eth_getBalance", (to, "pending"))?.is_zero() {
            sleep(LOOK);
        }
        all.push(begun.elapsed().as_secs_f64() * 1e3);
        sleep(PROBE);
    }
    Ok(all)
}

/// Polls the heads of a node, and returns each with the time when it was first seen.
fn heads(url: &str, done: &AtomicBool) -> Result<Vec<(u64, Instant)>> {
    let client = Client::new(url, ClientOptions::default())?;
    let mut all: Vec<(u64, Instant)> = Vec::new();
    while !done.load(Ordering::Relaxed) {
        let number = head(&client)?;
        if all.last().is_none_or(|(last, _)| *last < number) {
            all.push((number, Instant::now()));
        }
        sleep(LOOK);
    }
    Ok(all)
}

/// Returns the milliseconds from each head of the first node to that of the second, without the
/// heads at the first poll.
fn lags(heads: &[Vec<(u64, Instant)>]) -> Vec<f64> {
    let [sequencer, follower] = heads else { return Vec::new() };
    let lag = |(number, at): &(u64, Instant)| {
        let (_, then) = follower.iter().skip(1).find(|(other, _)| other >= number)?;
        Some(then.saturating_duration_since(*at).as_secs_f64() * 1e3)
    };
    sequencer.iter().skip(1).filter_map(lag).collect()
}

/// Waits until blocks on L1 include all transactions of these accounts up to this nonce.
fn until_settled(sequencer: &NodeProcess, payers: &[Key], sent: u64) -> Result<()> {
    let client = sequencer.client();
    let is_done = |payer: &Key| -> Result<bool> {
        let request = (payer.address(), "latest");
        let nonce: U64 = client.request("eth_getTransactionCount", request)?;
        Ok(nonce.to::<u64>() == sent)
    };
    // The time limit restarts with each new block.
    let mut number = 0;
    for payer in payers {
        while !is_done(payer)? {
            until("another block", || {
                let now = head(client)?;
                Ok(core::mem::replace(&mut number, now) < now)
            })?;
        }
    }
    let last = head(client)?;
    let mut safe = 0;
    while safe < last {
        until("another block on L1", || {
            let now = status(client)?.safe_head.number;
            Ok(core::mem::replace(&mut safe, now) < now)
        })?;
    }
    Ok(())
}

/// Returns the number of user transactions in some blocks, and the gas used by these blocks.
fn blocks(node: &Client, first: u64, last: u64) -> Result<(u64, u64)> {
    let (mut count, mut gas) = (0, 0);
    for number in first..=last {
        let block: Value = node.request("eth_getBlockByNumber", (format!("{number:#x}"), true))?;
        let used: U64 = serde_json::from_value(block["gasUsed"].clone())?;
        gas += used.to::<u64>();
        let transactions = block["transactions"].as_array().ok_or_eyre("no transactions")?;
        let is_plain = |tx: &&Value| tx["input"] == json!("0x");
        count += transactions.iter().filter(is_plain).count() as u64;
    }
    Ok((count, gas))
}

/// Returns the L1 gas of all transactions to the rollup contract from this L1 block on.
fn advances(l1: &Client, rollup: Address, first: u64) -> Result<u64> {
    let mut all = 0;
    for number in first..=head(l1)? {
        let receipts: Value = l1.request("eth_getBlockReceipts", (format!("{number:#x}"),))?;
        for receipt in receipts.as_array().ok_or_eyre("no receipts")? {
            if serde_json::from_value::<Option<Address>>(receipt["to"].clone())? == Some(rollup) {
                let gas: U64 = serde_json::from_value(receipt["gasUsed"].clone())?;
                all += gas.to::<u64>();
            }
        }
    }
    Ok(all)
}
