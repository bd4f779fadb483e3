//! Gas schedule with a price per call and per byte, plus the block's gas.

use execute::{DeclaredGas, Pricing, UnderpricedWork, work};

/// Reserves a bound and charges the actual use.
///
/// The call must hold `base + bytes · per_byte + min(gas limit, Σ gas limits of the transactions)`;
/// a success is charged `base + bytes · per_byte + gas used`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flat {
    /// Gas of every call.
    pub base: u64,
    /// Gas of every byte of calldata.
    pub per_byte: u64,
}

impl Flat {
    /// The prices that `docs/gas.md` derives from measurements.
    pub const DEFAULT: Self = Self { base: 25_000, per_byte: 16 };
}

impl Pricing for Flat {
    fn bytes(&self, calldata: u64) -> u64 {
        self.base.saturating_add(calldata.saturating_mul(self.per_byte))
    }

    fn reserve(&self, declared: &DeclaredGas) -> u64 {
        self.bytes(declared.calldata).saturating_add(declared.gas_bound())
    }

    fn charge(&self, declared: &DeclaredGas, gas_used: u64) -> u64 {
        self.bytes(declared.calldata).saturating_add(gas_used)
    }

    /// A node at one more position costs as much as carrying it once more.
    fn underpriced_work(&self, work: &UnderpricedWork) -> u64 {
        work::price(work, |bytes| self.per_byte.saturating_mul(bytes))
    }

    fn covered_work(&self, gas: u64) -> u64 {
        work::covered(gas)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserve_is_bounded_by_gas_limit_and_transactions() {
        let declared = DeclaredGas {
            calldata: 1_000,
            gas_limit: 500_000,
            transaction_gas: 42_000,
            ..DeclaredGas::default()
        };
        let schedule = Flat { base: 100, per_byte: 3 };
        assert_eq!(schedule.reserve(&declared), 100 + 3_000 + 42_000);
        let greedy = DeclaredGas { transaction_gas: u64::MAX, ..declared };
        assert_eq!(schedule.reserve(&greedy), 100 + 3_000 + 500_000);
        assert_eq!(schedule.charge(&declared, 21_000), 100 + 3_000 + 21_000);
    }
}
