//! Classification of the error responses with which L1 rejects a transaction.

use crate::{
    L1Error, SubmitterError,
    l1::{is_revert_response, revert_data},
};
use alloy_sol_types::{SolError as _, sol};
use client::ClientError;

sol! {
    /// EXECUTE rejected a block; declared in `contracts/libraries/Execute.sol`.
    error ExecuteFailed();
}

/// Returns `true` if L1 responded with a JSON-RPC error.
pub(crate) const fn is_refusal(error: &SubmitterError) -> bool {
    matches!(error, SubmitterError::L1(L1Error::Client(ClientError::Rpc(error))) if error.is_error_resp())
}

/// Returns `true` if L1 rejected a transaction because EXECUTE failed, i.e. a block is invalid or
/// the gas was insufficient.
pub(crate) fn is_execution_failure(error: &L1Error) -> bool {
    let L1Error::Client(ClientError::Rpc(error)) = error else { return false };
    let Some(answer) = error.as_error_resp() else { return false };
    let is_by_execute =
        revert_data(error).is_some_and(|data| data.starts_with(&ExecuteFailed::SELECTOR));
    let message = answer.message.to_lowercase();
    // Messages of geth, reth and anvil for a call that runs out of gas, which has no revert data.
    is_by_execute || ["out of gas", "gas required exceeds"].iter().any(|it| message.contains(it))
}

/// Returns `true` if L1 responded that a call reverts.
pub(crate) fn is_revert(error: &L1Error) -> bool {
    matches!(error, L1Error::Client(ClientError::Rpc(error)) if is_revert_response(error))
}

impl SubmitterError {
    /// Returns `false` if the outcome of a call is unknown, e.g. because L1 did not respond.
    pub(crate) fn is_rejection(&self) -> bool {
        !matches!(self, Self::L1(error) if !is_revert(error))
    }
}

pub(super) fn is_underpriced(error: &SubmitterError) -> bool {
    error.to_string().contains("underpriced")
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_json_rpc::{ErrorPayload, RpcError};
    use alloy_primitives::hex;
    use serde_json::json;

    fn response(message: &str, data: &[u8]) -> L1Error {
        let data = hex::encode_prefixed(data);
        let answer = json!({ "code": -32_000, "message": message, "data": data }).to_string();
        ClientError::Rpc(RpcError::ErrorResp(
            serde_json::from_str::<ErrorPayload>(&answer).unwrap(),
        ))
        .into()
    }

    #[test]
    fn failure_of_execute_is_recognised_by_selector() {
        let failed = ExecuteFailed::SELECTOR;
        for message in ["execution reverted", "Execution reverted", "VM execution error."] {
            assert!(is_execution_failure(&response(message, &failed)), "{message}");
            assert!(!is_execution_failure(&response(message, &[1, 2, 3, 4])), "{message}");
        }
        assert!(is_execution_failure(&response("out of gas", &[])));
    }

    #[test]
    fn only_answers_about_calls_are_rejections() {
        assert!(SubmitterError::from(response("VM execution error.", &[])).is_rejection());
        assert!(!SubmitterError::from(response("too many requests", &[])).is_rejection());
        assert!(SubmitterError::SpendingLimit { spent: 2, limit: 1 }.is_rejection());
    }
}
