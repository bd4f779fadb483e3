//! Errors of execution: an invalid block, a state that does not prove its validity, or a local
//! fault.

use alloc::string::String;
use alloy_primitives::{Address, B256, U256};
use trie::{SourceError, TrieError};
use wire::ProtocolFork;

/// Reason why a block was not executed to its end: the block is invalid, or this node failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// The block is invalid, or the state that accompanies it does not prove its validity.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// A local fault, which is not a verdict on the block.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

impl From<ReadError> for BlockError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::State(state) => Self::Invalid(state.into()),
            ReadError::Source(source) => Self::Internal(source.into()),
        }
    }
}

/// A local fault, which is never a verdict on a block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InternalError {
    /// The store or the node behind a state failed.
    #[error("cannot read state: {0}")]
    Source(#[from] SourceError),
    /// The block executor or the EVM reported a fault of its own.
    #[error("block executor: {0}")]
    Executor(String),
    /// A transaction has a blob that this node does not have, and execution depends on its content.
    #[error("blob {0} is not available on this node, and the block cannot be executed without it")]
    BlobAbsent(B256),
}

/// Reason why a part of the state could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The state lacks the part or contains it malformed: a fault of the state's provider.
    #[error(transparent)]
    State(#[from] StateError),
    /// The store or node behind the state failed: a local fault.
    #[error(transparent)]
    Source(#[from] SourceError),
}

impl ReadError {
    /// Converts the error of a trie operation. `state` adds the position if the nodes are at fault.
    pub(crate) fn of_trie(error: TrieError, state: impl FnOnce(TrieError) -> StateError) -> Self {
        match error {
            TrieError::Source(source) => Self::Source(source),
            error => Self::State(state(error)),
        }
    }
}

impl revm::database_interface::DBErrorMarker for ReadError {}

/// Reasons why an input does not verify. Every variant contains the values found and expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "camelCase")]
pub enum Invalid {
    /// The input is not in the format it claims to be in.
    #[error(transparent)]
    Decode(#[from] wire::DecodeError),

    /// The chain id is not the id of the chain for which the block is verified.
    #[error("chain id {got}, expected {expected}")]
    ChainId {
        /// Chain id of the input.
        got: u64,
        /// Chain id of the chain specification.
        expected: u64,
    },
    /// The schema id names a fork that is not in force at the block's timestamp.
    #[error("schema of {got}, but {expected} is in force at timestamp {timestamp}")]
    Fork {
        /// Fork of the schema id.
        got: ProtocolFork,
        /// Fork in force.
        expected: ProtocolFork,
        /// Block timestamp.
        timestamp: u64,
    },
    /// Blocks of this fork cannot be verified.
    #[error("blocks of {0} cannot be verified, only those of cancun and later")]
    UnsupportedFork(ProtocolFork),

    /// The fields of the payload do not hash to its block hash.
    #[error("block hash {got}, but the fields hash to {expected}")]
    BlockHash {
        /// `block_hash` of the payload.
        got: B256,
        /// Keccak-256 of the header that the fields make.
        expected: B256,
    },
    /// A field of the header differs from the value that follows from the parent or the rules of
    /// the fork.
    #[error("header field {field}: got {got}, expected {expected}")]
    Header {
        /// The field.
        field: &'static str,
        /// Value found.
        got: U256,
        /// Value expected.
        expected: U256,
    },
    /// A field of the header is outside its allowed range.
    #[error("header field {field}: {got} is not in {min}..={max}")]
    HeaderRange {
        /// The field.
        field: &'static str,
        /// Value found.
        got: U256,
        /// Minimum value allowed.
        min: U256,
        /// Maximum value allowed.
        max: U256,
    },
    /// The block is longer than EIP-7934 allows.
    #[error("block of {got} bytes of RLP, at most {limit} are allowed")]
    BlockSize {
        /// Length of the block's RLP.
        got: usize,
        /// The limit.
        limit: usize,
    },

    /// The witness has no header.
    #[error("the witness holds no header, so there is no pre-state")]
    NoParent,
    /// An item of the witness is not a header.
    #[error("witness header {index}: {reason}")]
    MalformedHeader {
        /// Position in the witness.
        index: usize,
        /// The decoder's reason.
        reason: alloy_rlp::Error,
    },
    /// A header of the witness is not the parent of the next one.
    #[error("witness header {index} hashes to {got}, but its child names {expected} as parent")]
    BrokenAncestry {
        /// Position in the witness.
        index: usize,
        /// Hash of the header.
        got: B256,
        /// Parent hash that its child names.
        expected: B256,
    },

    /// An item of the block is not a transaction.
    #[error("transaction {index}: {reason}")]
    MalformedTransaction {
        /// Position in the block.
        index: usize,
        /// The decoder's reason.
        reason: String,
    },
    /// The blob hashes of the transactions differ from the request's.
    #[error("versioned hash {index}: got {got:?}, the transactions have {expected:?}")]
    VersionedHash {
        /// Position among all versioned hashes.
        index: usize,
        /// Hash in the request.
        got: Option<B256>,
        /// Hash in the transactions.
        expected: Option<B256>,
    },
    /// The gas limit does not cover the minimum gas of the transactions, which is known before they
    /// run.
    #[error(
        "gas limit {gas_limit} is below {minimum}, the minimum gas of {transactions} transactions"
    )]
    IntrinsicGas {
        /// Gas limit of the block.
        gas_limit: u64,
        /// Minimum gas that the block counts for them with maximum refunds, up to the transaction
        /// that exceeds the limit.
        minimum: u64,
        /// Number of transactions in that sum.
        transactions: usize,
    },
    /// A transaction's gas limit is below its intrinsic gas.
    #[error("transaction {index}: gas limit {gas_limit} is below its intrinsic gas {intrinsic}")]
    TransactionGas {
        /// Position in the block.
        index: usize,
        /// Gas limit of the transaction.
        gas_limit: u64,
        /// Its intrinsic gas.
        intrinsic: u64,
    },
    /// The signature of a transaction is invalid.
    #[error("transaction {index}: the signature recovers no sender")]
    Signature {
        /// Position in the block.
        index: usize,
    },
    /// A transaction is not valid at its position in the block.
    #[error("transaction {index}: {reason}")]
    Transaction {
        /// Position in the block.
        index: usize,
        /// revm's reason.
        reason: String,
    },
    /// Block execution failed outside of the transactions.
    #[error("block execution: {0}")]
    Execution(String),
    /// The code at a system address is not the canonical one.
    ///
    /// No transaction pays for the gas of system calls, so other code there would be unmetered
    /// work.
    #[error("code {got} at the system address {address}, expected {expected}")]
    SystemCode {
        /// The system address.
        address: Address,
        /// Code hash found; the hash of empty code if there is no account.
        got: B256,
        /// Canonical code hash.
        expected: B256,
    },

    /// Execution needs a part of the state that the witness lacks or contains malformed.
    #[error(transparent)]
    State(#[from] StateError),

    /// More gas was used than the header claims.
    #[error("transaction {index} brings the gas used to {got}, beyond the claimed {expected}")]
    GasBeyondClaim {
        /// Position in the block.
        index: usize,
        /// Gas used so far.
        got: u64,
        /// Claimed gas of the whole block.
        expected: u64,
    },
    /// An amount that the header claims differs from the result of execution.
    #[error("{what}: the header claims {got}, execution gives {expected}")]
    Amount {
        /// The amount that was compared.
        what: &'static str,
        /// Claimed value.
        got: u64,
        /// Value from execution.
        expected: u64,
    },
    /// A commitment of the header differs from the result of execution.
    #[error("{what}: the header claims {got}, execution gives {expected}")]
    Commitment {
        /// The commitment that was compared.
        what: &'static str,
        /// Claimed value.
        got: B256,
        /// Value from execution.
        expected: B256,
    },
    /// The bloom filter of the header differs from the result of execution.
    #[error("logs bloom: the header's bloom does not match the logs")]
    LogsBloom,
    /// The access list costs more gas than the block has (EIP-7928).
    #[error("block access list of {items} items, the gas limit allows {limit}")]
    AccessListSize {
        /// Items in the list.
        items: u64,
        /// Items that the gas limit pays for.
        limit: u64,
    },
}

impl Invalid {
    /// Returns the kind of the error in one word, for programs: the name of the most specific
    /// variant, such as `commitment` or `missingNode`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::State(
                StateError::Account { source, .. } | StateError::Storage { source, .. },
            ) => source.into(),
            Self::State(state) => state.into(),
            invalid => invalid.into(),
        }
    }

    /// Returns `true` if the witness lacks a part that the verdict needs. The block itself may then
    /// be valid.
    pub const fn lacks_witness(&self) -> bool {
        match self {
            Self::State(
                StateError::Account { source, .. } | StateError::Storage { source, .. },
            ) => matches!(source, TrieError::MissingNode { .. }),
            Self::NoParent
            | Self::State(StateError::MissingCode(_) | StateError::MissingAncestor(_)) => true,
            _ => false,
        }
    }

    /// Returns `true` if the input cannot be examined: it has another format, or an unsupported
    /// fork.
    pub const fn is_unreadable(&self) -> bool {
        matches!(self, Self::Decode(_) | Self::UnsupportedFork(_))
    }
}

/// A part of the state that is missing or malformed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "camelCase")]
pub enum StateError {
    /// A node of the account trie.
    #[error("account trie, account {address}: {source}")]
    Account {
        /// The account that was read or written.
        address: Address,
        /// The error of the trie.
        source: TrieError,
    },
    /// A node of the storage trie of an account.
    #[error("storage trie of {address}, slot {slot:#x}: {source}")]
    Storage {
        /// The account.
        address: Address,
        /// The slot that was read or written.
        slot: U256,
        /// The error of the trie.
        source: TrieError,
    },
    /// A leaf of the account trie is not an account.
    #[error("account {address} is malformed: {reason}")]
    MalformedAccount {
        /// The account.
        address: Address,
        /// The decoder's reason.
        reason: alloy_rlp::Error,
    },
    /// A leaf of a storage trie is not a storage value.
    #[error("slot {slot:#x} of {address} is malformed: {reason}")]
    MalformedSlot {
        /// The account.
        address: Address,
        /// The slot.
        slot: U256,
        /// The decoder's reason.
        reason: alloy_rlp::Error,
    },
    /// A code is missing.
    #[error("code {0} is missing")]
    MissingCode(B256),
    /// An ancestor's header is missing, so the result of BLOCKHASH is not proven.
    #[error("header of ancestor {0} is missing")]
    MissingAncestor(u64),
}
