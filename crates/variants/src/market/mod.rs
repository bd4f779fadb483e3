//! A market for EXECUTE gas: a limit for each L1 block, and a price that follows demand.
//!
//! Reserves and charges of calls are counted in EXECUTE gas, under any
//! [`Pricing`](execute::Pricing). On the market each unit of it costs [`price`] wei, which the call
//! pays in L1 gas at the base fee of its block ([`Rate`]), and all calls of a block together may
//! take at most [`LIMIT`]. The price follows from an *excess*, which grows when blocks use more
//! than [`TARGET`] and is stored in a contract ([`MARKET_ADDRESS`]). Calls in a transaction of type
//! `0x05` with an allowance draw from the allowance instead, and take no gas. `docs/market.md`
//! contains the formulas, the attacks that they withstand, and their results under load.

mod contract;
mod terms;

pub use contract::{MARKET_ADDRESS, MARKET_CODE, MARKET_CODE_HASH, close_block, price_on};
pub use terms::{BeyondAllowance, BeyondLimit, install};
pub(crate) use terms::{Payment, install_with};

use std::cell::Cell;

/// Maximum EXECUTE gas that the calls of one L1 block may take together.
pub const LIMIT: u64 = 60_000_000;

/// EXECUTE gas per L1 block at which the price stays constant.
pub const TARGET: u64 = LIMIT / 2;

/// Inertia of the price: a full block raises it to nine eighths, an empty one lowers it to eight
/// ninths (`TARGET / ln(9/8)`).
pub const UPDATE_FRACTION: u64 = 254_705_610;

/// Fraction of the base fee below which the price does not fall while EXECUTE is used.
pub const RESERVE_RATIO: u64 = 16;

/// Maximum excess, at which a unit of gas costs a ninth of an ether.
pub const MAX_EXCESS: u64 = 10_000_000_000;

/// Returns the price of a unit of EXECUTE gas, in wei: `e^(excess / UPDATE_FRACTION)`, approximated
/// as in EIP-4844.
pub const fn price(excess: u64) -> u64 {
    let excess = if excess < MAX_EXCESS { excess } else { MAX_EXCESS } as u128;
    let denominator = UPDATE_FRACTION as u128;
    // No term of the series exceeds denominator · e^40, which is 2^86, and 2^120 with the next
    // factor.
    let (mut term, mut sum, mut index) = (denominator, 0, 1);
    while term > 0 {
        sum += term;
        term = term * excess / (denominator * index);
        index += 1;
    }
    (sum / denominator) as u64
}

/// Returns the smallest excess with at least this price, or [`MAX_EXCESS`].
pub const fn excess_at(wei: u64) -> u64 {
    let (mut low, mut high) = (0, MAX_EXCESS);
    while low < high {
        let middle = low.midpoint(high);
        if price(middle) < wei { low = middle + 1 } else { high = middle }
    }
    low
}

/// Returns the excess after a block with this base fee, in wei, whose calls have used `used` gas.
///
/// While the price is below a [`RESERVE_RATIO`]th of the base fee, any use raises it (like EIP-7918
/// for blobs): at a negligible price, usage does not indicate demand.
pub fn next_excess(excess: u64, used: u64, base_fee: u64) -> u64 {
    let is_reserve = u128::from(price(excess)) * u128::from(RESERVE_RATIO) < u128::from(base_fee);
    let next = if is_reserve {
        // Grows in proportion to the use and never falls, as in EIP-7918.
        let above_target = u128::from(used) * u128::from(LIMIT - TARGET) / u128::from(LIMIT);
        excess.saturating_add(u64::try_from(above_target).unwrap_or(u64::MAX))
    } else {
        excess.saturating_add(used).saturating_sub(TARGET)
    };
    next.min(MAX_EXCESS)
}

/// The price of a block, cached after its first call.
///
/// A call needs its price before it has been shown to hold any gas, and the series takes a hundred
/// divisions, which calls without gas would cause for free. The excess is constant until the block
/// ends and cheap to read, so the price is cached together with its excess: a state with another
/// excess never gets an old price.
#[derive(Debug, Default)]
struct Quote(Cell<Option<(u64, u64)>>);

impl Quote {
    /// Returns the price at this excess, which is computed only if the excess differs from the last
    /// one.
    fn at(&self, excess: u64, compute: impl FnOnce(u64) -> u64) -> u64 {
        match self.0.get() {
            Some((known, wei)) if known == excess => wei,
            _ => {
                let wei = compute(excess);
                self.0.set(Some((excess, wei)));
                wei
            }
        }
    }
}

/// Price of EXECUTE gas in units of a block's gas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Price of a unit of EXECUTE gas, in wei.
    pub price: u64,
    /// Price of a unit of gas, in wei. If it is zero, one unit of each costs the same.
    pub base_fee: u64,
}

impl Rate {
    /// The rate at which both units cost the same.
    pub const PAR: Self = Self { price: 1, base_fee: 1 };

    /// Returns the gas that `execute_gas` costs, rounded up, so that no work is free.
    pub fn gas(self, execute_gas: u64) -> u64 {
        let (price, base_fee) = self.terms();
        let wei = u128::from(execute_gas) * price;
        u64::try_from(wei.div_ceil(base_fee)).unwrap_or(u64::MAX)
    }

    /// Returns the EXECUTE gas that `gas` buys: the maximum amount that [costs](Self::gas) no more.
    pub fn execute_gas(self, gas: u64) -> u64 {
        let (price, base_fee) = self.terms();
        u64::try_from(u128::from(gas) * base_fee / price).unwrap_or(u64::MAX)
    }

    fn terms(self) -> (u128, u128) {
        match self.base_fee {
            0 => (1, 1),
            // A price of zero would cause a division by zero, and free work.
            base_fee => (self.price.max(1).into(), base_fee.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quote_recomputes_price_only_for_new_excess() {
        let (quote, computed) = (Quote::default(), Cell::new(0));
        let quoted = |excess| {
            quote.at(excess, |excess| {
                computed.set(computed.get() + 1);
                price(excess)
            })
        };
        let excesses = [0, excess_at(7), MAX_EXCESS, 0];
        for (blocks, excess) in (1..).zip(excesses) {
            for _ in 0..100 {
                assert_eq!(quoted(excess), price(excess));
            }
            assert_eq!(computed.get(), blocks, "{excess}");
        }
        // Each block has its own.
        assert_eq!(Quote::default().at(0, |_| 5), 5);
    }
}
