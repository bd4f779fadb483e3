//! Forwarding of requests to the forked node: for older blocks, transactions, logs and states.

mod explorer;
mod joined;

use crate::{fork::Remote, state::DevnetState, upstream::RemoteError};
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::B256;
use jsonrpsee::{
    IntoResponse, MethodResponse, Methods,
    core::server::MethodCallback,
    types::{ErrorCode, ErrorObjectOwned, Params},
};
use rpc::RpcError;
use serde::Deserialize as _;
use serde_json::{Value, json};
use std::{future::ready, sync::Arc};

/// How the parameters of a method refer to a block or transaction, which determines the node that
/// serves the request.
#[derive(Debug, Clone, Copy)]
enum By {
    /// By a block in the parameter at this index; the forked node answers up to and including the
    /// forked block.
    Block(usize),
    /// By a block whose state or raw header is requested, in the parameter at this index; this node
    /// answers from the forked block on.
    State(usize),
    /// By a hash; the forked node is tried if this node does not find it.
    Hash,
    /// By the hash of a mined transaction; the forked node answers unless a block of this node
    /// includes it.
    Mined,
    /// A log filter.
    Logs,
    /// A trace filter.
    Traces,
    /// By a number of blocks and the newest of them.
    Fees,
}

const FORWARDED: &[(&str, By)] = &[
    ("eth_getBlockByNumber", By::Block(0)),
    ("eth_getBlockByHash", By::Block(0)),
    ("eth_getHeaderByNumber", By::Block(0)),
    ("eth_getHeaderByHash", By::Block(0)),
    ("eth_getBlockReceipts", By::Block(0)),
    ("eth_getBlockTransactionCountByNumber", By::Block(0)),
    ("eth_getBlockTransactionCountByHash", By::Block(0)),
    ("eth_getTransactionByBlockNumberAndIndex", By::Block(0)),
    ("eth_getTransactionByBlockHashAndIndex", By::Block(0)),
    ("eth_getRawTransactionByBlockNumberAndIndex", By::Block(0)),
    ("eth_getRawTransactionByBlockHashAndIndex", By::Block(0)),
    ("eth_getUncleCountByBlockNumber", By::Block(0)),
    ("eth_getUncleCountByBlockHash", By::Block(0)),
    ("eth_getUncleByBlockNumberAndIndex", By::Block(0)),
    ("eth_getUncleByBlockHashAndIndex", By::Block(0)),
    ("debug_getRawBlock", By::Block(0)),
    ("debug_getRawReceipts", By::Block(0)),
    ("debug_getRawTransactions", By::Block(0)),
    ("debug_traceBlockByNumber", By::Block(0)),
    ("debug_traceBlockByHash", By::Block(0)),
    ("trace_block", By::Block(0)),
    ("trace_replayBlockTransactions", By::Block(0)),
    ("trace_blockOpcodeGas", By::Block(0)),
    ("ots_getBlockDetails", By::Block(0)),
    ("ots_getBlockDetailsByHash", By::Block(0)),
    ("ots_getBlockTransactions", By::Block(0)),
    ("erigon_getHeaderByNumber", By::Block(0)),
    ("debug_getRawHeader", By::State(0)),
    ("eth_getBalance", By::State(1)),
    ("eth_getCode", By::State(1)),
    ("eth_getTransactionCount", By::State(1)),
    ("eth_getStorageAt", By::State(2)),
    ("eth_getStorageValues", By::State(1)),
    ("eth_getAccount", By::State(1)),
    ("eth_getAccountInfo", By::State(1)),
    ("eth_getProof", By::State(2)),
    ("eth_call", By::State(1)),
    ("eth_estimateGas", By::State(1)),
    ("eth_createAccessList", By::State(1)),
    ("eth_simulateV1", By::State(1)),
    ("debug_traceCall", By::State(1)),
    ("trace_call", By::State(2)),
    ("trace_callMany", By::State(1)),
    ("ots_hasCode", By::State(1)),
    ("eth_getTransactionByHash", By::Hash),
    ("eth_getTransactionReceipt", By::Hash),
    ("eth_getRawTransactionByHash", By::Hash),
    ("debug_getRawTransaction", By::Hash),
    ("debug_traceTransaction", By::Mined),
    ("trace_transaction", By::Hash),
    ("trace_replayTransaction", By::Mined),
    ("trace_get", By::Mined),
    ("trace_transactionOpcodeGas", By::Mined),
    ("ots_getInternalOperations", By::Mined),
    ("ots_getTransactionError", By::Mined),
    ("ots_traceTransaction", By::Mined),
    ("eth_getLogs", By::Logs),
    ("trace_filter", By::Traces),
    ("eth_feeHistory", By::Fees),
];

/// Returns these methods, forwarding requests to the forked node while the chain is a fork.
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

/// Wraps a method whose requests may be forwarded. Without a forked node, it calls the local method
/// directly.
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
                // Subscriptions are never forwarded.
                MethodCallback::Subscription(_) | MethodCallback::Unsubscription(_) => {
                    let error = ErrorObjectOwned::from(ErrorCode::InternalError);
                    Box::pin(ready(MethodResponse::error(id, error)))
                }
            };
        };
        let (here, devnet) = (here.clone(), Arc::clone(&devnet));
        Box::pin(async move {
            let task = tokio::task::spawn_blocking(move || {
                answer(name, by, &params, &here, &devnet, &remote)
            });
            let answer = task.await.unwrap_or_else(|error| Err(internal(error)));
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
    let request = Request { name, params, here, devnet, remote };
    match by {
        By::Block(index) => request.of_block(index, |number| number <= remote.number()),
        By::State(index) => request.of_block(index, |number| number < remote.number()),
        By::Hash => request.by_hash(),
        By::Mined => request.of_transaction(),
        By::Logs => request.logs(),
        By::Traces => request.traces(),
        By::Fees => request.fees(),
    }
}

/// Request that this node, the forked node or both can serve.
struct Request<'a> {
    name: &'static str,
    params: Value,
    here: &'a Methods,
    devnet: &'a DevnetState,
    remote: &'a Remote,
}

impl Request<'_> {
    /// Returns this node's response to these parameters.
    fn ours(&self, params: &Value) -> Result<Value, ErrorObjectOwned> {
        locally(self.here, self.name, params)
    }

    /// Returns the forked node's response to these parameters.
    fn theirs(&self, params: &Value) -> Result<Value, ErrorObjectOwned> {
        match explorer::REMOTE_METHODS.iter().find(|(name, _)| *name == self.name) {
            Some((_, answer)) => Ok(answer(self.remote, params)?),
            None => ask(self.remote, self.name, params),
        }
    }

    /// Returns the forked node's response to parameters with block numbers. Its earlier blocks are
    /// ancestors of this chain only if it still has the forked block, which is checked after the
    /// response.
    fn theirs_by_number(&self, params: &Value) -> Result<Value, ErrorObjectOwned> {
        let answer = self.theirs(params)?;
        self.remote.check_block().map_err(refusal)?;
        Ok(answer)
    }

    /// Returns the forked node's response only, and reports the request to the console, which the
    /// local method would otherwise do.
    fn only_theirs(&self, params: &Value) -> Result<Value, ErrorObjectOwned> {
        self.devnet.telemetry().count_request(self.name);
        self.theirs(params)
    }

    /// Like [`Self::only_theirs`], for parameters with block numbers.
    fn only_theirs_by_number(&self, params: &Value) -> Result<Value, ErrorObjectOwned> {
        self.devnet.telemetry().count_request(self.name);
        self.theirs_by_number(params)
    }

    fn head(&self) -> u64 {
        self.devnet.node.read(|node| node.chain.head().header.number)
    }

    /// Returns the number of the block that a tag refers to, on either node; `None` for the pending
    /// block.
    fn number_of_tag(&self, tag: BlockNumberOrTag) -> Option<u64> {
        let (head, epoch) = self
            .devnet
            .node
            .read(|node| (node.chain.head().header.number, node.settings.slots_in_an_epoch));
        let behind = |epochs: u64| head.saturating_sub(epoch.saturating_mul(epochs));
        match tag {
            BlockNumberOrTag::Number(number) => Some(number),
            BlockNumberOrTag::Latest => Some(head),
            BlockNumberOrTag::Safe => Some(behind(1)),
            BlockNumberOrTag::Finalized => Some(behind(2)),
            BlockNumberOrTag::Earliest => Some(0),
            BlockNumberOrTag::Pending => None,
        }
    }

    /// Returns the number of the block with a hash: on this node, or otherwise on the forked node.
    fn number_of_hash(&self, hash: B256) -> Result<Option<u64>, ErrorObjectOwned> {
        match self.devnet.api.block_by_hash(hash)? {
            Some(block) => Ok(Some(block.header.number)),
            None => self.remote.number_of(hash).map_err(refusal),
        }
    }

    /// Serves a request about a block, or forwards it if `is_theirs` returns `true` for the number.
    fn of_block(
        mut self,
        index: usize,
        is_theirs: impl Fn(u64) -> bool,
    ) -> Result<Value, ErrorObjectOwned> {
        let Some(id) = self.params.get(index).and_then(block_id) else {
            return self.ours(&self.params);
        };
        let number = match id {
            BlockId::Hash(hash) => self.number_of_hash(hash.block_hash)?,
            BlockId::Number(tag) => self.number_of_tag(tag),
        };
        match number {
            Some(number) if is_theirs(number) => {
                if matches!(id, BlockId::Hash(_)) {
                    return self.only_theirs(&self.params);
                }
                // The forked node would resolve the tag to another block.
                self.params[index] = hex(number);
                self.only_theirs_by_number(&self.params)
            }
            _ => self.ours(&self.params),
        }
    }

    fn by_hash(&self) -> Result<Value, ErrorObjectOwned> {
        match self.ours(&self.params) {
            Ok(Value::Null) => self.theirs(&self.params),
            Ok(Value::Array(found)) if found.is_empty() => self.theirs(&self.params),
            Err(refused) => self.theirs(&self.params).map_err(|_| refused),
            found => found,
        }
    }

    fn of_transaction(&self) -> Result<Value, ErrorObjectOwned> {
        let hash = self.params.get(0).and_then(|hash| B256::deserialize(hash).ok());
        let Some(hash) = hash else { return self.ours(&self.params) };
        match self.devnet.api.chain().transaction(&hash).map_err(RpcError::from)? {
            Some(_) => self.ours(&self.params),
            None => self.only_theirs(&self.params),
        }
    }
}

/// Parses a block id. Some methods accept plain numbers.
fn block_id(value: &Value) -> Option<BlockId> {
    match value.as_u64() {
        Some(number) => Some(BlockId::number(number)),
        None => BlockId::deserialize(value).ok(),
    }
}

fn hex(number: u64) -> Value {
    json!(format!("{number:#x}"))
}

/// Returns the error for invalid parameters.
fn invalid(message: impl Into<String>) -> ErrorObjectOwned {
    RpcError::params(message).into()
}

/// Returns the error of the forked node or of the connection to it.
fn internal(message: impl std::fmt::Display) -> ErrorObjectOwned {
    RpcError::failed(message.to_string()).into()
}

/// Sends a request to the forked node.
pub(super) fn ask(
    remote: &Remote,
    method: &str,
    params: &Value,
) -> Result<Value, ErrorObjectOwned> {
    remote.call(method, params).map_err(refusal)
}

pub(super) fn refusal(error: RemoteError) -> ErrorObjectOwned {
    match error {
        // Passed through unchanged, because clients may match on the forked node's error messages.
        RemoteError::Refused { code, message, data } => {
            ErrorObjectOwned::owned(code, message, data)
        }
        other => {
            let error = RpcError::failed(other.to_string());
            RpcError { data: other.hashes(), ..error }.into()
        }
    }
}

/// Serves a request from this node.
fn locally(here: &Methods, name: &str, params: &Value) -> Result<Value, ErrorObjectOwned> {
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": name, "params": params });
    let request = request.to_string();
    let response = here.raw_json_request(&request, 1);
    let answer = tokio::runtime::Handle::current().block_on(response).map_err(internal)?.0;
    let mut answer: Value = serde_json::from_str(answer.get()).map_err(internal)?;
    match answer.get("error") {
        Some(error) => Err(serde_json::from_value(error.clone()).map_err(internal)?),
        None => Ok(answer.get_mut("result").map(Value::take).unwrap_or_default()),
    }
}
