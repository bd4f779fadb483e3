//! Errors while installing the tools.

use std::{io, path::PathBuf, process::ExitStatus};

/// Reason why the tools could not be installed. Messages contain the remedy.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The starting point is not inside a checkout.
    #[error(
        "{} is not inside a checkout: no directory above it contains both foundry.toml and tools/solc; \
         run the command from within the repository",
        start.display()
    )]
    RootNotFound {
        /// Starting point of the search.
        start: PathBuf,
    },

    /// A program that the set-up needs is not on the `PATH`.
    #[error(
        "`{program}` was not found on the PATH; the Solidity compiler and the installation of the \
         other tools need it: install Node.js {required} or newer (with npm) and try again"
    )]
    NodeMissing {
        /// `node` or `npm`.
        program: &'static str,
        /// Minimum major version.
        required: u32,
    },

    /// The Node on the `PATH` is too old, or its version is unknown.
    #[error(
        "{} reports version `{found}`, but the Solidity tools need Node.js {required} or newer: \
         update Node.js, or put a newer one first on the PATH",
        program.display()
    )]
    NodeTooOld {
        /// Path of the Node executable.
        program: PathBuf,
        /// Output of the program.
        found: String,
        /// Minimum major version.
        required: u32,
    },

    /// The tools do not support this platform.
    #[error(
        "the Solidity tools do not run on {os} on {arch}: use Linux (on Windows, inside WSL) or macOS, \
         on x86_64 or aarch64"
    )]
    UnsupportedPlatform {
        /// Operating system, as [`std::env::consts::OS`] names it.
        os: &'static str,
        /// Processor architecture, as [`std::env::consts::ARCH`] names it.
        arch: &'static str,
    },

    /// A program ran and failed.
    #[error(
        "`{command}` failed ({status}); if the output below shows a network error, check the connection \
         and npm's registry setting, then try again:\n{output}"
    )]
    CommandFailed {
        /// The command line.
        command: String,
        /// Exit status of the command.
        status: ExitStatus,
        /// Standard error of the command.
        output: String,
    },

    /// The installation succeeded, but a file of it is missing.
    #[error(
        "npm installed the packages, but {} is missing: check that the npm registry in use has \
         the package for this platform, remove node_modules, and try again",
        path.display()
    )]
    PackageIncomplete {
        /// Path of the missing part.
        path: PathBuf,
    },

    /// A download differs from the pinned one.
    #[error(
        "the hash of {what} is not the pinned one: expected {expected}, got {got}; none of it was \
         used. The registry or a proxy altered the package: find out why before working around \
         this"
    )]
    IntegrityMismatch {
        /// Name of the download.
        what: &'static str,
        /// Pinned hash, as a subresource integrity string.
        expected: &'static str,
        /// Hash of the download, in the same format.
        got: String,
    },

    /// A file system operation failed.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// Verb for the failed action.
        action: &'static str,
        /// File or directory of the action.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
}

impl SetupError {
    /// Returns a conversion for `map_err` that adds the action and the path to an I/O error.
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}
