//! `trace_call`, `trace_callMany` and `eth_callMany`.

use super::{Method, args::Args};
use crate::state::DevnetState;
use alloy_eips::BlockId;
use alloy_evm::Evm as _;
use alloy_primitives::{Bytes, map::HashSet};
use alloy_rpc_types_eth::{BlockOverrides, TransactionRequest, state::StateOverride};
use alloy_rpc_types_trace::parity::{TraceResults, TraceType};
use chain::State;
use executor::BlockState;
use revm::DatabaseCommit as _;
use revm_inspectors::tracing::{TracingInspector, TracingInspectorConfig};
use rpc::{
    BoundedInspector, CallRequest, Deadline, Outcome, RpcError,
    explorer::{
        Shared,
        parity::{bounds, trace_results},
    },
};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) const METHODS: &[Method] = &[
    (&["trace_call"], trace_call),
    (&["trace_callMany"], trace_call_many),
    (&["eth_callMany"], call_many),
];

/// Maximum number of calls per request; each may use the whole gas cap.
const MOST: usize = 1_000;

fn few(count: usize) -> Result<(), RpcError> {
    if count <= MOST {
        return Ok(());
    }
    Err(RpcError::params(format!("{count} calls, at most {MOST} are made at once")))
}

fn trace_call(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let (transaction, kinds) = (args.required()?, args.required()?);
    let (block, state) = (args.or_default()?, args.or_default()?);
    let block_overrides = args.or_default()?;
    let request = CallRequest { transaction, block, state, block_overrides };
    let source = devnet.api.state(request.block)?;
    let deadline = trace_deadline(devnet);
    Ok(json!(traced(devnet, &mut source.open(), &request, &kinds, deadline, &mut 0)?))
}

fn trace_call_many(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let calls: Vec<(TransactionRequest, HashSet<TraceType>)> = args.required()?;
    few(calls.len())?;
    let block: BlockId = args.or_default()?;
    let source = devnet.api.state(block)?;
    let mut state = source.open();
    let mut all = Vec::with_capacity(calls.len());
    let (deadline, mut bytes) = (trace_deadline(devnet), 0);
    for (transaction, kinds) in calls {
        deadline.check()?;
        let request = CallRequest { transaction, block, ..CallRequest::default() };
        all.push(traced(devnet, &mut state, &request, &kinds, deadline, &mut bytes)?);
    }
    Ok(json!(all))
}

/// Returns the deadline of a request that traces and starts now.
fn trace_deadline(devnet: &DevnetState) -> Deadline {
    Deadline::after(devnet.api.options().limits.trace_time)
}

/// Executes a call on a state, commits its changes to that state and returns its traces. `bytes`
/// is the size of the request's traces so far.
fn traced(
    devnet: &DevnetState,
    state: &mut BlockState<'_, State>,
    request: &CallRequest,
    kinds: &HashSet<TraceType>,
    deadline: Deadline,
    bytes: &mut u64,
) -> Result<TraceResults, RpcError> {
    let call = request.prepare(&devnet.api)?;
    let config = TracingInspectorConfig::from_parity_config(kinds);
    let (limits, recorded) = bounds(&devnet.api, kinds.contains(&TraceType::VmTrace));
    let inspector = TracingInspector::new(config);
    let inspector = BoundedInspector::new(inspector, recorded, limits.trace_bytes, deadline);
    let mut evm = call.evm(state, inspector.after(*bytes), true)?;
    let (done, notes) = rpc::watch(|| evm.transact_raw(call.transaction.clone()));
    evm.inspector_mut().check()?;
    let done = done.map_err(|error| devnet.api.options().failure_style.call_error(error))?;
    let (database, inspector, _) = evm.components_mut();
    *bytes = inspector.bytes();
    let (inspector, before) = (inspector.inner.clone(), Shared::new(database));
    let mut results = trace_results(&devnet.api, inspector, &done, kinds, before)?;
    rpc::refused_traces(results.trace.iter_mut(), &notes);
    drop(evm);
    state.commit(done.state);
    Ok(results)
}

/// Calls that are executed in sequence, with the same block overrides.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    transactions: Vec<TransactionRequest>,
    #[serde(default)]
    block_override: Option<BlockOverrides>,
}

/// Block on whose state the bundles start.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Context {
    block_number: BlockId,
}

fn call_many(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let bundles: Vec<Bundle> = args.required()?;
    let block = args.or_default::<Context>()?.block_number;
    // State overrides are applied once, before the first call.
    let mut pretended: StateOverride = args.or_default()?;
    few(bundles.iter().map(|bundle| bundle.transactions.len()).sum())?;
    let source = devnet.api.state(block)?;
    let mut open = source.open();
    let (deadline, limit) = (devnet.api.call_deadline(), devnet.api.options().limits.trace_bytes);
    let (mut all, mut bytes) = (Vec::with_capacity(bundles.len()), 0);
    for Bundle { transactions, block_override } in bundles {
        let mut results = Vec::with_capacity(transactions.len());
        for transaction in transactions {
            let request = CallRequest {
                transaction,
                block,
                state: std::mem::take(&mut pretended),
                block_overrides: block_override.clone().unwrap_or_default(),
            };
            let result = called(devnet, &mut open, &request, deadline);
            deadline.check()?;
            bytes += match &result {
                Ok(output) => 2 * output.len() as u64,
                Err(error) => error.message.len() as u64,
            };
            if bytes > limit {
                let what = "the outputs are too large (bytes)";
                return Err(RpcError::exceeded(what, bytes, limit, "make fewer calls"));
            }
            results.push(match result {
                Ok(output) => json!({ "value": output }),
                Err(error) => json!({ "error": error.message }),
            });
        }
        all.push(results);
    }
    Ok(json!(all))
}

/// Executes a call on a state, commits its changes to that state and returns its output.
fn called(
    devnet: &DevnetState,
    state: &mut BlockState<'_, State>,
    request: &CallRequest,
    deadline: Deadline,
) -> Result<Bytes, RpcError> {
    let call = request.prepare(&devnet.api)?;
    let mut evm = call.timed_evm(state, deadline)?;
    let (done, notes) = rpc::watch(|| evm.transact_raw(call.transaction.clone()));
    evm.inspector_mut().check()?;
    let done = done.map_err(|error| devnet.api.options().failure_style.call_error(error))?;
    drop(evm);
    state.commit(done.state);
    Outcome { result: done.result, notes }.into_output(devnet.api.options().failure_style)
}
