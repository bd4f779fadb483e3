//! Work that shows only while a block is executed, and who pays for it.

use crate::{
    Pricing,
    pricing::{CHEAP_MODEXP, DEAR_PRECOMPILES, P256VERIFY},
};
use alloy_consensus::Header;
use alloy_evm::precompiles::{DynPrecompile, PrecompileInput, PrecompilesMap};
use alloy_primitives::Address;
use revm::{
    context::{CfgEnv, transaction::SignedAuthorization},
    precompile::{PrecompileError, PrecompileHalt, PrecompileOutput, PrecompileStatus},
};
use stateless::{
    BlockError, BlockTally, DearWork, EvmOverrides, HookState, Transaction, Unpaid, WorkMeter,
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

/// What a call owes for [`DearWork`], and how much of it the call can pay.
#[derive(Debug)]
pub(crate) struct Tab {
    gas: Arc<dyn Pricing>,
    /// What the gas of the block covers at most.
    covered: u64,
    /// What the call can pay beyond that.
    beyond: u64,
    spent: AtomicU64,
    /// Whether something was asked for that the limit does not cover.
    is_short: AtomicBool,
}

impl Tab {
    /// A tab of a block that uses `bound` gas at most, in a call that can pay this much `beyond`.
    pub(crate) fn new(gas: &Arc<dyn Pricing>, bound: u64, beyond: u64) -> Self {
        Self {
            gas: Arc::clone(gas),
            covered: gas.covered_work(bound),
            beyond,
            spent: AtomicU64::new(0),
            is_short: AtomicBool::new(false),
        }
    }

    /// Price of all work so far, or of what was asked for if that was too much.
    pub(crate) fn spent(&self) -> u64 {
        self.spent.load(Ordering::Relaxed)
    }

    /// What the call must hold for it, whatever gas the block uses in the end.
    pub(crate) fn owed(&self) -> u64 {
        self.spent().saturating_sub(self.covered)
    }

    /// Most gas, of what a precompile is given, for which its work can be paid; `None` if that of none can.
    fn payable(&self, address: Address, given: u64) -> Option<u64> {
        let left = self.beyond.saturating_add(self.covered).saturating_sub(self.spent());
        let fits = |gas| self.gas.dear_work(&DearWork::Precompile { address, gas }) <= left;
        if fits(given) {
            return Some(given);
        }
        // Of one that fits and one that does not, until they are neighbours.
        let (mut fitting, mut beyond) = (0, given);
        while fitting + 1 < beyond {
            let between = fitting.midpoint(beyond);
            *(if fits(between) { &mut fitting } else { &mut beyond }) = between;
        }
        fits(fitting).then_some(fitting)
    }

    /// Whether more was asked for than there is: the block was not executed to its end.
    pub(crate) fn is_short(&self) -> bool {
        self.is_short.load(Ordering::Relaxed)
    }
}

impl WorkMeter for Tab {
    /// Called by the one thread that executes.
    fn spend(&self, work: DearWork) -> bool {
        let spent = self.spent().saturating_add(self.gas.dear_work(&work));
        self.spent.store(spent, Ordering::Relaxed);
        if spent > self.beyond.saturating_add(self.covered) {
            self.is_short.store(true, Ordering::Relaxed);
        }
        !self.is_short()
    }
}

/// A chain as it is, with a tab for what its blocks do.
#[derive(Debug)]
pub(crate) struct Metered<'c> {
    pub(crate) chain: &'c dyn EvmOverrides,
    pub(crate) tab: Arc<Tab>,
}

impl EvmOverrides for Metered<'_> {
    fn limits(&self, cfg: &mut CfgEnv) {
        self.chain.limits(cfg);
    }

    fn precompiles(&self, precompiles: &mut PrecompilesMap, tally: &Arc<BlockTally>) {
        self.chain.precompiles(precompiles, tally);
        // The fork that brought the one has given the other its price.
        let cheap = precompiles.get(&P256VERIFY).is_none().then_some(CHEAP_MODEXP);
        for (address, _) in DEAR_PRECOMPILES.into_iter().chain(cheap) {
            if precompiles.get(&address).is_some() {
                let tab = Arc::clone(&self.tab);
                precompiles.map_precompile(&address, move |inner| metered(address, inner, tab));
            }
        }
    }

    fn authority(&self, authorization: &SignedAuthorization) -> Option<Address> {
        self.chain.authority(authorization)
    }

    fn meter(&self) -> Option<Arc<dyn WorkMeter>> {
        Some(Arc::clone(&self.tab) as _)
    }

    fn is_verifiable(&self) -> bool {
        self.chain.is_verifiable()
    }

    fn begin_block(&self, header: &Header, state: &mut dyn HookState) -> Result<(), BlockError> {
        self.chain.begin_block(header, state)
    }

    fn before_transaction(
        &self,
        index: usize,
        transaction: &Transaction,
        sender: Address,
        state: &mut dyn HookState,
    ) -> Result<(), BlockError> {
        self.chain.before_transaction(index, transaction, sender, state)
    }

    fn end_block(
        &self,
        header: &Header,
        state: &mut dyn HookState,
        tally: &BlockTally,
    ) -> Result<(), BlockError> {
        self.chain.end_block(header, state, tally)
    }
}

/// Counts the [`DearWork`] of a block while it is built, so that it is known what EXECUTE will ask for
/// it.
#[derive(Debug)]
pub struct WorkCount<'c>(Metered<'c>);

impl<'c> WorkCount<'c> {
    /// Counts, at these prices, what blocks of this chain do.
    pub fn new(gas: &Arc<dyn Pricing>, chain: &'c dyn EvmOverrides) -> Self {
        Self(Metered { chain, tab: Arc::new(Tab::new(gas, 0, u64::MAX)) })
    }

    /// The chain, with the meter.
    pub fn overrides(&self) -> &dyn EvmOverrides {
        &self.0
    }

    /// What all work so far costs.
    pub fn spent(&self) -> u64 {
        self.0.tab.spent()
    }

    /// Goes back to what it was: the work since then is no part of the block.
    pub fn rewind(&self, spent: u64) {
        self.0.tab.spent.store(spent, Ordering::Relaxed);
    }
}

/// A precompile whose calls go onto a tab. One that the tab does not cover stops the block before it does anything: it is
/// given no more gas than its work can be paid for, and compares its price with what it is given first of all.
fn metered(address: Address, inner: DynPrecompile, tab: Arc<Tab>) -> DynPrecompile {
    use alloy_evm::precompiles::Precompile as _;
    let id = inner.precompile_id().clone();
    DynPrecompile::new(id, move |input: PrecompileInput<'_>| {
        let unpaid = || PrecompileError::Fatal(Unpaid.to_string());
        if tab.is_short() {
            return Err(unpaid());
        }
        let (given, length) = (input.gas, input.data.len());
        let payable = tab.payable(address, given);
        let output = payable.map(|gas| inner.call(PrecompileInput { gas, ..input })).transpose()?;
        let gas = match (&output, payable) {
            (Some(output), Some(gas)) if gas == given || !is_out_of_gas(output) => {
                worth(output, given, length)
            }
            // More than can be paid, however much that is.
            (_, gas) => gas.map_or(0, |gas| gas + 1),
        };
        let is_paid = tab.spend(DearWork::Precompile { address, gas });
        output.filter(|_| is_paid).ok_or_else(unpaid)
    })
}

fn is_out_of_gas(output: &PrecompileOutput) -> bool {
    output.status == PrecompileStatus::Halt(PrecompileHalt::OutOfGas)
}

/// The gas that the work of a precompile is worth. What fails takes all that it was given, however
/// much that is; then the work is worth no more than the dearest precompile of such an input.
fn worth(output: &PrecompileOutput, given: u64, length: usize) -> u64 {
    /// Of point evaluation, and more than what any other takes for no pairs at all.
    const LEAST: u64 = 50_000;
    /// Of pairs of the first pairing (EIP-1108): 34,000 for 192 bytes.
    const PER_BYTE: u64 = 178;
    if output.is_halt() {
        let dearest = (length as u64).saturating_mul(PER_BYTE).saturating_add(LEAST);
        given.min(dearest)
    } else {
        output.gas_used
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GasSchedule;
    use alloy_primitives::Bytes;

    #[test]
    fn a_tab_takes_what_its_limit_covers_and_nothing_after() {
        let gas: Arc<dyn Pricing> = GasSchedule::DEFAULT.into();
        let work = DearWork::RepeatedNode { bytes: 100 };
        let price = gas.dear_work(&work);
        assert!(price > 0);
        // A quarter of the gas of the block pays for one, the call for another.
        let tab = Tab::new(&gas, 4 * price, price);
        assert!(tab.spend(work));
        assert_eq!((tab.owed(), tab.spent()), (0, price));
        assert!(tab.spend(work));
        assert_eq!((tab.owed(), tab.spent()), (price, 2 * price));
        assert!(!tab.is_short());
        assert!(!tab.spend(work));
        assert!(tab.is_short() && tab.owed() > price);
        // What costs nothing is refused as well: the block is over.
        let free = DearWork::Precompile { address: Address::with_last_byte(2), gas: 60 };
        assert!(!tab.spend(free));
    }

    #[test]
    fn a_precompile_gets_the_most_gas_for_which_its_work_can_be_paid() {
        let gas: Arc<dyn Pricing> = GasSchedule::DEFAULT.into();
        let (dear, cheap) = (Address::with_last_byte(6), Address::with_last_byte(2));
        let tab = Tab::new(&gas, 0, 1_000);
        let price = |gas| tab.gas.dear_work(&DearWork::Precompile { address: dear, gas });
        let most = tab.payable(dear, u64::MAX).unwrap();
        assert!(price(most) <= 1_000 && price(most + 1) > 1_000, "{most}");
        for given in [0, 1, most - 1, most, most + 1, 10 * most] {
            assert_eq!(tab.payable(dear, given), Some(given.min(most)));
            assert_eq!(tab.payable(cheap, given), Some(given));
        }
        assert!(tab.spend(DearWork::Precompile { address: dear, gas: most }));
        assert!(tab.payable(dear, most).unwrap() < most);
    }

    #[test]
    fn a_failure_is_worth_what_its_input_can_have_cost_and_no_more_than_was_given() {
        let failed = PrecompileOutput::halt(PrecompileHalt::Bn254PairLength, 0);
        assert_eq!(worth(&failed, 1_000, 192), 1_000);
        assert_eq!(worth(&failed, 10_000_000, 0), 50_000);
        assert!(worth(&failed, 10_000_000, 192) > 45_000 + 34_000);
        let done = PrecompileOutput::new(45_000, Bytes::new(), 0);
        assert_eq!(worth(&done, 10_000_000, 0), 45_000);
    }
}
