//! The L1 with the market: a model, or a chain.

use super::{
    allowance::AllowanceChain,
    block::{BASE_FEE, Block, Payment},
};
use eyre::Result;
use variants::market::{Rate, excess_at, next_excess, price};

/// The L1 with the market.
pub(crate) enum L1 {
    /// The functions of the market, and a model of the base fee.
    Model { payment: Payment, excess: u64, base_fee: u64 },
    /// A chain with the market, whose transactions have allowances.
    Chain(Box<AllowanceChain>),
}

impl L1 {
    /// Creates an L1 with this many buyers, where EXECUTE gas initially costs as much as gas.
    pub(crate) fn new(payment: Payment, buyers: u64) -> Result<Self> {
        Ok(match payment {
            Payment::Follows | Payment::Held => {
                Self::Model { payment, excess: excess_at(BASE_FEE), base_fee: BASE_FEE }
            }
            Payment::Allowance => Self::Chain(Box::new(AllowanceChain::new(buyers)?)),
        })
    }

    /// Returns the prices of the next block.
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
