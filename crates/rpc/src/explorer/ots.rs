//! Methods of the Otterscan block explorer, and Erigon's header method.

use super::parity::{block_at, call_traces, can_replay, created_directly, creator, replay_one};
use crate::{
    Api, Args, Deadline, Number, Registry, RequestLimits, RpcError, convert, limits::log_bytes,
};
use alloy_consensus::Transaction as _;
use alloy_eips::{BlockId, eip2718::Encodable2718 as _};
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_rpc_types_trace::parity::{Action, LocalizedTransactionTrace, TraceOutput};
use chain::{Block, ChainError, State};
use revm::context::result::ExecutionResult;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn register(methods: &mut Registry<Api>) {
    methods.read("ots_getApiLevel", api_level);
    methods.read("ots_hasCode", has_code);
    methods.execute("ots_getInternalOperations", internal_operations);
    methods.execute("ots_getTransactionError", transaction_error);
    methods.execute("ots_traceTransaction", trace_transaction);
    methods.execute("ots_getBlockDetails", block_details);
    methods.execute("ots_getBlockDetailsByHash", block_details_by_hash);
    methods.execute("ots_getBlockTransactions", block_transactions);
    methods.execute("ots_searchTransactionsBefore", search_before);
    methods.execute("ots_searchTransactionsAfter", search_after);
    methods.execute("ots_getTransactionBySenderAndNonce", by_sender_and_nonce);
    methods.execute("ots_getContractCreator", contract_creator);
    methods.execute("erigon_getHeaderByNumber", header_by_number);
}

fn api_level(_: &Api, args: &mut Args) -> Result<Value, RpcError> {
    args.none()?;
    Ok(json!(8))
}

fn has_code(api: &Api, args: &mut Args) -> Result<Value, RpcError> {
    let address: Address = args.required()?;
    let at = args.optional::<PlainNumber<BlockId>>()?.map_or_else(BlockId::default, |at| at.0);
    let code = state_or_latest(api, at)?.code(address).map_err(RpcError::from)?;
    Ok(json!(!code.is_empty()))
}

/// Returns the state after a block, or the latest one if it is not stored: accounts of an old block
/// are labelled as they are now.
fn state_or_latest(api: &Api, at: BlockId) -> Result<State, RpcError> {
    if matches!(at, BlockId::Number(it) if it.is_latest() || it.is_pending()) {
        return api.state(at);
    }
    let block = api.block(at)?;
    match api.node().read(|node| node.state_after(&block)) {
        Ok(state) if state.is_stored()? => Ok(state),
        Ok(_) | Err(ChainError::NotLoaded(_) | ChainError::Pruned(_)) => Ok(api.node().state()),
        Err(error) => Err(error.into()),
    }
}

fn location(api: &Api, hash: &B256) -> Result<Option<(Arc<Block>, usize)>, RpcError> {
    api.chain().transaction(hash).map_err(RpcError::from)
}

fn internal_operations(api: &Api, args: &mut Args) -> Result<Value, RpcError> {
    let hash: B256 = args.required()?;
    let Some((block, index)) = location(api, &hash)? else { return Ok(json!([])) };
    if !can_replay(api, &block)? {
        return Ok(own_operation(&block, index));
    }
    Ok(operations(&call_traces(api, &block, Some(index))?.concat()))
}

/// Returns the operation of a transaction that follows from its fields: the contract that it
/// creates, or its transfer of value.
fn own_operation(block: &Block, index: usize) -> Value {
    let (transaction, from) = (&block.transactions[index], block.senders[index]);
    let value = transaction.value();
    let (kind, to) = match (created_directly(block, index), transaction.to()) {
        (Some(created), _) => (2, created),
        (None, Some(to)) if !value.is_zero() => (0, to),
        (None, _) => return json!([]),
    };
    json!([{ "type": kind, "from": from, "to": to, "value": value }])
}

/// Returns the internal operations of a transaction: value transfers, created contracts and
/// destroyed contracts.
pub fn operations(traces: &[LocalizedTransactionTrace]) -> Value {
    let operations = traces.iter().filter_map(|trace| {
        let trace = &trace.trace;
        let (kind, from, to, value) = match (&trace.action, &trace.result) {
            (Action::Call(call), _) if !call.value.is_zero() => (0, call.from, call.to, call.value),
            (Action::Create(create), Some(TraceOutput::Create(output))) => {
                let second = create.creation_method
                    == alloy_rpc_types_trace::parity::CreationMethod::Create2;
                (if second { 3 } else { 2 }, create.from, output.address, create.value)
            }
            (Action::Selfdestruct(end), _) => (1, end.address, end.refund_address, end.balance),
            _ => return None,
        };
        Some(json!({ "type": kind, "from": from, "to": to, "value": value }))
    });
    operations.collect()
}

fn transaction_error(api: &Api, args: &mut Args) -> Result<Value, RpcError> {
    let hash: B256 = args.required()?;
    let Some((block, index)) = location(api, &hash)? else { return Ok(Value::Null) };
    if block.executed.receipts[index].success {
        return Ok(json!(Bytes::new()));
    }
    let output = replay_one(api, &block, index, |result| match result {
        ExecutionResult::Revert { output, .. } => output.clone(),
        _ => Bytes::new(),
    })?;
    Ok(json!(output.unwrap_or_default()))
}

fn trace_transaction(api: &Api, args: &mut Args) -> Result<Value, RpcError> {
    let hash: B256 = args.required()?;
    let Some((block, index)) = location(api, &hash)? else { return Ok(json!([])) };
    Ok(steps(&call_traces(api, &block, Some(index))?.concat()))
}

/// Calls of a transaction in Otterscan's format.
pub fn steps(traces: &[LocalizedTransactionTrace]) -> Value {
    let steps = traces.iter().filter_map(|trace| {
        let trace = &trace.trace;
        let Action::Call(call) = &trace.action else { return None };
        let output = match &trace.result {
            Some(TraceOutput::Call(output)) => output.output.clone(),
            _ => Default::default(),
        };
        let kind = format!("{:?}", call.call_type).to_uppercase();
        let value = if kind == "CALL" { call.value } else { U256::ZERO };
        Some(json!({
            "type": kind,
            "depth": trace.trace_address.len(),
            "from": call.from,
            "to": call.to,
            "value": value,
            "input": call.input,
            "output": output,
        }))
    });
    steps.collect()
}

/// Returns the block in Otterscan's format, without the fields that it does not need.
pub fn details(mut shape: Value, fees: U256) -> Value {
    if let Some(members) = shape.as_object_mut() {
        let transactions = members.remove("transactions");
        let count = transactions.as_ref().and_then(Value::as_array).map_or(0, Vec::len);
        members.insert("transactionCount".to_owned(), json!(count));
    }
    json!({
        "block": shape,
        "totalFees": fees,
        "issuance": { "blockReward": "0x0", "uncleReward": "0x0", "issuance": "0x0" },
    })
}

fn details_here(block: &Block) -> Value {
    let receipts = block.executed.receipts.len();
    let fees: U256 = (0..receipts)
        .map(|index| {
            let price =
                block.transactions[index].effective_gas_price(block.header.base_fee_per_gas);
            U256::from(price) * U256::from(block.transaction_gas(index))
        })
        .sum();
    details(json!(convert::block(block, false)), fees)
}

fn block_details(api: &Api, args: &mut Args) -> Result<Value, RpcError> {
    let PlainNumber(at) = args.required()?;
    Ok(block_at(api, at)?.map_or(Value::Null, |block| details_here(&block)))
}

/// Parameter that is a plain JSON number, as Otterscan sends it, or has the usual format.
struct PlainNumber<T>(T);

impl<'de, T: DeserializeOwned + From<u64>> Deserialize<'de> for PlainNumber<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(from)?;
        if let Some(number) = value.as_u64() {
            return Ok(Self(number.into()));
        }
        serde_json::from_value(value).map(Self).map_err(serde::de::Error::custom)
    }
}

fn block_details_by_hash(api: &Api, args: &mut Args) -> Result<Value, RpcError> {
    let hash: B256 = args.required()?;
    Ok(api.block_by_hash(hash)?.map_or(Value::Null, |block| details_here(&block)))
}

fn receipts(api: &Api, block: &Block) -> Vec<Value> {
    api.node().read(|node| {
        let receipts = convert::receipts(block, node.chain.config());
        receipts.iter().map(|receipt| json!(receipt)).collect()
    })
}

fn block_transactions(api: &Api, args: &mut Args) -> Result<Value, RpcError> {
    let (number, page, size): (u64, usize, usize) =
        (args.required()?, args.required()?, args.required()?);
    let block = block_at(api, number.into())?.ok_or_else(|| RpcError::params("block not found"))?;
    let shape = json!(convert::block(&block, true));
    page_of(shape, receipts(api, &block), page, size)
}

/// Returns a page of a block's transactions and receipts, with the block.
pub fn page_of(
    mut shape: Value,
    mut receipts: Vec<Value>,
    page: usize,
    size: usize,
) -> Result<Value, RpcError> {
    let timestamp = shape.get("timestamp").cloned().unwrap_or_default();
    let count = receipts.len();
    // Pages start with the first transaction, as in anvil.
    let begin = page.saturating_mul(size).min(count);
    let chosen = begin..begin.saturating_add(size).min(count);
    if let Some(Value::Array(transactions)) = shape.get_mut("transactions") {
        // The forked node's response may be inconsistent.
        if transactions.len() != count {
            let got = transactions.len();
            let words = format!("{got} transactions in a block of {count} receipts");
            return Err(RpcError::failed(words));
        }
        let mut kept: Vec<Value> = transactions.drain(chosen.clone()).collect();
        for transaction in &mut kept {
            // Otterscan only needs the selector.
            if let Some(input) = transaction.get("input").and_then(Value::as_str) {
                transaction["input"] = json!(input.chars().take(10).collect::<String>());
            }
        }
        *transactions = kept;
    }
    if let Some(members) = shape.as_object_mut() {
        // As in anvil, only the transactions of the page count.
        members.insert("transactionCount".to_owned(), json!(chosen.len()));
    }
    let mut receipts_of_page: Vec<Value> = receipts.drain(chosen).collect();
    for receipt in receipts_of_page.iter_mut().filter_map(Value::as_object_mut) {
        receipt.insert("timestamp".to_owned(), timestamp.clone());
    }
    Ok(json!({ "fullblock": shape, "receipts": receipts_of_page }))
}

/// Returns the positions of the transactions that involve the address without being executed: as
/// sender, recipient or created contract, or in a log.
fn naming(block: &Block, address: Address) -> Vec<usize> {
    let named = |index: &usize| {
        let (transaction, sender) = (&block.transactions[*index], block.senders[*index]);
        sender == address
            || transaction.to() == Some(address)
            || created_directly(block, *index) == Some(address)
            || block.executed.receipts[*index].logs.iter().any(|log| log.address == address)
    };
    (0..block.transactions.len()).filter(named).collect()
}

/// Returns the positions of the transactions that involve the address, directly or in a call. If
/// the state before the block is not stored, calls are unknown.
fn concerns(api: &Api, block: &Arc<Block>, address: Address) -> Result<Vec<usize>, RpcError> {
    if !can_replay(api, block)? {
        return Ok(naming(block, address));
    }
    let traces = call_traces(api, block, None)?;
    let touches = |action: &Action, result: Option<&TraceOutput>| match action {
        Action::Call(call) => call.from == address || call.to == address,
        Action::Create(create) => {
            let created =
                matches!(result, Some(TraceOutput::Create(output)) if output.address == address);
            create.from == address || created
        }
        Action::Reward(reward) => reward.author == address,
        Action::Selfdestruct(end) => end.address == address || end.refund_address == address,
    };
    Ok(traces
        .iter()
        .enumerate()
        .filter(|(_, traces)| {
            traces.iter().any(|trace| touches(&trace.trace.action, trace.trace.result.as_ref()))
        })
        .map(|(index, _)| index)
        .collect())
}

/// JSON bytes of a transaction and its receipt without the transaction's lists, input and logs.
const LISTED_BYTES: u64 = 2_000;

/// Returns the size of a transaction and its receipt, in bytes of JSON.
fn listed_bytes(block: &Block, index: usize) -> u64 {
    let logs = block.executed.receipts[index].logs.iter().map(log_bytes);
    LISTED_BYTES + 2 * block.transactions[index].encode_2718_len() as u64 + logs.sum::<u64>()
}

/// Returns transactions that involve the address with their receipts, and `true` after the last
/// block. The page ends early at the limits of a trace.
fn search(
    api: &Api,
    address: Address,
    numbers: impl Iterator<Item = u64>,
    size: usize,
    newest_first: bool,
) -> Result<(Vec<Value>, Vec<Value>, bool), RpcError> {
    let (mut transactions, mut receipts_of_page) = (Vec::new(), Vec::new());
    let RequestLimits { trace_bytes: limit, trace_time, .. } = api.options().limits;
    let (deadline, mut bytes) = (Deadline::after(trace_time), 0);
    for number in numbers {
        if transactions.len() >= size || bytes > limit {
            return Ok((transactions, receipts_of_page, false));
        }
        match deadline.check() {
            Ok(()) => {}
            // The client continues from the last transaction of the page.
            Err(_) if !transactions.is_empty() => {
                return Ok((transactions, receipts_of_page, false));
            }
            Err(error) => return Err(error.at_block(number)),
        }
        let Some(block) = block_at(api, number.into())? else { continue };
        if block.transactions.is_empty() {
            continue;
        }
        let mut found = concerns(api, &block, address)?;
        if newest_first {
            found.reverse();
        }
        let receipts = receipts(api, &block);
        for index in found {
            bytes += listed_bytes(&block, index);
            transactions.push(json!(convert::transaction(&block, index)));
            let mut receipt = receipts[index].clone();
            receipt["timestamp"] = json!(format!("{:#x}", block.header.timestamp));
            receipts_of_page.push(receipt);
        }
    }
    Ok((transactions, receipts_of_page, true))
}

fn search_before(api: &Api, args: &mut Args) -> Result<Value, RpcError> {
    let (address, number, size): (Address, u64, usize) =
        (args.required()?, args.required()?, args.required()?);
    let head = api.node().read(|node| node.chain.head().header.number);
    let from = if number == 0 { head } else { number.saturating_sub(1).min(head) };
    let (transactions, receipts, all) = search(api, address, (0..=from).rev(), size, true)?;
    let first = number == 0;
    Ok(json!({ "txs": transactions, "receipts": receipts, "firstPage": first, "lastPage": all }))
}

fn search_after(api: &Api, args: &mut Args) -> Result<Value, RpcError> {
    let (address, number, size): (Address, u64, usize) =
        (args.required()?, args.required()?, args.required()?);
    let head = api.node().read(|node| node.chain.head().header.number);
    let from = if number == 0 { 0 } else { number + 1 };
    let (mut transactions, mut receipts, all) = search(api, address, from..=head, size, false)?;
    transactions.reverse();
    receipts.reverse();
    let last = number == 0;
    Ok(json!({ "txs": transactions, "receipts": receipts, "firstPage": all, "lastPage": last }))
}

fn by_sender_and_nonce(api: &Api, args: &mut Args) -> Result<Value, RpcError> {
    let (sender, nonce): (Address, Number) = (args.required()?, args.required()?);
    let nonce = nonce.u64()?;
    let (first, head) =
        api.node().read(|node| (node.chain.first_number(), node.chain.head().header.number));
    let deadline = Deadline::after(api.options().limits.trace_time);
    for number in first..=head {
        deadline.check().map_err(|error| error.at_block(number))?;
        let Some(block) = block_at(api, number.into())? else { continue };
        for (transaction, from) in block.transactions.iter().zip(&block.senders) {
            if *from == sender && transaction.nonce() == nonce {
                return Ok(json!(transaction.hash()));
            }
        }
    }
    Ok(Value::Null)
}

fn contract_creator(api: &Api, args: &mut Args) -> Result<Value, RpcError> {
    let creator = creator(api, args.required()?)?;
    Ok(json!(creator.map(|(hash, creator)| json!({ "hash": hash, "creator": creator }))))
}

fn header_by_number(api: &Api, args: &mut Args) -> Result<Value, RpcError> {
    let PlainNumber(at) = args.required()?;
    let block = api.block_by_number(at)?;
    Ok(json!(block.map(|block| convert::block(&block, false))))
}
