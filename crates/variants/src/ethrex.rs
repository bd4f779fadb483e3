//! The gas schedule of ethrex.

use execute::{DeclaredGas, Pricing};

/// `gas limit + bytes · per_byte`, reserved and charged, regardless of the gas used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ethrex {
    /// Gas of every byte of calldata.
    pub per_byte: u64,
}

impl Ethrex {
    /// The prices of ethrex.
    pub const DEFAULT: Self = Self { per_byte: 16 };
}

impl Pricing for Ethrex {
    fn bytes(&self, calldata: u64) -> u64 {
        calldata.saturating_mul(self.per_byte)
    }

    fn reserve(&self, declared: &DeclaredGas) -> u64 {
        self.bytes(declared.calldata).saturating_add(declared.gas_limit)
    }

    fn charge(&self, declared: &DeclaredGas, _: u64) -> u64 {
        self.reserve(declared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gas_limit_is_charged_regardless_of_use() {
        let declared = DeclaredGas {
            calldata: 1_000,
            gas_limit: 500_000,
            transaction_gas: 42_000,
            ..DeclaredGas::default()
        };
        for used in [0, 21_000] {
            assert_eq!(Ethrex::DEFAULT.charge(&declared, used), 500_000 + 16_000);
        }
        assert_eq!(Ethrex::DEFAULT.reserve(&declared), 500_000 + 16_000);
    }
}
