//! The L1 as a process of its own: `enshrine devnet`, built and started here, gone when the run
//! ends.

use crate::output::complain;
use alloy_genesis::Genesis;
use eyre::{Result, WrapErr, ensure, eyre};
use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use testkit::NodeProcess;
use variants::Dialects;

/// Builds the `enshrine` binary as this one was built, and starts its devnet at a genesis, with
/// EXECUTE in these dialects.
pub fn start(genesis: &Genesis, dialects: &Dialects) -> Result<NodeProcess> {
    let program = build()?;
    let file = tempfile::NamedTempFile::new()?;
    fs::write(file.path(), serde_json::to_vec(genesis)?)?;
    let mut command = Command::new(program);
    // That EXECUTE refuses forgeries is what is shown, and no news for a log.
    command.env("RUST_LOG", "error");
    command
        .args([
            "devnet",
            "--execute-dialects",
            &dialects.to_string(),
            "--silent",
            "--mainnet",
            "--verify-blocks",
            "--accounts",
            "0",
            "--init",
        ])
        .arg(file.path());
    Ok(NodeProcess::start(&mut command)?)
}

/// Builds the binary beside this one, if it is not built yet and `ENSHRINE_BIN` names none; where
/// it is.
pub fn build() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("ENSHRINE_BIN") {
        return Ok(named.into());
    }
    let here = std::env::current_exe()?;
    let folder = here.parent().ok_or_else(|| eyre!("a program lies in a folder"))?;
    let root = toolchain::find_root()?;
    // cargo names the folder after the profile, but for the one whose folder is `debug`.
    let profile = match folder.file_name().and_then(OsStr::to_str) {
        None | Some("debug") => "dev",
        Some(named) => named,
    };
    complain(format_args!("building the enshrine binary"));
    // The whole workspace is chosen, as it is when this program is built by name: every crate then
    // has the same features, and nothing is built twice.
    let built = toolchain::cargo()
        .args(["build", "--quiet", "--workspace", "--bin", "enshrine", "--profile", profile])
        .current_dir(root)
        .status()
        .wrap_err("cannot run cargo")?;
    ensure!(built.success(), "the enshrine binary does not build: {built}");
    let program: &Path = &folder.join("enshrine");
    ensure!(program.is_file(), "{} is not there", program.display());
    Ok(program.to_owned())
}
