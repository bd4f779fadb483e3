//! Errors of a devnet.

use std::{path::PathBuf, time::Duration};

/// An error for which a devnet does not start, or could not go on.
#[derive(Debug, thiserror::Error)]
pub enum DevnetError {
    /// The phrase is none, or the path is none.
    #[error("cannot derive accounts from the mnemonic: {0}")]
    Mnemonic(String),
    /// Two flags contradict each other, or a value makes no sense.
    #[error("{flag}: {reason}")]
    Flag {
        /// The flag.
        flag: &'static str,
        /// The error in it.
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
    /// A file is not in the format that it should have.
    #[error("{} is not a {expected}: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Expected value.
        expected: &'static str,
        /// Place and reason of the failure.
        reason: String,
    },
    /// The chain did not stand still for long enough to be written.
    #[error("the state is not written to {}: something has changed it for {} s", path.display(), waited.as_secs_f64())]
    NotWritten {
        /// The file.
        path: PathBuf,
        /// Time that was waited.
        waited: Duration,
    },
    /// The port or socket cannot be had.
    #[error("cannot listen on {address}: {source}; choose another with {flag}")]
    Listen {
        /// The address.
        address: String,
        /// The flag that chooses it.
        flag: &'static str,
        /// The system's error.
        source: std::io::Error,
    },
    /// The signals that end the process cannot be heard.
    #[error("cannot listen to signals: {0}")]
    Signals(std::io::Error),
    /// The chain cannot be started.
    #[error(transparent)]
    Chain(#[from] chain::ChainError),
}

impl DevnetError {
    /// A file error with its circumstances.
    pub(crate) fn file(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { what, path, source }
    }
}
