//! Parameters of devnet methods, and errors for invalid ones.

use rpc::RpcError;
pub(super) use rpc::{Args, Number};

/// Returns the error for invalid parameters.
pub(super) fn invalid(message: impl Into<String>) -> RpcError {
    RpcError::params(message)
}

/// Creates an internal error of the node.
pub(super) fn internal(message: impl std::fmt::Display) -> RpcError {
    RpcError::internal(message.to_string())
}
