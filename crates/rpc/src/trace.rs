//! Traces: what transactions did, step by step.

use crate::{Api, CallRequest, FailureStyle, Hash, Registry, RpcError, explain, notes};
use alloy_eips::BlockId;
use alloy_evm::Evm;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_rpc_types_trace::geth::{
    DefaultFrame,
    GethDebugBuiltInTracerType::{FlatCallTracer, MuxTracer},
    GethDebugTracerConfig,
    GethDebugTracerType::{self, BuiltInTracer},
    GethDebugTracingCallOptions, GethDebugTracingOptions, GethTrace, TraceResult,
};
use chain::{Block, ChainConfig, State};
use executor::{BlockState, ReadError};
use revm::{
    Database, DatabaseRef,
    bytecode::Bytecode,
    context::{TxEnv, result::ResultAndState},
    inspector::NoOpInspector,
    state::AccountInfo,
};
use revm_inspectors::tracing::{DebugInspector, TransactionContext};
use std::{cell::RefCell, sync::Arc};
use wire::convert::RawBlock;

pub(crate) fn register(methods: &mut Registry<Api>) {
    methods.execute("debug_traceTransaction", |api, args| {
        let Hash(hash) = args.required()?;
        let options: GethDebugTracingOptions = args.or_default()?;
        let (block, index) = match api.node().read(|node| node.chain.transaction(&hash))? {
            Some(found) => found,
            // Tools probe anvil with hashes that no transaction has, and take an error for a missing method.
            None if api.options().failure_style == FailureStyle::Anvil => {
                return Ok(GethTrace::Default(DefaultFrame::default()));
            }
            None => return Err(RpcError::server("transaction not found")),
        };
        let mut traces = trace_block(api, &block, Some(index), &options)?;
        traces.pop().map(|(_, trace)| trace).ok_or_else(|| RpcError::internal("nothing was traced"))
    });
    methods.execute("debug_traceBlockByNumber", |api, args| {
        let block = api.block(BlockId::Number(args.required()?))?;
        block_traces(api, &block, &args.or_default()?)
    });
    methods.execute("debug_traceBlock", |api, args| {
        let raw: Bytes = args.required()?;
        let block = RawBlock::decode_with_ommers(&raw)
            .map_err(|error| RpcError::params(format!("no block in RLP: {error}")))?;
        let hash = block.0.header.hash_slow();
        let block = api
            .block_by_hash(hash)?
            .ok_or_else(|| RpcError::server(format!("block {hash} is not known here")))?;
        block_traces(api, &block, &args.or_default()?)
    });
    methods.execute("debug_traceBlockByHash", |api, args| {
        let Hash(hash) = args.required()?;
        let block = api
            .block_by_hash(hash)?
            .ok_or_else(|| RpcError::server(format!("block {hash} not found")))?;
        block_traces(api, &block, &args.or_default()?)
    });
    methods.execute("debug_traceCall", |api, args| {
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

/// The tracer that is asked for, and beside a `muxTracer` the `flatCallTracer` that is part of it. Inside
/// they would share their frames: what it leaves out, others would miss, and nobody could put calls of
/// EXECUTE among them.
type Tracers = (DebugInspector, DebugInspector);

fn tracers(options: &GethDebugTracingOptions) -> Result<Tracers, RpcError> {
    let mut options = options.clone();
    let is_mux = options.tracer == Some(MUX);
    let members = options.tracer_config.0.as_object_mut().filter(|_| is_mux);
    let flat = members.and_then(|members| members.remove("flatCallTracer"));
    let made =
        |options| DebugInspector::new(options).map_err(|error| RpcError::params(error.to_string()));
    let flat = match flat {
        Some(config) => made(GethDebugTracingOptions {
            tracer: Some(FLAT),
            tracer_config: GethDebugTracerConfig(config),
            ..Default::default()
        })?,
        None => DebugInspector::Noop(NoOpInspector),
    };
    Ok((made(options)?, flat))
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

/// Executes a block once more and traces one of its transactions, or all.
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
    let mut replay = parent.replay(&mut state, block, tracers(options)?)?;
    notes::watch_again(|| replay.run_to(only.unwrap_or_default())).0?;
    let mut traces = Vec::new();
    loop {
        let (trace, notes) = notes::watch_again(|| {
            replay.inspect(|index, evm, env, done| -> Result<_, RpcError> {
                let hash = *block.transactions[index].hash();
                let context = TransactionContext {
                    block_hash: Some(block.hash),
                    tx_index: Some(index),
                    tx_hash: Some(hash),
                };
                let trace = result(evm, parent.config(), Some(context), env, done)?;
                let (tracer, flat) = evm.inspector_mut();
                for used in [tracer, flat] {
                    used.fuse().map_err(|error| RpcError::internal(error.to_string()))?;
                }
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
    let mut evm = call.evm(&mut state, tracers(options)?, true)?;
    let env = call.transaction.clone();
    let (done, notes) = notes::watch(|| evm.transact_raw(env.clone()));
    let done = done.map_err(|error| api.call_error(error))?;
    let mut trace = result(&mut evm, call.source.config(), None, &env, &done)?;
    explain::refused_frames(&mut trace, &notes);
    Ok(trace)
}

/// What the tracers have seen of a transaction.
fn result<'a, 's>(
    evm: &mut executor::BlockEvm<&'a mut BlockState<'s, State>, Tracers>,
    config: &ChainConfig,
    context: Option<TransactionContext>,
    env: &TxEnv,
    done: &ResultAndState,
) -> Result<GethTrace, RpcError> {
    let block = evm.block().clone();
    let (state, (tracer, flat), _) = evm.components_mut();
    let mut before = Shared(RefCell::new(state));
    let mut seen = |tracer: &mut DebugInspector| {
        if let DebugInspector::FlatCallTracer(calls) = tracer {
            explain::show_execute(calls, config);
        }
        tracer
            .get_result(context, env, &block, done, &mut before)
            .map_err(|error| RpcError::internal(error.to_string()))
    };
    let mut trace = seen(tracer)?;
    if let (GethTrace::MuxTracer(traces), DebugInspector::FlatCallTracer(_)) = (&mut trace, &*flat)
    {
        traces.0.insert(FLAT, seen(flat)?);
    }
    Ok(trace)
}

/// A state behind a shared reference, as tracers read it.
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
