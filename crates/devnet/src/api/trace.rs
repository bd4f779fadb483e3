//! `trace_…` methods, which re-execute blocks under revm's inspectors.

use super::{
    Method,
    args::{Args, Number, invalid},
};
use crate::{
    exec::{Shared, replay},
    state::DevnetState,
};
use alloy_consensus::Transaction as _;
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{Address, B256, map::HashSet};
use alloy_rpc_types_eth::TransactionInfo;
use alloy_rpc_types_trace::{
    filter::TraceFilter,
    opcode::{BlockOpcodeGas, TransactionOpcodeGas},
    parity::{LocalizedTransactionTrace, TraceResults, TraceResultsWithTransactionHash, TraceType},
};
use chain::Block;
use executor::ReadError;
use revm::{
    DatabaseRef,
    context::result::{ExecutionResult, HaltReason, ResultAndState},
    inspector::NoOpInspector,
};
use revm_inspectors::{
    opcode::OpcodeGasInspector,
    tracing::{TracingInspector, TracingInspectorConfig},
};
use rpc::{Deadline, Recorded, RequestLimits, RpcError};
use serde_json::{Value, json};
use std::{mem, sync::Arc};

pub(super) const METHODS: &[Method] = &[
    (&["trace_transaction"], transaction),
    (&["trace_block"], block),
    (&["trace_filter"], filter),
    (&["trace_replayBlockTransactions"], replay_block),
    (&["trace_replayTransaction"], replay_transaction),
    (&["trace_get"], get),
    (&["trace_transactionOpcodeGas"], transaction_opcode_gas),
    (&["trace_blockOpcodeGas"], block_opcode_gas),
];

/// Maximum number of blocks for one `trace_filter`.
const MAX_FILTERED: u64 = 100_000;

/// Limits of a trace that records steps, or only calls.
pub(super) fn bounds(devnet: &DevnetState, steps: bool) -> (&RequestLimits, Recorded) {
    (&devnet.api.options().limits, Recorded { steps, ..Recorded::default() })
}

/// Returns the canonical block that a number or tag refers to.
pub(super) fn block_at(
    devnet: &DevnetState,
    at: BlockNumberOrTag,
) -> Result<Option<Arc<Block>>, RpcError> {
    let found = devnet.node.read(|node| {
        let head = node.chain.head().header.number;
        let behind = |epochs: u64| {
            head.saturating_sub(epochs * node.settings.slots_in_an_epoch)
                .max(node.chain.first_number())
        };
        let number = match at {
            BlockNumberOrTag::Number(number) => number,
            BlockNumberOrTag::Earliest => node.chain.first_number(),
            BlockNumberOrTag::Safe => behind(1),
            BlockNumberOrTag::Finalized => behind(2),
            BlockNumberOrTag::Latest | BlockNumberOrTag::Pending => head,
        };
        node.chain.canonical_block(number)
    });
    found.map_err(RpcError::from)
}

/// Re-executes a transaction of a block and maps its result with `see`.
pub(super) fn replay_one<T>(
    devnet: &DevnetState,
    block: &Arc<Block>,
    index: usize,
    see: impl Fn(&ExecutionResult<HaltReason>) -> T,
) -> Result<Option<T>, RpcError> {
    let Some(parent) = devnet.api.chain().state_before(block).map_err(RpcError::from)? else {
        return Ok(None);
    };
    let wanted = |at| at == index;
    let seen = replay(
        bounds(devnet, false),
        &parent,
        &mut parent.open(),
        block,
        NoOpInspector,
        wanted,
        |traced| Ok(see(&traced.result.result)),
    );
    Ok(seen?.pop().map(|(seen, _)| seen))
}

/// Builds the requested traces of a transaction. They contain EXECUTE calls, but no calls to other
/// precompiles.
pub(super) fn trace_results(
    devnet: &DevnetState,
    inspector: TracingInspector,
    done: &ResultAndState<HaltReason>,
    kinds: &HashSet<TraceType>,
    before: impl DatabaseRef<Error = ReadError>,
) -> Result<TraceResults, RpcError> {
    // The VM trace cannot contain frames of precompiles, so the call trace is built from a copy.
    let calls = kinds.contains(&TraceType::Trace).then(|| inspector.clone());
    let mut results = inspector
        .into_parity_builder()
        .into_trace_results_with_state(done, kinds, before)
        .map_err(|error| RpcError::internal(error.to_string()))?;
    if let Some(mut calls) = calls {
        rpc::show_execute(&mut calls, devnet.api.chain().config());
        results.trace = calls.into_parity_builder().into_transaction_traces();
    }
    Ok(results)
}

/// Call traces of a block or of one of its transactions.
pub(super) fn call_traces(
    devnet: &DevnetState,
    block: &Arc<Block>,
    only: Option<usize>,
) -> Result<Vec<Vec<LocalizedTransactionTrace>>, RpcError> {
    let Some(parent) = devnet.api.chain().state_before(block).map_err(RpcError::from)? else {
        return Ok(Vec::new());
    };
    let inspector = TracingInspector::new(TracingInspectorConfig::default_parity());
    let wanted = |index| only.is_none_or(|only| only == index);
    let traces = replay(
        bounds(devnet, false),
        &parent,
        &mut parent.open(),
        block,
        inspector,
        wanted,
        |traced| {
            let info = TransactionInfo {
                hash: Some(*block.transactions[traced.index].hash()),
                index: Some(traced.index as u64),
                block_hash: Some(block.hash),
                block_number: Some(block.header.number),
                base_fee: block.header.base_fee_per_gas,
                ..Default::default()
            };
            let mut inspector = traced.inspector.clone();
            traced.inspector.fuse();
            rpc::show_execute(&mut inspector, devnet.api.chain().config());
            Ok(inspector.into_parity_builder().into_localized_transaction_traces(info))
        },
    );
    let explained = traces?.into_iter().map(|(mut traces, notes)| {
        rpc::refused_traces(traces.iter_mut().map(|localized| &mut localized.trace), &notes);
        traces
    });
    Ok(explained.collect())
}

fn transaction(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let hash: B256 = args.required()?;
    let Some((block, index)) = devnet.api.chain().transaction(&hash).map_err(RpcError::from)?
    else {
        return Ok(json!([]));
    };
    Ok(json!(call_traces(devnet, &block, Some(index))?.concat()))
}

fn get(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let (hash, address): (B256, Vec<Number>) = (args.required()?, args.required()?);
    let address: Vec<usize> = address
        .into_iter()
        .map(|part| Ok(part.u64()? as usize))
        .collect::<Result<_, RpcError>>()?;
    let Some((block, index)) = devnet.api.chain().transaction(&hash).map_err(RpcError::from)?
    else {
        return Ok(Value::Null);
    };
    let traces = call_traces(devnet, &block, Some(index))?.concat();
    Ok(json!(traces.into_iter().find(|trace| trace.trace.trace_address == address)))
}

fn block(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let at: BlockNumberOrTag = args.required()?;
    let Some(block) = block_at(devnet, at)? else { return Ok(json!([])) };
    Ok(json!(call_traces(devnet, &block, None)?.concat()))
}

fn filter(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let filter: TraceFilter = args.required()?;
    let head = devnet.node.read(|node| node.chain.head().header.number);
    let (from, to) = (filter.from_block.unwrap_or(0), filter.to_block.unwrap_or(head).min(head));
    if from > to {
        return Err(invalid(
            "invalid block range, ensure that to block is greater than from block",
        ));
    }
    if to - from > MAX_FILTERED {
        return Err(invalid(format!("{} blocks, at most {MAX_FILTERED} are looked at", to - from)));
    }
    let matcher = filter.matcher();
    let mut found = Vec::new();
    let deadline = Deadline::after(devnet.api.options().limits.trace_time);
    for number in from..=to {
        deadline.check()?;
        let Some(block) = block_at(devnet, number.into())? else { continue };
        let traces = call_traces(devnet, &block, None)?.concat();
        found.extend(traces.into_iter().filter(|trace| matcher.matches(&trace.trace)));
    }
    let skip = usize::try_from(filter.after.unwrap_or(0)).unwrap_or(usize::MAX);
    let count =
        filter.count.map_or(usize::MAX, |count| usize::try_from(count).unwrap_or(usize::MAX));
    Ok(json!(found.into_iter().skip(skip).take(count).collect::<Vec<_>>()))
}

fn replayed(
    devnet: &DevnetState,
    block: &Arc<Block>,
    only: Option<usize>,
    kinds: &HashSet<TraceType>,
) -> Result<Vec<TraceResults>, RpcError> {
    let Some(parent) = devnet.api.chain().state_before(block).map_err(RpcError::from)? else {
        return Ok(Vec::new());
    };
    let config = TracingInspectorConfig::from_parity_config(kinds);
    let wanted = |index| only.is_none_or(|only| only == index);
    let inspector = TracingInspector::new(config);
    let results = replay(
        bounds(devnet, kinds.contains(&TraceType::VmTrace)),
        &parent,
        &mut parent.open(),
        block,
        inspector,
        wanted,
        |traced| {
            let inspector = traced.inspector.clone();
            traced.inspector.fuse();
            trace_results(devnet, inspector, traced.result, kinds, Shared::new(traced.database))
        },
    );
    let explained = results?.into_iter().map(|(mut results, notes)| {
        rpc::refused_traces(results.trace.iter_mut(), &notes);
        results
    });
    Ok(explained.collect())
}

fn replay_block(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let (at, kinds): (BlockNumberOrTag, HashSet<TraceType>) = (args.required()?, args.required()?);
    let Some(block) = block_at(devnet, at)? else { return Ok(json!([])) };
    let results: Vec<_> = replayed(devnet, &block, None, &kinds)?
        .into_iter()
        .zip(&block.transactions)
        .map(|(full_trace, transaction)| TraceResultsWithTransactionHash {
            full_trace,
            transaction_hash: *transaction.hash(),
        })
        .collect();
    Ok(json!(results))
}

fn replay_transaction(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let (hash, kinds): (B256, HashSet<TraceType>) = (args.required()?, args.required()?);
    let Some((block, index)) = devnet.api.chain().transaction(&hash).map_err(RpcError::from)?
    else {
        return Err(RpcError::server(format!("transaction {hash} not found")));
    };
    Ok(json!(replayed(devnet, &block, Some(index), &kinds)?.pop()))
}

/// Counts the executions and the gas of each opcode, in one or all transactions in a block. Gas
/// forwarded to a call counts for the callee's opcodes.
fn opcode_gas(
    devnet: &DevnetState,
    block: &Arc<Block>,
    only: Option<usize>,
) -> Result<Vec<TransactionOpcodeGas>, RpcError> {
    let Some(parent) = devnet.api.chain().state_before(block).map_err(RpcError::from)? else {
        return Ok(Vec::new());
    };
    let wanted = |index| only.is_none_or(|only| only == index);
    let inspector = OpcodeGasInspector::default();
    let seen = replay(
        bounds(devnet, false),
        &parent,
        &mut parent.open(),
        block,
        inspector,
        wanted,
        |traced| {
            let mut opcode_gas: Vec<_> = mem::take(traced.inspector).opcode_gas_iter().collect();
            opcode_gas.sort_by(|one, other| one.opcode.cmp(&other.opcode));
            let transaction_hash = *block.transactions[traced.index].hash();
            Ok(TransactionOpcodeGas { transaction_hash, opcode_gas })
        },
    );
    Ok(seen?.into_iter().map(|(seen, _)| seen).collect())
}

fn transaction_opcode_gas(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let hash: B256 = args.required()?;
    let Some((block, index)) = devnet.api.chain().transaction(&hash).map_err(RpcError::from)?
    else {
        return Ok(Value::Null);
    };
    Ok(json!(opcode_gas(devnet, &block, Some(index))?.pop()))
}

fn block_opcode_gas(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let block = match args.required()? {
        BlockId::Hash(hash) => devnet.api.block_by_hash(hash.block_hash)?,
        BlockId::Number(at) => block_at(devnet, at)?,
    };
    let Some(block) = block else { return Ok(Value::Null) };
    Ok(json!(BlockOpcodeGas {
        block_hash: block.hash,
        block_number: block.header.number,
        transactions: opcode_gas(devnet, &block, None)?,
    }))
}

/// Searches the traces for the transaction and the sender that created a contract.
pub(super) fn creator(
    devnet: &DevnetState,
    contract: Address,
) -> Result<Option<(B256, Address)>, RpcError> {
    let head = devnet.node.read(|node| node.chain.head().header.number);
    for number in 0..=head {
        let Some(block) = block_at(devnet, number.into())? else { continue };
        if block.transactions.iter().all(|transaction| transaction.input().is_empty()) {
            continue;
        }
        for trace in call_traces(devnet, &block, None)?.concat() {
            let created = trace.trace.result.as_ref().and_then(|result| match result {
                alloy_rpc_types_trace::parity::TraceOutput::Create(output) => Some(output.address),
                alloy_rpc_types_trace::parity::TraceOutput::Call(_) => None,
            });
            if created == Some(contract)
                && let (Some(hash), alloy_rpc_types_trace::parity::Action::Create(create)) =
                    (trace.transaction_hash, &trace.trace.action)
            {
                return Ok(Some((hash, create.from)));
            }
        }
    }
    Ok(None)
}
