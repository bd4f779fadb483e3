//! Errors of role changes, and of the admin port.

use crate::{batcher::BatcherError, l1::L1Error, prefix::PrefixError, submitter::SubmitterError};
use alloy_primitives::{Address, U64, U256};
use client::RedactedUrl;
use rpc::{RpcError, ServeError};
use rpc_types::codes::role;
use serde_json::{Value, json};

/// Adds the found and the expected value to an error.
pub(super) fn evidence(error: RpcError, got: u64, expected: u64) -> RpcError {
    let data = json!({
        "got": U64::from(got),
        "expected": U64::from(expected),
    });
    RpcError { data: Some(data), ..error }
}

/// Reason why the admin port cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum AdminPortError {
    /// The address is reachable from other machines, or the token file cannot be used.
    #[error("{field}: {reason}")]
    Config {
        /// Name of the field of the configuration.
        field: &'static str,
        /// Reason.
        reason: String,
    },
    /// The server cannot start.
    #[error(transparent)]
    Serve(#[from] ServeError),
}

/// Reason why a node rejects a role change.
#[derive(Debug, thiserror::Error)]
pub enum RoleError {
    /// The node already has the role.
    #[error("this node is already a {got}")]
    Already {
        /// Role of the node.
        got: &'static str,
    },
    /// The node has no sequencer configuration, and so no keys to sign with.
    #[error("this node was started without the keys of a sequencer")]
    NoKeys,
    /// The node cannot keep the promises of earlier leaders.
    #[error(transparent)]
    Prefix(#[from] PrefixError),
    /// The node is not synced with L1, or has a fault.
    #[error("L1 has only been read up to block {got} of {expected}{}", fault.as_ref().map(|fault| format!(": {fault}")).unwrap_or_default())]
    NotSynced {
        /// Newest L1 block that the node has read.
        got: u64,
        /// Newest L1 block.
        expected: u64,
        /// The node's fault, if it has one.
        fault: Option<String>,
    },
    /// The sequencer that the node follows is running.
    #[error("{url} is the sequencer, with head {head}: stop or demote it first")]
    SequencerLives {
        /// URL of that node.
        url: RedactedUrl,
        /// Number of its newest block.
        head: u64,
    },
    /// The account has pending transactions on L1, sent by the node that used the key before.
    #[error(
        "the advance account has nonce {got} on L1, but {expected} with its pending transactions"
    )]
    Nonce {
        /// Nonce at L1's newest block.
        got: u64,
        /// Nonce after the pending transactions.
        expected: u64,
    },
    /// The account has too little ETH on L1.
    #[error("{account} has {got} wei on L1, expected at least {expected}")]
    Funds {
        /// Account that pays for L1 transactions.
        account: Address,
        /// Its balance in wei.
        got: U256,
        /// Minimum balance in wei.
        expected: U256,
    },
    /// The sequencing policy does not allow the account to advance now.
    #[error("{account} may not advance the rollup now: {reason}")]
    NotAuthorized {
        /// The account.
        account: Address,
        /// The policy's reason.
        reason: String,
    },
    /// L1 does not respond, or the batcher cannot start.
    #[error("not ready: {0}")]
    Unready(#[from] BatcherError),
    /// Another node holds the lease, or etcd does not respond. This node leads as soon as it gets
    /// the lease.
    #[error("{} holds the lease: this node leads once it gets the lease", leader.as_ref().map_or_else(|| "no known node".to_owned(), ToString::to_string))]
    NoLease {
        /// WebSocket URL of the node that holds the lease, if it is known.
        leader: Option<RedactedUrl>,
    },
    /// The worker thread has ended, or did not begin the command in time; the command is withdrawn.
    #[error("the node is busy, perhaps waiting for L1: its role was not changed")]
    Silent,
}

impl From<SubmitterError> for RoleError {
    fn from(error: SubmitterError) -> Self {
        match error {
            SubmitterError::Funds { account, balance: got, cost: expected } => {
                Self::Funds { account, got, expected }
            }
            other => Self::Unready(other.into()),
        }
    }
}

impl From<L1Error> for RoleError {
    fn from(error: L1Error) -> Self {
        match error {
            L1Error::NotAuthorized { account, reason } => Self::NotAuthorized { account, reason },
            other => Self::Unready(other.into()),
        }
    }
}

impl RoleError {
    /// Returns the JSON-RPC error code, one for each reason.
    pub(super) const fn code(&self) -> i32 {
        match self {
            Self::Already { .. } => role::ALREADY,
            Self::NoKeys => role::NO_KEYS,
            Self::NotSynced { .. } => role::NOT_SYNCED,
            Self::SequencerLives { .. } => role::SEQUENCER_LIVES,
            Self::Nonce { .. } => role::NONCE,
            Self::Funds { .. } => role::FUNDS,
            Self::NotAuthorized { .. } => role::NOT_AUTHORIZED,
            Self::Unready(_) => role::UNREADY,
            Self::Silent => role::SILENT,
            Self::NoLease { .. } => role::NO_LEASE,
            Self::Prefix(_) => role::PROMISES,
        }
    }

    /// Returns the found and expected values for the `data` field of the JSON-RPC error.
    pub(super) fn data(&self) -> Option<Value> {
        Some(match self {
            Self::Already { got } => json!({ "got": got }),
            Self::NotSynced { got, expected, fault } => {
                json!({ "got": got, "expected": expected, "fault": fault })
            }
            Self::SequencerLives { url, head } => json!({ "url": url, "head": head }),
            Self::Nonce { got, expected } => json!({ "got": got, "expected": expected }),
            Self::Funds { account, got, expected } => {
                json!({ "account": account, "got": got, "expected": expected })
            }
            Self::NotAuthorized { account, reason } => {
                json!({ "account": account, "reason": reason })
            }
            Self::Unready(error) => json!({ "reason": error.to_string() }),
            Self::NoLease { leader } => json!({ "leader": leader }),
            Self::Prefix(error) => json!({ "reason": error.to_string() }),
            Self::NoKeys | Self::Silent => return None,
        })
    }
}
