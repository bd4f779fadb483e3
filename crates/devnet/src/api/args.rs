//! Parameters as clients send them, and the errors that answer bad ones.

use rpc::RpcError;
pub(super) use rpc::{Args, Number};

/// The parameters are wrong.
pub(super) fn invalid(message: impl Into<String>) -> RpcError {
    RpcError::params(message)
}

/// A fault of the node.
pub(super) fn internal(message: impl std::fmt::Display) -> RpcError {
    RpcError::internal(message.to_string())
}
