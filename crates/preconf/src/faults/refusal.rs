//! Reasons why evidence does not prove a fault.

use crate::{HeaderError, ProofError, SignatureError};
use alloy_primitives::{Address, B256};
use wire::SchemaId;

/// Reason why evidence is rejected. Each variant corresponds to an error of the contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A header is malformed.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The signature is invalid.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// A proof of a transaction is invalid.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The header does not have the signed hash.
    #[error("header hash {got}, expected {expected}")]
    HeaderMismatch {
        /// Hash of the header.
        got: B256,
        /// Expected hash.
        expected: B256,
    },
    /// The messages are about different rollups.
    #[error("rollups {a} and {b} differ")]
    RollupDiffers {
        /// Rollup of the first message.
        a: Address,
        /// Rollup of the second message.
        b: Address,
    },
    /// Different accounts are liable for the messages.
    #[error("accounts {a} and {b} differ")]
    AccountDiffers {
        /// Account of the first message.
        a: Address,
        /// Account of the second message.
        b: Address,
    },
    /// The blocks have different numbers.
    #[error("block numbers {a} and {b} differ")]
    HeightDiffers {
        /// Number of the first block.
        a: u64,
        /// Number of the second block.
        b: u64,
    },
    /// The blocks have different parents.
    #[error("parents {a} and {b} differ")]
    ParentDiffers {
        /// Parent of the first block.
        a: B256,
        /// Parent of the second block.
        b: B256,
    },
    /// L1 does not serve the hash of the block on which the promise depends.
    #[error("hash of L1 block {l1_block} is not available")]
    ConditionUnavailable {
        /// Number of the L1 block.
        l1_block: u64,
    },
    /// The promise is void, because L1 does not contain the block on which it depends.
    #[error("L1 block {l1_block} has the hash {got}, but the promise depends on {expected}")]
    ConditionVoid {
        /// Number of the L1 block.
        l1_block: u64,
        /// Its hash.
        got: B256,
        /// Hash in the message.
        expected: B256,
    },
    /// The promise had ended at the timestamp of the later block.
    #[error("timestamp {later}, but the promise ended at {end}")]
    PromiseEnded {
        /// Timestamp of the later block, in seconds.
        later: u64,
        /// Timestamp at which the promise ended, in seconds.
        end: u128,
    },
    /// Both promises can be kept, or the block keeps the promise.
    #[error("the promise is kept")]
    NotInConflict,
    /// The valid block has other inputs than the signed header.
    #[error("inputs {got}, expected {expected}")]
    InputsDiffer {
        /// Fingerprint of the valid block's header.
        got: B256,
        /// Fingerprint of the signed header.
        expected: B256,
    },
    /// The block was executed under another schema id.
    #[error("schema {got:?}, expected {expected:?}")]
    SchemaDiffers {
        /// Schema id of the execution.
        got: SchemaId,
        /// Schema id of the message.
        expected: SchemaId,
    },
    /// The block was executed with another chain id.
    #[error("chain id {got}, expected {expected}")]
    ChainIdDiffers {
        /// Chain id of the execution.
        got: u64,
        /// Chain id of the rollup.
        expected: u64,
    },
    /// Execution results in the signed header.
    #[error("execution results in the signed header")]
    OutcomesEqual,
    /// The block may still be posted in time.
    #[error("not late before {from}")]
    NotLate {
        /// First timestamp at which the block is late, in seconds.
        from: u128,
    },
    /// The account was penalized for a delay less than `LATE_PERIOD` ago.
    #[error("already penalized for a delay until {until}")]
    LateAlready {
        /// Timestamp until which it is not penalized again, in seconds.
        until: u64,
    },
    /// The rollup has a block with this number.
    #[error("head {head} has reached block {number}")]
    HeadReached {
        /// Number of the head.
        head: u64,
        /// Number of the signed block.
        number: u64,
    },
    /// The rollup's block at this height has another header.
    #[error("the rollup's block has the hash {expected}, got {got}")]
    NotCanonical {
        /// Hash of the header.
        got: B256,
        /// Hash of the rollup's block.
        expected: B256,
    },
}
