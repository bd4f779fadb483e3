//! Calls: `eth_call` and similar methods.

use crate::{
    Api, BoundedInspector, ConsoleOptions, Deadline, DeadlineInspector, FailureStyle, Note,
    Recorded, Registry, RequestLimits, RpcError, UNTIMED_GAS,
    call_tree::call_tree,
    error::{REVERTED, transaction_error},
    overrides, precompile_events, precompiles,
    telemetry::CONSOLE_OUTPUT,
    typed::{self, Filled},
};
use alloy_eips::BlockId;
use alloy_evm::{Evm, EvmEnv, eth::EthEvmContext};
use alloy_primitives::{Bytes, U256};
use alloy_rpc_types_eth::{
    AccessListResult, BlockOverrides, TransactionRequest, state::StateOverride,
};
use chain::{State, halt_reason};
use executor::{BlockEvm, BlockState, BlockTally, inspected_evm, override_authorities};
use revm::{
    Inspector,
    context::{
        ContextTr, JournalTr, TxEnv,
        result::{ExecutionResult, HaltReason},
    },
};
use revm_inspectors::{
    access_list::AccessListInspector,
    tracing::{TracingInspector, TracingInspectorConfig},
};
use std::{mem, sync::Arc};

/// Maximum number of executions in `eth_createAccessList`. Each round adds the accesses of a run
/// with the previous list; two rounds suffice unless the code reads its own gas.
const ACCESS_LIST_ROUNDS: usize = 16;

pub(crate) fn register(methods: &mut Registry<Api>) {
    methods.execute("eth_call", |api, args| {
        let request = CallRequest {
            transaction: args.required()?,
            block: args.or_default()?,
            state: args.or_default()?,
            block_overrides: args.or_default()?,
        };
        let outcome = request.call(api)?;
        print_call(api, &request, &outcome);
        outcome.into_output(api.options().failure_style)
    });
    methods.execute("eth_createAccessList", |api, args| {
        let request = CallRequest {
            transaction: args.required()?,
            block: args.or_default()?,
            state: args.or_default()?,
            block_overrides: BlockOverrides::default(),
        };
        create_access_list(api, &request)
    });
}

/// Writes the lines that a call printed, and its trace if the options ask for it, to the console
/// output.
fn print_call(api: &Api, request: &CallRequest, outcome: &Outcome) {
    let telemetry = &api.options().telemetry;
    if !telemetry.has_console_output() {
        return;
    }
    telemetry.printed(&outcome.notes);
    let ConsoleOptions { failures, traces, .. } = telemetry.console_options;
    if (traces || failures && !outcome.result.is_success())
        && let Ok(text) = traced(api, request)
    {
        tracing::info!(target: CONSOLE_OUTPUT, text = format!("Traces:\n{text}"), trace = text, "traces");
    }
}

fn traced(api: &Api, request: &CallRequest) -> Result<String, RpcError> {
    let call = request.prepare(api)?;
    let mut state = call.source.open();
    let inspector = TracingInspector::new(TracingInspectorConfig::all());
    let RequestLimits { trace_bytes, trace_time, .. } = api.options().limits;
    let recorded = Recorded { steps: true, stack: true, memory: true, ..Recorded::default() };
    let deadline = Deadline::after(trace_time);
    let inspector = BoundedInspector::new(inspector, recorded, trace_bytes, deadline);
    let mut evm = call.evm(&mut state, inspector, true)?;
    let (done, notes) =
        precompile_events::watch_again(|| evm.transact_raw(call.transaction.clone()));
    evm.inspector_mut().check()?;
    done.map_err(transaction_error)?;
    let calls = mem::take(evm.inspector_mut().inner.traces_mut());
    Ok(call_tree(calls, &notes, &api.options().telemetry.console_options))
}

/// A call with its block and overrides.
#[derive(Debug, Clone, Default)]
pub struct CallRequest {
    /// Transaction fields of the request; missing ones get defaults.
    pub transaction: TransactionRequest,
    /// Block of the call's state and environment.
    pub block: BlockId,
    /// State overrides.
    pub state: StateOverride,
    /// Block overrides.
    pub block_overrides: BlockOverrides,
}

/// Outcome of a call.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Result of the execution.
    pub result: ExecutionResult<HaltReason>,
    /// Events of precompiles during the call, which the result does not contain.
    pub notes: Vec<Note>,
}

impl Outcome {
    /// Returns the returndata of a successful call, or an error with the reason of the failure and
    /// the reasons of all refusals by EXECUTE.
    pub fn into_output(self, style: FailureStyle) -> Result<Bytes, RpcError> {
        let error = match self.result {
            ExecutionResult::Success { output, .. } => return Ok(output.into_data()),
            ExecutionResult::Revert { output, .. } => RpcError::reverted(&output, style),
            ExecutionResult::Halt { reason, .. } => RpcError::halted(&reason, style),
        };
        Err(error.refused(&precompile_events::refusals(&self.notes)))
    }
}

/// A call that is ready to run: open [`Prepared::source`] and run an EVM on it.
#[derive(Debug)]
pub struct Prepared<'r> {
    request: &'r CallRequest,
    /// Source of the call's state.
    pub source: State,
    /// Block environment and rules.
    pub env: EvmEnv,
    /// Transaction environment.
    pub transaction: TxEnv,
    /// Per-block counters of precompiles, as at the start of a new block.
    pub(crate) tally: Arc<BlockTally>,
}

impl CallRequest {
    /// Executes the call.
    pub fn call(&self, api: &Api) -> Result<Outcome, RpcError> {
        let call = self.prepare(api)?;
        let mut state = call.source.open();
        let mut evm = call.timed_evm(&mut state, api.call_deadline())?;
        let (done, notes) = precompile_events::watch(|| evm.transact_raw(call.transaction.clone()));
        evm.inspector_mut().check()?;
        let done = done.map_err(|error| api.options().failure_style.call_error(error))?;
        if self.state.is_empty() {
            precompiles::store(call.precompiles(), evm.into_inner().precompiles);
        }
        Ok(Outcome { result: done.result, notes })
    }

    /// Resolves the block, the overrides and the transaction environment.
    pub fn prepare(&self, api: &Api) -> Result<Prepared<'_>, RpcError> {
        if let Some(refusal) = api.options().failure_style.tip_above_fee(&self.transaction) {
            return Err(refusal);
        }
        let source = api.state(self.block)?;
        let mut env = source.call_env(source.block());
        overrides::apply_block(&mut env.block_env, &self.block_overrides);
        // `eth_call` does not check the nonce, so 0 is valid if the request sets none.
        let nonce = self.transaction.nonce.unwrap_or_default();
        let chain_id = source.config().spec.chain_id();
        let base_fee = env.block_env.basefee;
        let block_limit = env.block_env.gas_limit;
        let gas_cap = api.gas_cap(block_limit);
        let gas = self.transaction.gas.unwrap_or(match api.options().block_environment {
            true => block_limit,
            false => gas_cap,
        });
        let gas = gas.min(gas_cap);
        let mut transaction = tx_env(&self.transaction, nonce, chain_id, gas, base_fee)?;
        let signed = self.transaction.authorization_list.as_deref().unwrap_or_default();
        override_authorities(&mut transaction, signed, source.config());
        // A call without a fee is exempt from the base fee and the blob base fee.
        if transaction.gas_price == 0 {
            env.cfg_env.disable_base_fee = true;
            if !api.options().block_environment {
                env.block_env.basefee = 0;
            }
        }
        if !transaction.blob_hashes.is_empty()
            && transaction.max_fee_per_blob_gas == 0
            && let Some(blobs) = &mut env.block_env.blob_excess_gas_and_price
        {
            blobs.blob_gasprice = 0;
        }
        let tally = Arc::new(BlockTally::new(base_fee));
        Ok(Prepared { request: self, source, env, transaction, tally })
    }
}

impl Prepared<'_> {
    /// Returns the cache key of the precompiles; `None` if another call cannot reuse them.
    fn precompiles(&self) -> Option<precompiles::Key> {
        precompiles::Key::new(self.env.cfg_env.spec, self.source.config())
    }

    /// Creates an EVM like [`Self::evm`]. Its inspector halts the execution at the deadline, unless
    /// the gas limit bounds the time. [`BoundedInspector::check`] then returns the error.
    pub fn timed_evm<'a, 's>(
        &self,
        state: &'a mut BlockState<'s, State>,
        deadline: Deadline,
    ) -> Result<BlockEvm<&'a mut BlockState<'s, State>, DeadlineInspector>, RpcError> {
        let is_timed = self.transaction.gas_limit > UNTIMED_GAS;
        self.evm(state, DeadlineInspector::until(deadline), is_timed)
    }

    /// Creates an EVM over the state and the overrides.
    pub fn evm<'a, 's, I>(
        &self,
        state: &'a mut BlockState<'s, State>,
        inspector: I,
        inspect: bool,
    ) -> Result<BlockEvm<&'a mut BlockState<'s, State>, I>, RpcError>
    where
        I: Inspector<EthEvmContext<&'a mut BlockState<'s, State>>>,
    {
        overrides::apply_state(state, &self.request.state)?;
        let mut evm = inspected_evm(state, self.env.clone(), inspector, inspect);
        let precompiles = evm.precompiles_mut();
        let config = self.source.config();
        precompiles::install(self.precompiles().as_ref(), config, &self.tally, precompiles);
        if !self.request.state.is_empty() {
            let warm = overrides::warm_addresses(precompiles);
            overrides::move_precompiles(precompiles, &self.request.state)?;
            evm.ctx_mut().journal_mut().warm_precompiles(&warm);
        }
        Ok(evm)
    }
}

/// Builds the transaction environment of a request, with this gas limit and no fee unless the
/// request sets one.
pub(crate) fn tx_env(
    request: &TransactionRequest,
    nonce: u64,
    chain_id: u64,
    gas: u64,
    base_fee: u64,
) -> Result<TxEnv, RpcError> {
    typed::check(request, chain_id)?;
    let fee = request.gas_price.or(request.max_fee_per_gas);
    let tip = request.max_priority_fee_per_gas;
    // With only a tip, the fee cap is the tip plus twice the base fee.
    let gas_price = fee.unwrap_or_else(|| {
        tip.filter(|tip| *tip > 0).map_or(0, |tip| tip.saturating_add(2 * u128::from(base_fee)))
    });
    if let Some(tip) = tip.filter(|tip| *tip > gas_price) {
        return Err(RpcError::server(format!(
            "max priority fee per gas higher than max fee per gas: maxPriorityFeePerGas: {tip}, maxFeePerGas: {gas_price}"
        )));
    }
    if let (Some(input), Some(data)) = (&request.input.input, &request.input.data)
        && input != data
    {
        return Err(RpcError::params(
            r#"both "data" and "input" are set and not equal: give one of them"#,
        ));
    }
    let filled = Filled {
        request,
        kind: typed::tx_type(request),
        sender: request.from.unwrap_or_default(),
        nonce,
        gas,
        gas_price,
        chain_id,
    };
    Ok(filled.env())
}

/// Access list of all accounts and slots that a transaction touches.
fn create_access_list(api: &Api, request: &CallRequest) -> Result<AccessListResult, RpcError> {
    let mut list = request.transaction.access_list.clone().unwrap_or_default();
    let mut last = None;
    let deadline = api.call_deadline();
    for _ in 0..ACCESS_LIST_ROUNDS {
        deadline.check()?;
        let mut request = request.clone();
        request.transaction.access_list = Some(list.clone());
        // anvil ignores fees here.
        if api.options().failure_style.tip_above_fee(&request.transaction).is_some() {
            request.transaction.max_priority_fee_per_gas = None;
        }
        let mut call = request.prepare(api)?;
        // The accesses may depend on the base fee, but a call without a fee must not fail because
        // of it.
        call.env.block_env.basefee = call.tally.base_fee();
        call.env.cfg_env.disable_base_fee = true;
        let mut state = call.source.open();
        let inspector = AccessListInspector::new(list.clone());
        let inspector = BoundedInspector::new(inspector, Recorded::default(), u64::MAX, deadline);
        let mut evm = call.evm(&mut state, inspector, true)?;
        let done = evm.transact_raw(call.transaction.clone());
        evm.inspector_mut().check()?;
        let done = done.map_err(|error| api.options().failure_style.call_error(error))?;
        let touched = mem::take(&mut evm.inspector_mut().inner).into_access_list();
        let settled = touched == list;
        list = touched;
        last = Some(done.result);
        if settled {
            break;
        }
    }
    let Some(result) = last else { return Err(RpcError::internal("no round was run")) };
    let error = match &result {
        ExecutionResult::Success { .. } => None,
        ExecutionResult::Revert { .. } => Some(REVERTED.to_owned()),
        ExecutionResult::Halt { reason, .. } => Some(halt_reason(reason)),
    };
    Ok(AccessListResult { access_list: list, gas_used: U256::from(result.tx_gas_used()), error })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RpcOptions;
    use alloy_primitives::Address;
    use alloy_rpc_types_eth::{TransactionRequest, state::AccountOverride};
    use chain::{Chain, ChainConfig, empty_genesis};
    use executor::ChainSpec;
    use node::{Clock, Node, Settings};
    use std::time::Duration;
    use wire::ProtocolFork;

    #[test]
    fn printed_trace_ends_at_deadline() {
        let fork = ProtocolFork::Osaka;
        let config = ChainConfig::new(ChainSpec::constant(1, fork));
        let chain = Chain::new(&empty_genesis(fork), config).unwrap();
        let node = Node::new(chain, Clock::starting_at(1_000), Settings::default());
        let target = Address::repeat_byte(0xb0);
        let code = AccountOverride { code: Some([0x00].into()), ..AccountOverride::default() };
        let request = CallRequest {
            transaction: TransactionRequest::default().to(target),
            state: [(target, code)].into_iter().collect(),
            ..CallRequest::default()
        };
        let trace = |trace_time| {
            let limits = RequestLimits { trace_time, ..RequestLimits::default() };
            let options = RpcOptions { limits, ..RpcOptions::default() };
            traced(&Api::new(Arc::clone(&node), options), &request)
        };
        assert!(trace(Duration::ZERO).unwrap_err().message.contains("took too long"));
        assert!(trace(RequestLimits::default().trace_time).is_ok());
    }
}
