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
    fn checks_profile_only_saves_compile_time() {
        let manifest: toml::Table = include_str!("../../Cargo.toml").parse().unwrap();
        let mut checks = manifest["profile"][CHECKS].as_table().unwrap().clone();
        assert_eq!(checks.remove("inherits").unwrap().as_str(), Some("release"));
        assert!(checks.remove("lto").is_some());
        let packages = checks.remove("package").unwrap();
        assert!(checks.is_empty(), "{checks:?} changes what programs do");
        let alias = include_str!("../../.cargo/config.toml");
        assert!(alias.contains(&format!("--profile {CHECKS} ")), "{alias}");
        // All crates but the hot ones, with full optimisation, are listed.
        let mut all: Vec<_> = packages.as_table().unwrap().keys().cloned().collect();
        all.extend(["enshrine-crypto", "enshrine-keccak", "enshrine-trie"].map(str::to_owned));
        all.sort();
        let root = find_root().unwrap();
        let crates =
            fs::read_dir(root.join("crates")).unwrap().map(|entry| entry.unwrap().file_name());
        let crates =
            crates.chain(["examples".into()]).map(|name| format!("enshrine-{}", name.display()));
        let mut members: Vec<_> = crates.chain(["xtask".to_owned()]).collect();
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
            let tree = String::from_utf8(command::output(&mut cargo).unwrap()).unwrap();
            tree.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
        };
        let (of_all, of_tests) = (crates("normal,build"), crates("normal,build,dev"));
        assert!(of_all.len() > 100 && of_all.len() < of_tests.len());
        let differ: Vec<_> = of_all.difference(&of_tests).collect();
        assert!(differ.is_empty(), "other features in tests: {differ:?}");
    }
}
