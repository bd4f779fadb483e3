//! EXECUTE as an extension of a chain.

use crate::market;
use alloy_consensus::Header;
use alloy_evm::precompiles::PrecompilesMap;
use execute::Execute;
use executor::{BlockError, BlockTally, EvmOverrides, HookState};
use std::sync::Arc;

/// EXECUTE on the blocks of a chain, which is an L1 or a lower layer.
#[derive(Debug, Clone)]
pub struct ExecuteExtension {
    /// EXECUTE with its parameters.
    pub execute: Arc<Execute>,
    /// `true` if a [`market`] sells its gas. The extension closes it after each block.
    pub market: bool,
}

impl ExecuteExtension {
    /// Creates the extension of a chain without a market.
    pub fn new(execute: Execute) -> Self {
        Self { execute: Arc::new(execute), market: false }
    }

    /// Creates the extension of a chain with a market.
    pub fn with_market(execute: Execute) -> Self {
        Self { market: true, ..Self::new(execute) }
    }
}

impl EvmOverrides for ExecuteExtension {
    fn precompiles(&self, precompiles: &mut PrecompilesMap, tally: &Arc<BlockTally>) {
        if self.market {
            market::install(&self.execute, precompiles, tally);
        } else {
            self.execute.install(precompiles);
        }
    }

    /// Blocks of an L1 with EXECUTE are verified with the same EXECUTE.
    fn is_verifiable(&self) -> bool {
        true
    }

    fn end_block(
        &self,
        _: &Header,
        state: &mut dyn HookState,
        tally: &BlockTally,
    ) -> Result<(), BlockError> {
        if self.market { market::close_block(state, tally) } else { Ok(()) }
    }
}
