//! Errors of importing L2 blocks, and of nodes that serve them.

use crate::l1::L1Error;
use alloy_primitives::{Address, B256};
use chain::ChainError;
use client::Excerpt;
use core::fmt::Display;
use execute::ExecuteError;
use node::NodeError;
use std::{io, path::PathBuf};
use wire::DecodeError;

/// Error of keeping the L2 in sync with L1 or with a sequencer.
#[derive(Debug, thiserror::Error)]
pub enum L2Error {
    /// L1 cannot be read, or lacks data of the L2.
    #[error(transparent)]
    L1(#[from] L1Error),
    /// The L2's chain cannot be read or extended.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// Error of the L2's node.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// An EXECUTE input cannot be encoded or decoded. If L1 has accepted it, L1 and this node
    /// disagree.
    #[error("invalid input of L2 block {number} on L1: {source}")]
    Input {
        /// Block number.
        number: u64,
        /// The decoding error.
        source: DecodeError,
    },
    /// An L2 block on L1 differs from the one that this node has executed.
    #[error("L2 block {number} has {what} {got}, but {expected} on L1")]
    Diverged {
        /// Number of the L2 block.
        number: u64,
        /// Name of the value that differs.
        what: &'static str,
        /// This node's value.
        got: B256,
        /// L1's value.
        expected: B256,
    },
    /// EXECUTE rejects a block.
    #[error("EXECUTE refuses block {hash}: {reason}")]
    Refused {
        /// Block hash.
        hash: B256,
        /// EXECUTE's reason.
        reason: ExecuteError,
    },
    /// A block belongs to another chain.
    #[error("block of chain {got}, expected chain {expected}")]
    OtherL2 {
        /// Chain id of the block.
        got: u64,
        /// L2 chain id.
        expected: u64,
    },
    /// L1 no longer includes the block of the snapshot from which this node started.
    #[error(
        "L1 was reorganised and does not include block {first}, the first of this node's chain: import a snapshot of a finalized block into a new data directory"
    )]
    SnapshotGone {
        /// Number of the L2 block.
        first: u64,
    },
    /// The pool's file cannot be used.
    #[error("cannot use {}: {source}", path.display())]
    Pool {
        /// Path of the file.
        path: PathBuf,
        /// Reason.
        source: io::Error,
    },
}

/// Error in the response of a node that serves unsafe blocks. None of its blocks is executed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeedError {
    /// The request failed, or the response is malformed.
    #[error("{0}")]
    Request(String),
    /// The node did not respond within this time, in seconds.
    #[error("no answer within {0} s")]
    Silent(u64),
    /// A response has more blocks than requested.
    #[error("{got} blocks in a response, expected at most {limit}")]
    TooMany {
        /// Number of blocks.
        got: usize,
        /// Requested number.
        limit: usize,
    },
    /// A block's bytes are not an EXECUTE input.
    #[error("malformed block: {0}")]
    Malformed(String),
    /// The blocks are not consecutive from the requested one on.
    #[error("block {got}, expected block {expected}")]
    OutOfOrder {
        /// Block number.
        got: u64,
        /// Expected number.
        expected: u64,
    },
    /// A block belongs to another L2.
    #[error("block of chain {got}, expected chain {expected}")]
    OtherChain {
        /// Chain id of the block.
        got: u64,
        /// Chain id of this L2.
        expected: u64,
    },
    /// A block does not have the hash that it names.
    #[error("block {number} ({hash}) was altered: {reason}")]
    Altered {
        /// Block number.
        number: u64,
        /// Hash that the block names.
        hash: B256,
        /// The difference.
        reason: String,
    },
    /// A block lacks the required signature.
    #[error("block {number} ({hash}) is not signed, expected a signature of the sequencer")]
    Unsigned {
        /// Block number.
        number: u64,
        /// Its hash.
        hash: B256,
    },
    /// A block's signature is malformed.
    #[error("the signature on block {number} ({hash}) is malformed")]
    NoSignature {
        /// Block number.
        number: u64,
        /// Its hash.
        hash: B256,
    },
    /// A block was signed by an account that is not trusted to build blocks, or the signature is
    /// for another block.
    #[error(
        "block {number} is signed by {got}, expected an account of --feed-signer, or one that the rollup's policy admits"
    )]
    WrongSigner {
        /// Block number.
        number: u64,
        /// Account that the signature recovers to.
        got: Address,
    },
    /// The request to L1 whether the policy admits the signer failed.
    #[error("failed to check the signer with the rollup's policy: {0}")]
    Policy(String),
    /// The node serves none of the blocks that it claims to have.
    #[error("no block after {from}, expected those up to its head {head}")]
    Withheld {
        /// Number of the block after which blocks were requested.
        from: u64,
        /// Number of the node's head.
        head: u64,
    },
    /// The node is behind L1.
    #[error("head {got}, expected at least {expected}, which is on L1")]
    Behind {
        /// Number of the node's head.
        got: u64,
        /// Number of the latest L2 block on L1.
        expected: u64,
    },
    /// The node repeatedly serves blocks that do not extend this node's chain.
    #[error("{0} responses whose blocks do not continue this chain")]
    InVain(usize),
    /// The node is starting or stopping.
    #[error("the node is not ready")]
    NotOpen,
}

impl FeedError {
    /// Creates a [`Self::Request`] with the beginning of the error's text, which may contain the
    /// whole response.
    pub(crate) fn request(error: impl Display) -> Self {
        Self::Request(Excerpt::new(error).to_string())
    }
}
