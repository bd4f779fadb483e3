//! Meaning of the error responses with which L1 rejects a transaction.

use crate::{L1Error, SubmitterError, l1::is_revert_response};
use alloy_sol_types::{SolError as _, sol};
use client::ClientError;

sol! {
    /// EXECUTE rejected a block; declared in `contracts/libraries/Execute.sol`.
    error ExecuteFailed();
}

/// Returns `true` if L1 answered with a JSON-RPC error.
pub(crate) const fn is_refusal(error: &SubmitterError) -> bool {
    matches!(error, SubmitterError::L1(L1Error::Client(ClientError::Rpc(error))) if error.is_error_resp())
}

/// Returns `true` if L1 rejected a transaction because EXECUTE failed: a block is invalid, or the
/// gas did not suffice.
pub(crate) fn is_execution_failure(error: &L1Error) -> bool {
    let L1Error::Client(ClientError::Rpc(error)) = error else { return false };
    let Some(answer) = error.as_error_resp() else { return false };
    let is_by_execute = answer
        .as_revert_data()
        .is_some_and(|data| data.get(..4) == Some(ExecuteFailed::SELECTOR.as_slice()));
    let message = answer.message.to_lowercase();
    // Messages of geth, reth and anvil for a call that runs out of gas, which has no revert data.
    is_by_execute || ["out of gas", "gas required exceeds"].iter().any(|it| message.contains(it))
}

/// Returns `true` if L1 has executed a call that reverts, and did not fail to respond.
pub(crate) fn is_revert(error: &L1Error) -> bool {
    matches!(error, L1Error::Client(ClientError::Rpc(error)) if is_revert_response(error))
}

pub(super) fn is_underpriced(error: &SubmitterError) -> bool {
    error.to_string().contains("underpriced")
}
