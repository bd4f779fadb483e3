//! Gas for work that becomes known only during execution.

use crate::{
    EXECUTE_ADDRESS, Pricing, WorkGas,
    pricing::{BLAKE2F, CHEAP_MODEXP, EXPENSIVE_PRECOMPILES, P256VERIFY},
};
use alloc::{string::ToString as _, sync::Arc};
use alloy_evm::precompiles::{DynPrecompile, PrecompileInput, PrecompilesMap};
use alloy_primitives::Address;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use revm::precompile::{PrecompileError, PrecompileHalt, PrecompileOutput, PrecompileStatus};
use stateless::{
    BlockTally, Cryptography, EvmOverrides, InsufficientGas, UnderpricedWork, WorkMeter,
};

/// Gas due for the [`UnderpricedWork`] of a call, and the maximum that the call can pay.
#[derive(Debug)]
pub(crate) struct DeferredGas {
    gas: Arc<dyn Pricing>,
    /// Maximum work that the gas of the block covers.
    covered: u64,
    /// Gas that the call can pay for work beyond `covered`.
    beyond: u64,
    spent: AtomicU64,
    /// Highest value of `spent` so far.
    peak: AtomicU64,
    /// `true` once the peak exceeded both limits.
    is_short: AtomicBool,
}

impl DeferredGas {
    /// Creates the meter for blocks that use at most `bound` gas, in a call that can pay `beyond`
    /// in addition.
    pub(crate) fn new(gas: &Arc<dyn Pricing>, bound: u64, beyond: u64) -> Self {
        Self {
            gas: Arc::clone(gas),
            covered: gas.covered_work(bound),
            beyond,
            spent: AtomicU64::new(0),
            peak: AtomicU64::new(0),
            is_short: AtomicBool::new(false),
        }
    }

    /// Total price of the work so far, including the piece that exceeded the limit.
    pub(crate) fn work(&self) -> WorkGas {
        let [spent, peak] = [&self.spent, &self.peak].map(|gas| gas.load(Ordering::Relaxed));
        WorkGas { spent, peak }
    }

    fn set_work(&self, WorkGas { spent, peak }: WorkGas) {
        self.spent.store(spent, Ordering::Relaxed);
        self.peak.store(peak, Ordering::Relaxed);
    }

    /// Gas that the call must provide for the work, if the block uses its maximum gas.
    pub(crate) fn owed(&self) -> u64 {
        self.work().peak.saturating_sub(self.covered)
    }

    /// Refunds gas that was charged in advance for work that was not done.
    fn release(&self, gas: u64) {
        let WorkGas { spent, peak } = self.work();
        self.set_work(WorkGas { spent: spent.saturating_sub(gas), peak });
    }

    /// Returns the maximum gas, up to `limit`, for which the work of a precompile can be paid;
    /// `None` if no gas can.
    fn payable(&self, address: Address, limit: u64) -> Option<u64> {
        let left = self.beyond.saturating_add(self.covered).saturating_sub(self.work().spent);
        let fits =
            |gas| self.gas.underpriced_work(&UnderpricedWork::Precompile { address, gas }) <= left;
        if fits(limit) {
            return Some(limit);
        }
        // Binary search between a value that fits and one that does not, since the price is
        // monotonic in gas.
        let (mut fitting, mut beyond) = (0, limit);
        while fitting + 1 < beyond {
            let between = fitting.midpoint(beyond);
            *(if fits(between) { &mut fitting } else { &mut beyond }) = between;
        }
        fits(fitting).then_some(fitting)
    }

    /// Returns `true` if the work exceeded the limit, so that the block was not executed to its
    /// end.
    pub(crate) fn is_short(&self) -> bool {
        self.is_short.load(Ordering::Relaxed)
    }
}

impl WorkMeter for DeferredGas {
    /// Only the executing thread calls this.
    // Never reset: once the limit is exceeded, the block has failed, so even free work is rejected.
    fn spend(&self, work: UnderpricedWork) -> bool {
        let price = self.gas.underpriced_work(&work);
        let work = self.work().then(WorkGas { spent: price, peak: price });
        self.set_work(work);
        if work.peak > self.beyond.saturating_add(self.covered) {
            self.is_short.store(true, Ordering::Relaxed);
        }
        !self.is_short()
    }
}

/// The overrides of a chain, except for the meter and the cryptography.
#[derive(Debug)]
pub(crate) struct Metered<'c> {
    pub(crate) chain: &'c dyn EvmOverrides,
    pub(crate) cryptography: &'c dyn Cryptography,
    pub(crate) deferred: Arc<DeferredGas>,
}

impl EvmOverrides for Metered<'_> {
    fn base(&self) -> Option<&dyn EvmOverrides> {
        Some(self.chain)
    }

    fn cryptography(&self) -> &dyn Cryptography {
        self.cryptography
    }

    fn precompiles(&self, precompiles: &mut PrecompilesMap, tally: &Arc<BlockTally>) {
        // Install the chain's own precompiles first, so that one that replaces an expensive
        // precompile is metered as well.
        self.chain.precompiles(precompiles, tally);
        // Osaka added P256VERIFY and raised the price of MODEXP, so the presence of P256VERIFY
        // implies the higher price.
        let cheap = precompiles.get(&P256VERIFY).is_none().then_some(CHEAP_MODEXP);
        for (address, _) in EXPENSIVE_PRECOMPILES.into_iter().chain(cheap) {
            if precompiles.get(&address).is_some() {
                let deferred = Arc::clone(&self.deferred);
                precompiles
                    .map_precompile(&address, move |inner| metered(address, inner, deferred));
            }
        }
        if precompiles.get(&EXECUTE_ADDRESS).is_some() {
            let deferred = Arc::clone(&self.deferred);
            precompiles.map_precompile(&EXECUTE_ADDRESS, |inner| metered_execute(inner, deferred));
        }
    }

    fn meter(&self) -> Option<Arc<dyn WorkMeter>> {
        Some(Arc::clone(&self.deferred) as _)
    }
}

/// Counter of the [`UnderpricedWork`] in a block under construction, from which the builder
/// computes what EXECUTE will charge.
#[derive(Debug)]
pub struct WorkCount<'c>(Metered<'c>);

impl<'c> WorkCount<'c> {
    /// Creates a counter for blocks of this chain at these prices.
    pub fn new(gas: &Arc<dyn Pricing>, chain: &'c dyn EvmOverrides) -> Self {
        // Covers nothing and has no limit, so it counts all work and never stops a block.
        let deferred = Arc::new(DeferredGas::new(gas, 0, u64::MAX));
        Self(Metered { chain, cryptography: chain.cryptography(), deferred })
    }

    /// Returns the chain's overrides with the meter.
    pub fn overrides(&self) -> &dyn EvmOverrides {
        &self.0
    }

    /// Returns the price of all work so far.
    pub fn work(&self) -> WorkGas {
        self.0.deferred.work()
    }

    /// Resets the count to an earlier value: the work since then is not part of the block.
    pub fn rewind(&self, work: WorkGas) {
        self.0.deferred.set_work(work);
    }
}

/// Wraps a precompile to report its work. If the work cannot be paid for, the block stops before
/// any work is done: the gas of the precompile is reduced to the maximum whose work can be paid
/// for, and the precompile compares its own price with that gas before it starts.
fn metered(address: Address, inner: DynPrecompile, deferred: Arc<DeferredGas>) -> DynPrecompile {
    use alloy_evm::precompiles::Precompile as _;
    let id = inner.precompile_id().clone();
    DynPrecompile::new(id, move |input: PrecompileInput<'_>| {
        let unpaid = || PrecompileError::Fatal(InsufficientGas.to_string());
        // The outer calls of a stopped block may still run, but must not start more work.
        if deferred.is_short() {
            return Err(unpaid());
        }
        let (limit, length) = (input.gas, input.data.len());
        let payable = deferred.payable(address, limit);
        let output = payable.map(|gas| inner.call(PrecompileInput { gas, ..input })).transpose()?;
        // Out of gas with a reduced amount also counts as `limit`, which exceeds what can be paid:
        // with all of `limit`, the precompile would either use more than the reduced amount or run
        // out of gas as well.
        let gas = output.as_ref().map_or(limit, |output| worth(address, output, limit, length));
        let is_paid = deferred.spend(UnderpricedWork::Precompile { address, gas });
        output.filter(|_| is_paid).ok_or_else(unpaid)
    })
}

/// Wraps EXECUTE on an L2 to report its gas. A failed call burns all of it.
///
/// The call's gas is never reduced: EXECUTE requires more gas than it charges, so it could fail
/// with less gas even if its work can be paid for. The gas of the block already pays for that work;
/// it is reported so that the same gas does not cover other work too. This must be charged before
/// the work is done, or a call that cannot pay would cause it for free. The gas that the call will
/// use is unknown at that point, so all of its gas is charged and the unused part is refunded
/// afterwards.
fn metered_execute(inner: DynPrecompile, deferred: Arc<DeferredGas>) -> DynPrecompile {
    use alloy_evm::precompiles::Precompile as _;
    let id = inner.precompile_id().clone();
    DynPrecompile::new_stateful(id, move |input: PrecompileInput<'_>| {
        let work = |gas| UnderpricedWork::Precompile { address: EXECUTE_ADDRESS, gas };
        let limit = work(input.gas);
        if !deferred.spend(limit) {
            return Err(PrecompileError::Fatal(InsufficientGas.to_string()));
        }
        let output = inner.call(input)?;
        if !output.is_halt() {
            let [limit, used] =
                [limit, work(output.gas_used)].map(|work| deferred.gas.underpriced_work(&work));
            deferred.release(limit.saturating_sub(used));
        }
        Ok(output)
    })
}

/// Returns the gas that the work of a precompile is worth.
///
/// The amount must not depend on whether the meter reduced the call's gas, because the reserve that
/// a builder computes with unlimited gas would otherwise differ from the one that L1 requires. A
/// failed call burns all of `limit`:
/// - Out of gas counts as `limit`: how much gas would have sufficed is unknown.
/// - Other failures count as at most the most expensive work on an input of this length, which is
///   never less than the precompile's own price. A call that can pay for it therefore never runs
///   out of gas only because its gas was reduced.
/// - BLAKE2F checks its gas, one unit per round, before the final flag. No length bounds the
///   rounds, so any of its failures counts as `limit`.
fn worth(address: Address, output: &PrecompileOutput, limit: u64, length: usize) -> u64 {
    /// Gas of point evaluation, the most expensive precompile without pairs.
    const LEAST: u64 = 50_000;
    /// Gas per byte of the first pairing (EIP-1108): 34,000 for 192 bytes.
    const PER_BYTE: u64 = 178;
    if !output.is_halt() {
        output.gas_used
    } else if is_out_of_gas(output) || address == BLAKE2F {
        limit
    } else {
        let bound = (length as u64).saturating_mul(PER_BYTE).saturating_add(LEAST);
        limit.min(bound)
    }
}

fn is_out_of_gas(output: &PrecompileOutput) -> bool {
    output.status == PrecompileStatus::Halt(PrecompileHalt::OutOfGas)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::Bytes;

    #[test]
    fn work_beyond_limit_is_refused() {
        let gas: Arc<dyn Pricing> = Arc::new(crate::Items::DEFAULT);
        let work = UnderpricedWork::RepeatedNode { bytes: 100 };
        let price = gas.underpriced_work(&work);
        assert!(price > 0);
        // A quarter of the gas of the block pays for one, the call for another.
        let deferred = DeferredGas::new(&gas, 4 * price, price);
        assert!(deferred.spend(work));
        assert_eq!((deferred.owed(), deferred.work().spent), (0, price));
        assert!(deferred.spend(work));
        assert_eq!((deferred.owed(), deferred.work().spent), (price, 2 * price));
        assert!(!deferred.is_short());
        assert!(!deferred.spend(work));
        assert!(deferred.is_short() && deferred.owed() > price);
        // Free work is rejected as well, because the block has already failed.
        let free = UnderpricedWork::Precompile { address: Address::with_last_byte(2), gas: 60 };
        assert!(!deferred.spend(free));
    }

    #[test]
    fn precompile_gas_is_limited_to_payable_work() {
        let gas: Arc<dyn Pricing> = Arc::new(crate::Items::DEFAULT);
        let (expensive, cheap) = (Address::with_last_byte(6), Address::with_last_byte(2));
        let deferred = DeferredGas::new(&gas, 0, 1_000);
        let price = |gas| {
            deferred.gas.underpriced_work(&UnderpricedWork::Precompile { address: expensive, gas })
        };
        let maximum = deferred.payable(expensive, u64::MAX).unwrap();
        assert!(price(maximum) <= 1_000 && price(maximum + 1) > 1_000, "{maximum}");
        for given in [0, 1, maximum - 1, maximum, maximum + 1, 10 * maximum] {
            assert_eq!(deferred.payable(expensive, given), Some(given.min(maximum)));
            assert_eq!(deferred.payable(cheap, given), Some(given));
        }
        assert!(deferred.spend(UnderpricedWork::Precompile { address: expensive, gas: maximum }));
        assert!(deferred.payable(expensive, maximum).unwrap() < maximum);
    }

    #[test]
    fn failure_counts_at_most_its_gas() {
        let pairing = Address::with_last_byte(8);
        let failed = PrecompileOutput::halt(PrecompileHalt::Bn254PairLength, 0);
        assert_eq!(worth(pairing, &failed, 1_000, 192), 1_000);
        assert_eq!(worth(pairing, &failed, 10_000_000, 0), 50_000);
        assert!(worth(pairing, &failed, 10_000_000, 192) > 45_000 + 34_000);
        assert_eq!(worth(BLAKE2F, &failed, 10_000_000, 213), 10_000_000);
        let out_of_gas = PrecompileOutput::halt(PrecompileHalt::OutOfGas, 0);
        assert_eq!(worth(pairing, &out_of_gas, 10_000_000, 0), 10_000_000);
        let done = PrecompileOutput::new(45_000, Bytes::new(), 0);
        assert_eq!(worth(pairing, &done, 10_000_000, 0), 45_000);
    }
}
