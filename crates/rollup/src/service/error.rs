//! Errors of a node's files, ports, threads and checks.

use crate::check::Check;
use alloy_primitives::{Address, B256};
use disk::DiskError;
use std::{io, path::PathBuf};

/// Error that keeps a node from starting or continuing, or a snapshot from being written or read.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The deployment file cannot be used.
    #[error(transparent)]
    Deployment(#[from] contracts::DeploymentError),
    /// A check of the configuration against L1 failed.
    #[error("{0}")]
    Preflight(Box<Check>),
    /// A value of the configuration is invalid.
    #[error("{field}: {reason}")]
    Config {
        /// Name of the field.
        field: &'static str,
        /// Reason.
        reason: String,
    },
    /// The list of the data directory's files cannot be used.
    #[error("cannot use {}: {source}", path.display())]
    DataDir {
        /// Path of the list.
        path: PathBuf,
        /// Reason.
        source: DiskError,
    },
    /// A file or directory cannot be used.
    #[error("cannot use {}: {source}", path.display())]
    DataFile {
        /// Path of the file or directory.
        path: PathBuf,
        /// Reason.
        source: io::Error,
    },
    /// A snapshot cannot be exported or imported.
    #[error(transparent)]
    Snapshot(#[from] disk::snapshot::SnapshotError),
    /// The block of a snapshot is not in a finalized L1 block.
    #[error(
        "block {number} of the snapshot is in L1 block {l1_block}, which is not finalized (the latest finalized one is {finalized}): export an older block, wait, or import with --allow-unfinal"
    )]
    SnapshotNotFinal {
        /// Number of the L2 block.
        number: u64,
        /// Number of the L1 block that includes it.
        l1_block: u64,
        /// Number of the latest finalized L1 block.
        finalized: u64,
    },
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
    /// The RPC server cannot start.
    #[error(transparent)]
    Serve(#[from] rpc::ServeError),
    /// The node cannot listen on the port of the Engine API.
    #[error("failed to serve the Engine API: {0}")]
    EnginePort(#[from] rpc::engine::EngineServerError),
    /// The execution client that the node drives does not respond, or rejects a block.
    #[error("execution client: {0}")]
    Engine(#[from] rpc::engine::EngineError),
    /// The operating system cannot create a thread.
    #[error("failed to create a thread: {0}")]
    NoThread(io::Error),
}
