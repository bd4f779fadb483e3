//! `docs/market.md` matches the simulation, and the simulation conserves demand.

use super::block::{BASE_FEE, Block, L1_LIMIT, Payment, TRANSACTION_CAP};
use super::report::{REAL, WORST, placed, report};
use super::simulation::{ATTACK, BLOCKS, BUDGET, Demand, run};
use crate::report::check_figures;
use std::{fs, path::Path};
use variants::market::{LIMIT, RESERVE_RATIO, Rate, TARGET, UPDATE_FRACTION};

fn document(name: &str) -> String {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    fs::read_to_string(docs.join(name)).unwrap()
}

#[test]
fn document_has_market_results() {
    let made = report().unwrap();
    let now = document("market.md");
    assert!(placed(&now, &made.text).unwrap() == now, "run cargo xtask market --write");
    for (name, svg) in made.plots {
        assert!(document(name) == svg, "{name}: run cargo xtask market --write");
        assert!(now.contains(&format!("({name})")), "{name} is not shown");
    }
    assert_eq!(placed("no marks", "text"), None);
    check_figures("market", &made.figures).unwrap();
}

#[test]
fn document_has_market_constants() {
    let now = document("market.md");
    let thousands = |number: u64| {
        let digits = number.to_string();
        let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().collect();
        groups.iter().map(|group| str::from_utf8(group).unwrap()).collect::<Vec<_>>().join(",")
    };
    for (name, value) in [
        ("LIMIT", LIMIT),
        ("TARGET", TARGET),
        ("UPDATE_FRACTION", UPDATE_FRACTION),
        ("RESERVE_RATIO", RESERVE_RATIO),
    ] {
        let line = format!("{name} = {}", thousands(value));
        assert!(now.contains(&line), "{line}");
    }
}

/// Returns the cells of the table of measured inputs.
fn measured(gas: &str) -> Vec<Vec<String>> {
    let rows = gas.lines().filter(|line| line.starts_with("| "));
    let cells =
        |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    rows.map(cells)
        .filter(|row: &Vec<String>| row.len() == 7 && row[6].parse::<f64>().is_ok())
        .collect()
}

/// Returns the maximum time of a benchmark relative to the time that it pays for, in hundredths,
/// from a sentence below the table.
fn benchmarked(gas: &str) -> u64 {
    let words = gas.split_whitespace().collect::<Vec<_>>().join(" ");
    let (said, _) = words.split_once(" times what it pays for, and all others").unwrap();
    let maximum = said.rsplit(' ').next().unwrap();
    (maximum.parse::<f64>().unwrap() * 100.0).round() as u64
}

#[test]
fn gas_time_matches_measured_inputs() {
    let gas = document("gas.md");
    let rows = measured(&gas);
    let ratio = |row: &Vec<String>| (row[6].parse::<f64>().unwrap() * 100.0).round() as u64;
    // One gas pays for 3 ns.
    let picoseconds = |ratio: u64| ratio * 30;
    assert!(rows.len() > 30, "{rows:?}");
    let worst = rows.iter().map(ratio).chain([benchmarked(&gas)]).max();
    assert_eq!(worst.map(picoseconds), Some(WORST));
    let network = |row: &&Vec<String>| {
        ["mainnet", "sepolia", "hoodi"].iter().any(|network| row[0].starts_with(network))
    };
    assert_eq!(rows.iter().filter(network).map(ratio).max().map(picoseconds), Some(REAL));

    let now = document("market.md").split_whitespace().collect::<Vec<_>>().join(" ");
    for (picoseconds, input) in [(REAL, "in the real block"), (WORST, "in the most expensive")] {
        let said = format!("{} ns {input}", picoseconds as f64 / 1000.0);
        assert!(now.contains(&said), "{said}");
    }
}

#[test]
fn worlds_conserve_demand_within_limits_and_budget() {
    for payment in Payment::ALL {
        for (rollups, demand) in
            [1, 10].into_iter().flat_map(|count| Demand::ALL.map(|by| (count, by)))
        {
            let history = run(rollups, demand, payment).unwrap();
            let case = format!("{rollups} {demand:?} {payment:?}");
            assert!(history.used.iter().all(|used| *used <= LIMIT), "{case}");
            if payment != Payment::Allowance {
                assert!(history.gas.iter().all(|gas| *gas <= L1_LIMIT), "{case}");
                assert!(history.largest <= TRANSACTION_CAP, "{case}");
            }
            assert!(history.spent <= BUDGET);
            assert_eq!(history.filled > 0, demand == Demand::Hostile);
            // The attacker stops only when the remaining budget does not pay for the next block.
            let next = u128::from(LIMIT) * u128::from(*history.prices.iter().max().unwrap());
            let stops = ATTACK + history.filled < BLOCKS;
            let poor = history.spent + next > BUDGET;
            assert!(demand != Demand::Hostile || !stops || poor, "{case}");
            assert!(history.prices.iter().all(|wei| *wei >= BASE_FEE / RESERVE_RATIO / 2));
            assert_eq!(history.sent, history.carried + history.left, "{case}");
            assert!(history.carried > 0, "{case}");
        }
    }
}

/// Above this price, a full L1 block contains less EXECUTE gas than the target.
#[test]
fn held_base_fee_keeps_price_at_target() {
    for demand in Demand::ALL {
        let history = run(10, demand, Payment::Held).unwrap();
        let maximum = BASE_FEE * (L1_LIMIT / TARGET) * 9 / 8;
        assert!(history.prices.iter().all(|wei| *wei <= maximum), "{demand:?}");
    }
}

#[test]
fn block_is_filled_with_all_fitting_transactions() {
    let filled = |ratio, payment| {
        let rate = Rate { price: BASE_FEE * ratio, base_fee: BASE_FEE };
        Block::new(rate, payment).filled(0)
    };
    for ratio in [1, 2, 3] {
        let block = filled(ratio, Payment::Held);
        assert_eq!((block.used, block.gas), (LIMIT / ratio, L1_LIMIT));
        assert_eq!(block.largest, TRANSACTION_CAP / ratio * ratio);
    }
    assert_eq!(filled(300, Payment::Allowance).used, LIMIT);
    // One EXECUTE gas costs more than the gas limit of a transaction.
    assert_eq!(filled(TRANSACTION_CAP + 1, Payment::Held).used, 0);
}
