//! Time from sending a transfer to its signed prefix at a follower, which has executed it.

use super::{LOOK, Spread, TIP, row, stranger, until_l1_time};
use crate::payers::payers;
use alloy_primitives::{B256, Bytes};
use client::{Client, ClientOptions};
use eyre::{Result, eyre};
use rpc_types::TransactionStatus;
use serde::Serialize;
use std::{
    sync::mpsc::{Receiver, channel},
    thread::{self, sleep},
    time::{Duration, Instant},
};
use testkit::localnet::{
    processes::{Deploying, L2_CHAIN, Rollup},
    report::Report,
    requests::transfer,
    say,
};

/// Number of sending accounts. Each has few transactions in a block, as real senders do.
const PAYERS: usize = 64;
/// Transfers per second of each measurement, and their number.
const RATES: [(u64, u64); 3] = [(1, 20), (20, 400), (100, 2_000)];

/// Measurements of the run.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Preconfirmed {
    rates: Vec<Rate>,
}

/// Measurement at one rate.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Rate {
    per_second: u64,
    transfers: u64,
    /// Transfers that the follower showed in a sealed block first.
    missed: u64,
    #[serde(rename = "sequencerMilliseconds")]
    sequencer_ms: Spread,
    #[serde(rename = "followerMilliseconds")]
    follower_ms: Spread,
}

impl Preconfirmed {
    pub(crate) fn print(&self) {
        say!("\nSigned prefixes every 100 ms, blocks every second");
        for rate in &self.rates {
            let of = |it: Spread| format!("{:.0} / {:.0}", it.p50, it.p99);
            let what = format!("{}/s: sent until preconfirmed, ms, p50 / p99", rate.per_second);
            row(&what, of(rate.sequencer_ms));
            row("  at a follower, which has executed it", of(rate.follower_ms));
            row("  seen there only once sealed", rate.missed);
        }
    }
}

/// Runs this measurement.
pub(super) fn run(report: &mut Report) -> Result<Preconfirmed> {
    report.part("Signed prefixes of blocks");
    let rollup = Rollup::create(Deploying::ByScripts, report)?;
    let flags =
        ["--preconfirm", "--poll-interval-ms", "100", "--daily-limit-gwei", "1000000000000"];
    let sequencer = rollup.sequencer_with(&flags)?;
    let follower = rollup.follower_of(&sequencer)?;
    let payers = payers(&rollup, &sequencer, PAYERS)?;
    until_l1_time(&rollup)?;
    let (mut rates, mut sent) = (Vec::new(), 0);
    for (per_second, transfers) in RATES {
        let raw: Vec<_> = (sent..sent + transfers)
            .map(|number| {
                let payer = &payers[number as usize % PAYERS];
                let to = stranger("preconfirmed", number);
                transfer(L2_CHAIN, payer, number / PAYERS as u64, to, TIP)
            })
            .collect();
        sent += transfers;
        let urls = [sequencer.client().url(), follower.client().url()];
        let rate = measure(urls, per_second, raw)?;
        report.shown(format!("{transfers} transfers at {per_second}/s are preconfirmed"));
        rates.push(rate);
    }
    Ok(Preconfirmed { rates })
}

/// Sends transfers at a rate, and measures when a follower has each in a signed prefix.
fn measure([sequencer, follower]: [&str; 2], per_second: u64, raw: Vec<Bytes>) -> Result<Rate> {
    let transfers = raw.len() as u64;
    let (senders, looks): (Vec<_>, Vec<_>) = (0..2).map(|_| channel()).unzip();
    let seen = thread::scope(|scope| {
        let looks = [sequencer, follower].into_iter().zip(looks);
        let looks: Vec<_> =
            looks.map(|(url, sent)| scope.spawn(move || look(url, &sent))).collect();
        let client = Client::new(sequencer, ClientOptions::default())?;
        let begun = Instant::now();
        for (index, raw) in (0..).zip(raw) {
            let due = Duration::from_secs(1) * index / u32::try_from(per_second)?;
            sleep(due.saturating_sub(begun.elapsed()));
            let at = Instant::now();
            let hash = client.request::<_, B256>("eth_sendRawTransaction", (raw,))?;
            // A receiver ends only after an error, which is returned below.
            for send in &senders {
                let _ = send.send((hash, at));
            }
        }
        drop(senders);
        let joined = looks
            .into_iter()
            .map(|look| look.join().map_err(|_| eyre!("the poll of a node has panicked"))?);
        joined.collect::<Result<Vec<_>>>()
    })?;
    let [(own, _), (theirs, missed)] = &seen[..] else { unreachable!("two nodes are polled") };
    let (sequencer_ms, follower_ms) = (Spread::of(own.clone())?, Spread::of(theirs.clone())?);
    Ok(Rate { per_second, transfers, missed: *missed, sequencer_ms, follower_ms })
}

/// Polls the status of each sent transfer, in order. Returns the milliseconds until each was
/// preconfirmed, and the number of those that were in a sealed block by then.
fn look(url: &str, sent: &Receiver<(B256, Instant)>) -> Result<(Vec<f64>, u64)> {
    let client = Client::new(url, ClientOptions::default())?;
    let (mut times, mut missed) = (Vec::new(), 0);
    for (hash, at) in sent {
        loop {
            let status: Option<TransactionStatus> =
                client.request("rollup_transactionStatus", (hash,))?;
            match status {
                None | Some(TransactionStatus::Pending) => sleep(LOOK),
                Some(TransactionStatus::Preconfirmed { .. }) => break,
                Some(TransactionStatus::Dropped { reason }) => return Err(eyre!(reason)),
                Some(_) => {
                    missed += 1;
                    break;
                }
            }
        }
        times.push(at.elapsed().as_secs_f64() * 1e3);
    }
    Ok((times, missed))
}
