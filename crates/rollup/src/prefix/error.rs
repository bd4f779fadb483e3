//! Errors of signing prefixes, and reasons for signing none.

use crate::{lease::LeaseError, signer::SignerError};
use alloy_primitives::{Address, U256};
use disk::DiskError;
use preconf::{Conflict, HeaderError};
use std::path::PathBuf;

/// Reason why a prefix is not signed.
#[derive(Debug, thiserror::Error)]
pub enum PrefixError {
    /// The journal cannot be opened.
    #[error("journal of preconfirmations {}: {source}", path.display())]
    Journal {
        /// Path of the journal.
        path: PathBuf,
        /// The error.
        source: DiskError,
    },
    /// The journal cannot be written, so the prefix must not be signed.
    #[error("preconfirmation not recorded: {0}")]
    NotRecorded(DiskError),
    /// The journal is too long for further blocks without a signature.
    #[error("journal of preconfirmations has {got} bytes; L1 finalizes no blocks")]
    JournalFull {
        /// Length of the file in bytes.
        got: u64,
    },
    /// The journal in etcd cannot be read or written, so the prefix must not be signed.
    #[error("journal of preconfirmations in etcd: {0}")]
    NotShared(LeaseError),
    /// A record in etcd is malformed.
    #[error("record {number} of the journal in etcd: {source}")]
    SharedRecord {
        /// Number of the record.
        number: u64,
        /// The error.
        source: DiskError,
    },
    /// The records in etcd repeat so many transactions that reading them takes too long.
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
    /// This node lacks blocks on which earlier leaders have made promises.
    #[error("this node has block {got}, and earlier leaders have promised block {expected}")]
    Behind {
        /// Number of the head.
        got: u64,
        /// Number of the first recorded block whose promise is in force.
        expected: u64,
    },
    /// The prefix contradicts an earlier signature.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// The header is too long, or has items that the contracts do not know.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The key gives no signature.
    #[error(transparent)]
    Signer(#[from] SignerError),
}

impl PrefixError {
    /// Returns `true` if a record or a signature of the prefix may exist nevertheless.
    pub(crate) const fn may_be_recorded(&self) -> bool {
        matches!(self, Self::Signer(_) | Self::NotRecorded(_) | Self::NotShared(_))
    }
}

/// Reason why the next block is sealed without signed prefixes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotPreconfirming {
    /// The journal was lost or damaged, and no block of this process is on L1 yet. Until then, an
    /// unknown signature may bind the key.
    #[error(
        "the journal of preconfirmations is not complete, and L1 has no block of this process yet"
    )]
    JournalLost,
    /// The parent or an ancestor is neither on L1 nor in the journal in etcd, so the next leader may
    /// lack it.
    #[error("the parent, or a block before it, is neither on L1 nor recorded in etcd")]
    ParentNotShared,
    /// The journal in etcd is too long.
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
    /// L1 did not say whether the sequencer keeps its role and its bond.
    #[error("the policy, its changes and the bond could not be read from L1")]
    PolicyUnread,
    /// The role is offered to another account, which need not keep this node's promises.
    #[error("the role of the sequencer is offered to {successor}, who need not keep its promises")]
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
    #[error("the bond is {got} wei, the policy requires {least}")]
    BondTooSmall {
        /// Bond in wei.
        got: U256,
        /// Minimum bond in wei.
        least: U256,
    },
    /// The withdrawal of the bond is requested.
    #[error("the withdrawal of the bond is requested")]
    BondWithdrawn,
    /// EXECUTE has become so expensive that earlier signed blocks may soon not fit into an L1
    /// transaction.
    #[error(
        "1,000 EXECUTE gas cost {now} L1 gas, and {before} when the oldest signed block that is not on L1 was sealed"
    )]
    PriceRisen {
        /// Present price.
        now: u64,
        /// Price at that block.
        before: u64,
    },
    /// The parent is the head on L1, and so much older that the policy may open before the promise
    /// ends.
    #[error(
        "the parent on L1 is {age} s older, at most {limit} s are safe before the policy opens"
    )]
    NearTimeout {
        /// Seconds between the parent and the block.
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
    /// A duty is overdue, so that L1 may soon accept blocks of any account.
    #[error("a duty is overdue by {overdue} s, at most {limit} s allowed")]
    DutyOverdue {
        /// Seconds since the duty was due.
        overdue: u64,
        /// Maximum number of seconds.
        limit: u64,
    },
    /// The search for a transaction that L1 rejects replaces blocks.
    #[error("blocks are replaced to find a transaction that L1 rejects")]
    Isolating,
    /// L1 has not been read up to the block on which the promise would depend.
    #[error("L1 has not been read up to the block on which the promise depends")]
    L1Behind,
    /// A prefix could not be signed.
    #[error("the last prefix was not signed: {0}")]
    Failed(String),
}
