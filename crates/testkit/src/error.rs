//! Errors of compiling, deploying and calling contracts.

use alloy_primitives::{Address, B256, Bytes};
use chain::ChainError;
use client::ClientError;
use std::{io, path::PathBuf, process::ExitStatus, time::Duration};
use toolchain::SetupError;
use wire::DecodeError;

/// Reason for which a contract could not be compiled, deployed or called, or a node could not be
/// started.
#[derive(Debug, thiserror::Error)]
pub enum HarnessError {
    /// The tools could not be brought into place.
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
    /// The compiler refused the contracts.
    #[error("cannot compile contracts/: {0}")]
    Compiler(String),
    /// No contract has this name.
    #[error("contracts/ holds no contract {0}")]
    NoSuchContract(String),
    /// A contract in the genesis needs a constructor.
    #[error("{0} has immutables, so its code is not known before a constructor has run")]
    HasImmutables(String),
    /// A contract cannot be made to call another address of EXECUTE.
    #[error("{0} does not name EXECUTE exactly once, or {1} is longer than two bytes")]
    OtherExecute(&'static str, Address),
    /// The chain refused.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A transaction did not make it into a block.
    #[error("transaction not included: {0}")]
    NotIncluded(executor::Invalid),
    /// The node that keeps the L1 could not do it.
    #[error("the L1 node: {0}")]
    Client(#[from] ClientError),
    /// The node cannot be started or looked after.
    #[error("cannot run {program}: {error}")]
    Process {
        /// The program.
        program: String,
        /// Error of the operating system.
        error: io::Error,
    },
    /// The binary of the house is not built.
    #[error(
        "the enshrine binary is not there: run `cargo build --release --bin enshrine`, or name one \
         in ENSHRINE_BIN"
    )]
    NoBinary,
    /// The node ended before it answered.
    #[error("the node ended before it answered: {0}")]
    Ended(ExitStatus),
    /// The node runs and does not answer.
    #[error("the node did not answer within {} s", .0.as_secs())]
    Silent(Duration),
    /// The node has another genesis than the chain that follows it.
    #[error("the node's genesis is {got}, expected {expected}")]
    OtherGenesis {
        /// Hash of the node's.
        got: B256,
        /// Hash of the follower's.
        expected: B256,
    },
    /// Bytes that are to be a blob are none.
    #[error("no blob: {0}")]
    Blob(String),
    /// The node has taken a transaction and put it into no block.
    #[error("transaction {0} has no receipt")]
    NoReceipt(B256),
    /// The node returns a malformed block.
    #[error("the node's block: {0}")]
    Block(#[from] DecodeError),
    /// A transaction reverted.
    #[error("{to:?}: reverted with {output}")]
    Reverted {
        /// The contract, or `None` for a deployment.
        to: Option<Address>,
        /// Data of the revert.
        output: Bytes,
    },
    /// A contract answered something that its interface does not allow.
    #[error("{to}: {error}")]
    Answer {
        /// The contract.
        to: Address,
        /// The decoder's reason.
        error: alloy_sol_types::Error,
    },
}
