//! Gas of calls in advance, for planners, builders and tools.

use alloy_consensus::Transaction as _;
use execute::{CallCost, DeclaredGas, ExecuteError, FURTHER_BLOCK_GAS, Pricing, WorkGas};
use executor::Transaction;
use wire::{Input, StatelessInput};

/// Returns the gas of a call with this input, if its blocks use `gas_used` gas together and do
/// underpriced work worth `work` ([`Executed::work`](execute::Executed::work)). Nothing is
/// executed.
///
/// # Errors
///
/// [`ExecuteError`] if the bytes are not an input, or a transaction is malformed.
pub fn cost_of(
    pricing: &dyn Pricing,
    calldata: &[u8],
    gas_used: u64,
    work: WorkGas,
) -> Result<CallCost, ExecuteError> {
    let declared = DeclaredGas::of_calldata(calldata)?;
    let further = Input::decode(calldata)?.requests().len().saturating_sub(1);
    let own_gas = FURTHER_BLOCK_GAS * further as u64;
    Ok(CallCost::new(pricing, &declared, own_gas, own_gas.saturating_add(gas_used), work))
}

/// Returns the amounts that a call with this input and `calldata` bytes declares before its
/// transactions are decoded: all except the gas limits.
pub fn declared_of_input(calldata: usize, input: &StatelessInput<'_>) -> DeclaredGas {
    let (request, witness) = (&input.request, &input.witness);
    DeclaredGas {
        calldata: calldata as u64,
        request_bytes: request.encoded_len(input.fork) as u64,
        witness_bytes: witness.encoded_len() as u64,
        nodes: witness.state.len() as u64,
        codes: witness.codes.len() as u64,
        headers: witness.headers.len() as u64,
        transactions: request.payload.transactions.len() as u64,
        gas_limit: request.payload.gas_limit,
        ..DeclaredGas::default()
    }
}

/// Returns the amounts that a call with this input, `calldata` bytes and these transactions
/// declares.
pub fn declared_of(
    calldata: usize,
    input: &StatelessInput<'_>,
    transactions: &[Transaction],
) -> DeclaredGas {
    let transaction_gas = transactions
        .iter()
        .fold(0, |sum: u64, transaction| sum.saturating_add(transaction.gas_limit()));
    DeclaredGas { transaction_gas, ..declared_of_input(calldata, input) }
}
