//! The checkout's scripts, run by forge as an operator would.

use crate::Key;
use eyre::{Result, WrapErr as _, ensure};
use std::{
    path::{Path, PathBuf},
    process::Command,
};
use toolchain::{Toolchain, progress_to_stderr};

/// Runner for forge scripts with its own directory for broadcasts and cache.
#[derive(Debug)]
pub struct Scripts {
    tools: Toolchain,
    notes: PathBuf,
}

impl Scripts {
    /// Compiles scripts, so that they later start without delay. A script that does not compile
    /// fails when it is run.
    pub fn compile(scripts: &[&str]) -> Result<()> {
        let tools = Toolchain::ensure(&progress_to_stderr)?;
        let folder = tempfile::tempdir()?;
        for script in scripts {
            drop(tools.forge_beside_others(&format!("script/{script}.s.sol"), folder.path())?);
        }
        Ok(())
    }

    /// Creates a runner with its files in `folder`, which scripts must be allowed to read and
    /// write.
    pub fn new(folder: &Path) -> Result<Self> {
        let tools = Toolchain::ensure(&progress_to_stderr)?;
        Ok(Self { tools, notes: folder.to_owned() })
    }

    /// Returns the Solidity tools.
    pub const fn tools(&self) -> &Toolchain {
        &self.tools
    }

    /// Runs a script against a node, with transactions from this account.
    pub fn run(
        &self,
        script: &str,
        signature: &str,
        arguments: &[&str],
        url: &str,
        key: &Key,
    ) -> Result<()> {
        let file = format!("script/{script}.s.sol");
        let mut command = self.tools.forge_beside_others(&file, &self.notes)?;
        command
            .args(["script", &file, "--sig", signature])
            .args(arguments)
            // The node must estimate the gas, because forge's EVM supports neither forks after
            // Osaka nor EXECUTE.
            .args(["--rpc-url", url, "--broadcast", "--slow", "--skip-simulation"])
            .args(["--private-key", &key.secret().to_string()]);
        let output = command.output().wrap_err("cannot run forge")?;
        let said = [&output.stdout[..], &output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        ensure!(output.status.success(), "{script} {signature}: {said}");
        Ok(())
    }
}

/// Returns the versions of the tools by name.
pub fn versions(tools: &Toolchain) -> Vec<(String, String)> {
    let first_line = |command: &mut Command| {
        let output = command.arg("--version").output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let version = text.lines().find_map(|line| line.split_once("Version:"))?.1;
        Some(version.trim().to_owned())
    };
    let mut versions = vec![("enshrine".to_owned(), env!("CARGO_PKG_VERSION").to_owned())];
    for (name, mut command) in
        [("forge", Command::new(tools.forge())), ("solc", Command::new(tools.solc()))]
    {
        versions.extend(first_line(&mut command).map(|version| (name.to_owned(), version)));
    }
    versions
}
