//! A sequencer that signs prefixes and is killed again and again.
//!
//! Every published transaction must be in a block at the promised position, and no two signatures
//! may be evidence of a fault.

use crate::payers::payers;
use alloy_primitives::{B256, Bytes, U64, keccak256};
use client::{Client, ClientOptions};
use eyre::{OptionExt as _, Result, ensure, eyre};
use preconf::{HeaderSummary, PrefixUpdate};
use rpc_types::PrefixItem;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    thread::{self, sleep},
    time::{Duration, Instant},
};
use testkit::localnet::{
    processes::{Deploying, L2_CHAIN, Rollup},
    report::Report,
    requests::{number as head, status, transfer, until, until_safe},
};
use testkit::{Key, NodeProcess, Random};

/// Number of sending accounts.
const PAYERS: usize = 32;
/// Interval between polls of the newest prefix.
const LOOK: Duration = Duration::from_millis(5);
/// Maximum time for which the sequencer runs before it is killed, in milliseconds: two blocks.
const LONGEST: u64 = 6_000;
const FLAGS: [&str; 5] =
    ["--preconfirm", "--poll-interval-ms", "50", "--daily-limit-gwei", "1000000000000"];

/// Arguments of the run.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Number of times that the sequencer is killed
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    count: u64,
    /// Seed of the random choices
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// A signed prefix that a node has published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublishedUpdate {
    update: PrefixUpdate,
    header: HeaderSummary,
}

/// All published prefixes, by block number and header hash.
pub(crate) type PublishedUpdates = BTreeMap<(u64, B256, bool), PublishedUpdate>;

/// Runs the simulation.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let &Arguments { count, seed } = arguments;
    let report = &mut Report::new(false);
    report.part(&format!("A sequencer that signs prefixes, killed {count} times, seed {seed}"));
    let rollup = Rollup::create(Deploying::ByScripts, report)?;
    let mut sequencer = rollup.sequencer_with(&FLAGS)?;
    let payers = payers(&rollup, &sequencer, PAYERS)?;
    let mut random = Random::new(seed);
    let mut shown = PublishedUpdates::new();
    let mut reasons = BTreeMap::new();
    for kill in 0..count {
        let life = Duration::from_millis(random.below(LONGEST));
        shown.extend(live(&sequencer, &payers, life)?);
        let state = status(sequencer.client())?.preconfirming;
        *reasons
            .entry(state.and_then(|state| state.reason).unwrap_or_default())
            .or_insert(0_u64) += 1;
        sequencer.kill();
        sequencer = rollup.sequencer_with(&FLAGS)?;
        if kill % 10 == 9 {
            report.shown(format!("{} kills, {} prefixes seen", kill + 1, shown.len()));
        }
    }
    until_all_safe(sequencer.client(), &shown)?;
    let pairs = conflicts(&shown)?;
    let transactions = require_kept(sequencer.client(), &shown)?;
    report.shown(format!(
        "{count} kills (SIGKILL), {} prefixes seen, {pairs} pairs for one parent compared, 0 in conflict; \
         {transactions} preconfirmed transactions, all in their blocks",
        shown.len()
    ));
    for (reason, times) in reasons.iter().filter(|(reason, _)| !reason.is_empty()) {
        report.shown(format!("not preconfirming before {times} of the kills: {reason}"));
    }
    report.end();
    Ok(())
}

/// Sends transfers to a sequencer for some time, and returns the prefixes that it publishes.
fn live(sequencer: &NodeProcess, payers: &[Key], life: Duration) -> Result<PublishedUpdates> {
    let (url, done) = (sequencer.client().url(), AtomicBool::new(false));
    thread::scope(|scope| {
        let looks = scope.spawn(|| look(url, &done));
        let client = Client::new(url, ClientOptions::default())?;
        let begun = Instant::now();
        let mut payers = payers.iter().cycle();
        while begun.elapsed() < life
            && let Some(payer) = payers.next()
        {
            let next: U64 =
                client.request("eth_getTransactionCount", (payer.address(), "pending"))?;
            let to = payer.address();
            let raw = transfer(L2_CHAIN, payer, next.to(), to, 1_000_000);
            // Fails if the pool has restored the transaction from before the restart.
            let _ = client.request::<_, B256>("eth_sendRawTransaction", (raw,));
            sleep(LOOK);
        }
        done.store(true, Ordering::Relaxed);
        looks.join().map_err(|_| eyre!("the poll of prefixes has panicked"))?
    })
}

/// Polls the newest prefix.
fn look(url: &str, done: &AtomicBool) -> Result<PublishedUpdates> {
    let client = Client::new(url, ClientOptions::default())?;
    let mut all = PublishedUpdates::new();
    while !done.load(Ordering::Relaxed) {
        look_once(&client, &mut all)?;
        sleep(LOOK);
    }
    Ok(all)
}

/// Adds the newest prefixes of a node.
pub(crate) fn look_once(client: &Client, all: &mut PublishedUpdates) -> Result<()> {
    let next = head(client)? + 1;
    for number in [next - 1, next] {
        let request = (U64::from(number), U64::ZERO);
        let item: Option<PrefixItem> = client.request("rollup_prefix", request)?;
        let Some(item) = item else { continue };
        let update = PrefixUpdate::decode(&item.ssz)?;
        let header = HeaderSummary::read(&update.header)?;
        let key = (header.number, header.hash, update.message.is_sealed);
        all.insert(key, PublishedUpdate { update, header });
    }
    Ok(())
}

/// Compares all prefixes for one parent, and returns the number of pairs.
pub(crate) fn conflicts(all: &PublishedUpdates) -> Result<u64> {
    let mut pairs = 0;
    let all: Vec<_> = all.values().collect();
    for (index, a) in all.iter().enumerate() {
        let others = all[index + 1..].iter().take_while(|b| b.header.number == a.header.number);
        for b in others.filter(|b| b.header.parent == a.header.parent) {
            pairs += 1;
            let (ours, theirs): (&[Bytes], &[Bytes]) =
                (&a.update.transactions, &b.update.transactions);
            let (short, long) = if ours.len() <= theirs.len() { (a, b) } else { (b, a) };
            let extends = long.update.transactions.starts_with(&short.update.transactions);
            let is_same = long.header.hash == short.header.hash;
            let is_longer = long.update.transactions.len() > short.update.transactions.len();
            let is_kept = is_same || is_longer && !short.update.message.is_sealed;
            ensure!(
                extends && is_kept && a.header.environment == b.header.environment,
                "prefixes in conflict: {a:?} and {b:?}"
            );
        }
    }
    Ok(pairs)
}

/// Waits until L1 has all blocks of which a prefix was published; the last one may not be sealed
/// yet.
pub(crate) fn until_all_safe(client: &Client, all: &PublishedUpdates) -> Result<()> {
    let last = all.keys().map(|(number, ..)| *number).max().unwrap_or_default();
    until("the last preconfirmed block on L1", || Ok(status(client)?.safe_head.number >= last))?;
    until_safe(client)?;
    Ok(())
}

/// Checks that each transaction of a prefix is in the block that was promised, and returns their
/// number.
pub(crate) fn require_kept(client: &Client, all: &PublishedUpdates) -> Result<u64> {
    let mut known = BTreeMap::new();
    for shown in all.values() {
        for (index, raw) in (0_u64..).zip(&shown.update.transactions) {
            let place = (shown.header.number, index);
            let before = known.insert(keccak256(raw), place);
            ensure!(before.is_none_or(|before| before == place), "at {before:?} and {place:?}");
        }
    }
    for (hash, (number, index)) in &known {
        let receipt: Option<Value> = client.request("eth_getTransactionReceipt", (*hash,))?;
        let receipt = receipt.ok_or_else(|| {
            eyre!("{hash} was preconfirmed at {number}, {index}, and is in no block")
        })?;
        let at = |field: &str| -> Result<u64> {
            let text = receipt[field].as_str().ok_or_eyre("a receipt without a field")?;
            Ok(text.parse::<U64>()?.to())
        };
        let got = (at("blockNumber")?, at("transactionIndex")?);
        ensure!(got == (*number, *index), "{hash} is at {got:?}, promised at {number}, {index}");
    }
    Ok(known.len() as u64)
}
