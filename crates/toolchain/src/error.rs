//! Errors of installing the tools.

use std::{io, path::PathBuf, process::ExitStatus};

/// Reason for which the tools could not be installed, and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// No checkout surrounds the starting point.
    #[error(
        "{} is not inside a checkout: no directory above it holds both foundry.toml and tools/solc; \
         run the command from within the repository",
        start.display()
    )]
    RootNotFound {
        /// Starting point of the search.
        start: PathBuf,
    },

    /// A program that set-up runs is not on the `PATH`.
    #[error(
        "`{program}` was not found on the PATH; the Solidity compiler and the installer of the other \
         tools run on it: install Node.js {required} or newer (with npm) and try again"
    )]
    NodeMissing {
        /// `node` or `npm`.
        program: &'static str,
        /// The lowest major version that works.
        required: u32,
    },

    /// The Node on the `PATH` is too old, or does not tell its version.
    #[error(
        "{} reports version `{found}`, but the Solidity tools need Node.js {required} or newer: \
         update Node.js, or put a newer one first on the PATH",
        program.display()
    )]
    NodeTooOld {
        /// The Node that was asked.
        program: PathBuf,
        /// Output of the program.
        found: String,
        /// The lowest major version that works.
        required: u32,
    },

    /// The tools do not run on this machine.
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
        "`{command}` failed ({status}); if what follows speaks of the network, check the connection \
         and npm's registry setting, then try again:\n{output}"
    )]
    CommandFailed {
        /// The command line.
        command: String,
        /// Exit status of the command.
        status: ExitStatus,
        /// Its standard error.
        output: String,
    },

    /// The installation succeeded, but something it should have brought is absent.
    #[error(
        "npm installed the packages, but {} is missing: look whether the npm registry in use has \
         the package for this platform, remove node_modules, and try again",
        path.display()
    )]
    PackageIncomplete {
        /// Path of the missing part.
        path: PathBuf,
    },

    /// A download differs from the pinned one.
    #[error(
        "the contents of {what} are not the pinned ones: expected {expected}, got {got}; nothing of \
         it was used. The registry or something on the way to it altered the package: do not work \
         around this before you know why"
    )]
    IntegrityMismatch {
        /// Name of the download.
        what: &'static str,
        /// The pinned hash, in the form of subresource integrity.
        expected: &'static str,
        /// Hash of the download, in the same form.
        got: String,
    },

    /// The file system refused.
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
