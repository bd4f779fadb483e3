//! Prices of EXECUTE gas at the signed blocks that are not on L1.

use crate::prefix::NotPreconfirming;
use std::{collections::VecDeque, mem};
use variants::market::Rate;

/// Prices of EXECUTE gas at the sealing of signed blocks that are not on L1. Blocks are built to
/// fit into an L1 transaction at twice the price.
#[derive(Debug, Default)]
pub(crate) struct SignedRates {
    all: VecDeque<(u64, Rate)>,
    /// `true` once blocks sealed before the start are counted at the price of the start.
    is_begun: bool,
}

impl SignedRates {
    /// Records the price at a new signed block.
    pub(super) fn note(&mut self, number: u64, rate: Rate) {
        self.all.retain(|(earlier, _)| *earlier < number);
        self.all.push_back((number, rate));
    }

    /// Returns an error if the price is 1.5 times that of the oldest signed block after `safe`, the
    /// newest block on L1.
    pub(super) fn check(
        &mut self,
        safe: u64,
        head: u64,
        now: Option<Rate>,
    ) -> Result<(), NotPreconfirming> {
        /// EXECUTE gas for which prices are compared.
        const GAS: u64 = 1_000_000_000;
        while self.all.front().is_some_and(|(number, _)| *number <= safe) {
            self.all.pop_front();
        }
        let Some(now) = now else { return Ok(()) };
        if !mem::replace(&mut self.is_begun, true) && head > safe {
            self.all.push_front((head, now));
        }
        let Some(&(_, before)) = self.all.front() else { return Ok(()) };
        let [now_gas, before_gas] = [now, before].map(|rate| u128::from(rate.gas(GAS)));
        if 2 * now_gas >= 3 * before_gas {
            let (now, before) = (now.gas(1_000), before.gas(1_000));
            return Err(NotPreconfirming::PriceRisen { now, before });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn price_counts_from_oldest_signed_block() {
        let mut rates = SignedRates::default();
        let rate = |price| Rate { price, base_fee: 1_000 };
        assert_eq!(rates.check(0, 0, Some(rate(1))), Ok(()));
        rates.note(1, rate(1_000));
        rates.note(2, rate(1_400));
        assert_eq!(rates.check(0, 2, Some(rate(1_499))), Ok(()));
        let risen = NotPreconfirming::PriceRisen { now: 1_500, before: 1_000 };
        assert_eq!(rates.check(0, 2, Some(rate(1_500))), Err(risen));
        // L1 has the first block.
        assert_eq!(rates.check(1, 2, Some(rate(1_500))), Ok(()));
        assert!(rates.check(1, 2, Some(rate(2_100))).is_err());
        // Not if the price of gas has risen as well.
        assert_eq!(rates.check(1, 2, Some(Rate { price: 2_100, base_fee: 2_000 })), Ok(()));
        assert_eq!(rates.check(1, 2, None), Ok(()), "without a market");
        assert_eq!(rates.check(2, 2, Some(rate(9_000))), Ok(()));
        assert_eq!(rates.check(2, 7, Some(rate(99_000))), Ok(()), "blocks without signatures");
        rates.note(3, rate(1_000));
        rates.note(3, rate(9_000));
        assert_eq!(rates.check(2, 3, Some(rate(9_000))), Ok(()), "block 3 was replaced");
    }

    #[test]
    fn price_after_restart_counts_from_there() {
        let mut rates = SignedRates::default();
        let rate = |price| Some(Rate { price, base_fee: 1_000 });
        assert_eq!(rates.check(0, 5, rate(1_000)), Ok(()));
        assert!(rates.check(0, 5, rate(1_500)).is_err());
    }
}
