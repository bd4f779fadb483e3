//! Errors of a devnet.

use std::{path::PathBuf, time::Duration};

/// Error at the start of a devnet, or one that ends it.
#[derive(Debug, thiserror::Error)]
pub enum DevnetError {
    /// The mnemonic or the derivation path is invalid.
    #[error("cannot derive accounts from the mnemonic: {0}")]
    Mnemonic(String),
    /// Two flags contradict each other, or a value is invalid.
    #[error("{flag}: {reason}")]
    Flag {
        /// The flag.
        flag: &'static str,
        /// The problem.
        reason: String,
    },
    /// A file could not be read or written.
    #[error("cannot {what} {}: {source}", path.display())]
    File {
        /// The operation that failed.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A file has another format than expected.
    #[error("{} is not a {expected}: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Expected format.
        expected: &'static str,
        /// Place and reason of the failure.
        reason: String,
    },
    /// A change locked the chain for too long, so the state was not written.
    #[error("the state is not written to {}: something has changed it for {} s", path.display(), waited.as_secs_f64())]
    NotWritten {
        /// The file.
        path: PathBuf,
        /// Duration of the wait.
        waited: Duration,
    },
    /// The server cannot listen on the port or socket.
    #[error("cannot listen on {address}: {source}; choose another with {flag}")]
    Listen {
        /// The address.
        address: String,
        /// The flag that chooses it.
        flag: &'static str,
        /// The system's error.
        source: std::io::Error,
    },
    /// The process cannot handle the signals that end it.
    #[error("cannot listen to signals: {0}")]
    Signals(std::io::Error),
    /// The chain cannot start.
    #[error(transparent)]
    Chain(#[from] chain::ChainError),
}

impl DevnetError {
    /// A file error with its context.
    pub(crate) fn file(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { what, path, source }
    }
}
