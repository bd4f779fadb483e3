//! EXECUTE as revm calls it.

use crate::{
    Answer, Call, Dialect, Execute, ExecuteError, ObservedCall,
    market::{self, Quote, Rate, Room},
};
use alloy_evm::precompiles::{DynPrecompile, PrecompileInput, PrecompilesMap};
use revm::precompile::{
    PrecompileError, PrecompileHalt, PrecompileId, PrecompileOutput, PrecompileResult,
};
use stateless::BlockTally;
use std::{rc::Rc, sync::Arc, time::Instant};

/// What a call pays and may take.
struct Terms<'t> {
    rate: Rate,
    room: Room,
    /// Where the block counts it.
    tally: Option<&'t BlockTally>,
}

impl Execute {
    /// Adds EXECUTE to the precompiles of an EVM, in each of its dialects. There is no market: that takes
    /// [blocks](Self::install_in_block).
    pub fn install(self: &Arc<Self>, precompiles: &mut PrecompilesMap) {
        self.install_with(precompiles, None);
    }

    /// As [`Self::install`], for the EVM of one block, or of a call as at the begin of one, whose tally
    /// counts what the calls take if there is a [market](Self::market).
    pub fn install_in_block(
        self: &Arc<Self>,
        precompiles: &mut PrecompilesMap,
        tally: &Arc<BlockTally>,
    ) {
        self.install_with(precompiles, self.market.then_some(tally));
    }

    fn install_with(
        self: &Arc<Self>,
        precompiles: &mut PrecompilesMap,
        tally: Option<&Arc<BlockTally>>,
    ) {
        // An EVM runs one block, or one call, at one price in all dialects.
        let quote = Rc::new(Quote::default());
        for dialect in &self.dialects {
            let (execute, own) = (Arc::clone(self), Arc::clone(dialect));
            let (tally, quote) = (tally.cloned(), Rc::clone(&quote));
            let call = move |mut input: PrecompileInput<'_>| {
                let terms = Terms::of(&mut input, tally.as_deref(), &quote)?;
                let blob_hashes = input.internals.tx_env().blob_versioned_hashes();
                let brought = Call { calldata: input.data, blob_hashes };
                execute.call(&*own, brought, input.gas, input.reservoir, &terms)
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
        terms: &Terms<'_>,
    ) -> PrecompileResult {
        let begun = Instant::now();
        let given = terms.rate.execute_gas(gas);
        let (outcome, taken) = self.answer_within(dialect, brought, given, terms.room);
        if let Some(tally) = terms.tally {
            tally.count(taken);
        }
        let outcome = terms.in_gas(outcome, gas);
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

impl<'t> Terms<'t> {
    /// Those of the block that keeps this tally; without one, gas is paid for gas, and nothing is limited.
    /// No call has shown to hold anything by then, so that finding them is one read of the state, but for the
    /// first call of a block.
    fn of(
        input: &mut PrecompileInput<'_>,
        tally: Option<&'t BlockTally>,
        quote: &Quote,
    ) -> Result<Self, PrecompileError> {
        let Some(tally) = tally else {
            return Ok(Self { rate: Rate::PAR, room: Room::UNLIMITED, tally });
        };
        // Past the journal: reading it makes nothing warm for the caller.
        let excess = market::excess(&mut input.internals.db_mut())
            .map_err(|error| PrecompileError::Fatal(error.to_string()))?;
        let rate = Rate { price: quote.at(excess, market::price), base_fee: tally.base_fee() };
        let room = Room { used: tally.used(), limit: market::LIMIT };
        Ok(Self { rate, room, tally: Some(tally) })
    }

    /// What a call comes to in the gas of its block, of which it was given so much.
    fn in_gas(
        &self,
        outcome: Result<Answer, ExecuteError>,
        given: u64,
    ) -> Result<Answer, ExecuteError> {
        match outcome {
            Ok(Answer { gas, output }) => Ok(Answer { gas: self.rate.gas(gas), output }),
            Err(ExecuteError::OutOfGas { reserve, .. }) => {
                Err(ExecuteError::OutOfGas { got: given, reserve: self.rate.gas(reserve) })
            }
            refused => refused,
        }
    }
}
