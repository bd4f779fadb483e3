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
use walkdir::WalkDir;

/// Layouts of a project's dependencies, in the order of the package's README: `forge install`, and
/// soldeer with versions in the folder names. Each has folders of this package, forge-std and
/// solady.
const LAYOUTS: [(&str, [&str; 3]); 2] = [
    ("lib", ["enshrine", "forge-std", "solady"]),
    ("dependencies", ["enshrine-contracts-0.1.0", "forge-std-1.9.7", "solady-0.1.26"]),
];

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

#[test]
fn projects_build_with_settings_from_readme() {
    for (index, (folder, names)) in LAYOUTS.into_iter().enumerate() {
        builds_as_documented(index + 1, folder, names);
    }
    // The version in the folder name is that of the package.
    let manifest = include_str!("../../tools/package/package.json");
    let (name, version) = LAYOUTS[1].1[0].rsplit_once('-').unwrap();
    for (key, value) in [("name", name), ("version", version)] {
        assert!(manifest.contains(&format!("\"{key}\": \"{value}\"")), "{key} {value}");
    }
    // The versions of the other folders are those that the package declares.
    let package = concat!(env!("CARGO_MANIFEST_DIR"), "/../tools/package");
    let declared = declared(&settings(Path::new(package)));
    for (name, version) in LAYOUTS[1].1[1..].iter().filter_map(|name| name.rsplit_once('-')) {
        assert_eq!(declared[name], version, "{name}");
    }
}

/// Checks that a project with the package builds with these settings of the README, and not without
/// them.
fn builds_as_documented(documented: usize, dependencies: &str, names: [&str; 3]) {
    let tools = Toolchain::ensure(&progress_to_stderr).unwrap();
    let (folder, packed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let project = folder.path();
    let [own, others @ ..] = names.map(|name| project.join(dependencies).join(name));
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
    let documented = readme.split("```toml\n").nth(documented).unwrap();
    let documented = documented.split_once("```").unwrap().0;
    let allowed = tools.root().display();
    let settings = format!(
        "[profile.default]\nauto_detect_remappings = false\nsolc = \"{}\"\nallow_paths = [\"{allowed}\"]\n\
         bytecode_hash = \"none\"\n{documented}",
        tools.solc().display(),
    );
    fs::write(project.join("foundry.toml"), &settings).unwrap();
    fs::create_dir(project.join("test")).unwrap();
    let test = r#"// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;
import {IL1MessageQueue} from "enshrine/interfaces/IL1MessageQueue.sol";
import {NativeRollup} from "enshrine/NativeRollup.sol";
import {L1TokenBridge} from "enshrine/bridge/L1TokenBridge.sol";
import {ExecuteTest} from "enshrine-forge/ExecuteTest.sol";
import {L2} from "enshrine-forge/L2.sol";
import {RollupFixture} from "enshrine-forge/RollupFixture.sol";
contract WatcherTest is ExecuteTest {
    using L2 for L2.Chain;
    L2.Chain internal l2;
    NativeRollup internal rollup;
    function test_stateRoot() public view { rollup.stateRoot(); }
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
    let mut needed = BTreeSet::new();
    let files = WalkDir::new(package).into_iter().map(|file| file.unwrap().into_path());
    for file in files.filter(|file| file.extension().is_some_and(|extension| extension == "sol")) {
        let source = fs::read_to_string(&file).unwrap();
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
