//! Errors of posting L2 blocks.

use crate::{duties::DutyError, l1::L1Error, submitter::SubmitterError};
use alloy_primitives::B256;
use chain::ChainError;
use execute::ExecuteError;
use std::io;
use wire::DecodeError;

/// Reason why the batcher cannot post blocks, or cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BatcherError {
    /// L1 cannot be read, or has other prices or limits than configured.
    #[error(transparent)]
    L1(#[from] L1Error),
    /// The transaction was not sent, or L1's pool rejected it.
    #[error(transparent)]
    Submitter(#[from] SubmitterError),
    /// The L2's chain cannot be read.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// An EXECUTE input cannot be encoded or decoded. If L1 has accepted it, L1 and this node
    /// disagree.
    #[error("invalid input of L2 block {number} on L1: {source}")]
    Input {
        /// Block number.
        number: u64,
        /// The decoding error.
        source: DecodeError,
    },
    /// An input cannot be encoded as blobs.
    #[error("failed to encode the blobs of an advance: {0}")]
    Blobs(String),
    /// A block does not fulfil a duty.
    #[error(transparent)]
    Duty(#[from] DutyError),
    /// EXECUTE rejects a block.
    #[error("EXECUTE refuses block {hash}: {reason}")]
    Refused {
        /// Block hash.
        hash: B256,
        /// EXECUTE's reason.
        reason: ExecuteError,
    },
    /// The operating system cannot create a thread.
    #[error("failed to create a thread: {0}")]
    NoThread(io::Error),
}
