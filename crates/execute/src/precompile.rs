//! EXECUTE as a precompile of revm.

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

/// Price and limit of a call.
struct Terms<'t> {
    rate: Rate,
    room: Room,
    /// Counter of the block, if there is a market.
    tally: Option<&'t BlockTally>,
}

impl Execute {
    /// Adds EXECUTE to the precompiles of an EVM, in each of its dialects, without a market: a market needs
    /// [blocks](Self::install_in_block).
    pub fn install(self: &Arc<Self>, precompiles: &mut PrecompilesMap) {
        self.install_with(precompiles, None);
    }

    /// Adds EXECUTE to the EVM of one block, or of a call at the start of one, whose tally counts the calls
    /// if there is a [market](Self::market).
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

    /// Converts the outcome of a call into a precompile's output. A fault of the input halts that call alone.
    /// An internal fault says nothing about the input, so it stops the EVM: a node that cannot verify must
    /// not decide.
    fn call(
        &self,
        dialect: &dyn Dialect,
        brought: Call<'_>,
        gas: u64,
        reservoir: u64,
        terms: &Terms<'_>,
    ) -> PrecompileResult {
        let begun = Instant::now();
        // Rounded down, while charges are rounded up: no call gets work that it has not paid for.
        let given = terms.rate.execute_gas(gas);
        let (outcome, taken) = self.answer_within(dialect, brought, given, terms.room);
        // Counted even if the call fails: a revert undoes state, but not the work.
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
    /// Returns the terms in the block of this tally; without a tally, gas is paid one to one and nothing is
    /// limited. The call has not shown to hold any gas yet, so this is a single read of the state, except for
    /// the first call of a block.
    fn of(
        input: &mut PrecompileInput<'_>,
        tally: Option<&'t BlockTally>,
        quote: &Quote,
    ) -> Result<Self, PrecompileError> {
        let Some(tally) = tally else {
            return Ok(Self { rate: Rate::PAR, room: Room::UNLIMITED, tally });
        };
        // Bypasses the journal, so that reading warms nothing for the caller.
        let excess = market::excess(&mut input.internals.db_mut())
            .map_err(|error| PrecompileError::Fatal(error.to_string()))?;
        let rate = Rate { price: quote.at(excess, market::price), base_fee: tally.base_fee() };
        let room = Room { used: tally.used(), limit: market::LIMIT };
        Ok(Self { rate, room, tally: Some(tally) })
    }

    /// Converts an outcome into the gas of the block, of which the call was given `given`.
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
