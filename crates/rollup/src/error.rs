//! Errors of a rollup node.

use crate::{SignerError, check::Check};
use alloy_primitives::{Address, B256, U256};
use chain::{ChainError, Rejection};
use client::ClientError;
use core::fmt::Display;
use disk::DiskError;
use execute::ExecuteError;
use node::NodeError;
use std::{io, path::PathBuf};
use wire::DecodeError;

/// Error of reading L1.
#[derive(Debug, thiserror::Error)]
pub enum L1Error {
    /// The L1 node does not answer, or responds with an error.
    #[error("L1: {0}")]
    Client(#[from] ClientError),
    /// The L1 node's response contradicts itself, or a header that was read before.
    #[error("inconsistent response of the L1 node: {what} is {got}, expected {expected}")]
    Mismatch {
        /// Name of the wrong value.
        what: &'static str,
        /// The L1 node's value.
        got: String,
        /// Expected value.
        expected: String,
    },
    /// The L1 nodes have different blocks at the same height.
    #[error(
        "the L1 nodes disagree on block {number}: got {got}, which {same} of {nodes} nodes have, another has {expected}"
    )]
    Disagreement {
        /// Number of the block.
        number: u64,
        /// Hash of the block that was read.
        got: B256,
        /// Hash at another node.
        expected: B256,
        /// Number of nodes with the hash that was read.
        same: usize,
        /// Number of nodes that answered.
        nodes: usize,
    },
    /// The L1 nodes give different answers about the contracts.
    #[error(
        "the L1 nodes disagree on the state of L1: {same} of {nodes} nodes at most have the same answer, expected more than half"
    )]
    Undecided {
        /// Number of nodes with the most frequent answer.
        same: usize,
        /// Number of nodes that answered.
        nodes: usize,
    },
    /// The node no longer has a block that it reported before.
    #[error("the L1 node no longer has block {0}")]
    Gone(B256),
    /// The node reports no latest block.
    #[error("the L1 node has no latest block")]
    NoHead,
    /// A reorg replaced all remembered headers.
    #[error("L1 was reorganised below block {0}, the oldest that this node remembers")]
    TooDeep(u64),
    /// A consensus client's response is not one of the Beacon API.
    #[error("the consensus client of L1: {0}")]
    Beacon(String),
    /// A consensus client lacks a blob of a transaction.
    #[error(
        "the consensus client of L1 lacks the blob {hash} of a transaction in L1 block {block}"
    )]
    BlobMissing {
        /// Number of the L1 block.
        block: u64,
        /// Versioned hash of the blob.
        hash: B256,
    },
    /// A consensus client does not answer, or responds with an error.
    #[error(
        "failed to get the blobs {hashes} of L1 block {block} from the consensus client of L1: {source}"
    )]
    BlobsRefused {
        /// Number of the L1 block.
        block: u64,
        /// Versioned hashes of the blobs.
        hashes: String,
        /// Error of the request.
        source: Box<Self>,
    },
    /// L2 blocks are in blobs, and no consensus client is configured.
    #[error(
        "L2 blocks are in the blobs of L1 transaction {0}: set the URL of a consensus client (l1_beacon)"
    )]
    NoBeacon(B256),
    /// A thread for a request has panicked.
    #[error("a thread with a request to L1 has panicked")]
    Thread,
}

impl L1Error {
    pub(crate) fn mismatch(what: &'static str, got: impl Display, expected: impl Display) -> Self {
        Self::Mismatch { what, got: got.to_string(), expected: expected.to_string() }
    }

    /// Returns `true` if the next L1 node should be tried: this one contradicts itself, lacks data
    /// that every node has, or sends a response of another type.
    pub(crate) const fn is_of_this_node(&self) -> bool {
        use alloy_provider::transport::RpcError;
        matches!(
            self,
            Self::Mismatch { .. }
                | Self::Gone(_)
                | Self::NoHead
                | Self::Client(ClientError::Rpc(RpcError::DeserError { .. }))
        )
    }
}

impl<E> From<alloy_provider::transport::RpcError<E>> for L1Error
where
    ClientError: From<alloy_provider::transport::RpcError<E>>,
{
    fn from(error: alloy_provider::transport::RpcError<E>) -> Self {
        Self::Client(error.into())
    }
}

/// Error that keeps a rollup node from starting or continuing.
#[derive(Debug, thiserror::Error)]
pub enum RollupError {
    /// L1 cannot be read.
    #[error(transparent)]
    L1(#[from] L1Error),
    /// The file of L1's history cannot be read or written.
    #[error("the file of L1's history: {0}")]
    L1Log(#[from] DiskError),
    /// A call of a contract on L1 failed.
    #[error("a contract on L1: {0}")]
    Contract(#[from] alloy_contract::Error),
    /// Error of the L2's chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The node cannot listen on the port of the Engine API.
    #[error("the Engine API: {0}")]
    EnginePort(#[from] rpc::engine::EngineServerError),
    /// The execution client that the node drives does not answer, or rejects a block.
    #[error("execution client: {0}")]
    Engine(#[from] rpc::engine::EngineError),
    /// Error of the L2's node.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// An EXECUTE input cannot be encoded or decoded. If L1 has accepted it, L1 and this node
    /// disagree.
    #[error("the input of L2 block {number} on L1: {source}")]
    Input {
        /// Number of the block.
        number: u64,
        /// The decoding error.
        source: DecodeError,
    },
    /// An input cannot be encoded as blobs.
    #[error("failed to encode the blobs of an advance: {0}")]
    Blobs(String),
    /// L1 rejects a transaction with blobs.
    #[error("L1 rejects a transaction with blobs, posting its blocks as calldata: {0}")]
    BlobsRefused(String),
    /// The inputs of an `advance` cannot be found.
    #[error(transparent)]
    DataMissing(#[from] derive::DataMissing),
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
    /// The L1 is not that of the deployment.
    #[error("the L1 has chain id {got}, but the deployment is on {expected}")]
    OtherL1 {
        /// Chain id of the L1 node.
        got: u64,
        /// L1 chain id of the deployment.
        expected: u64,
    },
    /// The deployment's address has another rollup, or none.
    #[error("the contract at {rollup} is not the rollup of the deployment: {reason}")]
    OtherRollup {
        /// The address.
        rollup: Address,
        /// The difference.
        reason: String,
    },
    /// The sequencing policy does not allow the account of this node to advance now.
    #[error("{account} may not advance the rollup now: {reason}")]
    NotAuthorized {
        /// The account.
        account: Address,
        /// The policy's reason.
        reason: String,
    },
    /// A check of the configuration against L1 failed.
    #[error("{0}")]
    Preflight(Box<Check>),
    /// Another node builds blocks with the keys of this sequencer.
    #[error(
        "another node has the keys of this sequencer: L1 has included blocks of {account} that this node has not built, \
         {times} times, last in transaction {transaction}; this node builds no more blocks: stop one of the two, then \
         promote or restart the other"
    )]
    SharedKeys {
        /// Account of both nodes.
        account: Address,
        /// Number of L1 transactions with blocks of the other node.
        times: u64,
        /// Hash of the last L1 transaction of the other node.
        transaction: B256,
    },
    /// L1's time was set back before that of the newest L2 block, which L1 does not accept yet.
    #[error(
        "L1's time has gone back: L2 block {number} has timestamp {got}, and L1's next block would have {expected}; \
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
    /// EXECUTE rejects a block.
    #[error("EXECUTE refuses block {hash}: {reason}")]
    Refused {
        /// Hash of the block.
        hash: B256,
        /// EXECUTE's reason.
        reason: ExecuteError,
    },
    /// A block is of another chain.
    #[error("block of chain {got}, expected chain {expected}")]
    OtherL2 {
        /// Chain id of the block.
        got: u64,
        /// Chain id of the L2.
        expected: u64,
    },
    /// The deployment file cannot be used.
    #[error(transparent)]
    Deployment(#[from] contracts::DeploymentError),
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
    /// The pool's file cannot be used.
    #[error("cannot use {}: {source}", path.display())]
    Pool {
        /// Path of the file.
        path: PathBuf,
        /// Reason.
        source: io::Error,
    },
    /// A snapshot cannot be exported or imported.
    #[error(transparent)]
    Snapshot(#[from] disk::snapshot::SnapshotError),
    /// A file or folder cannot be used.
    #[error("cannot use {}: {source}", path.display())]
    DataFile {
        /// Path of the file or folder.
        path: PathBuf,
        /// Reason.
        source: io::Error,
    },
    /// The list of the data directory's files cannot be used.
    #[error("cannot use {}: {source}", path.display())]
    DataDir {
        /// Path of the list.
        path: PathBuf,
        /// Reason.
        source: DiskError,
    },
    /// The file of spending on L1 cannot be used.
    #[error("cannot use {}: {source}", path.display())]
    Spending {
        /// Path of the file.
        path: PathBuf,
        /// Reason.
        source: DiskError,
    },
    /// The cost of a transaction cannot be recorded, so the transaction is not sent.
    #[error("failed to record the cost of an L1 transaction, which is not sent: {0}")]
    SpendingNotKept(DiskError),
    /// The operator's account on the L2 cannot pay for the system transactions of the next block.
    #[error("the operator's transactions on the L2: {0}")]
    Operator(Rejection),
    /// The account that advances the rollup has too little ETH.
    #[error("{account} has {balance} wei on L1, and the next transaction may cost {cost}")]
    Funds {
        /// The account.
        account: Address,
        /// Its balance in wei.
        balance: U256,
        /// Maximum cost in wei.
        cost: U256,
    },
    /// The daily spending limit is reached.
    #[error("{spent} wei were spent on L1 in a day, and the limit is {limit}")]
    SpendingLimit {
        /// Wei spent within a day.
        spent: u128,
        /// The limit in wei.
        limit: u128,
    },
    /// The block of a snapshot is not in a finalized L1 block.
    #[error(
        "block {number} of the snapshot is in L1 block {l1_block}, which is not final (the newest final one is {finalized}): export an older block, wait, or import with --allow-unfinal"
    )]
    SnapshotNotFinal {
        /// Number of the L2 block.
        number: u64,
        /// Number of the L1 block that includes it.
        l1_block: u64,
        /// Number of the newest finalized L1 block.
        finalized: u64,
    },
    /// L1 no longer includes the block of the snapshot from which this node started.
    #[error(
        "L1 was reorganised and does not have block {first}, with which the chain of this node starts: import a snapshot of a final block into a new data directory"
    )]
    SnapshotGone {
        /// Number of the L2 block.
        first: u64,
    },
    /// The next transaction exceeds the L1 node's limit on fees.
    #[error(
        "a transaction with {gas} gas at {price} wei costs more than {cap} wei, the fee cap of the L1 node: raise its --rpc.txfeecap, and --l1-tx-fee-cap-gwei"
    )]
    TxFeeCap {
        /// Gas limit of the transaction.
        gas: u64,
        /// Minimum price per gas with which L1 would include it, in wei.
        price: u128,
        /// The fee cap in wei.
        cap: u128,
    },
    /// The RPC server cannot start.
    #[error(transparent)]
    Serve(#[from] rpc::ServeError),
    /// L1 has not answered for longer than the sequencer may build blocks without it.
    #[error(
        "L1 has not answered for {silent} s, and blocks are made without it for {limit} s at most: L1 would reject older ones"
    )]
    L1Silent {
        /// Seconds since L1 was last read completely.
        silent: u64,
        /// Maximum seconds.
        limit: u64,
    },
    /// L1's EXECUTE has another gas schedule than configured.
    #[error(
        "EXECUTE on L1 requires {what} gas than the schedule {configured}, which reserves {reserve} for an empty block; \
         L1 seems to have the schedule {fitting}, see --l1-execute-gas"
    )]
    Profile {
        /// Configured schedule.
        configured: String,
        /// Gas that the schedule reserves for an empty block.
        reserve: u64,
        /// `more` or `less`.
        what: &'static str,
        /// Name of a schedule with L1's prices, if one fits.
        fitting: &'static str,
    },
    /// The gas limit of L1's blocks is below that of the transactions that L2 blocks are sized for.
    #[error(
        "L1's blocks have {got} gas, and L2 blocks are sized for transactions of up to {expected}: restart the node, and it \
         builds smaller ones"
    )]
    L1Limits {
        /// Gas limit of L1's newest block.
        got: u64,
        /// Maximum gas of a transaction by the configuration.
        expected: u64,
    },
    /// The remote signer returns no valid signature.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// etcd cannot be used, or the lease is lost.
    #[error(transparent)]
    Lease(#[from] crate::lease::LeaseError),
    /// A value of the configuration is invalid.
    #[error("{field}: {reason}")]
    Config {
        /// Name of the field.
        field: &'static str,
        /// Reason.
        reason: String,
    },
}

impl RollupError {
    /// Returns `true` if a service of L1 is unavailable for now. Nothing contradicts its earlier
    /// responses, so the sequencer may build on these for a while.
    pub(crate) const fn is_outage(&self) -> bool {
        matches!(
            self,
            Self::L1(
                L1Error::Client(_)
                    | L1Error::Disagreement { .. }
                    | L1Error::Undecided { .. }
                    | L1Error::Gone(_)
                    | L1Error::Beacon(_)
                    | L1Error::BlobMissing { .. }
                    | L1Error::BlobsRefused { .. }
            ) | Self::Contract(alloy_contract::Error::TransportError(_))
        )
    }
}

/// Errors of a node that serves unsafe blocks. None of the blocks of such a response is executed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeedError {
    /// The request failed, or the response is malformed.
    #[error("{0}")]
    Request(String),
    /// The node did not answer within this number of seconds.
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
        /// Number of the block.
        got: u64,
        /// Expected number.
        expected: u64,
    },
    /// A block is of another L2.
    #[error("block of chain {got}, expected chain {expected}")]
    OtherChain {
        /// Chain id of the block.
        got: u64,
        /// Chain id of this L2.
        expected: u64,
    },
    /// A block lacks the required signature.
    #[error("block {number} ({hash}) is not signed, expected a signature of the sequencer")]
    Unsigned {
        /// Number of the block.
        number: u64,
        /// Its hash.
        hash: B256,
    },
    /// A block's signature is malformed.
    #[error("the signature on block {number} ({hash}) is malformed")]
    NoSignature {
        /// Number of the block.
        number: u64,
        /// Its hash.
        hash: B256,
    },
    /// A block was signed by an account that may not build blocks, or the signature is for another
    /// block.
    #[error(
        "block {number} is signed by {got}, expected an account of --feed-signer, or one that the rollup's policy admits"
    )]
    WrongSigner {
        /// Number of the block.
        number: u64,
        /// Account that the signature recovers to.
        got: Address,
    },
    /// The request to L1 whether the policy admits the signer failed.
    #[error("failed to check the signer with the rollup's policy: {0}")]
    Policy(String),
    /// The node serves none of the blocks that it claims to have.
    #[error("no block behind {from}, expected those up to its head {head}")]
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
        /// Number of the newest L2 block on L1.
        expected: u64,
    },
    /// The node repeatedly serves blocks that do not extend this node's chain.
    #[error("{0} responses whose blocks do not continue this chain")]
    InVain(usize),
    /// The rollup is not known yet, or the node is stopping.
    #[error("the node is not ready")]
    NotOpen,
}

/// Errors of requests, which distinguish missing responses from error responses.
pub(crate) trait Silence {
    /// Returns `true` if the node did not answer.
    fn is_silence(&self) -> bool;
}

impl<E> Silence for alloy_provider::transport::RpcError<E> {
    fn is_silence(&self) -> bool {
        self.is_transport_error()
    }
}

impl Silence for L1Error {
    fn is_silence(&self) -> bool {
        match self {
            Self::Client(ClientError::Http(_)) => true,
            Self::Client(ClientError::Rpc(error)) => error.is_silence(),
            _ => false,
        }
    }
}

impl Silence for RollupError {
    fn is_silence(&self) -> bool {
        match self {
            Self::L1(error) => error.is_silence(),
            Self::Contract(error) => error.is_silence(),
            _ => false,
        }
    }
}

impl Silence for alloy_contract::Error {
    fn is_silence(&self) -> bool {
        matches!(self, Self::TransportError(error) if error.is_transport_error())
    }
}

/// A duty that the block does not fulfil, so L1 would reject it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DutyError {
    /// The block leaves out a due forced transaction that it could include.
    #[error("block {block} omits forced transaction {index} ({hash}), which is due and fits")]
    ForcedOmitted {
        /// Index of the forced transaction in the queue.
        index: u64,
        /// Hash of the forced transaction.
        hash: B256,
        /// Number of the block.
        block: u64,
    },
    /// Messages are overdue, and the block has relayed too few.
    #[error("messages are overdue since {due}, and block {block} has relayed {relayed}")]
    MessagesOverdue {
        /// Number of the block.
        block: u64,
        /// Number of messages relayed after the block.
        relayed: u64,
        /// L2 timestamp from which on they are overdue.
        due: u64,
    },
    /// The block has a new anchor that none of its transactions proves, or that this node has not
    /// read on L1.
    #[error("block {block} has an anchor that this node does not know: {anchor}")]
    AnchorUnknown {
        /// Number of the block.
        block: u64,
        /// Hash of the anchor.
        anchor: B256,
    },
}
