//! Why a block is not valid, cannot be shown to be, or could not be looked at.

use alloy_primitives::{Address, B256, U256};
use trie::{SourceError, TrieError};
use wire::ProtocolFork;

/// Why a block was not executed to its end: its own fault, or ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// The block is not valid, or the state that it brings does not show that it is.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Nothing can be said about the block.
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

/// What went wrong on our side. It is never a verdict on a block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InternalError {
    /// The store or the node behind a state failed.
    #[error("cannot read state: {0}")]
    Source(#[from] SourceError),
    /// The block executor or the EVM failed by its own account.
    #[error("block executor: {0}")]
    Executor(String),
    /// A transaction has a blob that this node does not hold, and execution depends on what is in it.
    #[error("blob {0} is not here, and without it the block cannot be executed")]
    BlobAbsent(B256),
}

/// Why something of the state could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The state lacks it, or holds it malformed: the fault of who brought the state.
    #[error(transparent)]
    State(#[from] StateError),
    /// Whatever holds the state failed: ours.
    #[error(transparent)]
    Source(#[from] SourceError),
}

impl ReadError {
    /// The error of a trie operation; `state` says where it happened if the nodes are to blame.
    pub(crate) fn of_trie(error: TrieError, state: impl FnOnce(TrieError) -> StateError) -> Self {
        match error {
            TrieError::Source(source) => Self::Source(source),
            error => Self::State(state(error)),
        }
    }
}

impl revm::database_interface::DBErrorMarker for ReadError {}

/// Why an input does not verify. Every variant carries what was found and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "camelCase")]
pub enum Invalid {
    /// The input is not in the format it claims to be in.
    #[error(transparent)]
    Decode(#[from] wire::DecodeError),

    /// The chain id is not that of the chain that the block is verified for.
    #[error("chain id {got}, expected {expected}")]
    ChainId {
        /// Chain id of the input.
        got: u64,
        /// Chain id of the chain specification.
        expected: u64,
    },
    /// The schema id names another fork than the one in force at the block's timestamp.
    #[error("schema of {got}, but {expected} is in force at timestamp {timestamp}")]
    Fork {
        /// Fork of the schema id.
        got: ProtocolFork,
        /// Fork in force.
        expected: ProtocolFork,
        /// Timestamp of the block.
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
    /// A field of the header is not what the parent or the rules of the fork demand.
    #[error("header field {field}: got {got}, expected {expected}")]
    Header {
        /// The field.
        field: &'static str,
        /// Value found.
        got: U256,
        /// Value demanded.
        expected: U256,
    },
    /// A field of the header is outside its allowed range.
    #[error("header field {field}: {got} is not in {min}..={max}")]
    HeaderRange {
        /// The field.
        field: &'static str,
        /// Value found.
        got: U256,
        /// Least value allowed.
        min: U256,
        /// Greatest value allowed.
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

    /// The witness holds no header.
    #[error("the witness holds no header, so there is no pre-state")]
    NoParent,
    /// A header of the witness is not a header.
    #[error("witness header {index}: {reason}")]
    MalformedHeader {
        /// Position in the witness.
        index: usize,
        /// The decoder's reason.
        reason: alloy_rlp::Error,
    },
    /// A header of the witness is not the parent of the one behind it.
    #[error("witness header {index} hashes to {got}, but its child names {expected} as parent")]
    BrokenAncestry {
        /// Position in the witness.
        index: usize,
        /// Hash of the header.
        got: B256,
        /// Parent hash that its child names.
        expected: B256,
    },

    /// A transaction is not one.
    #[error("transaction {index}: {reason}")]
    MalformedTransaction {
        /// Position in the block.
        index: usize,
        /// The decoder's reason.
        reason: String,
    },
    /// The blob hashes of the transactions are not those of the request.
    #[error("versioned hash {index}: got {got:?}, the transactions have {expected:?}")]
    VersionedHash {
        /// Position among all versioned hashes.
        index: usize,
        /// Hash in the request.
        got: Option<B256>,
        /// Hash in the transactions.
        expected: Option<B256>,
    },
    /// The gas limit does not pay for what the transactions cost before they run.
    #[error(
        "gas limit {gas_limit} does not cover what {transactions} transactions use at least, {least}"
    )]
    IntrinsicGas {
        /// Gas limit of the block.
        gas_limit: u64,
        /// Least gas that the block counts for them, refunds as large as they can be, up to the
        /// transaction that exceeds the limit.
        least: u64,
        /// How many transactions that sum covers.
        transactions: usize,
    },
    /// A transaction's gas limit does not pay for what it costs before it runs.
    #[error("transaction {index}: gas limit {gas_limit} is below its intrinsic gas {intrinsic}")]
    TransactionGas {
        /// Position in the block.
        index: usize,
        /// Gas limit of the transaction.
        gas_limit: u64,
        /// Its intrinsic gas.
        intrinsic: u64,
    },
    /// A transaction has no sender.
    #[error("transaction {index}: the signature recovers no sender")]
    Signature {
        /// Position in the block.
        index: usize,
    },
    /// A transaction may not stand in this block at this place.
    #[error("transaction {index}: {reason}")]
    Transaction {
        /// Position in the block.
        index: usize,
        /// revm's reason.
        reason: String,
    },
    /// A part of block execution that is no transaction failed.
    #[error("block execution: {0}")]
    Execution(String),
    /// The code at a system address is not the canonical one.
    ///
    /// System calls get gas that no block pays for, so foreign code there would be unmetered work.
    #[error("code {got} at the system address {address}, expected {expected}")]
    SystemCode {
        /// The system address.
        address: Address,
        /// Code hash found; that of no code if there is no account.
        got: B256,
        /// Canonical code hash.
        expected: B256,
    },

    /// Execution needs a part of the state that the witness does not hold or holds malformed.
    #[error(transparent)]
    State(#[from] StateError),

    /// More gas was used than the header claims.
    #[error("transaction {index} brings the gas used to {got}, beyond the claimed {expected}")]
    GasBeyondClaim {
        /// Position in the block.
        index: usize,
        /// Gas used so far.
        got: u64,
        /// Claimed for the whole block.
        expected: u64,
    },
    /// An amount that the header claims is not what execution produced.
    #[error("{what}: the header claims {got}, execution gives {expected}")]
    Amount {
        /// What was compared.
        what: &'static str,
        /// Claimed.
        got: u64,
        /// Produced.
        expected: u64,
    },
    /// A commitment of the header is not what execution produced.
    #[error("{what}: the header claims {got}, execution gives {expected}")]
    Commitment {
        /// What was compared.
        what: &'static str,
        /// Claimed.
        got: B256,
        /// Produced.
        expected: B256,
    },
    /// The bloom filter of the header is not what execution produced.
    #[error("logs bloom: the header's is not that of the logs")]
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
    /// What went wrong, in one word for programs: the name of the variant that says most, such as
    /// `commitment` or `missingNode`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::State(
                StateError::Account { source, .. } | StateError::Storage { source, .. },
            ) => source.into(),
            Self::State(state) => state.into(),
            invalid => invalid.into(),
        }
    }

    /// Whether the witness lacks what a verdict on the block needs: of the block itself nothing is known
    /// then.
    pub const fn lacks_witness(&self) -> bool {
        match self {
            Self::NoParent => true,
            Self::State(state) => state.is_missing(),
            _ => false,
        }
    }

    /// Whether it is no input that could be looked at: in another format, or of another time.
    pub const fn is_unreadable(&self) -> bool {
        matches!(self, Self::Decode(_) | Self::UnsupportedFork(_))
    }
}

impl StateError {
    /// Whether something is not there, rather than there and malformed.
    pub const fn is_missing(&self) -> bool {
        match self {
            Self::Account { source, .. } | Self::Storage { source, .. } => {
                matches!(source, TrieError::MissingNode { .. })
            }
            Self::MissingCode(_) | Self::MissingAncestor(_) => true,
            Self::MalformedAccount { .. } | Self::MalformedSlot { .. } => false,
        }
    }
}

/// What a state lacks or holds malformed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "camelCase")]
pub enum StateError {
    /// In the account trie.
    #[error("account trie, account {address}: {source}")]
    Account {
        /// The account that was asked for.
        address: Address,
        /// Why it could not be read or written.
        source: TrieError,
    },
    /// In the storage trie of an account.
    #[error("storage trie of {address}, slot {slot:#x}: {source}")]
    Storage {
        /// The account.
        address: Address,
        /// The slot that was asked for.
        slot: U256,
        /// Why it could not be read or written.
        source: TrieError,
    },
    /// A leaf of the account trie is no account.
    #[error("account {address} is malformed: {reason}")]
    MalformedAccount {
        /// The account.
        address: Address,
        /// The decoder's reason.
        reason: alloy_rlp::Error,
    },
    /// A leaf of a storage trie is no storage value.
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
    /// An ancestor's header is missing, so that BLOCKHASH has no proven answer.
    #[error("header of ancestor {0} is missing")]
    MissingAncestor(u64),
}
