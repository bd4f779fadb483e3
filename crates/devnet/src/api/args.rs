//! Parameters as clients send them, and the errors that answer bad ones.

use jsonrpsee::types::ErrorObjectOwned;
use rpc::RpcError;
pub(super) use rpc::{Args, Number};

/// The parameters are wrong.
pub(super) fn invalid(message: impl Into<String>) -> ErrorObjectOwned {
    RpcError::params(message).into()
}

/// The node could not do it.
pub(super) fn internal(message: impl std::fmt::Display) -> ErrorObjectOwned {
    RpcError::internal(message.to_string()).into()
}
