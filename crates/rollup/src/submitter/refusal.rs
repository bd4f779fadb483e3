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
    let Some(payload) = error.as_error_resp() else { return false };
    let is_by_execute =
        revert_data(error).is_some_and(|data| data.starts_with(&ExecuteFailed::SELECTOR));
    let message = payload.message.to_lowercase();
    // Messages of geth, reth and anvil for a call that runs out of gas, which has no revert data.
    is_by_execute
        || ["out of gas", "gas required exceeds"].iter().any(|text| message.contains(text))
}

/// Returns `true` if L1 responded that a call reverts.
pub(crate) fn is_revert(error: &L1Error) -> bool {
    matches!(error, L1Error::Client(ClientError::Rpc(error)) if is_revert_response(error))
}

/// Returns `true` if L1 responded that it does not have the block of a request.
///
/// geth and Erigon have the message `header not found` or `header for hash not found`, reth, Besu
/// and anvil `block not found`. Nethermind has the code of a missing resource (EIP-1474).
pub(super) fn is_unknown_block(error: &L1Error) -> bool {
    const RESOURCE_NOT_FOUND: i64 = -32_001;
    const METHOD_NOT_FOUND: i64 = -32_601;
    let L1Error::Client(ClientError::Rpc(error)) = error else { return false };
    let Some(payload) = error.as_error_resp() else { return false };
    let message = payload.message.to_lowercase();
    let is_about_block = ["block", "header"].iter().any(|text| message.contains(text));
    match payload.code {
        RESOURCE_NOT_FOUND => true,
        METHOD_NOT_FOUND => false,
        _ => is_about_block && (message.contains("not found") || message.contains("unknown block")),
    }
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
        response_with(-32_000, message, data)
    }

    fn response_with(code: i64, message: &str, data: &[u8]) -> L1Error {
        let data = hex::encode_prefixed(data);
        let payload = json!({ "code": code, "message": message, "data": data }).to_string();
        ClientError::Rpc(RpcError::ErrorResp(
            serde_json::from_str::<ErrorPayload>(&payload).unwrap(),
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
    fn unknown_blocks_of_all_clients_are_recognised() {
        for (code, message, is_unknown) in [
            (-32_000, "header not found", true),
            (-32_000, "header for hash 0x01 not found", true),
            (-32_000, "unknown block", true),
            (-32_001, "block not found: hash 0x01", true),
            (-32_000, "Block not found", true),
            (-32_001, "0x01 could not be found", true),
            (-32_601, "the method eth_getBlock was not found", false),
            (-32_000, "missing trie node", false),
            (-32_000, "account not found", false),
            (-32_005, "too many requests", false),
        ] {
            assert_eq!(
                is_unknown_block(&response_with(code, message, &[])),
                is_unknown,
                "{message}"
            );
        }
        assert!(!is_unknown_block(&L1Error::NoHead));
    }

    #[test]
    fn only_answers_about_calls_are_rejections() {
        assert!(SubmitterError::from(response("VM execution error.", &[])).is_rejection());
        assert!(!SubmitterError::from(response("too many requests", &[])).is_rejection());
        assert!(SubmitterError::SpendingLimit { spent: 2, limit: 1 }.is_rejection());
    }
}
