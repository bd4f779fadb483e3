//! Calls of cargo from a program that cargo runs.

use std::{env, ffi::OsString, process::Command};

/// Returns a cargo command with the environment of a shell.
///
/// The variables that `cargo run` sets for a program (`CARGO_PKG_NAME` and others) are removed:
/// some build scripts read them, and would rebuild their crates, and all dependents, for each
/// program that calls cargo.
pub fn cargo() -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        let of_a_package = |name: &str| {
            ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| name.starts_with(prefix))
        };
        if name.to_str().is_some_and(of_a_package) {
            command.env_remove(&name);
        }
    }
    command
}
