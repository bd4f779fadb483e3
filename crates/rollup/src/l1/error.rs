//! Errors of reading L1.

use alloy_json_rpc::ErrorPayload;
use alloy_primitives::{Address, B256, Bytes};
use alloy_provider::transport::TransportError;
use chain::ChainError;
use client::{ClientError, Excerpt};
use core::fmt::Display;
use disk::DiskError;
use execute::ExecuteError;
use std::time::Duration;
use wire::DecodeError;

/// Error of reading L1, or a difference between L1 and the configuration.
#[derive(Debug, thiserror::Error)]
pub enum L1Error {
    /// The L1 node does not respond, or responds with an error.
    #[error("L1: {0}")]
    Client(#[from] ClientError),
    /// The L1 node's response contradicts itself, or a header that was read before.
    #[error("inconsistent response of the L1 node: {what} is {got}, expected {expected}")]
    Mismatch {
        /// Name of the wrong value.
        what: &'static str,
        /// The L1 node's value.
        got: String,
        /// Expected value.
        expected: String,
    },
    /// The L1 nodes have different blocks at the same height.
    #[error(
        "the L1 nodes disagree on block {number}: {same} of {nodes} nodes have {got}, another has {expected}"
    )]
    Disagreement {
        /// Block number.
        number: u64,
        /// Hash of the block that was read.
        got: B256,
        /// Hash at another node.
        expected: B256,
        /// Number of nodes with the hash that was read.
        same: usize,
        /// Number of nodes that responded.
        nodes: usize,
    },
    /// The L1 nodes respond differently about the contracts.
    #[error(
        "the L1 nodes disagree on the state of L1: at most {same} of {nodes} nodes have the same response, expected more than half"
    )]
    Undecided {
        /// Number of nodes with the most frequent response.
        same: usize,
        /// Number of nodes that responded.
        nodes: usize,
    },
    /// The node no longer has a block that it reported before.
    #[error("the L1 node no longer has block {0}")]
    Gone(B256),
    /// The node reports no latest block.
    #[error("the L1 node has no latest block")]
    NoHead,
    /// A reorg replaced all remembered headers.
    #[error("L1 was reorganised below block {0}, the oldest that this node remembers")]
    TooDeep(u64),
    /// A consensus client's response is not one of the Beacon API.
    #[error("consensus client of L1: {}", Excerpt::new(.0))]
    Beacon(String),
    /// A consensus client lacks a blob of a transaction.
    #[error(
        "the consensus client of L1 lacks the blob {hash} of a transaction in L1 block {block}"
    )]
    BlobMissing {
        /// Number of the L1 block.
        block: u64,
        /// Versioned hash of the blob.
        hash: B256,
    },
    /// A consensus client does not respond, or responds with an error.
    #[error(
        "failed to get the blobs {hashes} of L1 block {block} from the consensus client of L1: {source}"
    )]
    BlobsRefused {
        /// Number of the L1 block.
        block: u64,
        /// Versioned hashes of the blobs.
        hashes: String,
        /// Error of the request.
        source: Box<Self>,
    },
    /// L2 blocks are in blobs, and no consensus client is configured.
    #[error(
        "L2 blocks are in the blobs of L1 transaction {0}: set the URL of a consensus client (l1_beacon)"
    )]
    NoBeacon(B256),
    /// The L1 node has not responded in time.
    #[error("the L1 node has not responded within {limit:?}")]
    TooSlow {
        /// Maximum time for the response.
        limit: Duration,
    },
    /// A thread for a request could not be started, or has panicked.
    #[error("a thread for a request to L1 could not be started or panicked")]
    Thread,
    /// The file of L1's history cannot be read or written.
    #[error("L1 history file: {0}")]
    Log(#[from] DiskError),
    /// A call to a contract on L1 failed.
    // Not a source, like `ClientError::Rpc`.
    #[error("call to a contract on L1 failed: {}", Excerpt::new(.0))]
    Contract(alloy_contract::Error),
    /// The inputs of an `advance` cannot be found.
    #[error(transparent)]
    DataMissing(#[from] derive::DataMissing),
    /// The deployment is on another L1.
    #[error("L1 has chain id {got}, but the deployment is on chain {expected}")]
    OtherL1 {
        /// Chain id of the L1 node.
        got: u64,
        /// L1 chain id of the deployment.
        expected: u64,
    },
    /// The contract at the deployment's address is not this rollup.
    #[error("the contract at {rollup} is not the rollup of the deployment: {reason}")]
    OtherRollup {
        /// The address.
        rollup: Address,
        /// The difference.
        reason: String,
    },
    /// The sequencing policy does not allow the account of this node to advance now.
    #[error("{account} may not advance the rollup now: {reason}")]
    NotAuthorized {
        /// The account.
        account: Address,
        /// The policy's reason.
        reason: String,
    },
    /// L1's EXECUTE has another gas schedule than configured.
    #[error(
        "EXECUTE on L1 requires {what} gas than the schedule {configured}, which reserves {reserve} for an empty block; \
         L1 seems to have the schedule {fitting}, see --l1-execute-gas"
    )]
    Profile {
        /// Configured schedule.
        configured: String,
        /// Gas that the schedule reserves for an empty block.
        reserve: u64,
        /// `more` or `less`.
        what: &'static str,
        /// Name of a schedule with L1's prices, if one fits.
        fitting: &'static str,
    },
    /// The gas limit of L1's blocks is below the gas limit of the transactions for which L2 blocks
    /// are sized.
    #[error(
        "L1's blocks have {got} gas, and L2 blocks are sized for transactions of up to {expected}: restart the node, and it \
         builds smaller ones"
    )]
    Limits {
        /// Gas limit of L1's latest block.
        got: u64,
        /// Maximum gas of a transaction by the configuration.
        expected: u64,
    },
    /// An EXECUTE input cannot be encoded or decoded. If L1 has accepted it, L1 and this node
    /// disagree.
    #[error("invalid input of L2 block {number} on L1: {source}")]
    Input {
        /// Block number.
        number: u64,
        /// The decoding error.
        source: DecodeError,
    },
    /// EXECUTE rejects the block that is used to compare its prices.
    #[error("EXECUTE refuses block {hash}: {reason}")]
    Refused {
        /// Block hash.
        hash: B256,
        /// EXECUTE's reason.
        reason: ExecuteError,
    },
    /// The L2's chain cannot be read, or the block that is used to compare EXECUTE's prices cannot
    /// be built.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

impl L1Error {
    pub(crate) fn mismatch(what: &'static str, got: impl Display, expected: impl Display) -> Self {
        Self::Mismatch { what, got: got.to_string(), expected: expected.to_string() }
    }

    /// Returns `true` if the next L1 node should be tried: this one contradicts itself, lacks data
    /// that every node has, or sends a response of another type.
    pub(crate) const fn is_of_this_node(&self) -> bool {
        use alloy_provider::transport::RpcError;
        matches!(
            self,
            Self::Mismatch { .. }
                | Self::Gone(_)
                | Self::NoHead
                | Self::Client(ClientError::Rpc(RpcError::DeserError { .. }))
        )
    }

    /// Returns `true` if a service of L1 is unavailable for now. Nothing contradicts its earlier
    /// responses, so the sequencer may build on these for a while.
    pub(crate) const fn is_outage(&self) -> bool {
        matches!(
            self,
            Self::Client(_)
                | Self::Disagreement { .. }
                | Self::Undecided { .. }
                | Self::Gone(_)
                | Self::Beacon(_)
                | Self::BlobMissing { .. }
                | Self::BlobsRefused { .. }
                | Self::Contract(alloy_contract::Error::TransportError(_))
        )
    }
}

impl From<alloy_contract::Error> for L1Error {
    fn from(error: alloy_contract::Error) -> Self {
        Self::Contract(error)
    }
}

impl<E> From<alloy_provider::transport::RpcError<E>> for L1Error
where
    ClientError: From<alloy_provider::transport::RpcError<E>>,
{
    fn from(error: alloy_provider::transport::RpcError<E>) -> Self {
        Self::Client(error.into())
    }
}

/// Returns `true` if the error response is that of a reverted call: it has revert data, or its code
/// or message reports a revert. Other error responses, such as that of a rate limit, do not depend
/// on the call.
pub(crate) fn is_revert_response(error: &TransportError) -> bool {
    error.as_error_resp().is_some_and(reports_revert) || revert_data(error).is_some()
}

/// The message differs between clients: geth, reth, Erigon and Besu have `execution reverted`, some
/// in upper case, and Nethermind has `VM execution error`.
fn reports_revert(payload: &ErrorPayload) -> bool {
    let message = payload.message.to_lowercase();
    // 3 is the code of a revert in the execution APIs.
    payload.code == 3 || ["revert", "vm execution error"].iter().any(|text| message.contains(text))
}

/// Returns the revert data of a call. Unlike [`ErrorPayload::as_revert_data`], it does not require
/// a known message: without one, the data must be a selector followed by 32-byte words, since other
/// errors may also have data, such as a transaction hash or a request id.
pub fn revert_data(error: &TransportError) -> Option<Bytes> {
    let payload = error.as_error_resp()?;
    let text = payload.try_data_as::<String>().and_then(Result::ok);
    let data = text.and_then(|text| {
        // Nethermind and OpenEthereum prefix the data with a word.
        let data = text.strip_prefix("Reverted ").unwrap_or(&text);
        // `Bytes` would also accept text without the prefix.
        data.starts_with("0x").then(|| data.parse::<Bytes>().ok()).flatten()
    });
    data.filter(|data| data.len() % 32 == 4 || reports_revert(payload))
        .or_else(|| payload.as_revert_data())
}

/// Request errors that distinguish a missing response from an error response.
pub(crate) trait Silence {
    /// Returns `true` if the node did not respond.
    fn is_silence(&self) -> bool;
}

impl<E> Silence for alloy_provider::transport::RpcError<E> {
    fn is_silence(&self) -> bool {
        self.is_transport_error()
    }
}

impl Silence for L1Error {
    fn is_silence(&self) -> bool {
        match self {
            Self::Client(ClientError::Http(_)) => true,
            Self::Client(ClientError::Rpc(error)) => error.is_silence(),
            Self::Contract(error) => error.is_silence(),
            Self::TooSlow { .. } => true,
            _ => false,
        }
    }
}

impl Silence for alloy_contract::Error {
    fn is_silence(&self) -> bool {
        matches!(self, Self::TransportError(error) if error.is_transport_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_json_rpc::RpcError;
    use serde_json::json;

    fn response(code: i64, message: &str, data: Option<&str>) -> TransportError {
        let payload = json!({ "code": code, "message": message, "data": data }).to_string();
        RpcError::ErrorResp(serde_json::from_str::<ErrorPayload>(&payload).unwrap())
    }

    #[test]
    fn reverts_of_all_clients_are_recognised() {
        let (hash, words) = (format!("0x{:064x}", 7), format!("0x01020304{:064x}", 7));
        for (code, message, data, is_revert) in [
            (3, "execution reverted: NotSequencer()", None, true),
            (-32_000, "execution reverted", None, true),
            (-32_000, "Execution reverted", None, true),
            (-32_015, "VM execution error.", None, true),
            (-32_015, "Reverted 0x", None, true),
            (3, "", None, true),
            (-32_000, "the call failed", Some("0x01020304"), true),
            (-32_000, "the call failed", Some("0x010203"), false),
            (-32_000, "the call failed", Some("of its data"), false),
            (-32_000, "the call failed", Some(&words), true),
            (-32_000, "already known", Some(&hash), false),
            (-32_005, "too many requests", Some("3f2a9c0b"), false),
            (-32_005, "too many requests", None, false),
            (-32_000, "header not found", None, false),
            (-32_603, "internal error", None, false),
        ] {
            let error = response(code, message, data);
            assert_eq!(is_revert_response(&error), is_revert, "{message} {data:?}");
        }
    }

    #[test]
    fn data_of_reverts_is_found_beside_any_words() {
        for (message, data) in [
            ("execution reverted", "0x0102030405"),
            ("Execution reverted", "0x0102030405"),
            ("VM execution error.", "0x0102030405"),
            ("VM execution error.", "Reverted 0x0102030405"),
        ] {
            let data = revert_data(&response(-32_000, message, Some(data)));
            assert_eq!(data.unwrap_or_default()[..], [1, 2, 3, 4, 5], "{message}");
        }
        for data in [None, Some("Reverted"), Some("0x0")] {
            assert_eq!(revert_data(&response(-32_000, "execution reverted", data)), None);
        }
        // Not a selector and words, so only the code or the message identifies a revert.
        for (code, message, length) in
            [(3, "", Some(5)), (-32_000, "reverted", Some(5)), (-32_000, "already known", None)]
        {
            let data = revert_data(&response(code, message, Some("0x0102030405")));
            assert_eq!(data.map(|data| data.len()), length, "{code} {message}");
        }
    }
}
