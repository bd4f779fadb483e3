//! What the worlds come to, for `docs/market.md`.

use crate::{
    plot::{Curve, Plot},
    world::{ATTACK, BASE_FEE, BLOCKS, Demand, History, SETTLED, run},
};
use enshrine_execute::market::LIMIT;
use std::fmt::Write as _;

/// How long a unit of EXECUTE gas takes on one core, in picoseconds, by `docs/gas.md`: in the real block that
/// takes longest for what it is charged, and in the dearest input that is known.
pub(crate) const REAL: u64 = 2_100;
pub(crate) const WORST: u64 = 3_990;

/// Numbers of rollups.
const ROLLUPS: [u64; 3] = [1, 10, 100];
/// How many the plots show.
const SHOWN: u64 = 10;

/// All that is generated: the part of the document between its marks, and its plots by file name.
pub(crate) struct Report {
    pub(crate) text: String,
    pub(crate) plots: [(&'static str, String); 2],
}

/// Of sorted numbers the one below which so many of a hundred are.
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

/// Blocks from `begin` on until twenty have a mean price within a tenth of the equilibrium.
fn settled(prices: &[u64], begin: usize, equilibrium: f64) -> Option<usize> {
    prices[begin..].windows(20).position(|window| {
        let ratio = mean(window) / equilibrium;
        (0.9..=1.1).contains(&ratio)
    })
}

/// Milliseconds of so much EXECUTE gas on one core.
fn milliseconds(gas: u64, picoseconds: u64) -> String {
    let time = u128::from(gas) * u128::from(picoseconds);
    format!("{}", (time + 500_000_000) / 1_000_000_000)
}

fn row(rollups: u64, demand: Demand, history: &History, equilibrium: f64) -> String {
    let History { prices, used, waits, costs, .. } = history;
    let fee = BASE_FEE as f64;
    let path = sorted(&prices[SETTLED..]);
    let [low, middle, high] = [1, 50, 99].map(|percent| percentile(&path, percent) as f64 / fee);
    let begin = if demand == Demand::Hostile { ATTACK + history.filled } else { 0 };
    let until = settled(prices, begin, equilibrium)
        .map_or_else(|| "–".to_owned(), |blocks| blocks.to_string());
    let late = waits.iter().filter(|wait| **wait > 0).count() as f64 / waits.len().max(1) as f64;
    let (waits, costs, used) = (sorted(waits), sorted(costs), sorted(&used[SETTLED..]));
    let (half, most) = (percentile(&used, 50), percentile(&used, 99));
    format!(
        "| {rollups} | {} | {low:.2} / {middle:.2} / {high:.2} | {until} | {:.0} % | {} / {} | {} / {} | {} / {} | {} / {} |\n",
        demand.name(),
        late * 100.0,
        percentile(&waits, 99),
        waits.last().copied().unwrap_or_default(),
        thousands(percentile(&costs, 50)),
        thousands(percentile(&costs, 99)),
        milliseconds(half, REAL),
        milliseconds(most, REAL),
        milliseconds(half, WORST),
        milliseconds(most, WORST),
    )
}

/// A number with commas.
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

/// Runs all worlds.
pub(crate) fn report() -> Report {
    let mut text = String::from(
        "| rollups | demand | price, in base fees: p1 / p50 / p99 | blocks to ±10 % | advances that wait | \
         blocks waited: p99 / most | L1 gas for each L2 transaction: p50 / p99 | EXECUTE ms per block, real: p50 / p99 | \
         EXECUTE ms per block, worst: p50 / p99 |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    let mut shown = Vec::new();
    let mut attack = None;
    for rollups in ROLLUPS {
        let steady = run(rollups, Demand::Steady);
        let equilibrium = mean(&steady.prices[BLOCKS / 2..]);
        for demand in Demand::ALL {
            let history = run(rollups, demand);
            text += &row(rollups, demand, &history, equilibrium);
            if rollups == SHOWN {
                shown.push(Curve {
                    name: demand.name(),
                    points: history
                        .prices
                        .iter()
                        .map(|wei| *wei as f64 / BASE_FEE as f64)
                        .collect(),
                });
                if demand == Demand::Hostile {
                    attack = Some(history);
                }
            }
        }
    }
    let attack = attack.unwrap_or_default();
    let around = &attack.prices[ATTACK - 20..ATTACK + 180];
    let most = around.iter().max().copied().unwrap_or_default();
    let spent = attack.spent / 10_u128.pow(16);
    let _ = write!(
        text,
        "\nThe attacker of the ten rollups fills {} blocks for {}.{:02} ether, and the price reaches {:.0} base fees.\n\
         \nWhat a full block takes on one core, in milliseconds, by the limit:\n\n\
         | limit | blocks as real ones | the dearest known input | the same at half the speed |\n|---|---|---|---|\n",
        attack.filled,
        spent / 100,
        spent % 100,
        most as f64 / BASE_FEE as f64,
    );
    for limit in [LIMIT / 2, LIMIT, 2 * LIMIT, 4 * LIMIT] {
        let times = [REAL, WORST, 2 * WORST].map(|each| milliseconds(limit, each));
        let _ = writeln!(text, "| {} | {} |", thousands(limit), times.join(" | "));
    }
    let prices =
        Plot { title: "price of EXECUTE gas, in base fees; ten rollups", first: 0, curves: shown };
    let used = attack.used[ATTACK - 20..ATTACK + 180].iter().map(|gas| *gas as f64 / 1e6);
    let prices_around = around.iter().map(|wei| *wei as f64 / BASE_FEE as f64);
    let attacked = Plot {
        title: "somebody fills the limit: price in base fees, and Mgas of EXECUTE used",
        first: ATTACK - 20,
        curves: vec![
            Curve { name: "price", points: prices_around.collect() },
            Curve { name: "used", points: used.collect() },
        ],
    };
    let plots = [("market-price.svg", prices.svg()), ("market-attack.svg", attacked.svg())];
    Report { text, plots }
}

/// Where the generated part of a document begins and ends.
pub(crate) const MARKS: [&str; 2] = ["<!-- cargo xtask market -->\n", "<!-- end -->"];

/// The document with this text between its marks; `None` if it has none.
pub(crate) fn placed(document: &str, text: &str) -> Option<String> {
    let [begin, end] = MARKS;
    let (before, rest) = document.split_once(begin)?;
    let (_, after) = rest.split_once(end)?;
    Some(format!("{before}{begin}\n{text}\n{end}{after}"))
}
