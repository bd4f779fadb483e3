//! What a call costs.

/// What a block claims about the work that it is, before anything is known to be true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeclaredGas {
    /// Bytes of calldata, schema id included.
    pub calldata: u64,
    /// Gas limit of the payload.
    pub gas_limit: u64,
    /// Sum of the gas limits of its transactions.
    pub transactions: u64,
}

/// How a call is charged, in gas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GasSchedule {
    /// Reserve a bound, charge what was used.
    ///
    /// Before any work the call must hold `base + bytes · per_byte + min(gas limit, Σ gas limits of
    /// the transactions)`; a success is charged `base + bytes · per_byte + gas used`. A failure
    /// costs all that the call was given, at least the reserve.
    Reserve {
        /// Of every call.
        base: u64,
        /// Of every byte of calldata.
        per_byte: u64,
    },
    /// ethrex's rule: `gas limit + bytes · per_byte`, whatever is used.
    GasLimit {
        /// Of every byte of calldata.
        per_byte: u64,
    },
}

impl GasSchedule {
    /// The default schedule. `docs/gas.md` shows how the prices were measured.
    pub const DEFAULT: Self = Self::Reserve { base: 25_000, per_byte: 16 };
    /// As ethrex charges.
    pub const ETHREX: Self = Self::GasLimit { per_byte: 16 };

    /// What the bytes alone cost, known before they are looked at.
    pub const fn bytes(&self, calldata: u64) -> u64 {
        match *self {
            Self::Reserve { base, per_byte } => {
                base.saturating_add(calldata.saturating_mul(per_byte))
            }
            Self::GasLimit { per_byte } => calldata.saturating_mul(per_byte),
        }
    }

    /// What the call must hold before any work is done.
    pub fn reserve(&self, declared: &DeclaredGas) -> u64 {
        let execution = match self {
            Self::Reserve { .. } => declared.gas_limit.min(declared.transactions),
            Self::GasLimit { .. } => declared.gas_limit,
        };
        self.bytes(declared.calldata).saturating_add(execution)
    }

    /// What a success is charged. Never more than the reserve: a valid block uses no more gas than
    /// its limit, nor than its transactions may.
    pub fn charge(&self, declared: &DeclaredGas, gas_used: u64) -> u64 {
        match self {
            Self::Reserve { .. } => self.bytes(declared.calldata).saturating_add(gas_used),
            Self::GasLimit { .. } => self.reserve(declared),
        }
    }
}

impl Default for GasSchedule {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECLARED: DeclaredGas =
        DeclaredGas { calldata: 1_000, gas_limit: 500_000, transactions: 42_000 };

    #[test]
    fn the_reserve_is_bounded_by_the_gas_limit_and_by_the_transactions() {
        let schedule = GasSchedule::Reserve { base: 100, per_byte: 3 };
        assert_eq!(schedule.reserve(&DECLARED), 100 + 3_000 + 42_000);
        let greedy = DeclaredGas { transactions: u64::MAX, ..DECLARED };
        assert_eq!(schedule.reserve(&greedy), 100 + 3_000 + 500_000);
        assert_eq!(schedule.charge(&DECLARED, 21_000), 100 + 3_000 + 21_000);
    }

    #[test]
    fn ethrex_charges_the_gas_limit_whatever_is_used() {
        let charge = GasSchedule::ETHREX.charge(&DECLARED, 21_000);
        assert_eq!(charge, 500_000 + 16_000);
        assert_eq!(GasSchedule::ETHREX.reserve(&DECLARED), charge);
    }

    #[test]
    fn claims_of_any_size_do_not_overflow() {
        let absurd =
            DeclaredGas { calldata: u64::MAX, gas_limit: u64::MAX, transactions: u64::MAX };
        for schedule in [GasSchedule::DEFAULT, GasSchedule::ETHREX] {
            assert_eq!(schedule.reserve(&absurd), u64::MAX);
            assert_eq!(schedule.charge(&absurd, u64::MAX), u64::MAX);
        }
    }
}
