//! Traces: what transactions did, step by step.

use crate::{Api, CallRequest, Hash, Registry, RpcError, call::transaction_error, explain, notes};
use alloy_eips::BlockId;
use alloy_evm::Evm;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_rpc_types_trace::geth::{
    GethDebugTracingCallOptions, GethDebugTracingOptions, GethTrace, TraceResult,
};
use chain::{Block, State};
use executor::{BlockState, ReadError};
use revm::{
    Database, DatabaseRef,
    bytecode::Bytecode,
    context::{TxEnv, result::ResultAndState},
    state::AccountInfo,
};
use revm_inspectors::tracing::{DebugInspector, TransactionContext};
use std::{cell::RefCell, sync::Arc};
use wire::convert::RawBlock;

pub(crate) fn register(methods: &mut Registry<Api>) {
    methods.execute("debug_traceTransaction", |api, args| {
        let Hash(hash) = args.required()?;
        let options: GethDebugTracingOptions = args.or_default()?;
        let (block, index) = api
            .node()
            .read(|node| node.chain.transaction(&hash))?
            .ok_or_else(|| RpcError::server("transaction not found"))?;
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

fn inspector(options: &GethDebugTracingOptions) -> Result<DebugInspector, RpcError> {
    DebugInspector::new(options.clone()).map_err(|error| RpcError::params(error.to_string()))
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
    let mut replay = parent.replay(&mut state, block, inspector(options)?)?;
    replay.run_to(only.unwrap_or_default())?;
    let mut traces = Vec::new();
    loop {
        let (trace, notes) = notes::watch(|| {
            replay.inspect(|index, evm, env, done| -> Result<_, RpcError> {
                let hash = *block.transactions[index].hash();
                let context = TransactionContext {
                    block_hash: Some(block.hash),
                    tx_index: Some(index),
                    tx_hash: Some(hash),
                };
                let trace = result(evm, Some(context), env, done)?;
                evm.inspector_mut()
                    .fuse()
                    .map_err(|error| RpcError::internal(error.to_string()))?;
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
    let mut evm = call.evm(&mut state, inspector(options)?, true)?;
    let env = call.transaction.clone();
    let (done, notes) = notes::watch(|| evm.transact_raw(env.clone()));
    let mut trace = result(&mut evm, None, &env, &done.map_err(transaction_error)?)?;
    explain::refused_frames(&mut trace, &notes);
    Ok(trace)
}

/// What the inspector has seen of a transaction.
fn result<'a, 's>(
    evm: &mut executor::BlockEvm<&'a mut BlockState<'s, State>, DebugInspector>,
    context: Option<TransactionContext>,
    env: &TxEnv,
    done: &ResultAndState,
) -> Result<GethTrace, RpcError> {
    let block = evm.block().clone();
    let (state, inspector, _) = evm.components_mut();
    inspector
        .get_result(context, env, &block, done, &mut Shared(RefCell::new(state)))
        .map_err(|error| RpcError::internal(error.to_string()))
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
