//! Errors of a helper call.

use crate::ProfileError;
use alloy_primitives::B256;
use chain::ChainError;
use chain::store::StoreError;
use std::{io, path::PathBuf};

/// Reason why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum ForgeError {
    /// The request is rejected. A test may expect this.
    #[error("{0}")]
    Refused(String),
    /// The file of the request is missing or incomplete.
    #[error("the request file is missing or incomplete")]
    RequestGone,
    /// The Solidity utilities and this program are from different versions.
    #[error(
        "the Solidity utilities speak protocol {got}, this `enshrine` speaks {expected}: take both \
         from one version (in the repository: `cargo build --release --bin enshrine`)"
    )]
    Protocol {
        /// Protocol of the utilities.
        got: u32,
        /// Protocol of this program.
        expected: u32,
    },
    /// The profile of EXECUTE is invalid.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// A file cannot be read, written or removed.
    #[error("cannot {verb} {path}: {source}")]
    Io {
        /// Verb for the failed action.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// The content of a file does not match its name.
    #[error("{path} is damaged: {what}; run `enshrine forge clean`, then the tests again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The violation.
        what: &'static str,
    },
    /// The workspace does not have the block.
    #[error(
        "L2 block {0} is not known here: it was built elsewhere, or its files are gone; run the \
         test from its `setUp` on"
    )]
    UnknownBlock(B256),
    /// The workspace lacks a part of the state after the block.
    #[error(
        "the state of L2 block {0} is not whole here; run `enshrine forge clean`, then the tests"
    )]
    StateIncomplete(B256),
    /// The request cannot be decoded.
    #[error("request: {0}")]
    Request(String),
    /// The chain failed, which is a bug.
    #[error("L2 chain: {0}")]
    Chain(#[from] ChainError),
}

impl From<StoreError> for ForgeError {
    fn from(error: StoreError) -> Self {
        Self::Chain(error.into())
    }
}
