//! The figures of `docs/market.md` are what the market comes to.

#[path = "../examples/market/plot.rs"]
mod plot;
#[path = "../examples/market/random.rs"]
mod random;
#[path = "../examples/market/report.rs"]
mod report;
#[path = "../examples/market/world.rs"]
mod world;

use enshrine_execute::market::{LIMIT, RESERVE_RATIO, TARGET, UPDATE_FRACTION};
use report::{REAL, WORST, placed, report};
use std::{fs, path::Path};
use world::{BASE_FEE, BUDGET, Demand, run};

fn document(name: &str) -> String {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    fs::read_to_string(docs.join(name)).unwrap()
}

#[test]
fn the_document_says_what_the_market_comes_to() {
    let made = report();
    let now = document("market.md");
    assert!(placed(&now, &made.text).unwrap() == now, "run cargo xtask market --write");
    for (name, svg) in made.plots {
        assert!(document(name) == svg, "{name}: run cargo xtask market --write");
        assert!(now.contains(&format!("({name})")), "{name} is not shown");
    }
    assert_eq!(placed("no marks", "text"), None);
}

#[test]
fn the_document_names_the_numbers_that_the_market_has() {
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

/// Cells of the rows of the table of measured inputs.
fn measured(gas: &str) -> Vec<Vec<String>> {
    let rows = gas.lines().filter(|line| line.starts_with("| "));
    let cells =
        |line: &str| line.trim_matches('|').split('|').map(|it| it.trim().to_owned()).collect();
    rows.map(cells)
        .filter(|row: &Vec<String>| row.len() == 7 && row[6].parse::<f64>().is_ok())
        .collect()
}

#[test]
fn the_time_of_a_unit_of_gas_is_that_of_the_measured_inputs() {
    let rows = measured(&document("gas.md"));
    let ratio = |row: &Vec<String>| (row[6].parse::<f64>().unwrap() * 100.0).round() as u64;
    // A unit pays for three nanoseconds.
    let picoseconds = |row: &Vec<String>| ratio(row) * 30;
    assert!(rows.len() > 30, "{rows:?}");
    assert_eq!(rows.iter().map(picoseconds).max(), Some(WORST));
    let network = |row: &&Vec<String>| {
        ["mainnet", "sepolia", "hoodi"].iter().any(|it| row[0].starts_with(it))
    };
    assert_eq!(rows.iter().filter(network).map(picoseconds).max(), Some(REAL));
}

#[test]
fn no_block_of_any_world_takes_more_than_the_limit_and_the_attacker_no_more_than_he_has() {
    for rollups in [1, 10] {
        for demand in Demand::ALL {
            let history = run(rollups, demand);
            assert!(history.used.iter().all(|used| *used <= LIMIT), "{rollups} {demand:?}");
            assert!(history.spent <= BUDGET);
            assert_eq!(history.filled > 0, demand == Demand::Hostile);
            // He stops because the next block is beyond what he has left, and not before.
            let next = u128::from(LIMIT) * u128::from(*history.prices.iter().max().unwrap());
            assert!(demand != Demand::Hostile || history.spent + next > BUDGET);
            assert!(history.prices.iter().all(|wei| *wei >= BASE_FEE / RESERVE_RATIO / 2));
        }
    }
}
