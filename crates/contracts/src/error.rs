//! What can go wrong between Solidity and a deployed contract.

use alloy_primitives::{Address, Bytes};
use chain::ChainError;
use std::{io, path::PathBuf};
use toolchain::SetupError;

/// Why a contract could not be compiled, deployed or called.
#[derive(Debug, thiserror::Error)]
pub enum ContractsError {
    /// The tools could not be brought into place.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// A file could not be read or written.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// `foundry.toml` does not say what is needed.
    #[error("{0}")]
    Settings(String),
    /// The compiler refused the contracts.
    #[error("cannot compile contracts/: {0}")]
    Compiler(String),
    /// There is no contract with this name.
    #[error("contracts/ holds no contract {0}")]
    NoSuchContract(String),
    /// A contract that must stand at genesis needs a constructor.
    #[error("{0} has immutables, so its code is not known before a constructor has run")]
    HasImmutables(String),
    /// The chain refused.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A transaction did not make it into a block.
    #[error("transaction not included: {0}")]
    NotIncluded(executor::Invalid),
    /// The node that keeps the L1 could not do it.
    #[error("the L1 node: {0}")]
    Node(String),
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
