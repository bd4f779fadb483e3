//! The package of the contracts in a project, below `lib/` or `dependencies/`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;
use toml::Table;
use toolchain::{Toolchain, progress_to_stderr};

/// Layout of a project's dependencies.
struct Layout {
    /// Index of its settings in the package's README.
    documented: usize,
    folder: &'static str,
    /// Folder names of this package, forge-std and solady.
    names: [&'static str; 3],
}

/// Layout of `forge install`.
const FORGE: Layout =
    Layout { documented: 0, folder: "lib", names: ["enshrine", "forge-std", "solady"] };

/// Layout of soldeer, with versions in the folder names.
const SOLDEER: Layout = Layout {
    documented: 1,
    folder: "dependencies",
    names: ["enshrine-contracts-0.1.0", "forge-std-1.9.7", "solady-0.1.26"],
};

/// Packs the package, and unpacks the archive into the folder of the layout.
fn install(folder: &Path, packed: &Path) {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["package", "--out"])
        .arg(packed)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let archive = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
    assert!(archive.starts_with(packed) && archive.extension().unwrap() == "tgz");
    fs::create_dir_all(folder).unwrap();
    let unpacked = Command::new("tar")
        .args(["-xzf", archive.to_str().unwrap(), "--strip-components", "1", "-C"])
        .arg(folder)
        .status()
        .unwrap();
    assert!(unpacked.success());
}

/// Returns the settings for this layout from the package's README.
fn documented<'r>(readme: &'r str, layout: &Layout) -> &'r str {
    let rest = readme.split("```toml\n").nth(layout.documented + 1).unwrap();
    rest.split_once("```").unwrap().0
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

/// Returns the settings in the `foundry.toml` of the package.
fn settings(package: &Path) -> Table {
    fs::read_to_string(package.join("foundry.toml")).unwrap().parse().unwrap()
}

/// Returns the dependencies that the settings declare, with their versions.
fn declared(settings: &Table) -> BTreeMap<String, String> {
    let version = |value: &toml::Value| value.as_str().unwrap().to_owned();
    let table = settings["dependencies"].as_table().unwrap();
    table.iter().map(|(name, value)| (name.clone(), version(value))).collect()
}

/// Returns the import paths of a source.
fn imports(source: &str) -> Vec<&str> {
    let statements = source.split("\nimport ").skip(1).map(|rest| rest.split_once(';').unwrap().0);
    statements.map(|statement| statement.rsplit('"').nth(1).unwrap()).collect()
}

/// Finds all Solidity files below a folder.
fn solidity(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            solidity(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "sol") {
            found.push(path);
        }
    }
}

/// Checks that a project with the package builds with the settings of the README, and not without
/// them.
fn builds_as_documented(layout: &Layout) {
    let tools = Toolchain::ensure(&progress_to_stderr).unwrap();
    let (folder, packed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let project = folder.path();
    let [own, others @ ..] = layout.names.map(|name| project.join(layout.folder).join(name));
    install(&own, packed.path());
    for (name, there) in ["forge-std", "solady"].iter().zip(others) {
        symlink(tools.root().join("lib").join(name), there).unwrap();
    }
    // The required files of a package, and no files that belong only to this repository.
    for name in ["LICENSE-MIT", "LICENSE-APACHE", "README.md", "contracts/NativeRollup.sol"] {
        assert!(own.join(name).is_file(), "{name}");
    }
    for name in ["test/attacks", "script", "node_modules", "test/utils/node_modules"] {
        assert!(!own.join(name).exists(), "{name}");
    }
    let readme = fs::read_to_string(own.join("README.md")).unwrap();
    let allowed = tools.root().display();
    let settings = format!(
        "[profile.default]\nauto_detect_remappings = false\nsolc = \"{}\"\nallow_paths = [\"{allowed}\"]\n\
         bytecode_hash = \"none\"\n{}",
        tools.solc().display(),
        documented(&readme, layout),
    );
    fs::write(project.join("foundry.toml"), &settings).unwrap();
    fs::create_dir(project.join("src")).unwrap();
    fs::create_dir(project.join("test")).unwrap();
    let contract = r#"// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;
import {IL1MessageQueue} from "enshrine/interfaces/IL1MessageQueue.sol";
import {NativeRollup} from "enshrine/NativeRollup.sol";
import {L1TokenBridge} from "enshrine/bridge/L1TokenBridge.sol";
contract Watcher {
    NativeRollup public immutable ROLLUP;
    constructor(NativeRollup rollup) { ROLLUP = rollup; }
    function root() external view returns (bytes32) { return ROLLUP.stateRoot(); }
}
"#;
    fs::write(project.join("src/Watcher.sol"), contract).unwrap();
    let test = r#"// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;
import {ExecuteTest} from "enshrine-forge/ExecuteTest.sol";
import {L2} from "enshrine-forge/L2.sol";
import {RollupFixture} from "enshrine-forge/RollupFixture.sol";
contract WatcherTest is ExecuteTest {
    using L2 for L2.Chain;
    L2.Chain internal l2;
    function test_nothing() public pure {}
}
"#;
    fs::write(project.join("test/Watcher.t.sol"), test).unwrap();
    let build = || {
        let mut forge = Command::new(tools.forge());
        forge.args(["build", "--offline"]).current_dir(project);
        for variable in ["FOUNDRY_PROFILE", "FOUNDRY_DENY", "FOUNDRY_CONFIG"] {
            forge.env_remove(variable);
        }
        forge.output().unwrap()
    };
    let output = build();
    assert!(output.status.success(), "{}", said(&output));
    assert!(project.join("out/Watcher.sol/Watcher.json").is_file());
    assert!(project.join("out/Watcher.t.sol/WatcherTest.json").is_file());

    // Without the settings of the README it does not build.
    fs::write(project.join("foundry.toml"), settings.replace("\"enshrine-forge/", "\"other/"))
        .unwrap();
    let output = build();
    assert!(
        !output.status.success() && said(&output).contains("enshrine-forge"),
        "{}",
        said(&output)
    );
}

#[test]
fn what_packed_files_import_is_packed_or_declared() {
    let (folder, packed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let package = folder.path();
    install(package, packed.path());
    let settings = settings(package);
    let declared = declared(&settings);
    let remappings = settings["profile"]["default"]["remappings"].as_array().unwrap();
    let own: BTreeSet<_> =
        remappings.iter().map(|one| one.as_str().unwrap().split('/').next().unwrap()).collect();
    let mut files = Vec::new();
    solidity(package, &mut files);
    let mut needed = BTreeSet::new();
    for file in &files {
        let source = fs::read_to_string(file).unwrap();
        for import in imports(&source) {
            let name = file.strip_prefix(package).unwrap().display();
            if import.starts_with('.') {
                assert!(file.parent().unwrap().join(import).is_file(), "{name}: {import}");
                continue;
            }
            let root = import.split('/').next().unwrap();
            let known = own.contains(root) || declared.contains_key(root);
            assert!(known, "{name}: {import} is of a package that foundry.toml does not declare");
            needed.insert(root.to_owned());
        }
    }
    // No declared dependency is unused.
    assert!(declared.keys().all(|name| needed.contains(name)), "{declared:?}, of which {needed:?}");

    // npm's manifests declare the same versions, and the checkout uses them as well.
    for manifest in
        [include_str!("../../tools/package/package.json"), include_str!("../../package.json")]
    {
        let manifest: Value = serde_json::from_str(manifest).unwrap();
        assert_eq!(manifest["dependencies"]["solady"], declared["solady"].as_str());
    }
}

#[test]
fn imports_are_found_in_any_form() {
    let source = r#"pragma solidity ^0.8.24;

import "a/A.sol";
import {
    B,
    C
} from "./B.sol";
import * as D from "d/D.sol";
// import {E} from "e/E.sol";
string constant F = "f/F.sol";
"#;
    assert_eq!(imports(source), ["a/A.sol", "./B.sol", "d/D.sol"]);
}

#[test]
fn project_builds_with_package_from_readme() {
    builds_as_documented(&FORGE);
}

#[test]
fn project_with_soldeer_layout_builds() {
    // The version in the folder name is that of the package.
    let manifest = include_str!("../../tools/package/package.json");
    let (name, version) = SOLDEER.names[0].rsplit_once('-').unwrap();
    for (key, value) in [("name", name), ("version", version)] {
        assert!(manifest.contains(&format!("\"{key}\": \"{value}\"")), "{key} {value}");
    }
    // The versions of the other folders are those that the package declares.
    let package = concat!(env!("CARGO_MANIFEST_DIR"), "/../tools/package");
    let declared = declared(&settings(Path::new(package)));
    for (name, version) in SOLDEER.names[1..].iter().filter_map(|name| name.rsplit_once('-')) {
        assert_eq!(declared[name], version, "{name}");
    }
    builds_as_documented(&SOLDEER);
}
