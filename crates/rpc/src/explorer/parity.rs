//! `trace_…` methods, which re-execute blocks under revm's inspectors.

use super::replay::{Shared, replay};
use crate::{
    Api, Args, Deadline, Number, Recorded, Registry, RequestLimits, RpcError, limits::FRAME_BYTES,
    refused_traces, show_execute,
};
use alloy_consensus::Transaction as _;
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{Address, B256, map::HashSet};
use alloy_rpc_types_eth::TransactionInfo;
use alloy_rpc_types_trace::{
    filter::TraceFilter,
    opcode::{BlockOpcodeGas, TransactionOpcodeGas},
    parity::{
        Action, LocalizedTransactionTrace, TraceOutput, TraceResults,
        TraceResultsWithTransactionHash, TraceType, TransactionTrace,
    },
};
use chain::{Block, ChainError};
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
use std::{mem, sync::Arc};

pub(super) fn register(methods: &mut Registry<Api>) {
    methods.trace("trace_transaction", transaction);
    methods.trace("trace_block", block);
    methods.trace("trace_filter", filter);
    methods.trace("trace_replayBlockTransactions", replay_block);
    methods.trace("trace_replayTransaction", replay_transaction);
    methods.trace("trace_get", get);
    methods.trace("trace_transactionOpcodeGas", transaction_opcode_gas);
    methods.trace("trace_blockOpcodeGas", block_opcode_gas);
}

/// Maximum number of blocks for one `trace_filter`.
const MAX_FILTERED: u64 = 100_000;

/// Limits of a trace that records the steps of a VM trace, or only calls.
pub fn bounds(api: &Api, steps: bool) -> (&RequestLimits, Recorded) {
    (&api.options().limits, Recorded { steps, vm: steps, ..Recorded::default() })
}

/// Returns the size of a trace in bytes of JSON, as [`BoundedInspector`](crate::BoundedInspector)
/// counts it.
fn trace_bytes(trace: &TransactionTrace) -> u64 {
    let input = match &trace.action {
        Action::Call(call) => call.input.len(),
        Action::Create(create) => create.init.len(),
        Action::Selfdestruct(_) | Action::Reward(_) => 0,
    };
    let output = match &trace.result {
        Some(TraceOutput::Call(output)) => output.output.len(),
        Some(TraceOutput::Create(output)) => output.code.len(),
        None => 0,
    };
    FRAME_BYTES + 2 * (input + output) as u64
}

/// Returns the canonical block that a number or tag refers to. The pending block has no trace: the
/// latest one takes its place.
pub(super) fn block_at(api: &Api, at: BlockNumberOrTag) -> Result<Option<Arc<Block>>, RpcError> {
    api.block_by_number(if at.is_pending() { BlockNumberOrTag::Latest } else { at })
}

/// Re-executes a transaction of a block and maps its result with `see`.
pub fn replay_one<T>(
    api: &Api,
    block: &Arc<Block>,
    index: usize,
    see: impl Fn(&ExecutionResult<HaltReason>) -> T,
) -> Result<Option<T>, RpcError> {
    let Some(parent) = api.chain().state_before(block).map_err(RpcError::from)? else {
        return Ok(None);
    };
    let wanted = |at| at == index;
    let seen = replay(
        bounds(api, false),
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
pub fn trace_results(
    api: &Api,
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
        show_execute(&mut calls, api.chain().config());
        results.trace = calls.into_parity_builder().into_transaction_traces();
    }
    Ok(results)
}

/// Returns the call traces of a block or of one of its transactions.
pub(super) fn call_traces(
    api: &Api,
    block: &Arc<Block>,
    only: Option<usize>,
) -> Result<Vec<Vec<LocalizedTransactionTrace>>, RpcError> {
    let Some(parent) = api.chain().state_before(block).map_err(RpcError::from)? else {
        return Ok(Vec::new());
    };
    let inspector = TracingInspector::new(TracingInspectorConfig::default_parity());
    let wanted = |index| only.is_none_or(|only| only == index);
    let traces = replay(
        bounds(api, false),
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
            show_execute(&mut inspector, api.chain().config());
            Ok(inspector.into_parity_builder().into_localized_transaction_traces(info))
        },
    );
    let explained = traces?.into_iter().map(|(mut traces, notes)| {
        refused_traces(traces.iter_mut().map(|localized| &mut localized.trace), &notes);
        traces
    });
    Ok(explained.collect())
}

fn transaction(api: &Api, args: &mut Args) -> Result<Vec<LocalizedTransactionTrace>, RpcError> {
    let hash: B256 = args.required()?;
    let Some((block, index)) = api.chain().transaction(&hash).map_err(RpcError::from)? else {
        return Ok(Vec::new());
    };
    Ok(call_traces(api, &block, Some(index))?.concat())
}

fn get(api: &Api, args: &mut Args) -> Result<Option<LocalizedTransactionTrace>, RpcError> {
    let (hash, address): (B256, Vec<Number>) = (args.required()?, args.required()?);
    let address: Vec<usize> = address
        .into_iter()
        .map(|part| Ok(part.u64()? as usize))
        .collect::<Result<_, RpcError>>()?;
    let Some((block, index)) = api.chain().transaction(&hash).map_err(RpcError::from)? else {
        return Ok(None);
    };
    let traces = call_traces(api, &block, Some(index))?.concat();
    Ok(traces.into_iter().find(|trace| trace.trace.trace_address == address))
}

fn block(api: &Api, args: &mut Args) -> Result<Vec<LocalizedTransactionTrace>, RpcError> {
    let at: BlockNumberOrTag = args.required()?;
    let Some(block) = block_at(api, at)? else { return Ok(Vec::new()) };
    Ok(call_traces(api, &block, None)?.concat())
}

fn filter(api: &Api, args: &mut Args) -> Result<Vec<LocalizedTransactionTrace>, RpcError> {
    let filter: TraceFilter = args.required()?;
    let head = api.node().read(|node| node.chain.head().header.number);
    let (from, to) = (filter.from_block.unwrap_or(0), filter.to_block.unwrap_or(head).min(head));
    if from > to {
        return Err(RpcError::params(
            "invalid block range, ensure that to block is greater than from block",
        ));
    }
    if to - from > MAX_FILTERED {
        return Err(RpcError::params(format!(
            "{} blocks, at most {MAX_FILTERED} are looked at",
            to - from
        )));
    }
    let matcher = filter.matcher();
    let (mut skipped, skip) = (0, filter.after.unwrap_or(0));
    let count =
        filter.count.map_or(usize::MAX, |count| usize::try_from(count).unwrap_or(usize::MAX));
    let (mut found, mut bytes) = (Vec::new(), 0_u64);
    let RequestLimits { trace_bytes: limit, trace_time, .. } = api.options().limits;
    let deadline = Deadline::after(trace_time);
    for number in from..=to {
        if found.len() >= count {
            break;
        }
        deadline.check()?;
        let Some(block) = block_at(api, number.into())? else { continue };
        for trace in call_traces(api, &block, None)?.concat() {
            if !matcher.matches(&trace.trace) {
                continue;
            }
            if skipped < skip {
                skipped += 1;
                continue;
            }
            bytes = bytes.saturating_add(trace_bytes(&trace.trace));
            found.push(trace);
        }
        if bytes > limit {
            let advice = format!("narrow the range, {from} to {number} is too wide");
            return Err(RpcError::exceeded("too many traces (bytes)", bytes, limit, &advice));
        }
    }
    found.truncate(count);
    Ok(found)
}

fn replayed(
    api: &Api,
    block: &Arc<Block>,
    only: Option<usize>,
    kinds: &HashSet<TraceType>,
) -> Result<Vec<TraceResults>, RpcError> {
    let Some(parent) = api.chain().state_before(block).map_err(RpcError::from)? else {
        return Ok(Vec::new());
    };
    let config = TracingInspectorConfig::from_parity_config(kinds);
    let wanted = |index| only.is_none_or(|only| only == index);
    let inspector = TracingInspector::new(config);
    let results = replay(
        bounds(api, kinds.contains(&TraceType::VmTrace)),
        &parent,
        &mut parent.open(),
        block,
        inspector,
        wanted,
        |traced| {
            let inspector = traced.inspector.clone();
            traced.inspector.fuse();
            trace_results(api, inspector, traced.result, kinds, Shared::new(traced.database))
        },
    );
    let explained = results?.into_iter().map(|(mut results, notes)| {
        refused_traces(results.trace.iter_mut(), &notes);
        results
    });
    Ok(explained.collect())
}

fn replay_block(
    api: &Api,
    args: &mut Args,
) -> Result<Vec<TraceResultsWithTransactionHash>, RpcError> {
    let (at, kinds): (BlockNumberOrTag, HashSet<TraceType>) = (args.required()?, args.required()?);
    let Some(block) = block_at(api, at)? else { return Ok(Vec::new()) };
    let results = replayed(api, &block, None, &kinds)?
        .into_iter()
        .zip(&block.transactions)
        .map(|(full_trace, transaction)| TraceResultsWithTransactionHash {
            full_trace,
            transaction_hash: *transaction.hash(),
        })
        .collect();
    Ok(results)
}

fn replay_transaction(api: &Api, args: &mut Args) -> Result<Option<TraceResults>, RpcError> {
    let (hash, kinds): (B256, HashSet<TraceType>) = (args.required()?, args.required()?);
    let Some((block, index)) = api.chain().transaction(&hash).map_err(RpcError::from)? else {
        return Err(RpcError::server(format!("transaction {hash} not found")));
    };
    Ok(replayed(api, &block, Some(index), &kinds)?.pop())
}

/// Counts the executions and the gas of each opcode, in one or all transactions in a block. Gas
/// forwarded to a call counts for the callee's opcodes.
fn opcode_gas(
    api: &Api,
    block: &Arc<Block>,
    only: Option<usize>,
) -> Result<Vec<TransactionOpcodeGas>, RpcError> {
    let Some(parent) = api.chain().state_before(block).map_err(RpcError::from)? else {
        return Ok(Vec::new());
    };
    let wanted = |index| only.is_none_or(|only| only == index);
    let inspector = OpcodeGasInspector::default();
    let seen = replay(
        bounds(api, false),
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

fn transaction_opcode_gas(
    api: &Api,
    args: &mut Args,
) -> Result<Option<TransactionOpcodeGas>, RpcError> {
    let hash: B256 = args.required()?;
    let Some((block, index)) = api.chain().transaction(&hash).map_err(RpcError::from)? else {
        return Ok(None);
    };
    Ok(opcode_gas(api, &block, Some(index))?.pop())
}

fn block_opcode_gas(api: &Api, args: &mut Args) -> Result<Option<BlockOpcodeGas>, RpcError> {
    let block = match args.required()? {
        BlockId::Hash(hash) => api.block_by_hash(hash.block_hash)?,
        BlockId::Number(at) => block_at(api, at)?,
    };
    let Some(block) = block else { return Ok(None) };
    Ok(Some(BlockOpcodeGas {
        block_hash: block.hash,
        block_number: block.header.number,
        transactions: opcode_gas(api, &block, None)?,
    }))
}

/// Returns `false` if a block cannot be executed again, because the state before it is not stored.
pub(super) fn can_replay(api: &Api, block: &Block) -> Result<bool, RpcError> {
    match api.chain().state_before(block) {
        Ok(state) => Ok(state.map_or(Ok(true), |state| state.is_stored())?),
        Err(ChainError::NotLoaded(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Returns the contract that a transaction creates by itself, not in a call.
pub(super) fn created_directly(block: &Block, index: usize) -> Option<Address> {
    let transaction = &block.transactions[index];
    let is_successful = block.executed.receipts[index].success;
    (transaction.is_create() && is_successful)
        .then(|| block.senders[index].create(transaction.nonce()))
}

/// Searches the traces for the transaction and the sender that created a contract. In blocks that
/// cannot be executed again, contracts that were created in calls are not found.
pub(super) fn creator(api: &Api, contract: Address) -> Result<Option<(B256, Address)>, RpcError> {
    let (first, head) =
        api.node().read(|node| (node.chain.first_number(), node.chain.head().header.number));
    let deadline = Deadline::after(api.options().limits.trace_time);
    for number in first..=head {
        deadline.check().map_err(|error| error.at_block(number))?;
        let Some(block) = block_at(api, number.into())? else { continue };
        if block.transactions.iter().all(|transaction| transaction.input().is_empty()) {
            continue;
        }
        if !can_replay(api, &block)? {
            let mut all = 0..block.transactions.len();
            if let Some(index) = all.find(|at| created_directly(&block, *at) == Some(contract)) {
                return Ok(Some((*block.transactions[index].hash(), block.senders[index])));
            }
            continue;
        }
        for trace in call_traces(api, &block, None)?.concat() {
            let created = trace.trace.result.as_ref().and_then(|result| match result {
                TraceOutput::Create(output) => Some(output.address),
                TraceOutput::Call(_) => None,
            });
            if created == Some(contract)
                && let (Some(hash), Action::Create(create)) =
                    (trace.transaction_hash, &trace.trace.action)
            {
                return Ok(Some((hash, create.from)));
            }
        }
    }
    Ok(None)
}
