//! Gas of a call whose blocks have been executed.

use crate::{DeclaredGas, Pricing, WorkGas};

/// Gas of an EXECUTE call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallCost {
    /// Gas charged for a success.
    pub charge: u64,
    /// Minimum gas of the call: the reserve, which is due before any work, plus the gas for
    /// underpriced work, which is due as the work is done.
    pub reserve: u64,
}

impl CallCost {
    /// Computes the cost of a call that declares `declared`. `own_gas` is the charge for the blocks
    /// of a batch after the first, `used` is the gas used by the blocks plus `own_gas`, and `work`
    /// is the price of their underpriced work.
    pub fn new(
        pricing: &dyn Pricing,
        declared: &DeclaredGas,
        own_gas: u64,
        used: u64,
        work: WorkGas,
    ) -> Self {
        // Only the gas of the blocks covers a part of the underpriced work. `own_gas` pays for
        // other work.
        let owed = |work: u64, gas: u64| {
            work.saturating_sub(pricing.covered_work(gas.saturating_sub(own_gas)))
        };
        let bound = pricing.reserve(declared);
        // The reserve is due before the gas used by the blocks is known, so it assumes their gas
        // limits. If they use less, the charge falls by more than the work that the unused gas
        // would have covered.
        let reserve = bound.saturating_add(owed(work.peak, declared.gas_bound()));
        // If the prices of a schedule have changed in the meantime, the charge is still at most the
        // reserve.
        let charge =
            pricing.charge(declared, used).min(bound).saturating_add(owed(work.spent, used));
        Self { charge: charge.min(reserve), reserve }
    }
}
