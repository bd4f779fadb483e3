//! Errors of block production.

use crate::{
    duties::DutyError, l1::L1Error, l2::L2Error, lease::LeaseError, prefix::PrefixError,
    signer::SignerError,
};
use chain::{ChainError, Rejection};
use node::NodeError;

/// Reason why no block is built.
#[derive(Debug, thiserror::Error)]
pub enum SequencerError {
    /// L1 cannot be read, or does not admit the account of this node.
    #[error(transparent)]
    L1(#[from] L1Error),
    /// The L2 cannot be synced with L1.
    #[error(transparent)]
    L2(#[from] L2Error),
    /// The L2's chain cannot be read or extended.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// Error of the L2's node.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// L1 has not responded for longer than the sequencer may build blocks without it.
    #[error(
        "L1 has not responded for {silent} s, and blocks are only built without it for {limit} s, because L1 would reject older ones"
    )]
    L1Silent {
        /// Time since L1 was last read completely, in seconds.
        silent: u64,
        /// Maximum time, in seconds.
        limit: u64,
    },
    /// L1's time was set back before the timestamp of the latest L2 block, which L1 does not accept
    /// yet.
    #[error(
        "L1's time was set back: L2 block {number} has timestamp {got}, but L1's next block would have {expected}; \
         sealing resumes when L1 has caught up, or the blocks are rebuilt if that takes too long"
    )]
    AheadOfL1 {
        /// Number of the L2 block.
        number: u64,
        /// Timestamp of the L2 block, in seconds.
        got: u64,
        /// Timestamp of L1's next block, in seconds.
        expected: u64,
    },
    /// L1 and the L2 have different forks at the time of the next block, so EXECUTE would reject
    /// the block.
    #[error(
        "no blocks are built: {reason}. Set the forks of L1 in the genesis of the deployment file, and restart the node"
    )]
    UnknownFork {
        /// The difference.
        reason: String,
    },
    /// A block does not fulfil a duty.
    #[error(transparent)]
    Duty(#[from] DutyError),
    /// No block can be built that fits into an L1 transaction.
    #[error(
        "an L2 block with only its duties needs {bytes} bytes of calldata and {gas} EXECUTE gas, but at most {max_bytes} \
         bytes and {max_gas} gas fit"
    )]
    TooLarge {
        /// Bytes of the smallest input.
        bytes: usize,
        /// Maximum number of bytes.
        max_bytes: usize,
        /// EXECUTE gas of the smallest input.
        gas: u64,
        /// Maximum EXECUTE gas.
        max_gas: u64,
    },
    /// The operator's account on the L2 cannot pay for the system transactions of the next block.
    #[error("the L2 rejects the operator's transactions: {0}")]
    Operator(Rejection),
    /// The operator's key returned no valid signature.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// A block contradicts an earlier signature, or cannot be recorded.
    #[error(transparent)]
    Prefix(#[from] PrefixError),
    /// This node may not build blocks, because it has lost the lease or etcd does not respond.
    #[error(transparent)]
    Lease(#[from] LeaseError),
}
