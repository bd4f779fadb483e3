//! Otterscan methods for blocks of the forked node, built on methods that most nodes have.

use super::ask;
use crate::{api::args::internal, fork::Remote};
use alloy_primitives::U256;
use alloy_rpc_types_trace::parity::LocalizedTransactionTrace;
use rpc::{
    RpcError,
    explorer::ots::{details, operations, page_of, steps},
};
use serde::Deserialize as _;
use serde_json::{Value, json};

/// Implements a method with requests to the forked node.
type RemoteMethod = fn(&Remote, &Value) -> Result<Value, RpcError>;

/// Methods that few nodes have, and their implementations.
pub(super) const REMOTE_METHODS: &[(&str, RemoteMethod)] = &[
    ("ots_hasCode", has_code_there),
    ("ots_getInternalOperations", |remote, params| Ok(operations(&traces_there(remote, params)?))),
    ("ots_getTransactionError", transaction_error_there),
    ("ots_traceTransaction", |remote, params| Ok(steps(&traces_there(remote, params)?))),
    ("ots_getBlockDetails", |remote, params| details_there(remote, "eth_getBlockByNumber", params)),
    ("ots_getBlockDetailsByHash", |remote, params| {
        details_there(remote, "eth_getBlockByHash", params)
    }),
    ("ots_getBlockTransactions", block_transactions_there),
    ("erigon_getHeaderByNumber", |remote, params| {
        Ok(ask(remote, "eth_getBlockByNumber", &json!([params.get(0), false]))?)
    }),
    ("eth_getHeaderByNumber", |remote, params| {
        header_there(remote, "eth_getBlockByNumber", params)
    }),
    ("eth_getHeaderByHash", |remote, params| header_there(remote, "eth_getBlockByHash", params)),
];

/// Returns the block without its transactions.
fn header_there(remote: &Remote, method: &str, params: &Value) -> Result<Value, RpcError> {
    let mut block = ask(remote, method, &json!([params.get(0), false]))?;
    if let Some(members) = block.as_object_mut() {
        for content in ["transactions", "uncles", "withdrawals"] {
            members.remove(content);
        }
    }
    Ok(block)
}

fn has_code_there(remote: &Remote, params: &Value) -> Result<Value, RpcError> {
    Ok(json!(ask(remote, "eth_getCode", params)? != "0x"))
}

/// Returns the call traces of a transaction of the forked node.
fn traces_there(
    remote: &Remote,
    params: &Value,
) -> Result<Vec<LocalizedTransactionTrace>, RpcError> {
    let traces = ask(remote, "trace_transaction", &json!([params.get(0)]))?;
    // Some nodes return null for an unknown transaction.
    Option::deserialize(traces).map(Option::unwrap_or_default).map_err(internal)
}

fn transaction_error_there(remote: &Remote, params: &Value) -> Result<Value, RpcError> {
    let hash = params.get(0);
    let receipt = ask(remote, "eth_getTransactionReceipt", &json!([hash]))?;
    if receipt.is_null() {
        return Ok(Value::Null);
    }
    // Most transactions succeed; these need not be re-executed.
    if receipt.get("status").is_some_and(|status| status == "0x1") {
        return Ok(json!("0x"));
    }
    let tracer = json!({ "tracer": "callTracer", "tracerConfig": { "onlyTopCall": true } });
    let call = ask(remote, "debug_traceTransaction", &json!([hash, tracer]))?;
    let output = call.get("error").and_then(|_| call.get("output"));
    Ok(output.cloned().unwrap_or_else(|| json!("0x")))
}

/// Returns the block of the forked node with its receipts.
fn block_there(
    remote: &Remote,
    method: &str,
    at: Option<&Value>,
    full: bool,
) -> Result<(Value, Vec<Value>), RpcError> {
    let block = ask(remote, method, &json!([at, full]))?;
    let receipts = ask(remote, "eth_getBlockReceipts", &json!([at]))?;
    match (block, receipts) {
        (block @ Value::Object(_), Value::Array(receipts)) => Ok((block, receipts)),
        _ => Err(RpcError::params("block not found")),
    }
}

fn details_there(remote: &Remote, method: &str, params: &Value) -> Result<Value, RpcError> {
    let (block, receipts) = block_there(remote, method, params.get(0), false)?;
    let quantity = |receipt: &Value, name: &str| {
        U256::deserialize(receipt.get(name).cloned().unwrap_or_default())
            .map_err(|error| internal(format!("{name} of a receipt of the forked node: {error}")))
    };
    let mut fees = U256::ZERO;
    for receipt in &receipts {
        let (gas, price) = (quantity(receipt, "gasUsed")?, quantity(receipt, "effectiveGasPrice")?);
        fees = fees.saturating_add(gas.saturating_mul(price));
    }
    Ok(details(block, fees))
}

fn block_transactions_there(remote: &Remote, params: &Value) -> Result<Value, RpcError> {
    let number_at = |index: usize| {
        let number = params.get(index).and_then(Value::as_u64);
        let number = number.and_then(|number| usize::try_from(number).ok());
        number.ok_or_else(|| RpcError::params(format!("parameter {} is not a number", index + 1)))
    };
    let (page, size) = (number_at(1)?, number_at(2)?);
    let (shape, receipts) = block_there(remote, "eth_getBlockByNumber", params.get(0), true)?;
    page_of(shape, receipts, page, size)
}
