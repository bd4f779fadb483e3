//! EXECUTE as revm calls it.

use crate::{Answer, Call, Dialect, Execute, ExecuteError, ObservedCall};
use alloy_evm::precompiles::{DynPrecompile, PrecompileInput, PrecompilesMap};
use revm::precompile::{
    PrecompileError, PrecompileHalt, PrecompileId, PrecompileOutput, PrecompileResult,
};
use std::{sync::Arc, time::Instant};

impl Execute {
    /// Adds EXECUTE to the precompiles of an EVM, in each of its dialects.
    pub fn install(self: &Arc<Self>, precompiles: &mut PrecompilesMap) {
        for dialect in &self.dialects {
            let (execute, own) = (Arc::clone(self), Arc::clone(dialect));
            let call = move |input: PrecompileInput<'_>| {
                let blob_hashes = input.internals.tx_env().blob_versioned_hashes();
                let brought = Call { calldata: input.data, blob_hashes };
                execute.call(&*own, brought, input.gas, input.reservoir)
            };
            let id = PrecompileId::custom(dialect.name());
            let precompile = DynPrecompile::new_stateful(id, call);
            precompiles.apply_precompile(&dialect.address(), |_| Some(precompile));
        }
    }

    /// A call as a precompile's output: whatever the input is to blame for is a halt of that call
    /// alone. A fault of ours says nothing about the input, so it stops the EVM: a node that cannot
    /// tell must not decide.
    fn call(
        &self,
        dialect: &dyn Dialect,
        brought: Call<'_>,
        gas: u64,
        reservoir: u64,
    ) -> PrecompileResult {
        let begun = Instant::now();
        let outcome = self.answer(dialect, brought, gas);
        self.observer.called(&ObservedCall {
            dialect: dialect.name(),
            address: dialect.address(),
            calldata: brought.calldata,
            gas,
            took: begun.elapsed(),
            outcome: &outcome,
        });
        Ok(match outcome {
            Ok(Answer { gas, output }) => PrecompileOutput::new(gas, output, reservoir),
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
