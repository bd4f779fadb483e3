//! Block times of an L2 with very many accounts, while the pool contains more than fits into a
//! block.

use super::{Spread, row, send_all, stranger};
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, Bytes, U64};
use eyre::{OptionExt as _, Result, ensure};
use serde::Serialize;
use serde_json::Value;
use std::fs;
use testkit::localnet::{
    processes::{Deploying, Design, L2_CHAIN, Rollup},
    report::Report,
    requests::{number as head, signed, until},
    say,
};
use testkit::{ETHER, Key, rich};

/// Number of sending accounts.
const PAYERS: usize = 64;
/// Number of transfers per account: enough to fill all measured blocks.
const TRANSFERS: u64 = 312;

/// Measurements of the run.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Large {
    accounts: u64,
    /// Number of full blocks.
    blocks: usize,
    /// Time from the start of building a full block until it is on disk: filled, verified by
    /// EXECUTE from its witness, checked, appended.
    #[serde(rename = "buildMilliseconds")]
    build_ms: Spread,
    #[serde(rename = "longestMilliseconds")]
    longest_ms: f64,
    transactions_of_a_block: u64,
    /// Maximum interval between full blocks in seconds, by their timestamps.
    longest_pause: u64,
}

impl Large {
    pub(crate) fn print(&self) {
        say!("\nAn L2 of {} accounts, {} full blocks, one per second", self.accounts, self.blocks);
        let Spread { p50, p99 } = self.build_ms;
        row(
            "build and self-check, ms, p50 / p99 / longest",
            format!("{p50:.0} / {p99:.0} / {:.0}", self.longest_ms),
        );
        row("transfers of a block", self.transactions_of_a_block.to_string());
        row("interval between blocks, maximum, seconds", self.longest_pause.to_string());
    }
}

/// Returns the genesis accounts of an L2 with this many accounts in addition to the payers.
///
/// The accounts have a nonce and no balance: a node needs an allowance for each balance, and its
/// configuration is at most 1 MiB long.
fn genesis_accounts(count: u64, payers: &[Key]) -> Vec<(Address, GenesisAccount)> {
    let used = GenesisAccount { nonce: Some(1), ..Default::default() };
    let used = (0..count).map(|number| (stranger("account", number), used.clone()));
    used.chain(payers.iter().map(|key| (key.address(), rich(ETHER)))).collect()
}

/// Runs this measurement with this many accounts.
pub(super) fn run(count: u64, report: &mut Report) -> Result<Large> {
    report.part("An L2 with many accounts");
    let payers: Vec<Key> = (0..PAYERS).map(|index| Key::named(&format!("payer {index}"))).collect();
    let accounts = genesis_accounts(count, &payers);
    let rollup = Rollup::create(Design { accounts, ..Deploying::Plainly.into() }, report)?;
    let sequencer = rollup.sequencer_with_json_log(&["--poll-interval-ms", "100"])?;
    report.built(format!("a sequencer with {count} accounts is ready"));

    // The recipient depends on the number of the transfer and is spread over the state.
    let to = |index: usize, nonce: u64| {
        let number = index as u64 * TRANSFERS + nonce;
        stranger("account", number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % count)
    };
    let raw: Vec<Vec<Bytes>> = payers
        .iter()
        .enumerate()
        .map(|(index, payer)| {
            let one = |nonce| {
                signed(L2_CHAIN, payer, nonce, to(index, nonce).into(), 1, Bytes::new(), 21_000)
            };
            (0..TRANSFERS).map(one).collect()
        })
        .collect();
    let first = head(sequencer.client())?;
    let client = sequencer.client();
    send_all(client.url(), &raw)?;
    report.built(format!("{} transfers are pending", PAYERS as u64 * TRANSFERS));
    let mut waiting = u64::MAX;
    while waiting > 0 {
        until("another block", || {
            let now = waiting_in(&client.request("txpool_status", ())?)?;
            Ok(core::mem::replace(&mut waiting, now) > now)
        })?;
    }
    let last = head(client)?;
    let mut shapes = Vec::new();
    for number in first + 1..=last {
        let block: Value =
            client.request("eth_getBlockByNumber", (format!("{number:#x}"), false))?;
        let count = block["transactions"].as_array().map_or(0, Vec::len) as u64;
        let timestamp: U64 = serde_json::from_value(block["timestamp"].clone())?;
        shapes.push((number, count, timestamp.to::<u64>()));
    }
    // The first and the last block are not full.
    let full = shapes.get(1..shapes.len().saturating_sub(1)).unwrap_or_default();
    ensure!(full.len() > 1, "too few blocks: {shapes:?}");
    let log = fs::read_to_string(rollup.log("sequencer.log"))?;
    let took = took(&log);
    let times: Vec<f64> = took
        .iter()
        .filter(|(at, _)| full.iter().any(|block| block.0 == *at))
        .map(|(_, ms)| *ms)
        .collect();
    ensure!(times.len() == full.len(), "{} blocks, and {} times", full.len(), times.len());
    let longest_ms = times.iter().copied().fold(0.0, f64::max);
    let pauses = full.windows(2).map(|pair| pair[1].2 - pair[0].2);
    Ok(Large {
        accounts: count,
        blocks: full.len(),
        build_ms: Spread::of(times)?,
        longest_ms,
        transactions_of_a_block: full.iter().map(|block| block.1).sum::<u64>() / full.len() as u64,
        longest_pause: pauses.max().ok_or_eyre("no pause")?,
    })
}

/// Returns the number of pending transactions.
fn waiting_in(status: &Value) -> Result<u64> {
    let pending: U64 = serde_json::from_value(status["pending"].clone())?;
    Ok(pending.to())
}

/// Returns the number of each sealed block in a log, and its build time in milliseconds.
fn took(log: &str) -> Vec<(u64, f64)> {
    let of = |line: &str| {
        let line: Value = serde_json::from_str(line).ok()?;
        let fields = &line["fields"];
        let is_block = fields["message"] == "sealed block";
        let number = is_block.then(|| fields["number"].as_u64()).flatten()?;
        Some((number, milliseconds(fields["took"].as_str()?)?))
    };
    log.lines().filter_map(of).collect()
}

/// Parses a duration in Rust's debug format; returns milliseconds.
fn milliseconds(text: &str) -> Option<f64> {
    let units = [("ns", 1e-6), ("µs", 1e-3), ("ms", 1.0), ("s", 1e3)];
    let (number, unit) =
        units.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit)))?;
    Some(number.parse::<f64>().ok()? * unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_genesis::Genesis;
    use chain::empty_genesis;
    use testkit::allow_all;
    use wire::ProtocolFork;

    #[test]
    fn many_accounts_need_no_allowances() {
        let payers = [Key::named("payer")];
        let genesis = |count| Genesis {
            alloc: genesis_accounts(count, &payers).into_iter().collect(),
            ..empty_genesis(ProtocolFork::Osaka)
        };
        let (few, many) = (genesis(0), genesis(1_000));
        assert_eq!((few.alloc.len(), many.alloc.len()), (1, 1_001));
        for genesis in [few, many] {
            let allowance = allow_all(&genesis);
            assert_eq!((allowance.balances.len(), allowance.codes.len()), (1, 0));
        }
    }

    #[test]
    fn block_times_are_parsed_in_any_unit() {
        let line = |number: u64, took: &str| {
            format!(
                r#"{{"level":"INFO","fields":{{"message":"sealed block","number":{number},"took":"{took}"}}}}"#
            )
        };
        let log = [
            line(1, "12.5ms"),
            "Listening".to_owned(),
            r#"{"fields":{"message":"advancing","number":2,"took":"1s"}}"#.to_owned(),
            line(3, "750.25µs"),
            line(4, "1.5s"),
            line(5, "never"),
        ];
        assert_eq!(took(&log.join("\n")), [(1, 12.5), (3, 0.750_25), (4, 1_500.0)]);
    }
}
