//! `debug_trace…` methods.

use crate::{
    Api, BoundedInspector, CallRequest, Deadline, FailureStyle, Hash, Recorded, Registry,
    RequestLimits, RpcError, explain, precompile_events,
};
use alloy_eips::BlockId;
use alloy_evm::Evm;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_rpc_types_trace::geth::{
    DefaultFrame,
    GethDebugBuiltInTracerType::{Erc7562Tracer, FlatCallTracer, MuxTracer},
    GethDebugTracerConfig,
    GethDebugTracerType::{self, BuiltInTracer},
    GethDebugTracingCallOptions, GethDebugTracingOptions, GethTrace, TraceResult,
};
use chain::{Block, ChainConfig, ChainError, Replay, State};
use codec::RawBlock;
use executor::{BlockState, ReadError};
use revm::{
    Database, DatabaseRef,
    bytecode::Bytecode,
    context::{TxEnv, result::ResultAndState},
    inspector::NoOpInspector,
    state::AccountInfo,
};
use revm_inspectors::tracing::{DebugInspector, DebugInspectorError, TransactionContext};
use std::{cell::RefCell, sync::Arc, time::Duration};

pub(crate) fn register(methods: &mut Registry<Api>) {
    methods.trace("debug_traceTransaction", |api, args| {
        let Hash(hash) = args.required()?;
        let options: GethDebugTracingOptions = args.or_default()?;
        let (block, index) = match api.node().read(|node| node.chain.transaction(&hash))? {
            Some(found) => found,
            // Tools probe anvil with unknown transaction hashes, and interpret an error as a
            // missing method.
            None if api.options().failure_style == FailureStyle::Anvil => {
                return Ok(GethTrace::Default(DefaultFrame::default()));
            }
            None => return Err(RpcError::server("transaction not found")),
        };
        let mut traces = trace_block(api, &block, Some(index), &options)?;
        traces.pop().map(|(_, trace)| trace).ok_or_else(|| RpcError::internal("nothing was traced"))
    });
    methods.trace("debug_traceBlockByNumber", |api, args| {
        let block = api.block(BlockId::Number(args.required()?))?;
        block_traces(api, &block, &args.or_default()?)
    });
    methods.trace("debug_traceBlock", |api, args| {
        let raw: Bytes = args.required()?;
        let block = RawBlock::decode_with_ommers(&raw)
            .map_err(|error| RpcError::params(format!("not an RLP block: {error}")))?;
        let hash = block.0.header.hash_slow();
        let block = api
            .block_by_hash(hash)?
            .ok_or_else(|| RpcError::server(format!("unknown block {hash}")))?;
        block_traces(api, &block, &args.or_default()?)
    });
    methods.trace("debug_traceBlockByHash", |api, args| {
        let Hash(hash) = args.required()?;
        let block = api
            .block_by_hash(hash)?
            .ok_or_else(|| RpcError::server(format!("block {hash} not found")))?;
        block_traces(api, &block, &args.or_default()?)
    });
    methods.trace("debug_traceCall", |api, args| {
        let (transaction, block) = (args.required()?, args.or_default()?);
        let options: GethDebugTracingCallOptions = args.or_default()?;
        let request = CallRequest {
            transaction,
            block,
            state: options.state_overrides.unwrap_or_default(),
            block_overrides: options.block_overrides.unwrap_or_default(),
        };
        trace_call(api, &request, &options.tracing_options)
    });
}

const MUX: GethDebugTracerType = BuiltInTracer(MuxTracer);
const FLAT: GethDebugTracerType = BuiltInTracer(FlatCallTracer);

/// The requested tracer and, beside a `muxTracer`, the `flatCallTracer` that is part of it. Inside
/// the `muxTracer` both would share frames: those that the `flatCallTracer` drops would be missing
/// from the others, and EXECUTE calls could not be added to them.
type Tracers = BoundedInspector<(DebugInspector, DebugInspector)>;

fn tracers(api: &Api, options: &GethDebugTracingOptions) -> Result<Tracers, RpcError> {
    let recorded = recorded(options);
    let RequestLimits { trace_bytes, trace_time, .. } = api.options().limits;
    let deadline = Deadline::after(time_of(options)?.map_or(trace_time, |own| own.min(trace_time)));
    let mut options = options.clone();
    let is_mux = options.tracer == Some(MUX);
    let members = options.tracer_config.0.as_object_mut().filter(|_| is_mux);
    let flat = members.and_then(|members| members.remove("flatCallTracer"));
    let inspector =
        |options| DebugInspector::new(options).map_err(|error| RpcError::params(error.to_string()));
    let flat = match flat {
        Some(config) => inspector(GethDebugTracingOptions {
            tracer: Some(FLAT),
            tracer_config: GethDebugTracerConfig(config),
            ..Default::default()
        })?,
        None => DebugInspector::Noop(NoOpInspector),
    };
    Ok(BoundedInspector::new((inspector(options)?, flat), recorded, trace_bytes, deadline))
}

/// Parts of a step that the tracer of these options records.
fn recorded(options: &GethDebugTracingOptions) -> Recorded {
    let config = &options.config;
    match &options.tracer {
        Some(tracer) if !tracer.as_str().is_empty() => {
            // This tracer keeps the preimages of hashes.
            let all = *tracer == BuiltInTracer(Erc7562Tracer);
            Recorded { steps: all, stack: all, memory: all, ..Recorded::default() }
        }
        _ => Recorded {
            steps: true,
            stack: !config.disable_stack.unwrap_or_default(),
            memory: config.is_memory_enabled(),
            return_data: config.is_return_data_enabled(),
            storage: !config.disable_storage.unwrap_or_default(),
            vm: false,
            max_steps: config.limit.filter(|limit| *limit > 0),
        },
    }
}

/// Returns the timeout that the request sets, in geth's format: a number and its unit.
fn time_of(options: &GethDebugTracingOptions) -> Result<Option<Duration>, RpcError> {
    let Some(text) = options.timeout.as_deref().filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let unit = text.trim_start_matches(|digit: char| digit.is_ascii_digit() || digit == '.');
    let scale = match unit {
        "h" => 3_600.0,
        "m" => 60.0,
        "s" => 1.0,
        "ms" => 0.001,
        _ => 0.0,
    };
    let number: Option<f64> = text[..text.len() - unit.len()].parse().ok();
    let time = number.filter(|_| scale > 0.0).map(|number| number * scale);
    let time = time.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.map(Some).ok_or_else(|| {
        RpcError::params(format!("timeout {text:?} is not a duration: expected one such as \"5s\""))
    })
}

fn block_traces(
    api: &Api,
    block: &Arc<Block>,
    options: &GethDebugTracingOptions,
) -> Result<Vec<TraceResult>, RpcError> {
    let traces = trace_block(api, block, None, options)?;
    let success = |(hash, result)| TraceResult::Success { result, tx_hash: Some(hash) };
    Ok(traces.into_iter().map(success).collect())
}

/// Re-executes a block and traces one of its transactions, or all of them.
fn trace_block(
    api: &Api,
    block: &Arc<Block>,
    only: Option<usize>,
    options: &GethDebugTracingOptions,
) -> Result<Vec<(B256, GethTrace)>, RpcError> {
    let parent = api
        .chain()
        .state_before(block)?
        .ok_or_else(|| RpcError::server("genesis is not traceable"))?;
    let mut state = parent.open();
    let mut replay = Replay::new(&parent, &mut state, block, tracers(api, options)?)?;
    precompile_events::watch_again(|| replay.run_to(only.unwrap_or_default())).0?;
    let mut traces = Vec::new();
    loop {
        let (trace, notes) = precompile_events::watch_again(|| {
            replay.inspect(|index, evm, env, done| -> Result<_, RpcError> {
                let hash = *block.transactions[index].hash();
                let context = TransactionContext {
                    block_hash: Some(block.hash),
                    tx_index: Some(index),
                    tx_hash: Some(hash),
                };
                let trace = result(evm, parent.config(), Some(context), env, done)?;
                let tracers = evm.inspector_mut();
                for used in [&mut tracers.inner.0, &mut tracers.inner.1] {
                    used.fuse().map_err(|error| RpcError::internal(error.to_string()))?;
                }
                tracers.next_transaction();
                Ok((hash, trace))
            })
        });
        let Some((hash, mut trace)) = trace? else { break };
        explain::refused_frames(&mut trace, &notes);
        traces.push((hash, trace));
        if only.is_some() {
            break;
        }
    }
    Ok(traces)
}

fn trace_call(
    api: &Api,
    request: &CallRequest,
    options: &GethDebugTracingOptions,
) -> Result<GethTrace, RpcError> {
    let call = request.prepare(api)?;
    let mut state = call.source.open();
    let mut evm = call.evm(&mut state, tracers(api, options)?, true)?;
    let env = call.transaction.clone();
    let (done, notes) = precompile_events::watch(|| evm.transact_raw(env.clone()));
    let done = done.map_err(|error| api.options().failure_style.call_error(error))?;
    let mut trace = result(&mut evm, call.source.config(), None, &env, &done)?;
    explain::refused_frames(&mut trace, &notes);
    Ok(trace)
}

/// Collects the tracers' results for one transaction.
fn result<'a, 's>(
    evm: &mut executor::BlockEvm<&'a mut BlockState<'s, State>, Tracers>,
    config: &ChainConfig,
    context: Option<TransactionContext>,
    env: &TxEnv,
    done: &ResultAndState,
) -> Result<GethTrace, RpcError> {
    let block = evm.block().clone();
    let (state, tracers, _) = evm.components_mut();
    tracers.check()?;
    if matches!(tracers.inner.0, DebugInspector::PreStateTracer(..) | DebugInspector::Mux(..)) {
        tracers.take(touched_bytes(state, done)?);
        tracers.check()?;
    }
    let (tracer, flat) = &mut tracers.inner;
    let mut before = Shared(RefCell::new(state));
    let mut seen = |tracer: &mut DebugInspector| {
        if let DebugInspector::FlatCallTracer(calls) = tracer {
            explain::show_execute(calls, config);
        }
        tracer.get_result(context, env, &block, done, &mut before).map_err(|error| match error {
            DebugInspectorError::Database(error) => ChainError::from(error).into(),
            other => RpcError::internal(other.to_string()),
        })
    };
    let mut trace = seen(tracer)?;
    if let (GethTrace::MuxTracer(traces), DebugInspector::FlatCallTracer(_)) = (&mut trace, &*flat)
    {
        traces.0.insert(FLAT, seen(flat)?);
    }
    Ok(trace)
}

/// Returns the JSON bytes of the accounts that a transaction touched, before and after it.
fn touched_bytes(
    state: &mut BlockState<'_, State>,
    done: &ResultAndState,
) -> Result<u64, RpcError> {
    let mut bytes = 0;
    for account in done.state.values() {
        let code = match &account.info.code {
            Some(code) => code.len(),
            None => state.code_by_hash(account.info.code_hash).map_err(ChainError::from)?.len(),
        };
        // An address and two words per account; a slot and its value in each of the two states.
        bytes += 300 + 2 * (2 * code as u64 + 140 * account.storage.len() as u64);
    }
    Ok(bytes)
}

/// Shared block state as the database that tracers read.
struct Shared<'a, 's>(RefCell<&'a mut BlockState<'s, State>>);

impl DatabaseRef for Shared<'_, '_> {
    type Error = ReadError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, ReadError> {
        self.0.borrow_mut().basic(address)
    }

    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, ReadError> {
        self.0.borrow_mut().code_by_hash(hash)
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, ReadError> {
        self.0.borrow_mut().storage(address, slot)
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, ReadError> {
        self.0.borrow_mut().block_hash(number)
    }
}
