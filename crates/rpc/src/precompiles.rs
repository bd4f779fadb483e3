//! Cache of the precompiles for the next call.
//!
//! With EXECUTE they are a map of twenty boxed functions, and building it takes as long as the rest
//! of a small call.

use alloy_evm::precompiles::PrecompilesMap;
use chain::{ChainConfig, Extension};
use executor::{BlockTally, EvmOverrides as _};
use revm::primitives::hardfork::SpecId;
use std::{cell::RefCell, sync::Arc};
use variants::ExecuteExtension;

thread_local! {
    /// Precompiles of the last call on this thread.
    static LEFT: RefCell<Option<(Key, PrecompilesMap)>> = const { RefCell::new(None) };
}

/// Inputs that determine the set of precompiles: the fork and the extensions of the chain. The key
/// keeps the extensions alive, so that no others can get the same address meanwhile.
#[derive(Debug, Clone)]
pub(crate) struct Key(SpecId, Arc<[Arc<dyn Extension>]>);

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 && Arc::ptr_eq(&self.1, &other.1)
    }
}

impl Key {
    /// `None` if the precompiles of one call cannot serve another: those of a market count usage.
    pub(crate) fn new(spec: SpecId, config: &ChainConfig) -> Option<Self> {
        let has_market = config.extension::<ExecuteExtension>().is_some_and(|it| it.market);
        (!has_market).then(|| Self(spec, Arc::clone(&config.extensions)))
    }
}

/// Replaces the precompiles of the fork by those of a chain.
pub(crate) fn install(
    key: Option<&Key>,
    config: &ChainConfig,
    tally: &Arc<BlockTally>,
    precompiles: &mut PrecompilesMap,
) {
    match LEFT.take().filter(|(left, _)| Some(left) == key) {
        Some((_, left)) => *precompiles = left,
        None => config.precompiles(precompiles, tally),
    }
}

/// Stores precompiles, unchanged since they were installed, for the next call of this thread.
pub(crate) fn leave(key: Option<Key>, precompiles: PrecompilesMap) {
    LEFT.set(key.map(|key| (key, precompiles)));
}
