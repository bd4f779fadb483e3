//! Errors of a call.

use crate::ProfileError;
use alloy_primitives::B256;
use chain::ChainError;
use std::{io, path::PathBuf};
use store::StoreError;

/// Reason for which a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum ForgeError {
    /// The request is refused; a test may expect that.
    #[error("{0}")]
    Refused(String),
    /// The request's file is not there as a whole.
    #[error("the request is gone")]
    RequestGone,
    /// The two sides are of different age.
    #[error(
        "the Solidity utilities speak protocol {got}, this `enshrine` speaks {expected}: take both \
         from one version (in the repository: `cargo build --release --bin enshrine`)"
    )]
    Protocol {
        /// Spoken by the utilities.
        got: u32,
        /// Spoken here.
        expected: u32,
    },
    /// The profile of EXECUTE makes no sense.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// A file cannot be used.
    #[error("cannot {verb} {path}: {source}")]
    Io {
        /// Verb for the failed action.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// A file has other content than its name says.
    #[error("{path} is damaged: {what}; run `enshrine forge clean`, then the tests again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The violation.
        what: &'static str,
    },
    /// A block that no call has built here.
    #[error(
        "L2 block {0} is not known here: it was built elsewhere, or its files are gone; run the \
         test from its `setUp` on"
    )]
    UnknownBlock(B256),
    /// A part of the state after a block is missing.
    #[error(
        "the state of L2 block {0} is not whole here; run `enshrine forge clean`, then the tests"
    )]
    StateIncomplete(B256),
    /// The bytes of a request are none.
    #[error("request: {0}")]
    Request(String),
    /// The chain is broken: a fault of ours.
    #[error("L2 chain: {0}")]
    Chain(#[from] ChainError),
}

impl From<StoreError> for ForgeError {
    fn from(error: StoreError) -> Self {
        Self::Chain(error.into())
    }
}
