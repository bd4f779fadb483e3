//! A call of a system contract outside the gas limit of its block.

use alloy_primitives::{Address, B256, Bytes, address};
use executor::{BlockError, HookState, InternalError, Invalid};
use revm::{Context, MainBuilder, MainContext, SystemCallEvm, context::result::EVMError};

/// Caller of all system contracts (EIP-4788).
const SYSTEM_ADDRESS: Address = address!("0xfffffffffffffffffffffffffffffffffffffffe");

/// A contract that hooks of a chain call with 30 million gas, which no block pays for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HookContract {
    pub(crate) address: Address,
    pub(crate) code_hash: B256,
}

impl HookContract {
    /// Rejects foreign code at the address, because it would run in a system call, outside the gas
    /// limit.
    pub(crate) fn check(self, state: &mut dyn HookState) -> Result<(), BlockError> {
        let Self { address, code_hash: expected } = self;
        let got = state.basic(address)?.unwrap_or_default().code_hash;
        (got == expected)
            .then_some(())
            .ok_or_else(|| Invalid::SystemCode { address, got, expected }.into())
    }

    /// Calls the contract with `data` and commits its changes.
    ///
    /// # Errors
    ///
    /// [`Invalid::SystemCode`] if it has other code or none, or any error of reading the state.
    pub(crate) fn call(self, state: &mut dyn HookState, data: Bytes) -> Result<(), BlockError> {
        self.check(state)?;
        let address = self.address;
        let mut evm = Context::mainnet().with_db(&mut *state).build_mainnet();
        let called = evm.system_call_with_caller(SYSTEM_ADDRESS, address, data);
        let mut done = called.map_err(|error| match error {
            EVMError::Database(error) => BlockError::from(error),
            error => InternalError::Executor(error.to_string()).into(),
        })?;
        // A system call changes nothing but the contract; the other changes in revm's result are
        // dropped.
        done.state.retain(|changed, _| *changed == address);
        state.commit(done.state);
        Ok(())
    }
}
