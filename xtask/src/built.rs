//! Builds of the `enshrine` binary for release and for the checks.

use std::{
    env,
    path::{Path, PathBuf},
};

use eyre::{Result, ensure};

use crate::command;

/// Arguments with which cargo builds the release binary. With the whole workspace selected, each
/// crate has the same features as in other builds of the workspace, so that nothing is built twice.
pub(crate) const BUILD_ENSHRINE: [&str; 5] =
    ["build", "--release", "--workspace", "--bin", "enshrine"];

/// Cargo profile for builds that are only used for checks.
pub(crate) const CHECKS: &str = "checks";

/// Arguments with which cargo builds the binary for checks.
pub(crate) const BUILD_CHECKED: [&str; 6] =
    ["build", "--profile", CHECKS, "--workspace", "--bin", "enshrine"];

/// Returns the program that `ENSHRINE_BIN` names, or builds the release binary.
pub(crate) fn build() -> Result<PathBuf> {
    if let Some(named) = env::var_os("ENSHRINE_BIN") {
        let named = PathBuf::from(named);
        ensure!(named.is_file(), "ENSHRINE_BIN is {}, and no file is there", named.display());
        return Ok(std::path::absolute(named)?);
    }
    let root = toolchain::find_root()?;
    command::cargo(&root, &BUILD_ENSHRINE)?;
    Ok(target(&root).join("release/enshrine"))
}

/// Returns the path of the binary built with [`BUILD_CHECKED`].
pub(crate) fn checked(root: &Path) -> PathBuf {
    target(root).join(CHECKS).join("enshrine")
}

/// Returns the folder in which cargo builds.
pub(crate) fn target(root: &Path) -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, fs};
    use toolchain::find_root;

    /// Returns the table of a profile in Cargo.toml.
    fn profile(name: &str) -> toml::Table {
        let manifest: toml::Table = include_str!("../../Cargo.toml").parse().unwrap();
        manifest["profile"][name].as_table().unwrap().clone()
    }

    #[test]
    fn image_uses_pinned_compiler_and_unprivileged_user() {
        let file = include_str!("../../Dockerfile").replace("\\\n", " ");
        let build = format!("cargo {} --locked", BUILD_ENSHRINE.join(" "));
        for line in [
            concat!("FROM rust:", env!("CARGO_PKG_RUST_VERSION"), "-"),
            &format!("RUN {build}\n"),
            "COPY --from=build /enshrine/target/release/enshrine /usr/local/bin/enshrine\n",
            "USER enshrine\n",
        ] {
            assert!(file.contains(&format!("\n{line}")), "{line}");
        }
        assert!(!file.contains(":latest"));
    }

    #[test]
    fn checks_profile_differs_only_in_compile_time() {
        let mut checks = profile(CHECKS);
        assert_eq!(checks.remove("inherits").unwrap().as_str(), Some("release"));
        for changed in ["lto", "package"] {
            assert!(checks.remove(changed).is_some(), "{changed}");
        }
        assert!(checks.is_empty(), "{checks:?} changes what programs do");
        let alias = include_str!("../../.cargo/config.toml");
        assert!(alias.contains(&format!("--profile {CHECKS} ")), "{alias}");
    }

    #[test]
    fn checks_optimise_only_hot_crates() {
        let mut checks = profile(CHECKS);
        let packages = checks.remove("package").unwrap();
        let mut all: Vec<_> = packages.as_table().unwrap().keys().cloned().collect();
        all.extend(["enshrine-crypto", "enshrine-keccak", "enshrine-trie"].map(str::to_owned));
        all.sort();
        let root = find_root().unwrap();
        let crates = fs::read_dir(root.join("crates")).unwrap().map(|it| it.unwrap().path());
        let folders = crates.chain([root.join("examples"), root.join("xtask")]);
        let mut members: Vec<_> = folders
            .map(|folder| {
                let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
                let manifest: toml::Table = manifest.parse().unwrap();
                manifest["package"]["name"].as_str().unwrap().to_owned()
            })
            .collect();
        members.sort();
        assert_eq!(all, members);
    }

    /// Tests are built after the binary, and would rebuild every crate with different features.
    #[test]
    fn dev_dependencies_add_no_features() {
        let root = find_root().unwrap();
        let crates = |edges: &str| -> BTreeSet<String> {
            let mut cargo = toolchain::cargo();
            let args = ["tree", "--offline", "--workspace", "--prefix", "none"];
            cargo.current_dir(&root).args(args).args(["--format", "{p} {f}", "--edges", edges]);
            let tree = cargo.output().unwrap();
            assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
            let tree = String::from_utf8(tree.stdout).unwrap();
            tree.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
        };
        let (of_all, of_tests) = (crates("normal,build"), crates("normal,build,dev"));
        assert!(of_all.len() > 100 && of_all.len() < of_tests.len());
        let differ: Vec<_> = of_all.difference(&of_tests).collect();
        assert!(differ.is_empty(), "other features in tests: {differ:?}");
    }
}
