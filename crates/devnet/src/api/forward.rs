//! What a fork knows only from the other node: its older blocks, transactions, logs and states.

use super::args::{internal, invalid};
use crate::{
    fork::{Remote, RemoteError},
    state::DevnetState,
};
use alloy_primitives::U64;
use jsonrpsee::{
    IntoResponse, MethodResponse, Methods,
    core::server::MethodCallback,
    types::{ErrorCode, ErrorObjectOwned, Params},
};
use serde_json::{Value, json};
use std::{future::ready, sync::Arc};

/// Where a method names what it asks for.
#[derive(Debug, Clone, Copy)]
enum By {
    /// A block, in this parameter; blocks up to the one that is continued are the other node's.
    Block(usize),
    /// A block whose state is asked for, in this parameter: the state behind the block that is
    /// continued is here.
    State(usize),
    /// A hash: what is not found here may be there.
    Hash,
    /// A filter of logs.
    Logs,
}

const FORWARDED: &[(&str, By)] = &[
    ("eth_getBlockByNumber", By::Block(0)),
    ("eth_getBlockReceipts", By::Block(0)),
    ("eth_getBlockTransactionCountByNumber", By::Block(0)),
    ("eth_getTransactionByBlockNumberAndIndex", By::Block(0)),
    ("eth_getRawTransactionByBlockNumberAndIndex", By::Block(0)),
    ("eth_getUncleCountByBlockNumber", By::Block(0)),
    ("debug_traceBlockByNumber", By::Block(0)),
    ("trace_block", By::Block(0)),
    ("eth_getBalance", By::State(1)),
    ("eth_getCode", By::State(1)),
    ("eth_getTransactionCount", By::State(1)),
    ("eth_getStorageAt", By::State(2)),
    ("eth_getAccountInfo", By::State(1)),
    ("eth_getProof", By::State(2)),
    ("eth_call", By::State(1)),
    ("eth_estimateGas", By::State(1)),
    ("eth_getBlockByHash", By::Hash),
    ("eth_getBlockTransactionCountByHash", By::Hash),
    ("eth_getTransactionByHash", By::Hash),
    ("eth_getTransactionReceipt", By::Hash),
    ("eth_getRawTransactionByHash", By::Hash),
    ("eth_getTransactionByBlockHashAndIndex", By::Hash),
    ("debug_traceTransaction", By::Hash),
    ("trace_transaction", By::Hash),
    ("eth_getLogs", By::Logs),
];

/// The same methods, with those forwarded that another node has to answer, as long as there is one.
pub(crate) fn overlay(
    here: &Methods,
    devnet: &Arc<DevnetState>,
) -> Result<Methods, ErrorObjectOwned> {
    let mut methods = Methods::new();
    for name in here.method_names() {
        let Some(method) = here.method(name) else { continue };
        let method = match FORWARDED.iter().find(|(known, _)| *known == name) {
            Some((_, by)) => forwarded(name, *by, method.clone(), here.clone(), Arc::clone(devnet)),
            None => method.clone(),
        };
        methods.verify_and_insert(name, method).map_err(internal)?;
    }
    Ok(methods)
}

/// A method that another node may have to answer. Without one it is the method that is here, called
/// as if nothing were in between.
fn forwarded(
    name: &'static str,
    by: By,
    method: MethodCallback,
    here: Methods,
    devnet: Arc<DevnetState>,
) -> MethodCallback {
    MethodCallback::Async(Arc::new(move |id, params, connection, limit, extensions| {
        let Some(remote) = devnet.remote() else {
            return match &method {
                MethodCallback::Sync(call) => Box::pin(ready(call(id, params, limit, extensions))),
                MethodCallback::Async(call) => call(id, params, connection, limit, extensions),
                // No subscription is forwarded.
                MethodCallback::Subscription(_) | MethodCallback::Unsubscription(_) => {
                    let error = ErrorObjectOwned::from(ErrorCode::InternalError);
                    Box::pin(ready(MethodResponse::error(id, error)))
                }
            };
        };
        let (here, devnet) = (here.clone(), Arc::clone(&devnet));
        Box::pin(async move {
            let asked = tokio::task::spawn_blocking(move || {
                answer(name, by, &params, &here, &devnet, &remote)
            });
            let answer = asked.await.unwrap_or_else(|error| Err(internal(error)));
            MethodResponse::response(id, answer.into_response(), limit).with_extensions(extensions)
        })
    }))
}

fn answer(
    name: &'static str,
    by: By,
    params: &Params<'_>,
    here: &Methods,
    devnet: &DevnetState,
    remote: &Remote,
) -> Result<Value, ErrorObjectOwned> {
    let params: Value = match params.as_str() {
        None => Value::Null,
        Some(text) => serde_json::from_str(text).map_err(|error| invalid(error.to_string()))?,
    };
    let there = |params: &Value| remote.call(name, params).map_err(error);
    let asked = || devnet.journal().asked(name);
    match by {
        By::Block(index) => {
            let head = devnet.node.read(|node| node.chain.head().header.number);
            let number = number(&params, index).or_else(|| {
                // While nothing was mined here, the newest block is the other node's.
                let newest = matches!(tag(&params, index), Some("latest" | "safe" | "finalized"));
                (newest && head <= remote.number()).then_some(head)
            });
            let earliest = tag(&params, index) == Some("earliest");
            match number.or(earliest.then_some(0)) {
                Some(number) if number <= remote.number() => {
                    asked();
                    let mut params = params;
                    params[index] = json!(format!("{number:#x}"));
                    remote.call(name, &params).map_err(error)
                }
                _ => locally(here, name, &params),
            }
        }
        By::State(index) => match number(&params, index) {
            Some(number) if number < remote.number() => {
                asked();
                there(&params)
            }
            _ => locally(here, name, &params),
        },
        By::Hash => match locally(here, name, &params) {
            Ok(Value::Null) => there(&params),
            Ok(Value::Array(found)) if found.is_empty() => there(&params),
            Err(refusal) => there(&params).map_err(|_| refusal),
            found => found,
        },
        By::Logs => logs(name, &params, here, devnet, remote),
    }
}

/// Logs of both nodes, in order.
fn logs(
    name: &str,
    params: &Value,
    here: &Methods,
    devnet: &DevnetState,
    remote: &Remote,
) -> Result<Value, ErrorObjectOwned> {
    let filter = params.get(0).cloned().unwrap_or_default();
    if filter.get("blockHash").is_some_and(|hash| !hash.is_null()) {
        return match locally(here, name, params) {
            Ok(found) => Ok(found),
            Err(_) => remote.call(name, params).map_err(error),
        };
    }
    let head = devnet.node.read(|node| node.chain.head().header.number);
    let end = |member: &str| match filter.get(member).and_then(Value::as_str) {
        Some("earliest") => 0,
        Some(text) => text.parse::<U64>().map_or(head, |number| number.to()),
        None => head,
    };
    let (from, to) = (end("fromBlock"), end("toBlock"));
    let fork = remote.number();
    let part = |from: u64, to: u64| {
        let mut filter = filter.clone();
        filter["fromBlock"] = json!(format!("{from:#x}"));
        filter["toBlock"] = json!(format!("{to:#x}"));
        json!([filter])
    };
    let mut found = Vec::new();
    if from <= fork && from <= to {
        let theirs = remote.call(name, &part(from, to.min(fork))).map_err(error)?;
        found.extend(theirs.as_array().cloned().unwrap_or_default());
    }
    if to > fork {
        let ours = locally(here, name, &part(from.max(fork + 1), to))?;
        found.extend(ours.as_array().cloned().unwrap_or_default());
    }
    Ok(found.into())
}

/// The number that a parameter names, if it names one.
fn number(params: &Value, index: usize) -> Option<u64> {
    let value = params.get(index)?;
    let text = value.as_str().or_else(|| value.get("blockNumber")?.as_str())?;
    text.parse::<U64>().ok().map(|number| number.to())
}

fn tag(params: &Value, index: usize) -> Option<&str> {
    params.get(index)?.as_str()
}

fn error(error: RemoteError) -> ErrorObjectOwned {
    match error {
        // As it stands: a client of this node may know the words of the other.
        RemoteError::Refused { code, message, data } => {
            ErrorObjectOwned::owned(code, message, data)
        }
        other => internal(other),
    }
}

/// Answers from what is here.
fn locally(here: &Methods, name: &str, params: &Value) -> Result<Value, ErrorObjectOwned> {
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": name, "params": params });
    let request = request.to_string();
    let asked = here.raw_json_request(&request, 1);
    let answer = tokio::runtime::Handle::current().block_on(asked).map_err(internal)?.0;
    let mut answer: Value = serde_json::from_str(answer.get()).map_err(internal)?;
    match answer.get("error") {
        Some(error) => Err(serde_json::from_value(error.clone()).map_err(internal)?),
        None => Ok(answer.get_mut("result").map(Value::take).unwrap_or_default()),
    }
}
