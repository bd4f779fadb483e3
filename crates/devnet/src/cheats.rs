//! What a devnet changes about the execution of its blocks, and no other chain does.

use crate::signatures::Signatures;
use alloy_evm::precompiles::PrecompilesMap;
use executor::EvmOverrides;
use revm::context::CfgEnv;
use std::sync::Arc;

/// The cheats that the EVM knows of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cheats {
    /// Signatures that are not whose they seem.
    pub(crate) signatures: Arc<Signatures>,
}

impl EvmOverrides for Cheats {
    fn limits(&self, cfg: &mut CfgEnv) {
        // Impersonated accounts may have code (EIP-3607). What is signed is checked on its way into
        // the pool.
        cfg.disable_eip3607 = true;
    }

    fn precompiles(&self, precompiles: &mut PrecompilesMap) {
        if !self.signatures.0.is_empty() {
            self.signatures.install(precompiles);
        }
    }

    fn is_verifiable(&self) -> bool {
        self.signatures.0.is_empty()
    }
}
