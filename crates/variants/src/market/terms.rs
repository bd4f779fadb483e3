//! Sale of calls within a block.

use super::{LIMIT, Quote, Rate, contract, price};
use alloy_evm::precompiles::{PrecompileInput, PrecompilesMap};
use execute::{Answer, Dialect, Execute, ExecuteError, InternalError, PrecompileCall};
use executor::BlockTally;
use std::{rc::Rc, sync::Arc};

/// The block's limit of EXECUTE gas is exhausted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("EXECUTE gas limit of the block exceeded: {got} with this call, the limit is {limit}")]
pub struct BeyondLimit {
    /// EXECUTE gas of the block, including the amount that this call needs.
    pub got: u64,
    /// Maximum EXECUTE gas of all calls in a block.
    pub limit: u64,
}

impl From<BeyondLimit> for ExecuteError {
    fn from(refusal: BeyondLimit) -> Self {
        Self::Variant { kind: "beyondLimit", reason: refusal.to_string() }
    }
}

/// The allowance of the surrounding transaction is exhausted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("EXECUTE gas allowance exceeded: the call requires {got}, {left} are left")]
pub struct BeyondAllowance {
    /// EXECUTE gas that the call must hold.
    pub got: u64,
    /// EXECUTE gas that the earlier calls of the transaction have left.
    pub left: u64,
}

impl From<BeyondAllowance> for ExecuteError {
    fn from(refusal: BeyondAllowance) -> Self {
        Self::Variant { kind: "beyondAllowance", reason: refusal.to_string() }
    }
}

/// How the calls of an EVM are paid.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Payment {
    /// With gas of the block, at the price of the market.
    Converted,
    /// From an allowance of this much EXECUTE gas, which the sender of the surrounding transaction
    /// has paid for.
    Allowance(u64),
}

/// Adds EXECUTE to the EVM of one block, or of a call at the start of one. The market sells its
/// calls, and `tally` counts the gas that they take.
pub fn install(execute: &Arc<Execute>, precompiles: &mut PrecompilesMap, tally: &Arc<BlockTally>) {
    install_with(execute, precompiles, tally, Payment::Converted, Execute::answer_counted);
}

/// Like [`install`], with this payment, and with `answer` as the handler of calls, which returns
/// the result of a call and the gas that it takes.
pub(crate) fn install_with(
    execute: &Arc<Execute>,
    precompiles: &mut PrecompilesMap,
    tally: &Arc<BlockTally>,
    payment: Payment,
    answer: impl CallHandler,
) {
    // An EVM runs one block, or one call, at one price for all dialects.
    let (tally, quote) = (Arc::clone(tally), Rc::<Quote>::default());
    execute.install_with(precompiles, move |execute, dialect, input| match payment {
        Payment::Converted => sell(execute, dialect, input, &tally, &quote, &answer),
        Payment::Allowance(gas) => draw(execute, dialect, input, &tally, gas, &answer),
    });
}

/// A function that handles an EXECUTE call in a dialect, with this much gas.
pub(crate) trait CallHandler:
    Fn(&Execute, &dyn Dialect, PrecompileCall<'_>, u64) -> (Result<Answer, ExecuteError>, u64)
    + Clone
    + 'static
{
}

impl<T> CallHandler for T where
    T: Fn(&Execute, &dyn Dialect, PrecompileCall<'_>, u64) -> (Result<Answer, ExecuteError>, u64)
        + Clone
        + 'static
{
}

/// Handles a call. The call is not known to have any gas yet, so computing its price takes a single
/// read of the state, except for the first call of a block.
fn sell(
    execute: &Execute,
    dialect: &dyn Dialect,
    input: &mut PrecompileInput<'_>,
    tally: &BlockTally,
    quote: &Quote,
    answer: &impl CallHandler,
) -> Result<Answer, ExecuteError> {
    // Bypasses the journal, so that the read warms nothing for the caller.
    let excess = contract::excess(&mut input.internals.db_mut())
        .map_err(|error| InternalError::Executor(error.to_string()))?;
    let rate = Rate { price: quote.at(excess, price), base_fee: tally.base_fee() };
    let (used, gas_limit) = (tally.used(), input.gas);
    // Rounded down, while charges are rounded up, so that no call gets work that it has not paid
    // for.
    let bought = rate.execute_gas(gas_limit);
    let gas = bought.min(LIMIT.saturating_sub(used));
    let (outcome, deducted) = answer(execute, dialect, PrecompileCall::of(input), gas);
    // Counted even if the call fails: a revert undoes the state, but not the work.
    tally.count(deducted);
    match outcome {
        Ok(Answer { gas, output }) => Ok(Answer { gas: rate.gas(gas), output }),
        // A lack of gas takes precedence over the block's limit.
        Err(ExecuteError::OutOfGas { reserve, .. }) if bought < reserve => {
            Err(ExecuteError::OutOfGas { got: gas_limit, reserve: rate.gas(reserve) })
        }
        Err(ExecuteError::OutOfGas { reserve, .. }) => {
            Err(BeyondLimit { got: used.saturating_add(reserve), limit: LIMIT }.into())
        }
        refused => refused,
    }
}

/// Handles a call in a transaction with an allowance of this much EXECUTE gas, without charging gas
/// to the call.
///
/// A block includes the transaction only if its limit covers the entire allowance.
fn draw(
    execute: &Execute,
    dialect: &dyn Dialect,
    input: &PrecompileInput<'_>,
    tally: &BlockTally,
    allowance: u64,
    answer: &impl CallHandler,
) -> Result<Answer, ExecuteError> {
    // A revert does not undo what the tally counts within a transaction.
    let left = allowance.saturating_sub(tally.used().saturating_sub(tally.settled()));
    let (outcome, deducted) = answer(execute, dialect, PrecompileCall::of(input), left);
    tally.count(deducted);
    match outcome {
        Ok(answer) => Ok(Answer { gas: 0, ..answer }),
        Err(ExecuteError::OutOfGas { reserve, .. }) => {
            Err(BeyondAllowance { got: reserve, left }.into())
        }
        refused => refused,
    }
}
