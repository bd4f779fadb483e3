//! Price of EXECUTE gas on an L1 with an EXECUTE gas market.

use crate::sequencer::{byte_price::BytePrice, input_budget::InputLimits};
use alloy_consensus::Header;
use chain::{BlockBudget, BudgetPolicy, BudgetRequest, ChainConfig, InputUse};
use contracts::advance_plan::L1Limits;
use parking_lot::Mutex;
use std::sync::Arc;
use variants::market::{LIMIT, Rate};

/// L1 gas per unit of EXECUTE gas, as of the latest L1 block that was read. Clones share it.
///
/// One L1 block raises the price by at most 1/8 and lowers the base fee by at most 1/8, so a unit
/// then costs up to 9/7 as much gas. A few blocks lie between reading L1 and the block that
/// includes a transaction.
#[derive(Debug, Clone, Default)]
pub(crate) struct ExecuteRate(Arc<Mutex<Option<Rate>>>);

/// Capacity of an L1 transaction for EXECUTE inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Capacity {
    /// Maximum bytes of the inputs.
    pub(crate) bytes: usize,
    /// Maximum EXECUTE gas.
    pub(crate) gas: u64,
}

impl ExecuteRate {
    /// Sets the rate; `None` without a market, where a unit of EXECUTE gas costs one gas.
    pub(crate) fn set(&self, rate: Option<Rate>) {
        *self.0.lock() = rate;
    }

    /// Returns the rate; `None` without a market.
    pub(crate) fn get(&self) -> Option<Rate> {
        *self.0.lock()
    }

    /// Returns the EXECUTE gas that this L1 gas buys even if a unit costs twice as much by the time
    /// L1 includes the transaction, so that a block built now still fits then.
    fn bought_by(&self, gas: u64) -> u64 {
        self.0.lock().map_or(gas, |rate| raised(rate, 2, 1).execute_gas(gas).min(LIMIT))
    }

    /// Returns the L1 gas that pays for this EXECUTE gas even if a unit costs 1.5 times as much by
    /// the time L1 includes the transaction. Unused gas is refunded.
    pub(crate) fn gas_for(&self, execute_gas: u64) -> u64 {
        self.0.lock().map_or(execute_gas, |rate| raised(rate, 3, 2).gas(execute_gas))
    }

    /// Returns the capacity of an L1 transaction with these limits.
    pub(crate) fn capacity(&self, limits: &L1Limits) -> Capacity {
        Capacity { bytes: limits.input_bytes(), gas: self.bought_by(limits.execute_gas()) }
    }
}

fn raised(rate: Rate, times: u64, parts: u64) -> Rate {
    // At least 1, since no factor raises a price of zero.
    Rate { price: rate.price.max(1).saturating_mul(times).div_ceil(parts), ..rate }
}

/// Limits of a block's input at current prices: the limit in L1 gas is converted to EXECUTE gas,
/// and bytes cost the current `byte_price`.
#[derive(Debug, Clone)]
pub(crate) struct PricedLimits {
    pub(crate) limits: InputLimits,
    pub(crate) rate: ExecuteRate,
    pub(crate) byte_price: BytePrice,
}

impl PricedLimits {
    fn now(&self) -> InputLimits {
        InputLimits {
            gas: self.limits.gas.map(|gas| self.rate.bought_by(gas)),
            present_byte_price: self.byte_price.get(),
            ..self.limits
        }
    }
}

impl BudgetPolicy for PricedLimits {
    fn suggested_tip(&self) -> u128 {
        self.byte_price.suggested_tip()
    }

    fn limits(&self) -> Option<InputUse> {
        self.now().limits()
    }

    fn open<'b>(
        &self,
        config: &'b ChainConfig,
        header: &Header,
        request: BudgetRequest,
    ) -> Box<dyn BlockBudget + 'b> {
        self.now().open(config, header, request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn higher_price_buys_less_execute_gas() {
        let rate = ExecuteRate::default();
        let limits = L1Limits::default();
        let plain = Capacity { bytes: limits.input_bytes(), gas: limits.execute_gas() };
        assert_eq!((rate.capacity(&limits), rate.gas_for(1_000)), (plain, 1_000));
        let of = |price| {
            rate.set(Some(Rate { price, base_fee: 1_000 }));
            (rate.capacity(&limits).gas, rate.gas_for(1_000))
        };
        // At a rate of one, a block may use half of the gas, so that it still fits at twice the
        // price.
        assert_eq!(of(1_000), (plain.gas / 2, 1_500));
        assert_eq!(of(3_000), (plain.gas / 6, 4_500));
        // The market sells at most `LIMIT` per L1 block, at any price.
        assert_eq!(of(1), (LIMIT, 2));
        assert_eq!(of(u64::MAX).0, 0);
        // A block within its limit fits at the price by which its transaction is planned.
        for price in [1, 125, 999, 1_000, 1_001, 7_000] {
            let (gas, _) = of(price);
            assert!(rate.gas_for(gas) <= plain.gas, "{price}");
        }
        rate.set(None);
        assert_eq!(rate.capacity(&limits), plain);
    }
}
