//! EXECUTE capacity of an L1 block, and the price of L1 gas.

use alloy_eips::{
    eip1559::{BaseFeeParams, calc_next_block_base_fee},
    eip7825::MAX_TX_GAS_LIMIT_OSAKA,
};
use variants::market::{LIMIT, Rate};

/// Gas limit of an L1 block, as on mainnet. EXECUTE may use all of it, so that the protocol is the
/// limit, and not an assumption about other transactions.
pub(crate) const L1_LIMIT: u64 = 60_000_000;

/// Maximum gas of a transaction (EIP-7825), and so of a call that converts it.
pub(crate) const TRANSACTION_CAP: u64 = MAX_TX_GAS_LIMIT_OSAKA;

/// Base fee of the first block and minimum base fee, which other L1 transactions are willing to
/// pay, in wei.
pub(crate) const BASE_FEE: u64 = 1_000_000_000;

/// How EXECUTE gas is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Payment {
    /// Converted from L1 gas, at a base fee that follows the gas of EXECUTE.
    Follows,
    /// Converted from L1 gas, at a constant base fee: EXECUTE displaces other transactions.
    Held,
    /// From a separate allowance: EXECUTE uses no L1 gas, whose limits do not apply. The base fee
    /// is constant.
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

    /// Returns the gas limits of a block and of a transaction.
    const fn limits(self) -> [u64; 2] {
        match self {
            Self::Follows | Self::Held => [L1_LIMIT, TRANSACTION_CAP],
            Self::Allowance => [u64::MAX; 2],
        }
    }

    /// Returns the base fee in wei of the block after one with this base fee and gas used.
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

/// A block under construction.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) rate: Rate,
    /// Buyer and EXECUTE gas of each transaction.
    pub(crate) purchases: Vec<(u64, u64)>,
    /// EXECUTE gas of all transactions.
    pub(crate) used: u64,
    /// The same, converted to L1 gas.
    pub(crate) gas: u64,
    /// L1 gas of the largest transaction.
    pub(crate) largest: u64,
    payment: Payment,
}

impl Block {
    pub(crate) const fn new(rate: Rate, payment: Payment) -> Self {
        Self { rate, purchases: Vec::new(), used: 0, gas: 0, largest: 0, payment }
    }

    /// Returns the EXECUTE gas available to one more transaction.
    pub(crate) fn room(&self) -> u64 {
        let [limit, cap] = self.payment.limits();
        let gas = (limit - self.gas).min(cap);
        self.rate.execute_gas(gas).min(LIMIT - self.used)
    }

    /// Returns the wei that the transactions pay for EXECUTE gas.
    pub(crate) fn cost(&self) -> u128 {
        let (units, wei) = match self.payment {
            Payment::Follows | Payment::Held => (self.gas, self.rate.base_fee),
            Payment::Allowance => (self.used, self.rate.price),
        };
        u128::from(units) * u128::from(wei)
    }

    /// Adds a transaction with this EXECUTE gas, and returns its L1 gas.
    pub(crate) fn take(&mut self, buyer: u64, execute_gas: u64) -> u64 {
        let gas = self.rate.gas(execute_gas);
        self.purchases.push((buyer, execute_gas));
        self.used += execute_gas;
        self.gas += gas;
        self.largest = self.largest.max(gas);
        gas
    }

    /// Fills the block with transactions of one buyer that are as large as possible.
    pub(crate) fn filled(mut self, buyer: u64) -> Self {
        while self.room() > 0 {
            self.take(buyer, self.room());
        }
        self
    }
}
