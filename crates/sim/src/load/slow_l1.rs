//! Block intervals and inclusion times of an L2 on a slow L1, behind a proxy that delays responses.

use super::{row, stranger};
use alloy_consensus::TxEip1559;
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, B256, Bytes, U64};
use client::{Client, ClientOptions};
use eyre::{OptionExt as _, Result, eyre};
use serde::Serialize;
use serde_json::Value;
use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread::{self, sleep},
    time::{Duration, Instant},
};
use testkit::localnet::{
    processes::{Deploying, Design, L2_CHAIN, Rollup},
    report::Report,
    requests::{number as head, status, until},
    say,
};
use testkit::{ETHER, Key, rich};

/// Delays of L1's responses, in milliseconds.
const DELAYS: [u64; 3] = [0, 100, 1_000];
/// Block time of the sequencer, in milliseconds.
const BLOCK_TIME: &str = "1000";
/// Duration of a run.
const RUN: Duration = Duration::from_secs(40);
/// Interval between polls of the number of pending transactions.
const REFILL: Duration = Duration::from_millis(100);
/// Interval between polls of a head or a receipt.
const LOOK: Duration = Duration::from_millis(5);
/// Number of pending transactions, each of which fills a block.
const WAITING: u64 = 4;

/// Address of a contract that uses all gas of a call.
const BURNER: Address = Address::repeat_byte(0xbb);
/// Its code, an endless loop.
const BURN: &[u8] = &[0x5b, 0x5f, 0x56];
/// Gas limit of a call, which leaves space for a few transfers in the block.
const BURNT: u64 = 9_500_000;

/// Percentiles in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
struct Times {
    p50: f64,
    p90: f64,
}

impl Times {
    fn of(mut all: Vec<f64>) -> Result<Self> {
        all.sort_by(f64::total_cmp);
        let at = |percent: usize| {
            let index = (all.len() * percent / 100).min(all.len().saturating_sub(1));
            all.get(index).copied().ok_or_eyre("nothing measured")
        };
        Ok(Self { p50: at(50)?, p90: at(90)? })
    }

    fn shown(self) -> String {
        format!("{:.0} / {:.0}", self.p50, self.p90)
    }
}

/// Measurements of one run.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    blobs: bool,
    full: bool,
    #[serde(rename = "delayMilliseconds")]
    delay: u64,
    /// Number of sealed blocks.
    blocks: u64,
    /// Number of blocks on L1 at the end.
    settled: u64,
    /// Mean gas used per block, in Mgas.
    mgas_per_block: f64,
    #[serde(rename = "intervalMilliseconds")]
    interval: Times,
    /// Time from the acknowledgement of a transfer to its receipt.
    #[serde(rename = "inclusionMilliseconds")]
    inclusion: Times,
}

/// Measurements of all runs.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct SlowL1(Vec<Run>);

impl SlowL1 {
    pub(crate) fn print(&self) {
        say!("\nA slow L1; one block per second; ms, p50 / p90");
        for run in &self.0 {
            let way = if run.blobs { "blobs" } else { "calldata" };
            let load = if run.full { "full" } else { "small" };
            let name = format!("{way}, {load} blocks, +{} ms", run.delay);
            row(&format!("{name}: interval"), run.interval.shown());
            row(&format!("{name}: inclusion"), run.inclusion.shown());
            let blocks = format!("{} / {} / {:.1}", run.blocks, run.settled, run.mgas_per_block);
            row(&format!("{name}: blocks / on L1 / Mgas"), blocks);
        }
    }
}

/// Runs all measurements on a slow L1.
pub(super) fn run(report: &mut Report) -> Result<SlowL1> {
    report.part("An L2 on a slow L1");
    let mut runs = Vec::new();
    for blobs in [false, true] {
        for full in [false, true] {
            for delay in DELAYS {
                let run = measure(blobs, full, delay, report)?;
                report.shown(format!(
                    "blobs {blobs}, full {full}, +{delay} ms: interval {}, inclusion {}",
                    run.interval.shown(),
                    run.inclusion.shown()
                ));
                runs.push(run);
            }
        }
    }
    Ok(SlowL1(runs))
}

fn measure(blobs: bool, full: bool, delay: u64, report: &mut Report) -> Result<Run> {
    let (probe, payer) = (Key::named("probe"), Key::named("payer"));
    let burner = GenesisAccount { code: Some(Bytes::from_static(BURN)), ..Default::default() };
    let ether = rich(1_000_000 * ETHER);
    let accounts =
        vec![(probe.address(), ether.clone()), (payer.address(), ether), (BURNER, burner)];
    let l1: &[&str] = if blobs { &["--execute-blobs"] } else { &[] };
    let mut rollup = Rollup::create(Design { l1, accounts, ..Deploying::Plainly.into() }, report)?;
    rollup.put_proxy()?;
    let url = rollup.l1.client().url().to_owned();
    let mut flags = vec!["--block-time-ms", BLOCK_TIME, "--submit-interval-ms", "2000"];
    flags.extend(["--poll-interval-ms", "100", "--daily-limit-gwei", "1000000000000"]);
    if blobs {
        flags.extend(["--l1-beacon", &url]);
    }
    let sequencer = rollup.sequencer_with(&flags)?;
    let node = sequencer.client();
    until("L1 to be read", || {
        let status: Value = node.request("rollup_syncStatus", ())?;
        Ok(status["synced"] == true)
    })?;
    rollup.proxy()?.delay(Duration::from_millis(delay));

    let done = AtomicBool::new(false);
    let (intervals, inclusions) = thread::scope(|scope| {
        let heads = scope.spawn(|| super::heads(node.url(), &done));
        let inclusion = scope.spawn(|| inclusions(node.url(), &probe, &done));
        let load = scope.spawn(|| if full { fill(node.url(), &payer, &done) } else { Ok(()) });
        sleep(RUN);
        done.store(true, Ordering::Relaxed);
        let heads = heads.join().map_err(|_| eyre!("the poll of the head has panicked"))??;
        load.join().map_err(|_| eyre!("the load has panicked"))??;
        let inclusion = inclusion.join().map_err(|_| eyre!("the probes have panicked"))??;
        eyre::Ok((heads, inclusion))
    })?;
    // The first head is older than the measurement, and the second one may have waited for the
    // first transfer.
    let measured = intervals.get(1..).unwrap_or_default();
    let gaps = measured.windows(2).map(|pair| (pair[1].1 - pair[0].1).as_secs_f64() * 1e3);
    let interval = Times::of(gaps.collect())?;
    let blocks = head(node)?;
    let mut gas = 0;
    for number in 1..=blocks {
        let block: Value = node.request("eth_getBlockByNumber", (format!("{number:#x}"), false))?;
        gas += serde_json::from_value::<U64>(block["gasUsed"].clone())?.to::<u64>();
    }
    let settled = status(node)?.safe_head.number;
    let mgas_per_block = gas as f64 / 1e6 / blocks.max(1) as f64;
    let inclusion = Times::of(inclusions)?;
    Ok(Run { blobs, full, delay, blocks, settled, mgas_per_block, interval, inclusion })
}

/// Signs a transaction with a very high fee cap and this tip in gwei.
fn signed(from: &Key, nonce: u64, to: Address, gas_limit: u64, tip: u128) -> Bytes {
    let transaction = from.sign(TxEip1559 {
        chain_id: L2_CHAIN,
        nonce,
        gas_limit,
        max_fee_per_gas: 10_000_000_000_000,
        max_priority_fee_per_gas: tip * 1_000_000_000,
        to: to.into(),
        ..Default::default()
    });
    transaction.encoded_2718().into()
}

/// Sends transfers one by one, with a tip that puts them first. Returns the milliseconds until each
/// has a receipt.
fn inclusions(url: &str, probe: &Key, done: &AtomicBool) -> Result<Vec<f64>> {
    let client = Client::new(url, ClientOptions::default())?;
    let mut all = Vec::new();
    for nonce in 0.. {
        let raw = signed(probe, nonce, stranger("probe", nonce), 21_000, 100);
        let hash = client.request::<_, B256>("eth_sendRawTransaction", (raw,))?;
        let begun = Instant::now();
        while client.request::<_, Value>("eth_getTransactionReceipt", (hash,))?.is_null() {
            if done.load(Ordering::Relaxed) {
                return Ok(all);
            }
            sleep(LOOK);
        }
        all.push(begun.elapsed().as_secs_f64() * 1e3);
        // A receipt appears right after a block. Varying pauses up to the block time spread the
        // transfers, which would otherwise all be sent at the same time before a block.
        sleep(Duration::from_millis(nonce * 370 % 1_000));
    }
    Ok(all)
}

/// Keeps calls pending, each of which fills the gas of a block.
fn fill(url: &str, payer: &Key, done: &AtomicBool) -> Result<()> {
    let client = Client::new(url, ClientOptions::default())?;
    let mut nonce = 0;
    while !done.load(Ordering::Relaxed) {
        let request = (payer.address(), "latest");
        let mined: U64 = client.request("eth_getTransactionCount", request)?;
        // A sequencer with a full backlog rejects the call, which is sent again later.
        while nonce < mined.to::<u64>() + WAITING
            && client
                .request::<_, B256>(
                    "eth_sendRawTransaction",
                    (signed(payer, nonce, BURNER, BURNT, 1),),
                )
                .is_ok()
        {
            nonce += 1;
        }
        sleep(REFILL);
    }
    Ok(())
}
