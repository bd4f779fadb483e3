//! Parameters of devnet methods, and the errors that many of them share.

use crate::state::DevnetState;
use rpc::RpcError;
pub(super) use rpc::{Args, Number};
use serde_json::Value;

/// Creates an internal error of the node.
pub(super) fn internal(message: impl std::fmt::Display) -> RpcError {
    RpcError::internal(message.to_string())
}

/// Rejects a method that stock anvil lists but does not implement.
pub(super) fn not_implemented(_: &DevnetState, _: &mut Args) -> Result<Value, RpcError> {
    Err(RpcError::failed("Not implemented"))
}
