//! Programs that measure, and their arguments.

use crate::{
    built::{self, build},
    citations, command,
};
use eyre::Result;
use std::{ffi::OsStr, path::Path, process::Command};
use toolchain::{Toolchain, find_root, progress_to_stderr};

/// Measures the devnet against stock anvil, and a call of `advance`.
pub(crate) fn devnet() -> Result<()> {
    sim("devnet", &[])?;
    run_built("--example", "advance", &[""; 0])
}

/// Measures the median time of each method with the devnet and with stock anvil, in turn.
pub(crate) fn methods(root: &Path) -> Result<()> {
    let (enshrine, script) = (build()?, root.join("crates/differential/anvil/methods.rpc"));
    let subject = [OsStr::new("--subject"), enshrine.as_os_str(), OsStr::new("devnet")];
    let requests = [OsStr::new("--times=200"), OsStr::new("--script"), script.as_os_str()];
    run_built("--bin", "anvil-diff", &[requests, subject].concat())
}

/// Makes, checks or measures the report; measurements call `sim`. A check also needs the tests that
/// documents name.
pub(crate) fn report(root: &Path, arguments: &[String]) -> Result<()> {
    if arguments.iter().any(|argument| argument == "--check") {
        citations::require(root)?;
    }
    Toolchain::ensure(&progress_to_stderr)?;
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    // Times of programs without optimisation would say nothing.
    let profile = if has("--measure") && !has("--quick") { "release" } else { built::CHECKS };
    let mut programs = vec!["--bin", "sim"];
    if has("--measure") {
        programs.extend(["--bin", "side-by-side", "--bin", "enshrine"]);
    }
    command::cargo(
        root,
        &[&["build", "--profile", profile, "--workspace"], &programs[..]].concat(),
    )?;
    let program = built::target(root).join(profile).join("sim");
    command::run(Command::new(program).arg("report").args(arguments).current_dir(root))
}

/// Runs a simulation of crate `sim`.
pub(crate) fn sim(name: &str, arguments: &[String]) -> Result<()> {
    // Some compile the contracts, with the settings of the repository.
    Toolchain::ensure(&progress_to_stderr)?;
    let arguments = arguments.iter().map(String::as_str);
    run_built("--bin", "sim", &[name].into_iter().chain(arguments).collect::<Vec<_>>())
}

/// Builds and runs a binary (`--bin`) or an example (`--example`) that links the crates which make
/// blocks.
pub(crate) fn run_built(kind: &str, name: &str, arguments: &[impl AsRef<OsStr>]) -> Result<()> {
    let root = find_root()?;
    command::cargo(&root, &["build", "--release", "--workspace", kind, name])?;
    let folder = if kind == "--example" { "release/examples" } else { "release" };
    command::run(Command::new(built::target(&root).join(folder).join(name)).args(arguments))
}
