//! The TypeScript package in `sdk/viem`: its build and its tests.

use std::{
    fs,
    path::{Path, absolute},
    process::{Command, Stdio},
};

use eyre::Result;

use crate::{
    built::{self, BUILD_CHECKED},
    command::{cargo, run as run_command},
};

/// Folder of the package.
const FOLDER: &str = "sdk/viem";

/// Builds the package, and runs its tests and that of the packed command on a localnet. The ABIs
/// are compared with those of `forge build`.
pub(crate) fn run(root: &Path) -> Result<()> {
    cargo(root, &BUILD_CHECKED)?;
    let folder = root.join(FOLDER);
    let npm = |arguments: &[&str]| {
        let mut npm = Command::new("npm");
        npm.args(arguments).current_dir(&folder);
        npm
    };
    let installed = folder.join("node_modules/.enshrine-lock.json");
    let lock = fs::read(folder.join("package-lock.json"))?;
    if !fs::read(&installed).is_ok_and(|of| of == lock) {
        let mut install = npm(&["ci", "--ignore-scripts", "--loglevel=error"]);
        run_command(install.stdout(Stdio::null()))?;
        fs::write(installed, lock)?;
    }
    let program = absolute(built::checked(root))?;
    run_command(npm(&["run", "--silent", "all"]).env("ENSHRINE_BIN", program))
}
