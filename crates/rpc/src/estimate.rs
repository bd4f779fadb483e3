//! `eth_estimateGas`: the lowest gas limit with which a transaction succeeds.

use crate::{
    Api, CallRequest, Deadline, DeadlineInspector, FailureStyle, Note, Outcome, Registry, RpcError,
    UNTIMED_GAS, codes, precompile_events,
};
use alloy_evm::Evm;
use alloy_primitives::{Address, U64, U256};
use alloy_rpc_types_eth::TransactionRequest;
use executor::{BlockEvm, BlockState, BlockTally, ReadError};
use revm::{
    Database,
    context::{
        TxEnv,
        result::{EVMError, ExecutionResult, HaltReason, InvalidTransaction, ResultAndState},
    },
    primitives::hardfork::SpecId,
};
use std::sync::Arc;

/// Gas of a plain transfer.
const TRANSFER: u64 = 21_000;
/// Part of the error message by which clients detect that no gas limit suffices.
const ALLOWANCE: &str = "gas required exceeds allowance";
/// Gas stipend that the EVM gives the callee of a call with value.
const STIPEND: u64 = 2_300;

type CallEvm<'a, 's> = BlockEvm<&'a mut BlockState<'s, chain::State>, DeadlineInspector>;

/// Returns the base fee by which an estimate converts the price of the EXECUTE market to gas.
/// Before the transaction is included, the base fee can fall by an eighth and the price can rise by
/// an eighth; both raise the gas per unit of EXECUTE gas. The estimate covers both, plus a
/// thousandth for rounding. If the pending block is empty, its price may have fallen once more.
const fn conversion_base_fee(base_fee: u64, is_pending: bool) -> u64 {
    let (numerator, denominator) = if is_pending { (7 * 8 * 999, 9 * 9) } else { (7 * 999, 9) };
    let lowered = base_fee as u128 * numerator / (denominator * 1_000);
    // Never 0, because a base fee of 0 cannot convert the price.
    if lowered == 0 { base_fee } else { lowered as u64 }
}

pub(crate) fn register(methods: &mut Registry<Api>) {
    methods.execute("eth_estimateGas", |api, args| {
        let request = CallRequest {
            transaction: args.required()?,
            block: args.optional()?.unwrap_or_else(|| api.options().estimate_at.into()),
            state: args.or_default()?,
            block_overrides: args.or_default()?,
        };
        estimate(api, &request).map(U64::from)
    });
}

/// Returns the lowest gas limit with which the transaction succeeds.
pub fn estimate(api: &Api, request: &CallRequest) -> Result<u64, RpcError> {
    let mut request = request.clone();
    if request.transaction.authorization_list.as_ref().is_some_and(Vec::is_empty) {
        return Err(RpcError::params("the list of authorizations is empty: leave it out"));
    }
    request.transaction.gas = request.transaction.gas.filter(|gas| *gas >= TRANSFER);
    if request.transaction.from.is_none() {
        waive_fees(&mut request);
    }
    // As in anvil, a plain transfer gets its estimate before its fees are checked.
    let refusal = api.options().failure_style.tip_above_fee(&request.transaction);
    if refusal.is_some() && is_plain_transfer(&request.transaction) {
        request.transaction.max_priority_fee_per_gas = None;
    }
    let mut call = request.prepare(api)?;
    let base_fee = conversion_base_fee(call.tally.base_fee(), request.block.is_pending());
    call.tally = Arc::new(BlockTally::new(base_fee));
    let mut state = call.source.open();
    let deadline = api.call_deadline();
    let mut evm = call.timed_evm(&mut state, deadline)?;
    let mut transaction = call.transaction.clone();
    let fork_cap = call.source.transaction_gas_cap();
    let most = request.transaction.gas.unwrap_or(call.env.block_env.gas_limit);
    let gas_cap = api.gas_cap(call.env.block_env.gas_limit);
    let mut high = most.min(gas_cap).min(fork_cap);
    let is_plain = api.options().failure_style == FailureStyle::Anvil
        && is_plain_transfer(&request.transaction)
        && call.env.cfg_env.spec < SpecId::AMSTERDAM;
    if is_plain && is_outside_code(&mut evm, &transaction)? {
        // As in anvil, whose users estimate transfers before the sender is funded.
        return Ok(TRANSFER);
    }
    if let Some(refusal) = refusal {
        return Err(refusal);
    }
    let mut is_poor = false;
    if transaction.gas_price > 0 {
        let affordable = affordable(api, evm.db_mut(), &transaction)?;
        is_poor = affordable < high;
        high = high.min(affordable);
    }
    search(api, &mut evm, &call.tally, &mut transaction, high, deadline).map_err(|mut error| {
        // Clients recognise insufficient funds by this message.
        if is_poor && error.message.contains(ALLOWANCE) {
            match api.options().failure_style {
                FailureStyle::Geth => {
                    error.message.push_str(": insufficient funds for gas * price + value");
                }
                FailureStyle::Anvil => error = RpcError::no_funds(format!("enough for {high} gas")),
            }
        }
        error
    })
}

/// Returns `true` for a request that only sends value.
fn is_plain_transfer(request: &TransactionRequest) -> bool {
    request.input.input().is_none_or(|input| input.is_empty())
        && request.to.is_some_and(|to| to.is_call())
        && request.authorization_list.is_none()
        && request.access_list.is_none()
        && request.blob_versioned_hashes.is_none()
}

/// Returns `true` if the target is neither a contract nor a precompile.
fn is_outside_code(evm: &mut CallEvm<'_, '_>, call: &TxEnv) -> Result<bool, RpcError> {
    let Some(to) = call.kind.to().copied() else { return Ok(false) };
    let account = evm.db_mut().basic(to).map_err(chain::ChainError::from)?;
    let has_code = account.is_some_and(|account| !account.is_empty_code_hash());
    Ok(!has_code && evm.precompiles_mut().get(&to).is_none())
}

/// Returns the error of a call for which no gas limit up to `limit` suffices.
fn exceeds_allowance(api: &Api, limit: u64) -> RpcError {
    match api.options().failure_style {
        FailureStyle::Geth => RpcError::server(format!("{ALLOWANCE} ({limit})")),
        FailureStyle::Anvil => {
            RpcError::new(codes::REJECTED, format!("Out of gas: {ALLOWANCE}: {limit}"))
        }
    }
}

/// Makes a call without a sender free: sets its gas price to zero and gives the zero address the
/// call's value.
fn waive_fees(request: &mut CallRequest) {
    let transaction = &mut request.transaction;
    (transaction.gas_price, transaction.max_fee_per_gas) = (None, None);
    transaction.max_priority_fee_per_gas = None;
    if let Some(value) = transaction.value.filter(|value| !value.is_zero()) {
        let zero = request.state.entry(Address::ZERO).or_default();
        zero.balance.get_or_insert(value);
    }
}

/// Returns the maximum gas limit that the sender can pay for.
fn affordable<DB>(api: &Api, db: &mut DB, transaction: &TxEnv) -> Result<u64, RpcError>
where
    DB: Database<Error = ReadError>,
{
    let account = db.basic(transaction.caller).map_err(chain::ChainError::from)?;
    let balance = account.unwrap_or_default().balance;
    let left = balance.checked_sub(transaction.value).ok_or_else(|| {
        let numbers = format!("have {balance} want {}", transaction.value);
        match api.options().failure_style {
            FailureStyle::Geth => {
                RpcError::server(format!("insufficient funds for transfer: {numbers}"))
            }
            FailureStyle::Anvil => RpcError::no_funds(numbers),
        }
    })?;
    Ok((left / U256::from(transaction.gas_price)).saturating_to())
}

type Executed = Result<ResultAndState<HaltReason>, EVMError<ReadError>>;

/// Executes the transaction once, with a deadline unless its gas limit bounds the time.
fn run(evm: &mut CallEvm<'_, '_>, transaction: &TxEnv) -> Result<(Executed, Vec<Note>), RpcError> {
    evm.set_inspector_enabled(transaction.gas_limit > UNTIMED_GAS);
    let (done, notes) = precompile_events::watch(|| evm.transact_raw(transaction.clone()));
    evm.inspector_mut().check()?;
    Ok((done, notes))
}

enum AttemptOutcome {
    Enough,
    TooLittle,
}

fn attempt(
    api: &Api,
    evm: &mut CallEvm<'_, '_>,
    tally: &BlockTally,
    transaction: &mut TxEnv,
    gas_limit: u64,
) -> Result<AttemptOutcome, RpcError> {
    transaction.gas_limit = gas_limit;
    tally.open();
    // Lines printed by contracts are reported when the transaction is sent, not while estimating.
    match run(evm, transaction)?.0 {
        Ok(done) if done.result.is_success() => Ok(AttemptOutcome::Enough),
        Ok(_)
        | Err(EVMError::Transaction(
            InvalidTransaction::CallGasCostMoreThanGasLimit { .. }
            | InvalidTransaction::GasFloorMoreThanGasLimit { .. },
        )) => Ok(AttemptOutcome::TooLittle),
        Err(error) => Err(api.options().failure_style.call_error(error)),
    }
}

fn search(
    api: &Api,
    evm: &mut CallEvm<'_, '_>,
    tally: &BlockTally,
    transaction: &mut TxEnv,
    high: u64,
    deadline: Deadline,
) -> Result<u64, RpcError> {
    // With the maximum gas, the call either succeeds or fails for a reason other than gas.
    transaction.gas_limit = high;
    let (first, notes) = run(evm, transaction)?;
    let first = match first {
        Ok(done) => done.result,
        Err(EVMError::Transaction(
            InvalidTransaction::CallGasCostMoreThanGasLimit { .. }
            | InvalidTransaction::GasFloorMoreThanGasLimit { .. },
        )) => return Err(exceeds_allowance(api, high)),
        Err(error) => return Err(api.options().failure_style.call_error(error)),
    };
    let used = match &first {
        ExecutionResult::Success { .. } => first.tx_gas_used(),
        ExecutionResult::Halt { reason: HaltReason::OutOfGas(_), .. } => {
            return Err(exceeds_allowance(api, high));
        }
        ExecutionResult::Revert { .. } | ExecutionResult::Halt { .. } => {
            return Outcome { result: first, notes }
                .into_output(api.options().failure_style)
                .map(|_| high);
        }
    };
    deadline.check()?;
    // Invariant: `low` is insufficient, `high` suffices.
    let (mut low, mut high) = (used.saturating_sub(1), high);
    if let AttemptOutcome::Enough = attempt(api, evm, tally, transaction, used)? {
        return Ok(used);
    }
    low = low.max(used);
    // Refunded gas is still needed during execution, and each call withholds a 64th (EIP-150).
    let spent = first.gas().total_gas_spent().max(used);
    let likely = spent.saturating_add(STIPEND).saturating_mul(64) / 63;
    if likely < high {
        match attempt(api, evm, tally, transaction, likely)? {
            AttemptOutcome::Enough => high = likely,
            AttemptOutcome::TooLittle => low = likely,
        }
    }
    while high - low > 1 {
        deadline.check()?;
        let middle = low.saturating_mul(2).min(low.midpoint(high));
        match attempt(api, evm, tally, transaction, middle)? {
            AttemptOutcome::Enough => high = middle,
            AttemptOutcome::TooLittle => low = middle,
        }
    }
    Ok(high)
}
