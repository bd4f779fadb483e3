//! The Solidity tools of the repository: forge, cast, anvil, the compiler, forge-std and solady.
//!
//! This crate owns the installation of the tools and their locations. All tools are inside the
//! checkout, in directories that git ignores, at versions that the checkout pins; nothing is
//! installed for the user or the system. Other crates use the tools: for typed bindings, test
//! suites and nodes.
//!
//! It runs where forge runs scripts as compilers: on Linux and macOS.
//!
//! The compiler is `tools/solc`, a front end to the npm package `solc` that implements the parts of
//! a compiler's interface that forge uses.
//!
//! ```no_run
//! use enshrine_toolchain::{Toolchain, progress_to_stderr};
//!
//! let tools = Toolchain::ensure(&progress_to_stderr)?;
//! let built = tools.forge_command().arg("build").status();
//! # Ok::<(), enshrine_toolchain::SetupError>(())
//! ```

mod cache;
mod cargo;
mod error;
mod forge_std;
mod integrity;
mod lock;
mod node;
mod packages;
mod root;
mod solady;
mod syntax;

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

pub use cargo::cargo;
pub use error::SetupError;
pub use root::{find_root, root_above};

/// Receiver of progress messages: one line for a person before each step.
///
/// Nothing is reported when there is nothing to do.
pub type Progress<'a> = &'a dyn Fn(&str);

/// A [`Progress`] that writes to standard error.
pub fn progress_to_stderr(line: &str) {
    eprintln!("setup: {line}");
}

/// The tools of one checkout, all of them in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain {
    root: PathBuf,
    binaries: packages::Binaries,
}

impl Toolchain {
    /// Brings the tools of the surrounding checkout (see [`find_root`]) into place.
    ///
    /// # Errors
    ///
    /// [`SetupError::RootNotFound`], and those of [`Self::ensure_at`].
    pub fn ensure(progress: Progress<'_>) -> Result<Self, SetupError> {
        Self::ensure_at(&find_root()?, progress)
    }

    /// Brings the tools of the checkout at `root` into place.
    ///
    /// When they are in place already this starts no process and needs no network and no Node: it
    /// hashes three small files and looks whether the tools exist. Processes and threads that call
    /// it at the same time wait for the first one, which does the work for all.
    ///
    /// # Errors
    ///
    /// Any [`SetupError`], which names the remedy. An interrupted or failed set-up leaves nothing
    /// that a later one would take for complete.
    pub fn ensure_at(root: &Path, progress: Progress<'_>) -> Result<Self, SetupError> {
        let toolchain = Self { root: root.to_owned(), binaries: packages::Binaries::below(root)? };
        if toolchain.in_place()? {
            return Ok(toolchain);
        }
        let _lock = lock::acquire(root, progress)?;
        let search_path = env::var_os("PATH").unwrap_or_default();
        if !packages::in_place(root, &toolchain.binaries)? {
            packages::install(root, &toolchain.binaries, &search_path, progress)?;
        }
        if !forge_std::in_place(root) {
            forge_std::install(root, &search_path, progress)?;
        }
        if !solady::in_place(root) {
            solady::install(root, progress)?;
        }
        Ok(toolchain)
    }

    fn in_place(&self) -> Result<bool, SetupError> {
        Ok(packages::in_place(&self.root, &self.binaries)?
            && forge_std::in_place(&self.root)
            && solady::in_place(&self.root))
    }

    /// The top directory of the checkout.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The forge executable itself, not npm's launcher around it.
    pub fn forge(&self) -> &Path {
        &self.binaries.forge
    }

    /// The cast executable itself, not npm's launcher around it.
    pub fn cast(&self) -> &Path {
        &self.binaries.cast
    }

    /// The anvil executable itself, not npm's launcher around it.
    pub fn anvil(&self) -> &Path {
        &self.binaries.anvil
    }

    /// The compiler, for `forge --use`.
    ///
    /// It serves `--version` and `--standard-json`, and needs `node` on the `PATH`.
    pub fn solc(&self) -> PathBuf {
        self.root.join("tools/solc")
    }

    /// A command that runs forge at the top of the checkout, where `foundry.toml` expects it.
    pub fn forge_command(&self) -> Command {
        let mut command = Command::new(self.forge());
        command.current_dir(&self.root);
        command
    }
}
