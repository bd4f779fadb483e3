//! EXECUTE as revm calls it.

use crate::{Execute, ExecuteError};
use alloy_evm::precompiles::{DynPrecompile, PrecompileInput, PrecompilesMap};
use alloy_primitives::{Address, Bytes, address};
use revm::precompile::{
    PrecompileError, PrecompileHalt, PrecompileId, PrecompileOutput, PrecompileResult,
};
use std::sync::Arc;

/// Where EXECUTE stands.
pub const EXECUTE_ADDRESS: Address = address!("0x0000000000000000000000000000000000000101");

impl Execute {
    /// Adds EXECUTE to the precompiles of an EVM.
    pub fn install(self: &Arc<Self>, precompiles: &mut PrecompilesMap) {
        let execute = Arc::clone(self);
        let call =
            move |input: PrecompileInput<'_>| execute.call(input.data, input.gas, input.reservoir);
        let precompile = DynPrecompile::new_stateful(PrecompileId::custom("EXECUTE"), call);
        precompiles.apply_precompile(&EXECUTE_ADDRESS, |_| Some(precompile));
    }

    /// A call as a precompile's output: whatever the input is to blame for is a halt of that call
    /// alone. A fault of ours says nothing about the input, so it stops the EVM: a node that cannot
    /// tell must not decide.
    fn call(&self, calldata: &[u8], gas: u64, reservoir: u64) -> PrecompileResult {
        Ok(match self.run(calldata, gas) {
            Ok(executed) => {
                let result = Bytes::copy_from_slice(&executed.result.encode());
                PrecompileOutput::new(executed.gas, result, reservoir)
            }
            Err(ExecuteError::OutOfGas { .. }) => {
                PrecompileOutput::halt(PrecompileHalt::OutOfGas, reservoir)
            }
            Err(ExecuteError::Internal(error)) => {
                return Err(PrecompileError::Fatal(error.to_string()));
            }
            Err(refusal) => {
                PrecompileOutput::halt(PrecompileHalt::other(refusal.to_string()), reservoir)
            }
        })
    }
}
