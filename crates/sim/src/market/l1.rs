//! EXECUTE capacity of an L1 block, and the price of L1 gas.

use super::allowance::AllowanceChain;
use alloy_eips::{
    eip1559::{BaseFeeParams, calc_next_block_base_fee},
    eip7825::MAX_TX_GAS_LIMIT_OSAKA,
};
use eyre::Result;
use variants::market::{LIMIT, Rate, excess_at, next_excess, price};

/// Gas of an L1 block, as on mainnet. EXECUTE may have all of it: what binds is then the protocol,
/// and not a guess at what else the block holds.
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
    /// From an allowance of its own: EXECUTE takes no gas of L1, whose limits do not bind it. The
    /// base fee is held.
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
    fn next_base_fee(self, base_fee: u64, gas: u64) -> u64 {
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
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) rate: Rate,
    /// Buyer of each transaction, and the EXECUTE gas that it takes.
    pub(crate) taken: Vec<(u64, u64)>,
    /// EXECUTE gas that its transactions take.
    pub(crate) used: u64,
    /// The same in L1 gas.
    pub(crate) gas: u64,
    /// Gas of its largest transaction.
    pub(crate) largest: u64,
    payment: Payment,
}

impl Block {
    pub(crate) const fn new(rate: Rate, payment: Payment) -> Self {
        Self { rate, taken: Vec::new(), used: 0, gas: 0, largest: 0, payment }
    }

    /// EXECUTE gas that one more transaction may take.
    pub(crate) fn room(&self) -> u64 {
        let [limit, cap] = self.payment.limits();
        let gas = (limit - self.gas).min(cap);
        self.rate.execute_gas(gas).min(LIMIT - self.used)
    }

    /// Wei that its transactions pay for EXECUTE gas.
    pub(crate) fn cost(&self) -> u128 {
        let (units, wei) = match self.payment {
            Payment::Follows | Payment::Held => (self.gas, self.rate.base_fee),
            Payment::Allowance => (self.used, self.rate.price),
        };
        u128::from(units) * u128::from(wei)
    }

    /// Puts in a transaction that takes so much EXECUTE gas, and says what gas that is.
    pub(crate) fn take(&mut self, buyer: u64, execute_gas: u64) -> u64 {
        let gas = self.rate.gas(execute_gas);
        self.taken.push((buyer, execute_gas));
        self.used += execute_gas;
        self.gas += gas;
        self.largest = self.largest.max(gas);
        gas
    }

    /// With transactions of one buyer that are as large as can be, until there is room for none.
    pub(crate) fn filled(mut self, buyer: u64) -> Self {
        while self.room() > 0 {
            self.take(buyer, self.room());
        }
        self
    }
}

/// The chain of the blocks.
pub(crate) enum L1 {
    /// The functions of the market, and a model of what becomes of the base fee.
    Model { payment: Payment, excess: u64, base_fee: u64 },
    /// A chain with the market, whose transactions have allowances.
    Chain(Box<AllowanceChain>),
}

impl L1 {
    /// An L1 where EXECUTE gas costs as much as gas, with so many buyers.
    pub(crate) fn new(payment: Payment, buyers: u64) -> Result<Self> {
        Ok(match payment {
            Payment::Follows | Payment::Held => {
                Self::Model { payment, excess: excess_at(BASE_FEE), base_fee: BASE_FEE }
            }
            Payment::Allowance => Self::Chain(Box::new(AllowanceChain::new(buyers)?)),
        })
    }

    /// Prices of the next block.
    pub(crate) fn rate(&self) -> Result<Rate> {
        Ok(match self {
            Self::Model { excess, base_fee, .. } => {
                Rate { price: price(*excess), base_fee: *base_fee }
            }
            Self::Chain(chain) => Rate { price: chain.price()?, base_fee: BASE_FEE },
        })
    }

    /// Appends a block.
    pub(crate) fn append(&mut self, block: &Block) -> Result<()> {
        match self {
            Self::Model { payment, excess, base_fee } => {
                *excess = next_excess(*excess, block.used, *base_fee);
                *base_fee = payment.next_base_fee(*base_fee, block.gas);
                Ok(())
            }
            Self::Chain(chain) => chain.append(block),
        }
    }
}
