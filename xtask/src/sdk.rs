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

/// Scripts of its `package.json`, in order. The ABIs are compared with those of `forge build`.
const SCRIPTS: [&[&str]; 5] = [
    &["run", "--silent", "abis", "--", "--check"],
    &["run", "--silent", "build"],
    &["run", "--silent", "typecheck"],
    &["run", "--silent", "check"],
    &["test", "--silent"],
];

/// Builds the package, and runs its tests and that of the packed command on a localnet.
pub(crate) fn run(root: &Path) -> Result<()> {
    cargo(root, &BUILD_CHECKED)?;
    let folder = root.join(FOLDER);
    install(&folder)?;
    let program = absolute(built::checked(root))?;
    for script in SCRIPTS {
        run_command(npm(&folder).args(script).env("ENSHRINE_BIN", &program))?;
    }
    Ok(())
}

/// Installs the locked packages, unless they are installed.
fn install(folder: &Path) -> Result<()> {
    let installed = folder.join("node_modules/.enshrine-lock.json");
    let lock = fs::read(folder.join("package-lock.json"))?;
    if fs::read(&installed).is_ok_and(|of| of == lock) {
        return Ok(());
    }
    let mut install = npm(folder);
    install.args(["ci", "--ignore-scripts", "--loglevel=error"]);
    run_command(install.stdout(Stdio::null()))?;
    Ok(fs::write(installed, lock)?)
}

fn npm(folder: &Path) -> Command {
    let mut npm = Command::new("npm");
    npm.current_dir(folder);
    npm
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_has_used_scripts() {
        let manifest = include_str!("../../sdk/viem/package.json");
        let manifest: serde_json::Value = serde_json::from_str(manifest).unwrap();
        for script in SCRIPTS {
            let name =
                script.iter().find(|word| **word != "run" && !word.starts_with('-')).unwrap();
            assert!(manifest["scripts"][name].is_string(), "{name}");
        }
    }
}
