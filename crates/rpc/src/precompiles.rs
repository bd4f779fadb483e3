//! Precompiles of calls, used again by the next call.
//!
//! With EXECUTE among them they are a map of twenty boxed functions, and to make one takes as long
//! as all else that a small call needs.

use alloy_evm::precompiles::PrecompilesMap;
use chain::ChainConfig;
use executor::{BlockTally, EvmOverrides as _};
use revm::primitives::hardfork::SpecId;
use std::{cell::RefCell, sync::Arc};

thread_local! {
    /// Precompiles of the last call on this thread.
    static LEFT: RefCell<Option<(Key, PrecompilesMap)>> = const { RefCell::new(None) };
}

/// Inputs that determine the set of precompiles: the fork, the EXECUTE and the extension. A cached
/// map keeps both alive, so no other one can have the same address meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key(SpecId, Option<usize>, Option<usize>);

impl Key {
    /// `None` if the precompiles of one call do not serve for another: those of a market count what they do.
    pub(crate) fn new(spec: SpecId, config: &ChainConfig) -> Option<Self> {
        if config.has_market() {
            return None;
        }
        let execute = config.execute.as_ref().map(|execute| Arc::as_ptr(execute).addr());
        let extension = config.extension.as_ref().map(|known| Arc::as_ptr(known).addr());
        Some(Self(spec, execute, extension))
    }
}

/// Puts the precompiles of a chain in the place of those of its fork.
pub(crate) fn install(
    key: Option<Key>,
    config: &ChainConfig,
    tally: &Arc<BlockTally>,
    precompiles: &mut PrecompilesMap,
) {
    match LEFT.take().filter(|(left, _)| Some(*left) == key) {
        Some((_, left)) => *precompiles = left,
        None => config.precompiles(precompiles, tally),
    }
}

/// Leaves precompiles, unchanged since they were installed, to the next call of this thread.
pub(crate) fn leave(key: Option<Key>, precompiles: PrecompilesMap) {
    LEFT.set(key.map(|key| (key, precompiles)));
}
