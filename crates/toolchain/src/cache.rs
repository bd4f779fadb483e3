//! Concurrent forge processes in one checkout.

use std::{
    fs::{self, File},
    path::Path,
    process::Command,
};

use crate::{SetupError, Toolchain};

/// Name of the cache file in forge's cache directory.
const CACHE: &str = "solidity-files-cache.json";

impl Toolchain {
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
        let held = File::create(&lock).map_err(SetupError::io("create", &lock))?;
        held.lock().map_err(SetupError::io("lock", &lock))?;
        let mut compile = self.forge_command();
        compile.args(["build", file]).env("FOUNDRY_DENY", "never");
        compile.output().map_err(SetupError::io("run", self.forge()))?;
        let own = self.root.join(folder).join("forge-cache");
        fs::create_dir_all(&own).map_err(SetupError::io("create", &own))?;
        let cache = shared.join(CACHE);
        if cache.exists() {
            fs::copy(&cache, own.join(CACHE)).map_err(SetupError::io("copy", &cache))?;
        }
        drop(held);
        let mut command = self.forge_command();
        command
            .env("FOUNDRY_BROADCAST", self.root.join(folder).join("broadcast"))
            .env("FOUNDRY_CACHE_PATH", &own)
            .env("FOUNDRY_DENY", "never");
        Ok(command)
    }
}
