//! The L1 as a process: builds and starts `enshrine devnet`, which is killed when the run ends.

use crate::localnet::output::complain;
use crate::{L1, NodeProcess};
use alloy_genesis::Genesis;
use execute::Execute;
use eyre::{Result, WrapErr, ensure, eyre};
use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use variants::Dialects;
use wire::ProtocolFork;

/// Starts an L1 at Osaka with this EXECUTE, where the named accounts are rich: in this process, or
/// as a devnet with EXECUTE in these dialects.
pub fn l1(
    in_process: bool,
    chain_id: u64,
    execute: Execute,
    dialects: &Dialects,
    rich: &[&str],
) -> Result<L1> {
    if in_process {
        return Ok(L1::new(chain_id, execute, rich)?);
    }
    let fork = ProtocolFork::Osaka;
    let node = start(&L1::genesis(fork, chain_id, rich), dialects)?;
    Ok(L1::behind(fork, node, chain_id, execute, rich)?)
}

/// Builds the `enshrine` binary with the profile of this one, and starts its devnet at a genesis,
/// with EXECUTE in these dialects.
fn start(genesis: &Genesis, dialects: &Dialects) -> Result<NodeProcess> {
    let program = build()?;
    let file = tempfile::NamedTempFile::new()?;
    fs::write(file.path(), serde_json::to_vec(genesis)?)?;
    let mut command = Command::new(program);
    // Rejected forgeries are expected here, so they are not logged.
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

/// Builds the binary next to this one, unless `ENSHRINE_BIN` names one. Returns its path.
pub fn build() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("ENSHRINE_BIN") {
        return Ok(named.into());
    }
    let here = std::env::current_exe()?;
    let folder = here.parent().ok_or_else(|| eyre!("the path of this program has no parent"))?;
    let root = toolchain::find_root()?;
    // cargo names the directory after the profile, except that the directory of `dev` is `debug`.
    let profile = match folder.file_name().and_then(OsStr::to_str) {
        None | Some("debug") => "dev",
        Some(named) => named,
    };
    complain(format_args!("building the enshrine binary"));
    // Builds with `--workspace`, as this program was built: features are then unified in the same
    // way, and no crate is built twice.
    let built = toolchain::cargo()
        .args(["build", "--quiet", "--workspace", "--bin", "enshrine", "--profile", profile])
        .current_dir(root)
        .status()
        .wrap_err("cannot run cargo")?;
    ensure!(built.success(), "the enshrine binary does not build: {built}");
    let program: &Path = &folder.join("enshrine");
    ensure!(program.is_file(), "{} does not exist", program.display());
    Ok(program.to_owned())
}
