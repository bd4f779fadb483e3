//! forge beside other forges of one checkout.

use std::{
    fs::{self, File},
    path::Path,
    process::Command,
};

use crate::{SetupError, Toolchain};

/// File of forge's cache in its folder.
const CACHE: &str = "solidity-files-cache.json";

impl Toolchain {
    /// Returns a command that runs forge with this file, such as a script, compiled, and with a
    /// cache of its own. Broadcasts and the cache come into `folder`, and warnings of the compiler
    /// do not make the command fail.
    ///
    /// forge writes its cache in place. Another one that reads it half-written takes nothing for
    /// compiled, compiles what it needs, and leaves a cache without the rest. So the file is
    /// compiled under a lock, and the command has a copy.
    ///
    /// # Errors
    ///
    /// [`SetupError::Io`]. A file that does not compile is no error here: the command says why.
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
