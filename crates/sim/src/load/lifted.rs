//! Throughput of an L2 on an L1 without transaction limits, so that the nodes are the bottleneck.

use super::{blocks, rebuild, row, send_all, until_settled};
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, Bytes, U256, keccak256};
use eyre::Result;
use serde::Serialize;
use std::time::Instant;
use testkit::localnet::{
    processes::{Deploying, Design, L2_CHAIN, Rollup},
    report::Report,
    requests::{number as head, signed},
    say,
};
use testkit::{ETHER, Key, NodeProcess, rich};

/// Flags of an L1 with 10 Ggas per block and no transaction gas cap.
const L1: &[&str] = &["--gas-limit", "10000000000", "--no-tx-gas-cap", "--max-tx-size", "6000000"];
/// Flags of a sequencer for this L1.
const SEQUENCER: &[&str] = &[
    "--poll-interval-ms",
    "100",
    "--submit-interval-ms",
    "1000",
    "--l1-transaction-gas",
    "10000000000",
    "--l1-transaction-bytes",
    "6000000",
    "--daily-limit-gwei",
    "1000000000000",
    // A transaction of billions of gas costs more than the default cap.
    "--l1-tx-fee-cap-gwei",
    "1000000000000",
    "--pool-transactions",
    "100000",
];
/// Gas limit of L2 blocks, far above the gas used, so that the base fee does not rise.
const GAS_LIMIT: u64 = 1_000_000_000;
/// Number of sending accounts.
const PAYERS: usize = 64;
/// Number of transactions per account, for each kind of load.
const TRANSACTIONS: u64 = 300;

/// Address of the contract that the calls use.
const WORKER: Address = Address::repeat_byte(0x3c);
/// Code of the contract: 4,000 squarings, each written to memory, and an update of a slot per
/// caller.
pub(super) const WORK: &[u8] = &[
    0x61, 0x0f, 0xa0, // PUSH2 4,000
    0x5b, // JUMPDEST
    0x60, 0x01, 0x90, 0x03, // decrement
    0x80, 0x80, 0x02, 0x5f, 0x52, // store its square in memory
    0x80, 0x60, 0x03, 0x57, // repeat unless it is zero
    0x33, 0x54, 0x60, 0x01, 0x01, 0x33, 0x55, // increment the slot of the caller
    0x00,
];
/// Gas limit of a call.
pub(super) const CALL_GAS: u64 = 230_000;

/// Rate of one kind of transactions.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
struct Rate {
    transactions: u64,
    mgas: f64,
    seconds: f64,
}

impl Rate {
    fn shown(&self) -> String {
        format!("{:.0} / {:.0}", self.transactions as f64 / self.seconds, self.mgas / self.seconds)
    }
}

/// Measurements of the run.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Lifted {
    /// Transfers to new accounts, from the first submission to the last inclusion on L1.
    settled_transfers: Rate,
    /// Likewise for equal numbers of transfers and contract calls.
    settled_mixed: Rate,
    /// Derivation of all blocks from L1 by an empty follower, including its start.
    rebuilt: Rate,
}

impl Lifted {
    pub(crate) fn print(&self) {
        say!("\nAn L1 without limits; transactions / Mgas per second");
        row("settled on L1, transfers to new accounts", self.settled_transfers.shown());
        row("settled on L1, transfers and calls of a contract", self.settled_mixed.shown());
        row("rebuilt from L1 by a full follower", self.rebuilt.shown());
    }
}

/// Runs this measurement.
pub(super) fn run(report: &mut Report) -> Result<Lifted> {
    report.part("An L2 on an L1 without limits");
    let payers: Vec<Key> = (0..PAYERS).map(|index| Key::named(&format!("payer {index}"))).collect();
    let mut accounts: Vec<_> = payers.iter().map(|key| (key.address(), rich(ETHER))).collect();
    let worker = GenesisAccount { code: Some(Bytes::from_static(WORK)), ..Default::default() };
    accounts.push((WORKER, worker));
    let design =
        Design { l1: L1, gas_limit: Some(GAS_LIMIT), accounts, ..Deploying::Plainly.into() };
    let rollup = Rollup::create(design, report)?;
    let sequencer = rollup.sequencer_with(SEQUENCER)?;

    let of = |nonces: core::ops::Range<u64>, is_call: fn(u64) -> bool| -> Vec<Vec<Bytes>> {
        let raw =
            |payer: &Key| nonces.clone().map(|nonce| one(payer, nonce, is_call(nonce))).collect();
        payers.iter().map(raw).collect()
    };
    let transfers = of(0..TRANSACTIONS, |_| false);
    let mixed = of(TRANSACTIONS..2 * TRANSACTIONS, |nonce| nonce % 2 == 1);
    let settled_transfers = settle(&sequencer, &payers, &transfers, TRANSACTIONS)?;
    report.shown(format!("transfers are on L1: {}", settled_transfers.shown()));
    let settled_mixed = settle(&sequencer, &payers, &mixed, 2 * TRANSACTIONS)?;
    report.shown(format!("transfers and calls are on L1: {}", settled_mixed.shown()));

    let (count, gas) = blocks(sequencer.client(), 1, head(sequencer.client())?)?;
    let seconds = rebuild(&rollup, sequencer, report)?;
    let rebuilt = Rate { transactions: count, mgas: gas as f64 / 1e6, seconds };
    Ok(Lifted { settled_transfers, settled_mixed, rebuilt })
}

/// Sends transactions, and waits until all of them are on L1, those of each account up to this
/// nonce.
fn settle(sequencer: &NodeProcess, payers: &[Key], raw: &[Vec<Bytes>], nonce: u64) -> Result<Rate> {
    let first = head(sequencer.client())?;
    let begun = Instant::now();
    send_all(sequencer.client().url(), raw)?;
    until_settled(sequencer, payers, nonce)?;
    let seconds = begun.elapsed().as_secs_f64();
    let (_, gas) = blocks(sequencer.client(), first + 1, head(sequencer.client())?)?;
    let transactions = raw.iter().map(Vec::len).sum::<usize>() as u64;
    Ok(Rate { transactions, mgas: gas as f64 / 1e6, seconds })
}

/// Signs a transfer to a new account, or a call of the contract.
fn one(payer: &Key, nonce: u64, is_call: bool) -> Bytes {
    let word =
        keccak256([payer.address().as_slice(), &U256::from(nonce).to_be_bytes::<32>()].concat());
    let (to, value, gas) =
        if is_call { (WORKER, 0, CALL_GAS) } else { (Address::from_word(word), 1, 21_000) };
    signed(L2_CHAIN, payer, nonce, to.into(), value, Bytes::new(), gas)
}
