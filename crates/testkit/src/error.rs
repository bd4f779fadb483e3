//! Errors of compiling, deploying and calling contracts.

use alloy_primitives::{Address, B256, Bytes};
use chain::ChainError;
use client::ClientError;
use std::{io, path::PathBuf, process::ExitStatus, time::Duration};
use toolchain::SetupError;
use wire::DecodeError;

/// Reason why a contract could not be compiled, deployed or called, or a node could not be started.
#[derive(Debug, thiserror::Error)]
pub enum HarnessError {
    /// The tools could not be installed.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// A file could not be read or written.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        error: io::Error,
    },
    /// The contracts do not compile.
    #[error("cannot compile contracts/: {0}")]
    Compiler(String),
    /// No contract has this name.
    #[error("contracts/ has no contract {0}")]
    NoSuchContract(String),
    /// A predeploy has immutables, which only a constructor can set.
    #[error("{0} has immutables, so its code is not known before a constructor has run")]
    HasImmutables(String),
    /// The address of EXECUTE in a contract cannot be replaced.
    #[error("{0} does not contain EXECUTE's address exactly once, or {1} is longer than two bytes")]
    OtherExecute(&'static str, Address),
    /// The chain in this process reported an error.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A transaction was not included in a block.
    #[error("transaction not included: {0}")]
    NotIncluded(executor::Invalid),
    /// A transaction of a block failed.
    #[error("transaction {0} of the block failed")]
    Failed(usize),
    /// A request to the L1 node failed.
    #[error("L1 node: {0}")]
    Client(#[from] ClientError),
    /// A process cannot be started or controlled.
    #[error("cannot run {program}: {error}")]
    Process {
        /// The program.
        program: String,
        /// Error of the operating system.
        error: io::Error,
    },
    /// A certificate cannot be issued.
    #[error("cannot issue a certificate: {0}")]
    Certificate(String),
    /// The `enshrine` binary is not built.
    #[error(
        "the enshrine binary does not exist: run `cargo build --release --bin enshrine`, or set \
         ENSHRINE_BIN to its path"
    )]
    NoBinary,
    /// The node exited before its first response.
    #[error("the node exited before its first response: {0}")]
    Ended(ExitStatus),
    /// The node runs and does not respond.
    #[error("the node did not respond within {} s", .0.as_secs())]
    Silent(Duration),
    /// The node has another genesis than the chain in this process.
    #[error("the node's genesis is {got}, expected {expected}")]
    OtherGenesis {
        /// Genesis hash of the node.
        got: B256,
        /// Genesis hash of the chain in this process.
        expected: B256,
    },
    /// A blob is malformed.
    #[error("malformed blob: {0}")]
    Blob(String),
    /// The node accepted a transaction and did not include it.
    #[error("transaction {0} has no receipt")]
    NoReceipt(B256),
    /// The node returns a malformed block.
    #[error("malformed block from the node: {0}")]
    Block(#[from] DecodeError),
    /// A transaction reverted.
    #[error("{to:?}: reverted with {output}")]
    Reverted {
        /// Called contract, or `None` for a deployment.
        to: Option<Address>,
        /// Revert data.
        output: Bytes,
    },
    /// A call succeeded that was expected to revert.
    #[error("{to}: succeeded, expected {expected}")]
    NotReverted {
        /// Called contract.
        to: Address,
        /// Signature of the expected error.
        expected: &'static str,
    },
    /// The return data of a contract does not match its interface.
    #[error("{to}: {error}")]
    Answer {
        /// Called contract.
        to: Address,
        /// Error of the decoder.
        error: alloy_sol_types::Error,
    },
}
