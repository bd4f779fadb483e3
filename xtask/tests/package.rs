//! The package of the contracts, as a project uses it that has installed it below `lib/`.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use toolchain::{Toolchain, progress_to_stderr};

/// Packs, and unpacks the archive where `forge install` would put it.
fn install(project: &Path, packed: &Path) -> PathBuf {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["package", "--out"])
        .arg(packed)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let archive = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
    assert!(archive.starts_with(packed) && archive.extension().unwrap() == "tgz");
    let lib = project.join("lib/enshrine");
    fs::create_dir_all(&lib).unwrap();
    let unpacked = Command::new("tar")
        .args(["-xzf", archive.to_str().unwrap(), "--strip-components", "1", "-C"])
        .arg(&lib)
        .status()
        .unwrap();
    assert!(unpacked.success());
    lib
}

/// The settings that the package's README asks for.
fn documented(readme: &str) -> &str {
    let (_, rest) = readme.split_once("```toml\n").unwrap();
    rest.split_once("```").unwrap().0
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

#[test]
fn a_project_builds_with_the_package_as_its_readme_says() {
    let tools = Toolchain::ensure(&progress_to_stderr).unwrap();
    let (folder, packed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let project = folder.path();
    let lib = install(project, packed.path());
    for name in ["forge-std", "solady"] {
        symlink(tools.root().join("lib").join(name), project.join("lib").join(name)).unwrap();
    }
    // What a package has to have, and nothing of what is only here.
    for name in ["LICENSE-MIT", "LICENSE-APACHE", "README.md", "contracts/NativeRollup.sol"] {
        assert!(lib.join(name).is_file(), "{name}");
    }
    for name in ["test/attacks", "script", "node_modules", "test/utils/node_modules"] {
        assert!(!lib.join(name).exists(), "{name}");
    }
    let readme = fs::read_to_string(lib.join("README.md")).unwrap();
    let allowed = tools.root().display();
    let settings = format!(
        "[profile.default]\nauto_detect_remappings = false\nsolc = \"{}\"\nallow_paths = [\"{allowed}\"]\n\
         bytecode_hash = \"none\"\n{}",
        tools.solc().display(),
        documented(&readme),
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

    // Without what the README asks for it does not build.
    fs::write(project.join("foundry.toml"), settings.replace("\"enshrine-forge/", "\"other/"))
        .unwrap();
    let output = build();
    assert!(
        !output.status.success() && said(&output).contains("enshrine-forge"),
        "{}",
        said(&output)
    );
}
