//! EXECUTE as a precompile of revm.

use crate::{Answer, Dialect, Execute, ExecuteError, ObservedCall, PrecompileCall};
use alloc::{string::ToString as _, sync::Arc};
use alloy_evm::precompiles::{DynPrecompile, PrecompileInput, PrecompilesMap};
use revm::precompile::{
    PrecompileError, PrecompileHalt, PrecompileId, PrecompileOutput, PrecompileResult,
};

impl Execute {
    /// Adds EXECUTE to the precompiles of an EVM, once for each of its dialects.
    pub fn install(self: &Arc<Self>, precompiles: &mut PrecompilesMap) {
        self.install_with(precompiles, |execute, dialect, input| {
            execute.answer(dialect, PrecompileCall::of(input), input.gas)
        });
    }

    /// Adds EXECUTE to the precompiles of an EVM, with `answer` as the handler of its calls, for a
    /// chain with its own way to charge for calls.
    pub fn install_with<A>(self: &Arc<Self>, precompiles: &mut PrecompilesMap, answer: A)
    where
        A: Fn(&Self, &dyn Dialect, &mut PrecompileInput<'_>) -> Result<Answer, ExecuteError>
            + Clone
            + 'static,
    {
        for dialect in &self.dialects {
            let (execute, own) = (Arc::clone(self), Arc::clone(dialect));
            let answer = answer.clone();
            let call = move |mut input: PrecompileInput<'_>| {
                let begun = execute.observer.now();
                let outcome = answer(&execute, &*own, &mut input);
                execute.observer.called(&ObservedCall {
                    dialect: own.name(),
                    address: own.address(),
                    calldata: input.data,
                    gas: input.gas,
                    took: execute.observer.now().saturating_sub(begun),
                    outcome: &outcome,
                });
                output(outcome, input.reservoir)
            };
            let id = PrecompileId::custom(dialect.name());
            let precompile = DynPrecompile::new_stateful(id, call);
            precompiles.apply_precompile(&dialect.address(), |_| Some(precompile));
        }
    }
}

/// Converts the outcome of a call into the output of a precompile. An invalid input halts only that
/// call. An internal error is not a verdict on the input, so it is fatal for the EVM: a node that
/// cannot verify must neither accept nor reject.
fn output(outcome: Result<Answer, ExecuteError>, reservoir: u64) -> PrecompileResult {
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
