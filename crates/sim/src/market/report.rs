//! Results of the simulations, for `docs/market.md`.

use super::{
    block::Payment,
    simulation::{ATTACK, BLOCKS, Demand, History, SETTLED, TRANSFER, run},
};
use eyre::Result;
use serde_json::{Map, Value, json};
use std::{fmt::Write as _, ops::Range};
use testkit::charts::{Curve, Curves};
use variants::market::TARGET;

/// Picoseconds per EXECUTE gas on one core in the slowest real block, by `docs/gas.md`.
pub(crate) const REAL: u64 = 1_800;
/// Picoseconds per EXECUTE gas on one core for the slowest known input, by `docs/gas.md`.
pub(crate) const WORST: u64 = 3_900;

/// Numbers of rollups in the simulations.
const ROLLUPS: [u64; 3] = [1, 10, 100];
/// Number of rollups in the comparison of payments and in the plots.
const SHOWN: u64 = 10;
/// Blocks around the attack that a plot shows.
const AROUND: Range<usize> = ATTACK - 20..ATTACK + 180;

/// Generated part of the document, and its plots by file name.
pub(crate) struct Report {
    pub(crate) text: String,
    pub(crate) plots: [(&'static str, String); 2],
    /// The figures of the text, by model of the base fee, number of rollups and demand.
    pub(crate) figures: Value,
}

fn gwei(wei: u64) -> f64 {
    wei as f64 / 1e9
}

/// Returns a percentile of sorted numbers.
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or_default()
}

fn mean(numbers: &[u64]) -> f64 {
    numbers.iter().sum::<u64>() as f64 / numbers.len().max(1) as f64
}

fn sorted(numbers: &[u64]) -> Vec<u64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    sorted
}

/// Returns the number of blocks from `begin` until the mean price of 20 blocks is within 10 % of
/// the equilibrium.
fn settled(prices: &[u64], begin: usize, equilibrium: f64) -> Option<usize> {
    prices[begin..].windows(20).position(|window| {
        let ratio = mean(window) / equilibrium;
        (0.9..=1.1).contains(&ratio)
    })
}

/// Formats the milliseconds for this EXECUTE gas on one core.
fn milliseconds(gas: u64, picoseconds: u64) -> String {
    let time = u128::from(gas) * u128::from(picoseconds);
    format!("{}", (time + 500_000_000) / 1_000_000_000)
}

fn millions(number: u64) -> String {
    thousands((number + 500_000) / 1_000_000)
}

const HEAD: &str = "demand | price, gwei: p1 / p50 / p99 | blocks to ±10 % | L1 Mgas per block: p50 / p99 | \
     advances that wait | blocks waited: p99 / most | waits at the end, in blocks | \
     L1 gas for each L2 transaction: p50 / p99 | EXECUTE ms per block, real: p50 / p99 | \
     EXECUTE ms per block, worst: p50 / p99 |\n|---|---|---|---|---|---|---|---|---|---|---|\n";

/// Returns the figures of a simulation.
fn figures(demand: Demand, history: &History, equilibrium: f64) -> Value {
    let path = sorted(&history.prices[SETTLED..]);
    let prices = [1, 50, 99].map(|percent| percentile(&path, percent));
    let (used, gas) = (sorted(&history.used[SETTLED..]), sorted(&history.gas[SETTLED..]));
    let (waits, costs) = (sorted(&history.waits), sorted(&history.costs));
    let both = |values: &[u64]| json!([percentile(values, 50), percentile(values, 99)]);
    let begin = if demand == Demand::Hostile { ATTACK + history.filled } else { 0 };
    json!({
        "price_wei_p1": prices[0],
        "price_wei_p50": prices[1],
        "price_wei_p99": prices[2],
        "blocks_to_equilibrium": settled(&history.prices, begin, equilibrium),
        "l1_gas_p50_p99": both(&gas),
        "execute_gas_p50_p99": both(&used),
        "advances": waits.len(),
        "advances_that_wait": waits.iter().filter(|wait| **wait > 0).count(),
        "blocks_waited_most": waits.last(),
        "gas_per_transaction_p50_p99": both(&costs),
        "filled": history.filled,
        "spent_wei": history.spent.to_string(),
        "price_wei_most_in_attack": history.prices[AROUND].iter().max(),
        "base_fee_wei_most_in_attack": history.fees[AROUND].iter().max(),
    })
}

/// Returns the figures of each kind of demand.
fn figures_of(histories: &Histories) -> Value {
    let equilibrium = mean(&histories[0].prices[BLOCKS / 2..]);
    let named = Demand::ALL.iter().zip(histories);
    let entries = named.map(|(demand, history)| {
        (demand.name().to_owned(), figures(*demand, history, equilibrium))
    });
    Value::Object(entries.collect())
}

fn row(name: &str, demand: Demand, history: &History, equilibrium: f64) -> String {
    let History { prices, used, gas, waits, costs, .. } = history;
    let path = sorted(&prices[SETTLED..]);
    let [low, middle, high] = [1, 50, 99].map(|percent| gwei(percentile(&path, percent)));
    let begin = if demand == Demand::Hostile { ATTACK + history.filled } else { 0 };
    let until = settled(prices, begin, equilibrium)
        .map_or_else(|| "–".to_owned(), |blocks| blocks.to_string());
    let late = waits.iter().filter(|wait| **wait > 0).count() as f64 / waits.len().max(1) as f64;
    let (waits, costs) = (sorted(waits), sorted(costs));
    let (used, gas) = (sorted(&used[SETTLED..]), sorted(&gas[SETTLED..]));
    let (half, most) = (percentile(&used, 50), percentile(&used, 99));
    let cells = [
        name.to_owned(),
        demand.name().to_owned(),
        format!("{low:.2} / {middle:.2} / {high:.2}"),
        until,
        format!("{} / {}", millions(percentile(&gas, 50)), millions(percentile(&gas, 99))),
        format!("{:.0} %", late * 100.0),
        format!("{} / {}", percentile(&waits, 99), waits.last().copied().unwrap_or_default()),
        thousands((history.left * TRANSFER + TARGET / 2) / TARGET),
        format!("{} / {}", thousands(percentile(&costs, 50)), thousands(percentile(&costs, 99))),
        format!("{} / {}", milliseconds(half, REAL), milliseconds(most, REAL)),
        format!("{} / {}", milliseconds(half, WORST), milliseconds(most, WORST)),
    ];
    format!("| {} |\n", cells.join(" | "))
}

type Histories = [History; Demand::ALL.len()];

/// Simulates each kind of demand with this many rollups.
fn histories(rollups: u64, payment: Payment) -> Result<Histories> {
    let [steady, bursty, correlated, hostile] =
        Demand::ALL.map(|demand| run(rollups, demand, payment));
    Ok([steady?, bursty?, correlated?, hostile?])
}

/// Returns table rows, one per kind of demand.
fn rows(name: &str, histories: &Histories) -> String {
    let [steady, ..] = histories;
    let equilibrium = mean(&steady.prices[BLOCKS / 2..]);
    let named = Demand::ALL.iter().zip(histories);
    named.map(|(demand, history)| row(name, *demand, history, equilibrium)).collect()
}

/// Formats a number with thousands separators.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns the table row with the results of an attacker.
fn attacked(name: &str, history: &History) -> String {
    let spent = history.spent / 10_u128.pow(16);
    let most = |path: &[u64]| gwei(path[AROUND].iter().max().copied().unwrap_or_default());
    format!(
        "| {name} | {} | {}.{:02} | {:.2} | {:.2} |\n",
        thousands(history.filled as u64),
        spent / 100,
        spent % 100,
        most(&history.prices),
        most(&history.fees),
    )
}

fn curve(name: &'static str, prices: &[u64]) -> Curve {
    Curve { name, points: prices.iter().map(|wei| gwei(*wei)).collect() }
}

/// Returns charts of the prices for each kind of demand, and around the attack for each payment.
fn plots(compared: &[(Payment, Histories)]) -> [(&'static str, String); 2] {
    let follows = compared.iter().filter(|(payment, _)| *payment == Payment::Follows);
    let prices = Curves {
        title: "price of EXECUTE gas, in gwei; ten rollups, the base fee follows",
        first: 0,
        curves: follows
            .flat_map(|(_, histories)| Demand::ALL.iter().zip(histories))
            .map(|(demand, history)| curve(demand.name(), &history.prices))
            .collect(),
    };
    let attack = Curves {
        title: "an attacker fills the blocks: price of EXECUTE gas, in gwei",
        first: AROUND.start,
        curves: compared
            .iter()
            .map(|(payment, [.., hostile])| curve(payment.name(), &hostile.prices[AROUND]))
            .collect(),
    };
    [("market-price.svg", prices.svg()), ("market-attack.svg", attack.svg())]
}

/// Runs all simulations.
pub(crate) fn report() -> Result<Report> {
    let mut text = format!("| rollups | {HEAD}");
    let mut by_rollups = Map::new();
    for rollups in ROLLUPS {
        let histories = histories(rollups, Payment::Follows)?;
        by_rollups.insert(rollups.to_string(), figures_of(&histories));
        text += &rows(&rollups.to_string(), &histories);
    }
    let compared: Vec<_> = Payment::ALL
        .into_iter()
        .map(|payment| Ok((payment, histories(SHOWN, payment)?)))
        .collect::<Result<_>>()?;
    let _ = write!(text, "\nTen rollups, in the other two models of L1:\n\n| | {HEAD}");
    for (payment, histories) in compared.iter().filter(|(payment, _)| *payment != Payment::Follows)
    {
        text += &rows(payment.name(), histories);
    }
    text += "\nThe attacker of the ten rollups:\n\n\
         | | blocks filled | for ether | highest price, gwei | highest base fee, gwei |\n\
         |---|---|---|---|---|\n";
    for (payment, [.., hostile]) in &compared {
        text += &attacked(payment.name(), hostile);
    }
    let by_payment = compared
        .iter()
        .map(|(payment, histories)| (payment.name().to_owned(), figures_of(histories)))
        .collect::<Map<_, _>>();
    let figures = json!({ "rollups": by_rollups, "payments": by_payment });
    Ok(Report { text, plots: plots(&compared), figures })
}

/// Markers around the generated part of a document.
pub(crate) const MARKS: [&str; 2] = ["<!-- cargo xtask market -->\n", "<!-- end -->"];

/// Returns the document with this text between the markers, or `None` if it has no markers.
pub(crate) fn placed(document: &str, text: &str) -> Option<String> {
    let [begin, end] = MARKS;
    let (before, rest) = document.split_once(begin)?;
    let (_, after) = rest.split_once(end)?;
    Some(format!("{before}{begin}\n{text}\n{end}{after}"))
}
