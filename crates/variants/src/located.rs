//! A dialect at an address other than its default.

use alloy_primitives::Address;
use execute::{Answer, Dialect, ExecuteError, Executed, PrecompileCall, Refused};
use executor::EvmOverrides;
use std::{borrow::Cow, sync::Arc};

/// Returns the dialect at this address.
pub(crate) fn located(dialect: Arc<dyn Dialect>, address: Address) -> Arc<dyn Dialect> {
    if dialect.address() == address {
        return dialect;
    }
    Arc::new(RelocatedDialect { dialect, address })
}

/// A dialect at an address other than its default.
#[derive(Debug)]
struct RelocatedDialect {
    dialect: Arc<dyn Dialect>,
    address: Address,
}

impl Dialect for RelocatedDialect {
    fn name(&self) -> &'static str {
        self.dialect.name()
    }

    fn address(&self) -> Address {
        self.address
    }

    fn bytes(&self, call: &PrecompileCall<'_>) -> Result<usize, ExecuteError> {
        self.dialect.bytes(call)
    }

    fn input<'c>(&self, call: &PrecompileCall<'c>) -> Result<Cow<'c, [u8]>, ExecuteError> {
        self.dialect.input(call)
    }

    fn evm(&self, call: &PrecompileCall<'_>) -> Box<dyn EvmOverrides> {
        self.dialect.evm(call)
    }

    fn answer(
        &self,
        calldata: &[u8],
        outcome: Result<Executed, Refused>,
    ) -> Result<Answer, ExecuteError> {
        self.dialect.answer(calldata, outcome)
    }
}
