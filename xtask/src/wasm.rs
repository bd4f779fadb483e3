//! The Rust SDK for browsers: its crates and their dependencies must compile for WebAssembly.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use eyre::Result;

use crate::{built::CHECKS, command::cargo};

const TARGET: &str = "wasm32-unknown-unknown";
const PACKAGE: &str = "enshrine-sdk";

/// Type-checks the SDK for [`TARGET`], which rustup installs if it is missing.
/// Returns the reason if it is skipped.
pub(crate) fn run(root: &Path) -> Result<Option<String>> {
    // Does nothing if the target is installed for the toolchain of this checkout.
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]).current_dir(root).stdin(Stdio::null());
    if !rustup.status().is_ok_and(|status| status.success()) {
        return Ok(Some(format!("rustup cannot install the target {TARGET}")));
    }
    let check = ["check", "--locked", "--profile", CHECKS, "--package", PACKAGE];
    cargo(root, &[&check[..], &["--target", TARGET]].concat())?;
    Ok(None)
}
