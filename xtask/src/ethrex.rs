//! `cargo xtask ethrex`: tests ethrex as a client driven by our node over the Engine API.
//!
//! The client is assembled from ethrex's published crates in a separate workspace. Compiling it
//! takes several times as long as the tests, so no other task builds it.

use eyre::{WrapErr as _, ensure};
use std::{path::Path, process::Command};

/// Manifest of the client's workspace.
pub(crate) const CLIENT: &str = "crates/differential/ethrex-client/Cargo.toml";
const TARGET: &str = "target/ethrex-client";
/// Name of the program.
const PROGRAM: &str = "ethrex-client";
/// Environment variable with the path of the client, for the tests.
const VARIABLE: &str = "ENSHRINE_ETHREX";
/// Arguments with which cargo runs the tests that need the client. With the whole workspace
/// selected, nothing is built that the other tests do not need as well.
const TESTS: [&str; 8] =
    ["test", "--release", "--workspace", "--test", "nodes", "--", "ethrex_driven", "--nocapture"];

/// Builds the client and runs the tests that drive it. Returns `true` if they passed.
pub(crate) fn run(root: &Path) -> eyre::Result<bool> {
    succeed(toolchain::cargo().current_dir(root).args([
        "build",
        "--release",
        "--locked",
        "--manifest-path",
        CLIENT,
        "--target-dir",
        TARGET,
    ]))?;
    let program = root.join(TARGET).join("release").join(PROGRAM);
    let mut tests = toolchain::cargo();
    tests.current_dir(root).args(TESTS).env(VARIABLE, program);
    Ok(tests.status().wrap_err("cannot run cargo")?.success())
}

fn succeed(command: &mut Command) -> eyre::Result<()> {
    let status = command.status().wrap_err_with(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}
