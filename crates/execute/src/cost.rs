//! Gas of a call whose blocks have been executed.

use crate::{DeclaredGas, Pricing};

/// Gas that a call of EXECUTE takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallCost {
    /// Gas charged for a success.
    pub charge: u64,
    /// Gas that the call must hold: before any work, and for underpriced work as it comes.
    pub reserve: u64,
}

impl CallCost {
    /// The cost of a call that declares this, of which `own_gas` is its own. Its blocks used `used`
    /// gas, `own_gas` included, and underpriced work worth `work`.
    pub fn new(
        pricing: &dyn Pricing,
        declared: &DeclaredGas,
        own_gas: u64,
        used: u64,
        work: u64,
    ) -> Self {
        // The gas of the blocks covers a part of the work, and what a further block of a batch
        // costs itself covers none.
        let owed =
            |gas: u64| work.saturating_sub(pricing.covered_work(gas.saturating_sub(own_gas)));
        let bound = pricing.reserve(declared);
        // The reserve is due before anything is known of the gas that the blocks use: their limits
        // stand for it. Where the blocks use less, the charge falls by more than what their gas
        // covers.
        let reserve = bound.saturating_add(owed(declared.gas_bound()));
        // A schedule whose prices move meanwhile does not take more than it has reserved.
        let charge = pricing.charge(declared, used).min(bound).saturating_add(owed(used));
        Self { charge: charge.min(reserve), reserve }
    }
}
