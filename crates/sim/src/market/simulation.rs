//! Simulation of rollups that buy EXECUTE gas on an L1.
//!
//! The market is the real one, but the L2s have no transactions: an advance is represented by its
//! charge. All choices depend on a seed, and the arithmetic rounds the same on every machine.

use super::{
    block::{BASE_FEE, Block, Payment},
    l1::L1,
};
use eyre::Result;
use std::collections::VecDeque;
use testkit::Random;

/// EXECUTE gas of an advance without its transactions, by `docs/gas.md`.
const ADVANCE: u64 = 30_000;
/// EXECUTE gas of a transfer, by `docs/gas.md`.
pub(crate) const TRANSFER: u64 = 24_000;
/// EXECUTE gas that all rollups together demand per block at a price equal to the first base fee:
/// 1.5 times the target.
const DEMAND: u64 = 45_000_000;
/// Number of simulated blocks.
pub(crate) const BLOCKS: usize = 2_000;
/// Number of initial blocks without figures.
pub(crate) const SETTLED: usize = 200;
/// Maximum number of blocks that an advance waits for a better price: five minutes.
const MAX_WAIT_BLOCKS: u64 = 25;
/// First block of the attack.
pub(crate) const ATTACK: usize = 500;
/// Budget of the attacker, in wei.
pub(crate) const BUDGET: u128 = 100_000_000_000_000_000_000;

/// Pattern of demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Demand {
    Steady,
    /// Each rollup has independent bursts.
    Bursty,
    /// All rollups have bursts at the same time.
    Correlated,
    /// Steady, but an attacker fills each block before all others while the budget lasts.
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

/// Bursts of ten blocks with nearly eight times the demand between them, once per hundred blocks on
/// average. The mean demand is that of steady demand.
#[derive(Debug, Clone, Copy, Default)]
struct Burst(u64);

impl Burst {
    const LENGTH: u64 = 10;
    const ONE_IN: u64 = 90;

    const fn factor(&mut self, rng: &mut Random) -> f64 {
        if self.0 > 0 {
            self.0 -= 1;
        } else if rng.below(Self::ONE_IN) == 0 {
            self.0 = Self::LENGTH;
        }
        if self.0 > 0 { 4.6 } else { 0.6 }
    }
}

/// Transfers that arrived in the same block.
#[derive(Debug, Clone, Copy)]
struct Arrival {
    block: usize,
    transfers: u64,
}

#[derive(Debug, Clone)]
struct Rollup {
    id: u64,
    /// Waiting transfers, oldest first.
    waiting: VecDeque<Arrival>,
    /// Price that the rollup considers usual: a moving average over about 100 blocks.
    usual: f64,
    burst: Burst,
}

impl Rollup {
    /// Returns the number of blocks that the oldest transfer has waited, if there is one.
    fn age(&self, block: usize) -> Option<u64> {
        self.waiting.front().map(|oldest| (block - oldest.block) as u64)
    }

    /// Returns `true` if the rollup advances in this block. Updates the usual price in either case.
    fn decide(&mut self, block: usize, wei: u64) -> bool {
        let wei = wei as f64;
        let bears = |age| age >= MAX_WAIT_BLOCKS || wei <= self.usual * (1.3 + 0.05 * age as f64);
        let decided = self.age(block).is_some_and(bears);
        self.usual += (wei - self.usual) / 128.0;
        decided
    }

    /// Removes up to `limit` transfers, oldest first, and returns their number.
    fn pop(&mut self, limit: u64) -> u64 {
        let mut removed = 0;
        while removed < limit
            && let Some(oldest) = self.waiting.front_mut()
        {
            let part = oldest.transfers.min(limit - removed);
            removed += part;
            oldest.transfers -= part;
            if oldest.transfers == 0 {
                self.waiting.pop_front();
            }
        }
        removed
    }
}

/// An L1 transaction of a rollup.
#[derive(Debug, Clone, Copy)]
struct Advance {
    /// Number of blocks that its oldest transfer has waited.
    waited: u64,
    transfers: u64,
    /// L1 gas for EXECUTE.
    gas: u64,
}

/// History of a simulation.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// Price of each block, in wei.
    pub(crate) prices: Vec<u64>,
    /// Base fee of each block, in wei.
    pub(crate) fees: Vec<u64>,
    /// EXECUTE gas used by each block.
    pub(crate) used: Vec<u64>,
    /// L1 gas for EXECUTE used by each block.
    pub(crate) gas: Vec<u64>,
    /// Maximum L1 gas for EXECUTE of a transaction.
    pub(crate) largest: u64,
    /// Number of blocks that each advance has waited.
    pub(crate) waits: Vec<u64>,
    /// L1 gas for EXECUTE per transfer, of each advance.
    pub(crate) costs: Vec<u64>,
    /// Number of transfers that users have sent.
    pub(crate) sent: u64,
    /// Number of transfers in advances.
    pub(crate) carried: u64,
    /// Number of transfers that wait after the last block.
    pub(crate) left: u64,
    /// Number of blocks that the attacker has filled.
    pub(crate) filled: usize,
    /// Wei that the attacker has paid.
    pub(crate) spent: u128,
}

impl History {
    fn record(&mut self, block: &Block) {
        self.prices.push(block.rate.price);
        self.fees.push(block.rate.base_fee);
        self.used.push(block.used);
        self.gas.push(block.gas);
        self.largest = self.largest.max(block.largest);
    }
}

/// Simulates this many rollups for [`BLOCKS`] blocks.
pub(crate) fn run(rollups: u64, demand: Demand, payment: Payment) -> Result<History> {
    let mut rng = Random::new(rollups * 31 + demand as u64);
    // The last buyer is the attacker.
    let mut l1 = L1::new(payment, rollups + 1)?;
    let rollup = |id| Rollup {
        id,
        waiting: VecDeque::new(),
        usual: BASE_FEE as f64,
        burst: Burst::default(),
    };
    let mut all: Vec<_> = (0..rollups).map(rollup).collect();
    let mut common = Burst::default();
    let mut history = History::default();
    for number in 0..BLOCKS {
        let rate = l1.rate()?;
        let mut block = Block::new(rate, payment);
        // The attack ends with the first block that the attacker cannot fill.
        if demand == Demand::Hostile && number == ATTACK + history.filled {
            attack(&mut block, rollups, &mut history);
        }
        history.sent += arrive(&mut all, &mut common, demand, (number, rate.price), &mut rng);
        let first = rng.below(rollups) as usize;
        all.rotate_left(first);
        for advance in fill(&mut block, number, &mut all) {
            history.carried += advance.transfers;
            if number >= SETTLED {
                history.waits.push(advance.waited);
                history.costs.push(advance.gas / advance.transfers);
            }
        }
        all.rotate_right(first);
        l1.append(&block)?;
        history.record(&block);
    }
    let waiting = all.iter().flat_map(|rollup| &rollup.waiting);
    history.left = waiting.map(|arrival| arrival.transfers).sum();
    Ok(history)
}

/// Fills a block before anyone else, if the remaining budget pays for all of it.
fn attack(block: &mut Block, attacker: u64, history: &mut History) {
    let filled = block.clone().filled(attacker);
    let cost = filled.cost();
    if history.spent + cost <= BUDGET {
        *block = filled;
        history.spent += cost;
        history.filled += 1;
    }
}

/// Adds the transfers that users send to each rollup before a block with this number and price.
/// Returns their total.
fn arrive(
    all: &mut [Rollup],
    common: &mut Burst,
    demand: Demand,
    (block, wei): (usize, u64),
    rng: &mut Random,
) -> u64 {
    let mut sent = 0;
    let share = DEMAND as f64 / TRANSFER as f64 / all.len() as f64;
    // The demand halves when the price quadruples.
    let elastic = (BASE_FEE as f64 / wei as f64).sqrt();
    let together = common.factor(rng);
    for rollup in all {
        let factor = match demand {
            Demand::Steady | Demand::Hostile => 1.0,
            Demand::Bursty => rollup.burst.factor(rng),
            Demand::Correlated => together,
        };
        let mean = share * elastic * factor;
        let transfers = (mean * (0.5 + unit(rng)) + unit(rng)) as u64;
        if transfers > 0 {
            rollup.waiting.push_back(Arrival { block, transfers });
        }
        sent += transfers;
    }
    sent
}

/// Fills a block with one transaction of each rollup in turn until no rollup has another one that
/// fits.
fn fill(block: &mut Block, number: usize, all: &mut [Rollup]) -> Vec<Advance> {
    let wei = block.rate.price;
    let mut willing: Vec<_> =
        all.iter_mut().filter_map(|buyer| buyer.decide(number, wei).then_some(buyer)).collect();
    let mut advances = Vec::new();
    while !willing.is_empty() {
        willing.retain_mut(|rollup| {
            let advance = advance(block, number, rollup);
            advances.extend(advance);
            advance.is_some()
        });
    }
    advances
}

/// Adds a transaction with as many waiting transfers as fit.
fn advance(block: &mut Block, number: usize, rollup: &mut Rollup) -> Option<Advance> {
    let waited = rollup.age(number)?;
    let transfers = rollup.pop(block.room().saturating_sub(ADVANCE) / TRANSFER);
    (transfers > 0).then(|| {
        let gas = block.take(rollup.id, ADVANCE + transfers * TRANSFER);
        Advance { waited, transfers, gas }
    })
}

/// Returns a number in [0, 1).
const fn unit(rng: &mut Random) -> f64 {
    rng.below(1 << 32) as f64 / (1_u64 << 32) as f64
}
