//! What a block has left for transactions.

use crate::State;
use alloy_consensus::{Header, Transaction as _};
use alloy_hardforks::EthereumHardfork;
use executor::{Invalid, Transaction};

/// Why a transaction that was offered is not in a block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// There was no room left; a later block may have it.
    #[error("the block has no room for it: {0}")]
    NoRoom(Invalid),
    /// It cannot stand there.
    #[error(transparent)]
    Invalid(Invalid),
}

impl Rejection {
    /// What the verifier would say of a block with the transaction.
    pub fn into_invalid(self) -> Invalid {
        match self {
            Self::NoRoom(reason) | Self::Invalid(reason) => reason,
        }
    }
}

/// What a block has left for transactions: revm knows the limits of a transaction, not all of a block.
pub(crate) struct GasPool {
    gas_limit: u64,
    per_transaction: u64,
    blob_gas: u64,
    max_blob_gas: u64,
    counts_exactly: bool,
}

impl GasPool {
    pub(crate) fn new(state: &State, header: &Header) -> Self {
        let spec = &state.config.spec;
        let fork = spec.hardfork_at(header.number, header.timestamp);
        Self {
            gas_limit: header.gas_limit,
            per_transaction: header.gas_limit,
            blob_gas: 0,
            max_blob_gas: spec
                .blob_params_at(header.timestamp)
                .map_or(0, |params| params.max_blob_gas_per_block()),
            // Since Amsterdam gas has dimensions, which the executor counts.
            counts_exactly: fork < EthereumHardfork::Amsterdam,
        }
    }

    pub(crate) fn check(
        &self,
        index: usize,
        transaction: &Transaction,
        used: u64,
    ) -> Result<(), Rejection> {
        let full = |reason| Err(Rejection::NoRoom(Invalid::Transaction { index, reason }));
        let with_this = self.blob_gas + transaction.blob_gas_used().unwrap_or_default();
        let max = self.max_blob_gas;
        if with_this > max {
            return full(format!("{with_this} blob gas with it, a block has {max}"));
        }
        let (limit, left) = (transaction.gas_limit(), self.gas_limit.saturating_sub(used));
        if self.counts_exactly && limit > left && limit <= self.per_transaction {
            return full(format!("its gas limit is {limit}, the block has {left} left"));
        }
        Ok(())
    }

    pub(crate) fn take(&mut self, transaction: &Transaction) {
        self.blob_gas += transaction.blob_gas_used().unwrap_or_default();
    }
}
