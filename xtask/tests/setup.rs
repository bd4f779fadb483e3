//! Set-up in a directory with the files of a fresh clone.

use std::{
    env, fs,
    path::Path,
    process::{Command, Output, Stdio},
    time::SystemTime,
};

const PINNED: [&str; 5] =
    ["package.json", "package-lock.json", ".npmrc", "foundry.toml", "tools/solc"];

/// Part of a progress line that announces the installation of packages.
const INSTALLS: &str = "installing the npm packages";

fn setup(root: &Path, search_path: Option<&str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("setup").current_dir(root).stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(path) = search_path {
        command.env("PATH", path);
    }
    command
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs `first` and `second` concurrently.
fn at_once(first: &mut Command, second: &mut Command) -> [Output; 2] {
    let children = [first.spawn().unwrap(), second.spawn().unwrap()];
    children.map(|child| child.wait_with_output().unwrap())
}

fn written(file: &Path) -> (SystemTime, String) {
    (file.metadata().unwrap().modified().unwrap(), fs::read_to_string(file).unwrap())
}

#[test]
fn fresh_clone_is_set_up_once() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let clone = tempfile::tempdir().unwrap();
    let root = clone.path();
    fs::create_dir(root.join("tools")).unwrap();
    for file in PINNED {
        fs::copy(repository.join(file), root.join(file)).unwrap();
    }

    // Set-up fails without Node.js, and the message says so.
    let output = setup(root, Some("")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("`node` was not found on the PATH"), "{}", stderr(&output));

    // Of two concurrent runs, one installs and both succeed.
    let outputs = at_once(&mut setup(root, None), &mut setup(root, None));
    for output in &outputs {
        assert!(output.status.success(), "{}", stderr(output));
    }
    let installed = outputs.iter().filter(|output| stderr(output).contains(INSTALLS)).count();
    assert_eq!(installed, 1);
    for file in PINNED {
        let (now, pinned) = (fs::read(root.join(file)), fs::read(repository.join(file)));
        assert_eq!(now.unwrap(), pinned.unwrap(), "set-up changed {file}");
    }

    // A completed set-up runs nothing and prints nothing, so it does not need Node.js.
    let stamps = ["node_modules/.enshrine-stamp", "lib/forge-std/.stamp"].map(|s| root.join(s));
    let before = stamps.each_ref().map(|stamp| written(stamp));
    let output = setup(root, Some("")).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
    assert_eq!(stamps.each_ref().map(|stamp| written(stamp)), before);

    // The first two calls of the compiler find no cache.
    let version = || {
        let mut command = Command::new(root.join("tools/solc"));
        command.arg("--version").stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    let cache = root.join("node_modules/.cache/solc");
    assert!(!cache.exists());
    let [first, second] = at_once(&mut version(), &mut version());
    assert!(first.status.success() && second.status.success(), "{first:?} {second:?}");
    assert!(String::from_utf8_lossy(&first.stdout).contains("Version: 0."));
    assert_eq!(first.stdout, second.stdout);
    assert_eq!(fs::read_dir(&cache).unwrap().count(), 1, "one entry, and no draft left behind");
    assert_eq!(version().output().unwrap().stdout, first.stdout);

    // The installed tools work together: forge, the compiler, forge-std and solady.
    fs::create_dir(root.join("test")).unwrap();
    fs::write(root.join("test/Probe.t.sol"), PROBE).unwrap();
    let run = |args: &[&str]| {
        let output =
            Command::new("npx").arg("forge").args(args).current_dir(root).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    run(&["build"]);
    assert!(run(&["test"]).contains("1 tests passed, 0 failed"));
    run(&["fmt", "--check"]);

    // Any change of a pinned version, and any lost file, makes the set-up incomplete again.
    for spoil in [
        |root: &Path| {
            let lock = root.join("package-lock.json");
            let text = fs::read_to_string(&lock).unwrap();
            fs::write(lock, text + "\n").unwrap();
        },
        |root: &Path| fs::remove_dir_all(root.join("node_modules/@foundry-rs")).unwrap(),
        |root: &Path| fs::remove_dir_all(root.join("lib/forge-std")).unwrap(),
    ] {
        spoil(root);
        let output = setup(root, Some("")).output().unwrap();
        assert!(stderr(&output).contains("`node` was not found"), "{}", stderr(&output));
        let output = setup(root, None).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(setup(root, Some("")).output().unwrap().status.success());
    }
}

/// A test contract that uses both libraries, formatted as `foundry.toml` requires.
const PROBE: &str = r#"// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Test} from "forge-std/Test.sol";
import {LibBit} from "solady/utils/LibBit.sol";

contract ProbeTest is Test {
    function test_librariesWork() public pure {
        assertEq(LibBit.popCount(255), 8);
    }
}
"#;
