//! Rollups that buy EXECUTE gas of an L1, block after block.
//!
//! The market is the real one; who executes is not there: an advance is what it would be charged. All
//! choices follow from a seed, by operations that every machine rounds alike.

use crate::random::Rng;
use enshrine_execute::market::{LIMIT, Rate, excess_at, next_excess, price};

/// Base fee of all blocks, in wei.
pub(crate) const BASE_FEE: u64 = 1_000_000_000;
/// EXECUTE gas of an advance beside its transactions, and of a transfer, by `docs/gas.md`.
const ADVANCE: u64 = 30_000;
const TRANSFER: u64 = 24_000;
/// What all rollups together would ask for in each block at a price of the base fee: half more than the
/// target.
const DEMAND: u64 = 45_000_000;
/// Blocks that a world lives, and those behind which figures are taken.
pub(crate) const BLOCKS: usize = 2_000;
pub(crate) const SETTLED: usize = 200;
/// Blocks that an advance may wait for a better price: five minutes.
const PATIENCE: u64 = 25;
/// When the attacker comes, and what he can spend, in wei.
pub(crate) const ATTACK: usize = 500;
pub(crate) const BUDGET: u128 = 100_000_000_000_000_000_000;

/// How demand behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Demand {
    Steady,
    /// Each rollup has bursts of its own.
    Bursty,
    /// All have theirs at the same time.
    Correlated,
    /// Steady, and somebody takes all that blocks have, before anyone else, as long as he has money.
    Hostile,
}

impl Demand {
    pub(crate) const ALL: [Self; 4] = [Self::Steady, Self::Bursty, Self::Correlated, Self::Hostile];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Bursty => "bursty",
            Self::Correlated => "correlated",
            Self::Hostile => "hostile",
        }
    }
}

/// Bursts of ten blocks with eight times the demand, one in a hundred blocks on average; between them
/// there is so much less that the mean is the same.
#[derive(Debug, Clone, Copy, Default)]
struct Burst(u64);

impl Burst {
    const LENGTH: u64 = 10;
    const ONE_IN: u64 = 90;

    const fn factor(&mut self, rng: &mut Rng) -> f64 {
        if self.0 > 0 {
            self.0 -= 1;
        } else if rng.below(Self::ONE_IN) == 0 {
            self.0 = Self::LENGTH;
        }
        if self.0 > 0 { 4.6 } else { 0.6 }
    }
}

#[derive(Debug, Clone)]
struct Rollup {
    waiting: u64,
    /// The block in which the first that waits has come.
    since: usize,
    /// What it takes for the usual price: it looks back some hundred blocks.
    usual: f64,
    burst: Burst,
}

/// What became of a world.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// Price of each block, in wei.
    pub(crate) prices: Vec<u64>,
    /// EXECUTE gas that each has used.
    pub(crate) used: Vec<u64>,
    /// For each advance, how many blocks it has waited.
    pub(crate) waits: Vec<u64>,
    /// For each advance, gas of the L1 for each of its transactions, of EXECUTE alone.
    pub(crate) costs: Vec<u64>,
    /// Blocks that the attacker has filled, and what he has paid, in wei.
    pub(crate) filled: usize,
    pub(crate) spent: u128,
}

/// Lets so many rollups live for [`BLOCKS`] blocks.
pub(crate) fn run(rollups: u64, demand: Demand) -> History {
    let mut rng = Rng::new(rollups * 31 + demand as u64);
    let mut excess = excess_at(BASE_FEE);
    let usual = BASE_FEE as f64;
    let mut all =
        vec![Rollup { waiting: 0, since: 0, usual, burst: Burst::default() }; rollups as usize];
    let mut common = Burst::default();
    let share = DEMAND as f64 / TRANSFER as f64 / rollups as f64;
    let mut history = History::default();
    for block in 0..BLOCKS {
        let wei = price(excess);
        let rate = Rate { price: wei, base_fee: BASE_FEE };
        let mut used = 0;
        if demand == Demand::Hostile && block >= ATTACK {
            let asked = u128::from(LIMIT) * u128::from(wei);
            if history.spent + asked <= BUDGET {
                used = LIMIT;
                history.spent += asked;
                history.filled += 1;
            }
        }
        // Users send half as much where it costs four times as much.
        let elastic = (BASE_FEE as f64 / wei as f64).sqrt();
        let together = common.factor(&mut rng);
        for rollup in &mut all {
            let factor = match demand {
                Demand::Steady | Demand::Hostile => 1.0,
                Demand::Bursty => rollup.burst.factor(&mut rng),
                Demand::Correlated => together,
            };
            let mean = share * elastic * factor;
            let come = (mean * (0.5 + unit(&mut rng)) + unit(&mut rng)) as u64;
            if rollup.waiting == 0 {
                rollup.since = block;
            }
            rollup.waiting += come;
        }
        // Whoever builds the block takes them as they come, and none that would halt.
        let first = rng.below(rollups) as usize;
        for offset in 0..all.len() {
            let rollup = &mut all[(first + offset) % rollups as usize];
            let age = (block - rollup.since) as u64;
            let bearable = rollup.usual * (1.3 + 0.05 * age as f64);
            rollup.usual += (wei as f64 - rollup.usual) / 128.0;
            if rollup.waiting == 0 || (wei as f64 > bearable && age < PATIENCE) {
                continue;
            }
            let room = (LIMIT - used).saturating_sub(ADVANCE) / TRANSFER;
            let taken = rollup.waiting.min(room);
            if taken == 0 {
                continue;
            }
            let charge = ADVANCE + taken * TRANSFER;
            used += charge;
            rollup.waiting -= taken;
            rollup.since = block + 1;
            if block >= SETTLED {
                history.waits.push(age);
                history.costs.push(rate.gas(charge) / taken);
            }
        }
        history.prices.push(wei);
        history.used.push(used);
        excess = next_excess(excess, used, BASE_FEE);
    }
    history
}

/// A number from 0 up to 1.
const fn unit(rng: &mut Rng) -> f64 {
    rng.below(1 << 32) as f64 / (1_u64 << 32) as f64
}
