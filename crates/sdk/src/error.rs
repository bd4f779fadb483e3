//! Errors of the bridge. Each is returned before anything is sent, except for the approval of a
//! token deposit.

use crate::{
    ClaimError,
    bindings::{
        IL1MessageQueue::IL1MessageQueueErrors, IL1TokenBridge::IL1TokenBridgeErrors,
        IL2TokenBridge::IL2TokenBridgeErrors,
    },
};
use alloy_contract::Error as ContractError;
use alloy_primitives::{Address, B256, U256};
use alloy_provider::PendingTransactionError;
use alloy_transport::TransportError;
use core::fmt;
use rpc_types::Excerpt;

/// A chain of a rollup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// L1.
    L1,
    /// The L2.
    L2,
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::L1 => "L1",
            Self::L2 => "L2",
        })
    }
}

/// Error of a contract that rejects a call of the token bridge.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The bridge on L1.
    #[error("the token bridge on L1 rejects the call: {}", Excerpt::new(format_args!("{:?}", .0)))]
    L1TokenBridge(IL1TokenBridgeErrors),
    /// The queue, which the bridge on L1 calls.
    #[error("the message queue rejects the message of the token bridge: {}", Excerpt::new(format_args!("{:?}", .0)))]
    MessageQueue(IL1MessageQueueErrors),
    /// The bridge on the L2.
    #[error("the token bridge on the L2 rejects the call: {}", Excerpt::new(format_args!("{:?}", .0)))]
    L2TokenBridge(IL2TokenBridgeErrors),
}

/// Reason why a transaction was not sent.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    /// A request failed, or a node rejected the transaction.
    // Not a source, like all errors with a node's response: reports of error chains would contain
    // the whole response.
    #[error("{}", Excerpt::new(.0))]
    Transport(TransportError),
    /// A call of a contract on L1 failed.
    #[error("{}", Excerpt::new(.0))]
    Contract(ContractError),
    /// The node, or a transaction to be forced, is of another chain.
    #[error("the chain id of the {layer} is {expected}, got {got}")]
    WrongChain {
        /// Chain of the rollup.
        layer: Layer,
        /// Chain id of the node or of the transaction, zero if the transaction has none.
        got: u64,
        /// Chain id of the rollup's chain.
        expected: u64,
    },
    /// A contract belongs to another rollup.
    #[error("{what} is {got}, expected {expected}")]
    WrongRollup {
        /// Which contract.
        what: &'static str,
        /// Address that was found.
        got: Address,
        /// Expected address.
        expected: Address,
    },
    /// L1 does not have the block of the message yet.
    #[error("L1 has the L2 blocks up to {got}, and the message was sent in block {expected}")]
    NotReady {
        /// Newest L2 block on L1.
        got: u64,
        /// L2 block that L1 must have.
        expected: u64,
    },
    /// L1 no longer stores the state root of the block.
    #[error("L1 stores the state roots from L2 block {expected} on, not that of {got}")]
    StateRootExpired {
        /// L2 block of the proof.
        got: u64,
        /// Oldest L2 block whose state root L1 stores.
        expected: u64,
    },
    /// The message has been claimed or refunded.
    #[error("message {0} has already been claimed")]
    AlreadyClaimed(u64),
    /// The node of the L2 did not prove the message.
    #[error(transparent)]
    Proof(#[from] ClaimError),
    /// The node of the L2 returned a call that is not the claim of the message.
    #[error(
        "the node returned the call of another function, or a malformed one: {}",
        Excerpt::new(.0)
    )]
    Calldata(alloy_sol_types::Error),
    /// The node of the L2 returned the claim of another message.
    #[error("the node returned the claim of a message with the hash {got}, expected {expected}")]
    OtherMessage {
        /// Hash of the message in the call.
        got: B256,
        /// Hash of the message to be claimed.
        expected: B256,
    },
    /// The sender is a contract on L1: no key controls its address on the L2.
    #[error("{sender} is a contract with {code_size} bytes of code: name a target on the L2")]
    ContractWallet {
        /// The sender.
        sender: Address,
        /// Length of its code.
        code_size: usize,
    },
    /// A message with data has no gas limit, so the call of its target would fail.
    #[error("a message with {got} bytes of data has no gas limit, expected the gas of its call")]
    MessageGasMissing {
        /// Length of the data, in bytes.
        got: usize,
    },
    /// The minimum fee of a message is above the maximum that the caller accepts.
    #[error("the minimum fee is {got} wei, at most {expected} is accepted")]
    FeeAboveMaximum {
        /// Minimum fee, in wei.
        got: U256,
        /// Maximum fee, in wei.
        expected: u128,
    },
    /// The rollup was read without its token bridge.
    #[error("no token bridge is known, add it by `Rollup::with_token_bridge`")]
    NoTokenBridge,
    /// A contract rejects a call of the token bridge.
    #[error(transparent)]
    Rejected(Box<Rejection>),
    /// The approval of a token deposit was sent, but L1 has not included it.
    #[error("the approval was not included: {}", Excerpt::new(.0))]
    Approval(PendingTransactionError),
    /// A transaction to be forced cannot be decoded.
    #[error("malformed transaction: {0}")]
    Malformed(alloy_eips::eip2718::Eip2718Error),
}

impl From<TransportError> for BridgeError {
    fn from(error: TransportError) -> Self {
        Self::Transport(error)
    }
}

impl From<ContractError> for BridgeError {
    fn from(error: ContractError) -> Self {
        Self::Contract(error)
    }
}

impl From<PendingTransactionError> for BridgeError {
    fn from(error: PendingTransactionError) -> Self {
        Self::Approval(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::IL1MessageQueue::DeliveryFailed;
    use core::error::Error as _;

    /// Errors with a node's response.
    fn errors(response: &str) -> [BridgeError; 5] {
        let payload = serde_json::json!({ "code": -32_000, "message": response }).to_string();
        let transport = || TransportError::ErrorResp(serde_json::from_str(&payload).unwrap());
        let reason = response.as_bytes().to_vec().into();
        let reverted = IL1MessageQueueErrors::DeliveryFailed(DeliveryFailed { reason });
        [
            transport().into(),
            ContractError::TransportError(transport()).into(),
            PendingTransactionError::TransportError(transport()).into(),
            BridgeError::Calldata(alloy_sol_types::Error::custom(response.to_owned())),
            BridgeError::Rejected(Box::new(Rejection::MessageQueue(reverted))),
        ]
    }

    #[test]
    fn response_texts_in_errors_are_bounded() {
        for error in errors(&"x".repeat(1 << 20)) {
            let text = error.to_string();
            assert!(text.len() < Excerpt::LIMIT + 100, "{} bytes", text.len());
            assert!(text.ends_with("more bytes)"), "{text}");
            assert!(error.source().is_none(), "{text}");
        }
        for error in errors("no funds") {
            let text = error.to_string();
            let (plain, hex) = ("no funds", "0x6e6f2066756e6473");
            assert!(text.contains(plain) || text.contains(hex), "{text}");
        }
    }
}
