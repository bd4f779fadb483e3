//! Errors of signing prefixes, and reasons for not signing any.

use crate::{lease::LeaseError, signer::SignerError};
use alloy_primitives::{Address, U256};
use disk::DiskError;
use preconf::{Conflict, HeaderError};
use std::path::PathBuf;

/// Reason why a prefix is not signed.
#[derive(Debug, thiserror::Error)]
pub enum PrefixError {
    /// The journal cannot be opened.
    #[error("failed to open the journal of preconfirmations {}: {source}", path.display())]
    Journal {
        /// Path of the journal.
        path: PathBuf,
        /// The error.
        source: DiskError,
    },
    /// The journal cannot be written, so the prefix must not be signed.
    #[error("failed to record a preconfirmation: {0}")]
    NotRecorded(DiskError),
    /// The journal is too long for further blocks without a signature.
    #[error("journal of preconfirmations is full with {got} bytes, until L1 finalizes blocks")]
    JournalFull {
        /// Length of the file in bytes.
        got: u64,
    },
    /// The journal in etcd cannot be read or written, so the prefix must not be signed.
    #[error("failed to access the journal of preconfirmations in etcd: {0}")]
    NotShared(LeaseError),
    /// A record in etcd is malformed.
    #[error("malformed record {number} of the journal in etcd: {source}")]
    SharedRecord {
        /// Number of the record.
        number: u64,
        /// The error.
        source: DiskError,
    },
    /// The records in etcd contain too many repeated transactions to be read.
    #[error(
        "the journal in etcd has {got} transactions up to record {number}, expected at most {limit}"
    )]
    TooManyTransactions {
        /// Number of the record.
        number: u64,
        /// Number of transactions that were read.
        got: usize,
        /// Maximum number.
        limit: usize,
    },
    /// This node lacks blocks that earlier leaders have promised to extend.
    #[error("head of this node is block {got}, but earlier leaders have promised block {expected}")]
    Behind {
        /// Number of the head.
        got: u64,
        /// Number of the first recorded block with a promise in force.
        expected: u64,
    },
    /// The prefix contradicts an earlier signature.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// The header is too long, or has fields that the contracts do not support.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The signer returned no signature.
    #[error(transparent)]
    Signer(#[from] SignerError),
}

impl PrefixError {
    /// Returns `true` if a record or a signature of the prefix may exist despite the error.
    pub(crate) const fn may_be_recorded(&self) -> bool {
        matches!(self, Self::Signer(_) | Self::NotRecorded(_) | Self::NotShared(_))
    }
}

/// Reason why the next block is sealed without signed prefixes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotPreconfirming {
    /// The journal was lost or corrupted, and no block of this process is on L1 yet. Until then, an
    /// unknown signature may bind the key.
    #[error(
        "the journal of preconfirmations is incomplete, and L1 has no block of this process yet"
    )]
    JournalLost,
    /// The parent or an ancestor is neither on L1 nor in the journal in etcd, so the next leader
    /// may lack it.
    #[error("the parent or one of its ancestors is neither on L1 nor recorded in etcd")]
    ParentNotShared,
    /// The journal in etcd exceeds its limit.
    #[error(
        "the journal in etcd has {got} bytes, at most {limit} allowed until L1 has more blocks"
    )]
    JournalLong {
        /// Length of all records in bytes.
        got: usize,
        /// Limit in bytes.
        limit: usize,
    },
    /// Anyone may post blocks.
    #[error("the rollup has no sequencing policy, so any account may post another block")]
    OpenPolicy,
    /// The requests to L1 about the sequencer's role and bond failed.
    #[error("the policy, its changes and the bond could not be read from L1")]
    PolicyUnread,
    /// The role is offered to another account, which need not keep this node's promises.
    #[error(
        "the sequencer role is offered to {successor}, which need not keep this node's promises"
    )]
    HandoverOffered {
        /// The account.
        successor: Address,
    },
    /// The owner can change a rule of the rollup before L1 has the block.
    #[error("a rule of the rollup can change at {from}, before L1 must have the block")]
    RulesChange {
        /// L1 timestamp from which the change can be made.
        from: u64,
    },
    /// The bond is smaller than the policy requires.
    #[error("the bond is {got} wei, but the policy requires {minimum}")]
    BondTooSmall {
        /// Bond in wei.
        got: U256,
        /// Minimum bond in wei.
        minimum: U256,
    },
    /// A withdrawal of the bond is pending.
    #[error("the withdrawal of the bond is requested")]
    BondWithdrawn,
    /// EXECUTE has become so expensive that earlier signed blocks may soon not fit into an L1
    /// transaction.
    #[error(
        "1,000 EXECUTE gas cost {now} L1 gas, but only {before} when the oldest signed block that is not on L1 was sealed"
    )]
    PriceRisen {
        /// Current L1 gas per 1,000 EXECUTE gas.
        now: u64,
        /// Price when that block was sealed.
        before: u64,
    },
    /// The parent is the head on L1, and so old that the policy may open before the promise ends.
    #[error(
        "the parent on L1 is {age} s older, at most {limit} s are safe before the policy opens"
    )]
    NearTimeout {
        /// Time between the parent and the block, in seconds.
        age: u64,
        /// Maximum number of seconds.
        limit: u64,
    },
    /// The oldest block that is not on L1 is too old.
    #[error("the oldest block that is not on L1 is {age} s old, at most {limit} s allowed")]
    NotPosted {
        /// Age of the block in seconds.
        age: u64,
        /// Maximum age in seconds.
        limit: u64,
    },
    /// A duty is overdue, so L1 may soon accept blocks of any account.
    #[error("a duty is overdue by {overdue} s, at most {limit} s allowed")]
    DutyOverdue {
        /// Seconds since the duty was due.
        overdue: u64,
        /// Maximum number of seconds.
        limit: u64,
    },
    /// Blocks are replaced to find a transaction that L1 rejects.
    #[error("blocks are replaced to find a transaction that L1 rejects")]
    Isolating,
    /// L1 has not been read up to the block on which the promise would depend.
    #[error("L1 has not been read up to the block on which the promise depends")]
    L1Behind,
    /// Signing the last prefix failed.
    #[error("failed to sign the last prefix: {0}")]
    Failed(String),
}
