//! Per-thread cache of the precompiles, reused by the next call.
//!
//! With EXECUTE, the precompiles are a map of twenty boxed functions. Building it takes as long as
//! the rest of a small call.

use alloy_evm::precompiles::PrecompilesMap;
use chain::{ChainConfig, Extension};
use executor::{BlockTally, EvmOverrides as _};
use revm::primitives::hardfork::SpecId;
use std::{cell::RefCell, sync::Arc};
use variants::ExecuteExtension;

thread_local! {
    /// Precompiles of the last call on this thread.
    static CACHED: RefCell<Option<(Key, PrecompilesMap)>> = const { RefCell::new(None) };
}

/// Inputs that determine the set of precompiles: the fork and the chain's extensions. The key keeps
/// the extensions alive, so that no other extensions can reuse their address.
#[derive(Debug, Clone)]
pub(crate) struct Key(SpecId, Arc<[Arc<dyn Extension>]>);

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 && Arc::ptr_eq(&self.1, &other.1)
    }
}

impl Key {
    /// `None` if the precompiles cannot be reused: those of an EXECUTE market count usage per
    /// block.
    pub(crate) fn new(spec: SpecId, config: &ChainConfig) -> Option<Self> {
        let has_market =
            config.extension::<ExecuteExtension>().is_some_and(|extension| extension.market);
        (!has_market).then(|| Self(spec, Arc::clone(&config.extensions)))
    }
}

/// Replaces the fork's precompiles with those of a chain, from the cache if the key matches.
pub(crate) fn install(
    key: Option<&Key>,
    config: &ChainConfig,
    tally: &Arc<BlockTally>,
    precompiles: &mut PrecompilesMap,
) {
    match CACHED.take().filter(|(cached, _)| Some(cached) == key) {
        Some((_, left)) => *precompiles = left,
        None => config.precompiles(precompiles, tally),
    }
}

/// Caches precompiles, unchanged since they were installed, for the next call on this thread.
pub(crate) fn store(key: Option<Key>, precompiles: PrecompilesMap) {
    CACHED.set(key.map(|key| (key, precompiles)));
}
