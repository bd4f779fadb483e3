//! EXECUTE capacity of an L1 block, and the price of L1 gas.

use alloy_eips::{
    eip1559::{BaseFeeParams, calc_next_block_base_fee},
    eip7825::MAX_TX_GAS_LIMIT_OSAKA,
};
use variants::market::{LIMIT, Rate};

/// Gas of an L1 block, as on mainnet. EXECUTE may have all of it: what binds is then the protocol, and
/// not a guess at what else the block holds.
pub(crate) const L1_LIMIT: u64 = 60_000_000;

/// Gas of a transaction (EIP-7825), which is the most that a call in it can convert.
pub(crate) const TRANSACTION_CAP: u64 = MAX_TX_GAS_LIMIT_OSAKA;

/// Base fee of the first block, in wei, and the lowest that there is: what else is on L1 pays it.
pub(crate) const BASE_FEE: u64 = 1_000_000_000;

/// Payment of EXECUTE gas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Payment {
    /// Converted, at a base fee that follows what EXECUTE takes.
    Follows,
    /// Converted, at a constant base fee: other transactions give way to EXECUTE.
    Held,
    /// From an allowance of its own: EXECUTE takes no gas of L1, whose limits do not bind it.
    Allowance,
}

impl Payment {
    pub(crate) const ALL: [Self; 3] = [Self::Follows, Self::Held, Self::Allowance];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Follows => "follows",
            Self::Held => "held",
            Self::Allowance => "allowance",
        }
    }

    /// Gas that a block can hold, and that a transaction can.
    const fn limits(self) -> [u64; 2] {
        match self {
            Self::Follows | Self::Held => [L1_LIMIT, TRANSACTION_CAP],
            Self::Allowance => [u64::MAX; 2],
        }
    }

    /// Base fee of the block behind one with this base fee, in wei, that has used so much gas.
    pub(crate) fn next_base_fee(self, base_fee: u64, gas: u64) -> u64 {
        match self {
            Self::Held | Self::Allowance => base_fee,
            Self::Follows => {
                calc_next_block_base_fee(gas, L1_LIMIT, base_fee, BaseFeeParams::ethereum())
                    .max(BASE_FEE)
            }
        }
    }
}

/// A block that is being filled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block {
    pub(crate) rate: Rate,
    /// EXECUTE gas that its transactions take.
    pub(crate) used: u64,
    /// The same in L1 gas.
    pub(crate) gas: u64,
    /// Gas of its largest transaction.
    pub(crate) largest: u64,
    limits: [u64; 2],
}

impl Block {
    pub(crate) const fn new(rate: Rate, payment: Payment) -> Self {
        Self { rate, used: 0, gas: 0, largest: 0, limits: payment.limits() }
    }

    /// EXECUTE gas that one more transaction may take.
    pub(crate) fn room(&self) -> u64 {
        let [limit, cap] = self.limits;
        let gas = (limit - self.gas).min(cap);
        self.rate.execute_gas(gas).min(LIMIT - self.used)
    }

    /// Puts in a transaction that takes so much EXECUTE gas, and says what gas that is.
    pub(crate) fn take(&mut self, execute_gas: u64) -> u64 {
        let gas = self.rate.gas(execute_gas);
        self.used += execute_gas;
        self.gas += gas;
        self.largest = self.largest.max(gas);
        gas
    }

    /// With transactions as large as can be, until there is room for none.
    pub(crate) fn filled(mut self) -> Self {
        while self.room() > 0 {
            self.take(self.room());
        }
        self
    }
}
