//! The Solidity tools of the repository: forge, cast, anvil, the compiler, forge-std and solady.
//!
//! This crate installs the tools and returns their paths. All tools are inside the checkout, in
//! directories that git ignores, at versions that the checkout pins; nothing is installed for the
//! user or the system. Other crates use the tools for typed bindings, test suites and nodes.
//!
//! Supported platforms are Linux and macOS, where forge can run a script as a compiler.
//!
//! The compiler is `tools/solc`, a wrapper around the npm package `solc` that implements the part
//! of the command line interface that forge uses.
//!
//! ```no_run
//! use enshrine_toolchain::{Toolchain, progress_to_stderr};
//!
//! let tools = Toolchain::ensure(&progress_to_stderr)?;
//! let built = tools.forge_command().arg("build").status();
//! # Ok::<(), enshrine_toolchain::SetupError>(())
//! ```

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
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

pub use cargo::cargo;
pub use error::SetupError;
pub use root::{find_root, root_above};

/// Callback for progress messages: one human-readable line before each step, and none if there is
/// nothing to do.
pub type Progress<'a> = &'a dyn Fn(&str);

/// A [`Progress`] that writes to standard error.
pub fn progress_to_stderr(line: &str) {
    eprintln!("setup: {line}");
}

/// Name of the cache file in forge's cache directory.
const CACHE: &str = "solidity-files-cache.json";

/// The installed tools of one checkout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain {
    root: PathBuf,
    binaries: packages::Binaries,
}

impl Toolchain {
    /// Installs the tools of the surrounding checkout (see [`find_root`]) if necessary.
    ///
    /// # Errors
    ///
    /// [`SetupError::RootNotFound`], and those of [`Self::ensure_at`].
    pub fn ensure(progress: Progress<'_>) -> Result<Self, SetupError> {
        Self::ensure_at(&find_root()?, progress)
    }

    /// Installs the tools of the checkout at `root` if necessary.
    ///
    /// If they are installed already, this starts no process and needs neither network nor Node: it
    /// hashes three small files and checks that the tools exist. Concurrent callers, also in other
    /// processes, wait for the first one, which does the work for all.
    ///
    /// # Errors
    ///
    /// Any [`SetupError`], which names the remedy. A later call never mistakes an interrupted or
    /// failed set-up for a complete one.
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

    /// Returns the root directory of the checkout.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the path of the native forge executable, not of npm's launcher.
    pub fn forge(&self) -> &Path {
        &self.binaries.forge
    }

    /// Returns the path of the native cast executable, not of npm's launcher.
    pub fn cast(&self) -> &Path {
        &self.binaries.cast
    }

    /// Returns the path of the native anvil executable, not of npm's launcher.
    pub fn anvil(&self) -> &Path {
        &self.binaries.anvil
    }

    /// Returns the path of the compiler, for `forge --use`.
    ///
    /// It supports `--version` and `--standard-json`, and needs `node` on the `PATH`.
    pub fn solc(&self) -> PathBuf {
        self.root.join("tools/solc")
    }

    /// Returns a forge command in the root directory of the checkout, which has `foundry.toml`.
    pub fn forge_command(&self) -> Command {
        let mut command = Command::new(self.forge());
        command.current_dir(&self.root);
        command
    }

    /// Compiles this file, e.g. a script, and returns a forge command with its own copy of the
    /// cache. The command writes broadcasts and the cache into `folder`, and compiler warnings do
    /// not make it fail.
    ///
    /// forge writes its cache in place. Another forge that reads a half-written cache treats
    /// nothing as compiled, compiles what it needs, and leaves a cache without the rest. Therefore
    /// the file is compiled under a lock, and the command gets a copy of the cache.
    ///
    /// # Errors
    ///
    /// [`SetupError::Io`]. A file that does not compile is not an error here: the command fails and
    /// reports it.
    pub fn forge_beside_others(&self, file: &str, folder: &Path) -> Result<Command, SetupError> {
        let shared = self.root.join("cache");
        fs::create_dir_all(&shared).map_err(SetupError::io("create", &shared))?;
        let lock = shared.join("lock");
        let lock_file = File::create(&lock).map_err(SetupError::io("create", &lock))?;
        lock_file.lock().map_err(SetupError::io("lock", &lock))?;
        let mut compile = self.forge_command();
        compile.args(["build", file]).env("FOUNDRY_DENY", "never");
        compile.output().map_err(SetupError::io("run", self.forge()))?;
        let own = self.root.join(folder).join("forge-cache");
        fs::create_dir_all(&own).map_err(SetupError::io("create", &own))?;
        let cache = shared.join(CACHE);
        if cache.exists() {
            fs::copy(&cache, own.join(CACHE)).map_err(SetupError::io("copy", &cache))?;
        }
        drop(lock_file);
        let mut command = self.forge_command();
        command
            .env("FOUNDRY_BROADCAST", self.root.join(folder).join("broadcast"))
            .env("FOUNDRY_CACHE_PATH", &own)
            .env("FOUNDRY_DENY", "never");
        Ok(command)
    }
}
