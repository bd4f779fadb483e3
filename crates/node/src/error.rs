//! Errors of a node.

use crate::Backlog;
use alloy_primitives::{Address, B256, U256};
use chain::ChainError;
use execute::ExecuteError;
use wire::DecodeError;

/// Reason why the pool rejects a transaction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// It is there already.
    #[error("transaction {0} is already known")]
    Known(B256),
    /// It is signed for another chain.
    #[error("signed for chain {got}, but this chain is {expected}")]
    ChainId {
        /// Its chain id.
        got: u64,
        /// Chain id of the chain.
        expected: u64,
    },
    /// Its signature is none.
    #[error("no sender can be recovered from the signature")]
    Signature,
    /// The sender has used its nonce.
    #[error("nonce {got} of {sender} is already used, the next is {expected}")]
    NonceTooLow {
        /// Sender of the transaction.
        sender: Address,
        /// Its nonce.
        got: u64,
        /// The next nonce of the sender.
        expected: u64,
    },
    /// No account may have its nonce.
    #[error("the nonce is at its maximum, 2^64 - 1")]
    NonceMax,
    /// It asks for more gas than a block has.
    #[error("gas limit {got} exceeds the block's {limit}")]
    GasLimit {
        /// Its gas limit.
        got: u64,
        /// Gas limit of the block.
        limit: u64,
    },
    /// It asks for more gas than a transaction may (EIP-7825).
    #[error("gas limit {got} exceeds the {limit} that a transaction may have")]
    GasCap {
        /// Its gas limit.
        got: u64,
        /// The greatest allowed.
        limit: u64,
    },
    /// Its gas limit does not cover its intrinsic gas.
    #[error("gas limit {got} is below its intrinsic gas {intrinsic}")]
    IntrinsicGas {
        /// Its gas limit.
        got: u64,
        /// Intrinsic gas of the transaction.
        intrinsic: u64,
    },
    /// The sender cannot pay for it.
    #[error("{sender} has {balance} wei, but the transaction may cost {cost}")]
    Funds {
        /// Sender of the transaction.
        sender: Address,
        /// Balance of the sender, in wei.
        balance: U256,
        /// The most that it may cost, in wei.
        cost: U256,
    },
    /// It offers less than the base fee.
    #[error("the fee cap of {got} wei per gas is below the base fee of {base_fee}")]
    BelowBaseFee {
        /// The most it pays per gas, in wei.
        got: u128,
        /// Base fee of the next block, in wei.
        base_fee: u64,
    },
    /// Its tip is below the least that the pool takes.
    #[error("the tip of {got} wei per gas is below the minimum of {least}")]
    Tip {
        /// Its tip, in wei.
        got: u128,
        /// The least, in wei.
        least: u128,
    },
    /// Its tip is above its fee.
    #[error("tip {tip} exceeds the fee {fee}")]
    TipAboveFee {
        /// Its tip, in wei per gas.
        tip: u128,
        /// Its fee, in wei per gas.
        fee: u128,
    },
    /// One with the same nonce is there and pays as much.
    #[error("replaces {known} without paying more, by {bump} % at least")]
    Underpriced {
        /// The one that is there.
        known: B256,
        /// Required price increase, in percent.
        bump: u8,
    },
    /// The pool is full of what pays more.
    #[error("the pool is full: a tip of {got} wei per gas, {least} is the least there")]
    PoolFull {
        /// The most that it pays per gas beyond the base fee, in wei.
        got: u128,
        /// The least in the pool, in wei.
        least: u128,
    },
    /// The sender has too many transactions there.
    #[error("{sender} has {limit} transactions waiting, and may not have more")]
    SenderLimit {
        /// Sender of the transaction.
        sender: Address,
        /// The most that a sender may have.
        limit: usize,
    },
    /// The sender's balance is reserved for its waiting transactions.
    #[error(
        "{sender} has {balance} wei, of which {held} are held for its waiting transactions, but the transaction may cost {cost}"
    )]
    Overdraft {
        /// Sender of the transaction.
        sender: Address,
        /// Balance of the sender, in wei.
        balance: U256,
        /// Maximum cost of its waiting transactions, in wei.
        held: U256,
        /// Maximum cost of the transaction, in wei.
        cost: U256,
    },
    /// Too many transactions wait for a missing nonce.
    #[error(
        "a nonce of {sender} before that of the transaction is missing, and {limit} transactions wait for such a nonce: send the missing one first"
    )]
    GappedLimit {
        /// Sender of the transaction.
        sender: Address,
        /// Limit that is reached: that of the sender or of the pool.
        limit: usize,
    },
    /// The sender delegates to code, or is about to, and has a transaction waiting.
    #[error(
        "{0} delegates to code (EIP-7702) and has a transaction waiting: one at a time is accepted"
    )]
    Delegated(Address),
    /// An account that delegates in it has transactions waiting.
    #[error("{0}, which delegates to code (EIP-7702) in the transaction, has transactions waiting")]
    AuthorityReserved(Address),
    /// A legacy transaction without a chain id.
    #[error("the transaction names no chain id (EIP-155), so that it is valid on every chain")]
    Unprotected,
    /// Too many blocks wait for L1, so that the node takes no transactions.
    #[error("blocks wait for L1: {} is {}, the limit is {}; send it again later", .0.what, .0.got, .0.limit)]
    Backlog(Backlog),
    /// The sender has code (EIP-3607).
    #[error("sender {0} has code")]
    SenderHasCode(Address),
    /// Its type does not exist in the fork.
    #[error("transactions of type {0} do not exist in this fork")]
    Type(u8),
    /// Its initialisation code is too long (EIP-3860).
    #[error("initialisation code of {got} bytes, at most {limit} are allowed")]
    InitCode {
        /// Its length.
        got: usize,
        /// The greatest allowed.
        limit: usize,
    },
    /// It is too long.
    #[error("a transaction of {got} bytes, at most {limit} are accepted")]
    Size {
        /// Its length.
        got: usize,
        /// The greatest allowed.
        limit: usize,
    },
    /// It offers less for its blobs than the next block asks.
    #[error("max fee per blob gas less than block blob gas fee: {got} < {least}")]
    BlobFee {
        /// Fee cap of the transaction, in wei per blob gas.
        got: u128,
        /// Blob base fee of the next block, in wei.
        least: u128,
    },
    /// It has more blobs than a transaction may have.
    #[error("too many blobs in one transaction, have: {got}, max: {limit}")]
    TooManyBlobs {
        /// Number of blobs in the transaction.
        got: usize,
        /// The most that are allowed.
        limit: u64,
    },
    /// The blob sidecar is invalid.
    #[error("blobs: {0}")]
    Blobs(String),
    /// It has no authorization (EIP-7702).
    #[error("a set-code transaction needs an authorization")]
    NoAuthorization,
    /// It cannot be kept for a restart, and so is not taken: our fault.
    #[error("cannot be kept over a restart: {0}")]
    NotKept(String),
    /// It was taken, and the block that was made for it could not be: our fault.
    #[error("the transaction is in the pool, but no block could be made: {0}")]
    Mining(Box<NodeError>),
    /// The state could not be read.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

/// Reason why a node could not serve a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// The chain refuses.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A block was sealed on another head than the one that it is to follow.
    #[error("the block was built on {parent}, but the head is {head}")]
    Stale {
        /// Hash of its parent.
        parent: B256,
        /// Hash of the head.
        head: B256,
    },
    /// A block that this node has made does not verify from its own witness: our fault.
    #[error("block {number} does not verify from its own witness: {reason}")]
    Unverified {
        /// Number of the block.
        number: u64,
        /// Reason given by EXECUTE.
        reason: Box<Unverified>,
    },
}

/// Reason why a block does not verify from its own witness.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// It cannot be put into the form that EXECUTE takes.
    #[error("encoding: {0}")]
    Encoding(#[from] DecodeError),
    /// EXECUTE refuses it.
    #[error(transparent)]
    Refused(#[from] ExecuteError),
}
