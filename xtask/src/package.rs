//! The contracts and the test utilities as a package for other projects.
//!
//! Contracts and utilities import one another by relative paths, so the package has the same layout
//! as the checkout. Its name and dependencies are in `tools/package`.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use eyre::{OptionExt as _, Result, WrapErr as _};
use serde_json::Value;

use crate::{command, files};

/// Folders of Solidity that are packed unchanged.
const FOLDERS: [&str; 2] = ["contracts", "test/utils"];

/// Licences of the package.
const LICENSES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

/// Creates the package folder and its archive below a folder, and prints the path of the archive.
pub(crate) fn run(root: &Path, out: Option<PathBuf>) -> Result<()> {
    let out = out.unwrap_or_else(|| root.join("target/package"));
    let package = out.join("enshrine");
    files::empty(&package)?;
    files::copy(&root.join("tools/package"), &package, |_| true)?;
    for folder in FOLDERS {
        let is_solidity = |path: &Path| path.extension() == Some(OsStr::new("sol"));
        files::copy(&root.join(folder), &package.join(folder), is_solidity)?;
    }
    for license in LICENSES {
        fs::copy(root.join(license), package.join(license))
            .wrap_err_with(|| format!("cannot copy {license}"))?;
    }
    let mut npm = Command::new("npm");
    npm.args(["pack", "--json", "--ignore-scripts", "--offline", "--pack-destination"]);
    let answer = command::output(npm.arg(&out).current_dir(&package));
    let answer = answer.wrap_err("npm, which comes with Node.js, does not pack")?;
    let answer: Value = serde_json::from_slice(&answer).wrap_err("what npm pack answers")?;
    let name = answer[0]["filename"].as_str().ok_or_eyre("npm pack names no archive")?;
    println!("{}", out.join(name).display());
    Ok(())
}
