//! Errors of a node.

use alloy_primitives::{Address, B256, U256};
use chain::{AllowanceRefusal, ChainError};
use execute::ExecuteError;
use wire::DecodeError;

/// Backlog of L2 blocks that are not yet on L1, by the measure that is at its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// Name of the measure, with its unit.
    pub what: &'static str,
    /// Value of the measure.
    pub got: u64,
    /// Limit of the measure.
    pub limit: u64,
}

/// Reason why the pool rejects a transaction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// The pool or the chain already has the transaction.
    #[error("transaction {0} is already known")]
    Known(B256),
    /// The transaction is signed for another chain.
    #[error("signed for chain {got}, but this chain is {expected}")]
    ChainId {
        /// Chain id of the transaction.
        got: u64,
        /// Chain id of the chain.
        expected: u64,
    },
    /// The signature is invalid.
    #[error("no sender can be recovered from the signature")]
    Signature,
    /// The sender has already used the nonce.
    #[error("nonce {got} of {sender} is already used, the next is {expected}")]
    NonceTooLow {
        /// Sender of the transaction.
        sender: Address,
        /// Nonce of the transaction.
        got: u64,
        /// The next nonce of the sender.
        expected: u64,
    },
    /// The nonce is 2^64 - 1, which no account may reach (EIP-2681).
    #[error("the nonce is at its maximum, 2^64 - 1")]
    NonceMax,
    /// The gas limit is above the block gas limit.
    #[error("gas limit {got} exceeds the block's {limit}")]
    GasLimit {
        /// Gas limit of the transaction.
        got: u64,
        /// Gas limit of the block.
        limit: u64,
    },
    /// The gas limit is above the cap per transaction (EIP-7825).
    #[error("gas limit {got} exceeds the transaction gas cap {limit}")]
    GasCap {
        /// Gas limit of the transaction.
        got: u64,
        /// Maximum gas limit of a transaction.
        limit: u64,
    },
    /// The gas limit is above that of any execution.
    #[error("gas limit {got} exceeds {limit}, the maximum gas of an execution")]
    ExecutionGas {
        /// Gas limit of the transaction.
        got: u64,
        /// Maximum gas of an execution, [`MAX_EXECUTION_GAS`](chain::MAX_EXECUTION_GAS).
        limit: u64,
    },
    /// The gas limit does not cover the intrinsic gas.
    #[error("gas limit {got} is below its intrinsic gas {intrinsic}")]
    IntrinsicGas {
        /// Gas limit of the transaction.
        got: u64,
        /// Intrinsic gas of the transaction.
        intrinsic: u64,
    },
    /// The sender cannot pay for the transaction.
    #[error("{sender} has {balance} wei, but the transaction may cost {cost}")]
    Funds {
        /// Sender of the transaction.
        sender: Address,
        /// Balance of the sender, in wei.
        balance: U256,
        /// Maximum cost of the transaction, in wei.
        cost: U256,
    },
    /// The fee cap is below the base fee.
    #[error("the fee cap of {got} wei per gas is below the base fee of {base_fee}")]
    BelowBaseFee {
        /// Fee cap, in wei per gas.
        got: u128,
        /// Base fee of the next block, in wei.
        base_fee: u64,
    },
    /// The tip is below the pool's minimum.
    #[error("the tip of {got} wei per gas is below the minimum of {minimum}")]
    Tip {
        /// Tip of the transaction, in wei.
        got: u128,
        /// Minimum tip, in wei.
        minimum: u128,
    },
    /// The tip is above the fee cap.
    #[error("tip {tip} exceeds the fee {fee}")]
    TipAboveFee {
        /// Tip, in wei per gas.
        tip: u128,
        /// Fee cap, in wei per gas.
        fee: u128,
    },
    /// The pool has a transaction with the same nonce, and the new one does not pay enough more.
    #[error("replaces {existing}, but does not pay at minimum {bump} % more")]
    Underpriced {
        /// Hash of the transaction in the pool.
        existing: B256,
        /// Required price increase, in percent.
        bump: u8,
    },
    /// The pool has a transaction with the same nonce, which the sequencer has preconfirmed.
    #[error("replaces {existing}, which is preconfirmed")]
    Preconfirmed {
        /// Hash of the transaction in the pool.
        existing: B256,
    },
    /// The pool is full of transactions that pay more.
    #[error(
        "the pool is full: the tip is {got} wei per gas, but the lowest in the pool is {minimum}"
    )]
    PoolFull {
        /// Maximum tip after the base fee, in wei per gas.
        got: u128,
        /// Lowest tip in the pool, in wei per gas.
        minimum: u128,
    },
    /// The pool has too many transactions of the sender.
    #[error("{sender} already has {limit} pending transactions, the maximum per sender")]
    SenderLimit {
        /// Sender of the transaction.
        sender: Address,
        /// Maximum number of transactions of one sender.
        limit: usize,
    },
    /// The sender's balance does not cover the transaction in addition to its pending ones.
    #[error(
        "{sender} has {balance} wei, of which {pending_cost} are reserved for its waiting transactions, but the transaction may cost {cost}"
    )]
    Overdraft {
        /// Sender of the transaction.
        sender: Address,
        /// Balance of the sender, in wei.
        balance: U256,
        /// Maximum cost of its pending transactions, in wei.
        pending_cost: U256,
        /// Maximum cost of the transaction, in wei.
        cost: U256,
    },
    /// There are too many gapped transactions.
    #[error(
        "a lower nonce of {sender} is missing, and {limit} transactions already wait for missing nonces: send the missing one first"
    )]
    GappedLimit {
        /// Sender of the transaction.
        sender: Address,
        /// The limit that is reached: the sender's or the pool's.
        limit: usize,
    },
    /// The sender delegates to code, or a pending authorization would make it delegate, and it
    /// already has a pending transaction.
    #[error(
        "{0} delegates to code (EIP-7702) and already has the maximum of one pending transaction"
    )]
    Delegated(Address),
    /// The transaction contains an authorization of an account that has pending transactions.
    #[error(
        "{0}, which the transaction authorizes to delegate to code (EIP-7702), has pending transactions"
    )]
    AuthorityReserved(Address),
    /// A legacy transaction without a chain id.
    #[error("the transaction has no chain id (EIP-155) and would be valid on every chain")]
    Unprotected,
    /// Too many blocks wait for inclusion on L1, so the node rejects transactions.
    #[error("too many blocks wait for L1: {} is {}, the limit is {}; send it again later", .0.what, .0.got, .0.limit)]
    Backlog(Backlog),
    /// The sender has code (EIP-3607).
    #[error("sender {0} has code")]
    SenderHasCode(Address),
    /// The fork does not have the transaction's type.
    #[error("transactions of type {0} do not exist in this fork")]
    Type(u8),
    /// The transaction of type `0x05` has a part that no block of this chain can contain.
    #[error("{0}")]
    ExecuteTx(&'static str),
    /// The next block does not sell the requested allowance of EXECUTE gas.
    #[error(transparent)]
    Allowance(#[from] AllowanceRefusal),
    /// The init code is too long (EIP-3860).
    #[error("initialisation code of {got} bytes, at most {limit} are allowed")]
    InitCode {
        /// Length of the code.
        got: usize,
        /// Maximum length.
        limit: usize,
    },
    /// The transaction is too long.
    #[error("a transaction of {got} bytes, at most {limit} are accepted")]
    Size {
        /// Length of the transaction.
        got: usize,
        /// Maximum length.
        limit: usize,
    },
    /// The blob fee cap is below the blob base fee of the next block.
    #[error("max fee per blob gas less than block blob gas fee: {got} < {minimum}")]
    BlobFee {
        /// Fee cap of the transaction, in wei per blob gas.
        got: u128,
        /// Blob base fee of the next block, in wei.
        minimum: u128,
    },
    /// The transaction has too many blobs.
    #[error("too many blobs in one transaction, have: {got}, max: {limit}")]
    TooManyBlobs {
        /// Number of blobs in the transaction.
        got: usize,
        /// Maximum number of blobs.
        limit: u64,
    },
    /// The blob sidecar is invalid.
    #[error("blobs: {0}")]
    Blobs(String),
    /// The transaction has no authorization (EIP-7702).
    #[error("a set-code transaction needs an authorization")]
    NoAuthorization,
    /// The journal could not record the transaction, so the pool rejects it. This is a fault of the
    /// node.
    #[error("failed to journal the transaction: {0}")]
    NotJournaled(String),
    /// The pool admitted the transaction, but building its block failed. This is a fault of the
    /// node.
    #[error("failed to build a block with the transaction: {0}")]
    Mining(Box<NodeError>),
    /// The state could not be read.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

/// Reason why a node could not serve a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// The chain returned an error.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A sealed block's parent is no longer the head.
    #[error("the block was built on {parent}, but the head is {head}")]
    Stale {
        /// Hash of its parent.
        parent: B256,
        /// Hash of the head.
        head: B256,
    },
    /// A block does not begin with the fixed transactions of its request.
    #[error("the block lacks transaction {transaction} at index {index}: {reason}")]
    PrefixLost {
        /// Required index of the transaction.
        index: usize,
        /// Hash of the transaction.
        transaction: B256,
        /// Reason why the builder left it out.
        reason: String,
    },
    /// A block built by this node fails verification from its own witness. This is a fault of the
    /// node.
    #[error("block {number} fails verification from its own witness: {reason}")]
    Unverified {
        /// Block number.
        number: u64,
        /// Reason of the rejection.
        reason: Box<Unverified>,
    },
}

/// Reason why a block fails verification from its own witness.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// The block cannot be encoded as an EXECUTE input.
    #[error("failed to encode the input: {0}")]
    Encoding(#[from] DecodeError),
    /// EXECUTE rejects the block.
    #[error(transparent)]
    Refused(#[from] ExecuteError),
    /// The chain rejects the block, which has transactions that EXECUTE does not support.
    #[error(transparent)]
    Chain(#[from] ChainError),
}
