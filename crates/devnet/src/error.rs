//! Errors of a devnet.

use std::{path::PathBuf, time::Duration};

/// Error that prevents a devnet from starting, or ends it.
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
        /// What is wrong.
        reason: String,
    },
    /// A file could not be read or written.
    #[error("cannot {what} {}: {source}", path.display())]
    File {
        /// The operation that failed.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        source: std::io::Error,
    },
    /// A file does not have the expected format.
    #[error("{} is not a {expected}: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Expected format.
        expected: &'static str,
        /// Position and reason of the error.
        reason: String,
    },
    /// The state was not written, because a change locked the chain for too long.
    #[error("failed to write the state to {}: a request has locked the chain for {} s", path.display(), waited.as_secs_f64())]
    NotWritten {
        /// The file.
        path: PathBuf,
        /// How long the devnet waited.
        waited: Duration,
    },
    /// The server cannot listen on the port or socket.
    #[error("cannot listen on {address}: {source}; choose another with {flag}")]
    Listen {
        /// The address.
        address: String,
        /// The flag that sets the address.
        flag: &'static str,
        /// Error of the operating system.
        source: std::io::Error,
    },
    /// The process cannot handle termination signals.
    #[error("cannot listen to signals: {0}")]
    Signals(std::io::Error),
    /// The chain could not be started.
    #[error(transparent)]
    Chain(#[from] chain::ChainError),
}

impl DevnetError {
    /// Returns a function that adds the operation and the path to an I/O error.
    pub(crate) fn file(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { what, path, source }
    }
}
