//! Time from sending a transaction to its signed prefix at a follower, which has executed it.

use super::{
    LOOK, Spread, TIP,
    lifted::{CALL_GAS, WORK},
    row, stranger, until_l1_time,
};
use crate::payers::payers;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, keccak256};
use alloy_sol_types::SolValue as _;
use client::{Client, ClientOptions};
use eyre::{OptionExt as _, Result, eyre};
use rpc_types::TransactionStatus;
use serde::Serialize;
use std::{
    ops::Range,
    sync::mpsc::{Receiver, channel},
    thread::{self, sleep},
    time::{Duration, Instant},
};
use testkit::localnet::{
    processes::{Deploying, L2_CHAIN, Rollup},
    report::Report,
    requests::{balance, receipt, send, signed, transfer, until},
    say,
};
use testkit::{ETHER, Key};

/// Number of sending accounts. Each has few transactions in a block, as real senders do.
pub(super) const PAYERS: usize = 64;
/// Transactions per second of each measurement, and their number. The last two fill blocks to
/// about four fifths, by the bytes of an L1 transaction and by gas: above that, transactions wait
/// for later blocks.
pub(super) const RATES: [(Kind, u64, u64); 5] = [
    (Kind::Transfer, 1, 20),
    (Kind::Transfer, 20, 400),
    (Kind::Transfer, 100, 2_000),
    (Kind::Data, 40, 800),
    (Kind::Call, 36, 720),
];
/// Length of the calldata of [`Kind::Data`] in bytes, which cannot be compressed.
const DATA: u64 = 2_000;
/// Gas limit of such a transaction: the floor of EIP-7623 for bytes that are not zero, and the
/// 21,000 of a transaction.
const DATA_GAS: u64 = 21_000 + 40 * DATA;

/// Kind of transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Kind {
    /// A transfer to a new account.
    Transfer,
    /// A transfer with calldata.
    Data,
    /// A call that computes and writes storage.
    Call,
}

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
    kind: Kind,
    per_second: u64,
    transactions: u64,
    /// Transactions that the follower showed in a sealed block first.
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
            let kind = rate.kind.shown();
            let what = format!("{}/s {kind}: until preconfirmed, ms, p50 / p99", rate.per_second);
            row(&what, of(rate.sequencer_ms));
            row("  at a follower, which has executed it", of(rate.follower_ms));
            row("  seen there only once sealed", rate.missed);
        }
    }
}

impl Kind {
    pub(super) const fn shown(self) -> &'static str {
        match self {
            Self::Transfer => "transfers",
            Self::Data => "with 2 kB",
            Self::Call => "calls of 230,000 gas",
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
    let (mut rates, mut sent) = (Vec::new(), 0);
    let worker = worker(&rollup, sequencer.client())?;
    until_l1_time(&rollup)?;
    for (kind, per_second, count) in RATES {
        let raw = transactions(kind, &payers, sent..sent + count, worker);
        sent += count;
        let urls = [sequencer.client().url(), follower.client().url()];
        let rate = measure(urls, kind, per_second, raw)?;
        report.shown(format!("{count} transactions at {per_second}/s are preconfirmed"));
        rates.push(rate);
    }
    Ok(Preconfirmed { rates })
}

/// Creates the contract that the calls use.
pub(super) fn worker(rollup: &Rollup, l2: &Client) -> Result<Address> {
    let from = &Key::named("deployer");
    rollup.deposit(&Key::named("alice"), from.address(), ETHER)?;
    until("the deposit", || Ok(balance(l2, from.address())? >= U256::from(ETHER)))?;
    let length = u8::try_from(WORK.len())?;
    // PUSH1 length, PUSH1 10, PUSH0, CODECOPY, PUSH1 length, PUSH0, RETURN.
    let init = [0x60, length, 0x60, 10, 0x5f, 0x39, 0x60, length, 0x5f, 0xf3];
    let code: Bytes = [&init, WORK].concat().into();
    let hash = send(l2, L2_CHAIN, from, TxKind::Create, 0, code, 200_000)?;
    receipt(l2, hash)?.contract_address.ok_or_eyre("the contract was not created")
}

/// Signs the transactions with these numbers.
pub(super) fn transactions(
    kind: Kind,
    payers: &[Key],
    numbers: Range<u64>,
    worker: Address,
) -> Vec<Bytes> {
    let payer = |number: u64| &payers[number as usize % PAYERS];
    numbers.map(|number| transaction(kind, payer(number), number, worker)).collect()
}

/// Signs the transaction with this number, of which each payer has every 64th.
fn transaction(kind: Kind, payer: &Key, number: u64, worker: Address) -> Bytes {
    let (nonce, to) = (number / PAYERS as u64, stranger("preconfirmed", number));
    match kind {
        Kind::Transfer => transfer(L2_CHAIN, payer, nonce, to, TIP),
        Kind::Data => {
            let words = (0..DATA.div_ceil(32)).map(|word| keccak256((number, word).abi_encode()));
            let mut data: Vec<u8> = words.flatten().collect();
            data.truncate(DATA as usize);
            signed(L2_CHAIN, payer, nonce, to.into(), 1, data.into(), DATA_GAS)
        }
        Kind::Call => signed(L2_CHAIN, payer, nonce, worker.into(), 0, Bytes::new(), CALL_GAS),
    }
}

/// Sends transactions at a rate, and measures when a follower has each in a signed prefix.
fn measure(
    [sequencer, follower]: [&str; 2],
    kind: Kind,
    per_second: u64,
    raw: Vec<Bytes>,
) -> Result<Rate> {
    let transactions = raw.len() as u64;
    let (senders, looks): (Vec<_>, Vec<_>) = (0..2).map(|_| channel()).unzip();
    let seen = thread::scope(|scope| {
        let looks = [sequencer, follower].into_iter().zip(looks);
        let looks: Vec<_> =
            looks.map(|(url, sent)| scope.spawn(move || look(url, &sent))).collect();
        send_at(sequencer, per_second, raw, |hash, at| {
            // A receiver ends only after an error, which is returned below.
            for send in &senders {
                let _ = send.send((hash, at));
            }
        })?;
        drop(senders);
        let joined = looks
            .into_iter()
            .map(|look| look.join().map_err(|_| eyre!("the poll of a node has panicked"))?);
        joined.collect::<Result<Vec<_>>>()
    })?;
    let [(own, _), (theirs, missed)] = &seen[..] else { unreachable!("two nodes are polled") };
    let (sequencer_ms, follower_ms) = (Spread::of(own.clone())?, Spread::of(theirs.clone())?);
    Ok(Rate { kind, per_second, transactions, missed: *missed, sequencer_ms, follower_ms })
}

/// Sends transactions at a rate, and reports the hash of each and the time before it was sent.
pub(super) fn send_at(
    url: &str,
    per_second: u64,
    raw: Vec<Bytes>,
    sent: impl Fn(B256, Instant),
) -> Result<()> {
    let client = Client::new(url, ClientOptions::default())?;
    let begun = Instant::now();
    for (index, raw) in (0..).zip(raw) {
        let due = Duration::from_secs(1) * index / u32::try_from(per_second)?;
        sleep(due.saturating_sub(begun.elapsed()));
        let at = Instant::now();
        sent(client.request("eth_sendRawTransaction", (raw,))?, at);
    }
    Ok(())
}

/// Polls the status of each sent transaction, in order. Returns the milliseconds until each was
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
