//! The test utilities in another Foundry project: a remapping to `test/utils`, the `enshrine`
//! program, and stock forge.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    thread,
};

use alloy_primitives::hex;
use tempfile::TempDir;
use toolchain::{Toolchain, progress_to_stderr};

const HELPER: &str = env!("CARGO_BIN_EXE_enshrine");
const CALIBRATION: &str = include_str!("../../../../test/forge/Calibration.t.sol");
const HELPER_SOL: &str = include_str!("../../../../test/utils/Helper.sol");
const GUIDE: &str = include_str!("../../../../docs/forge.md");

/// A Foundry project outside the repository.
struct Project {
    directory: TempDir,
    forge: PathBuf,
}

impl Project {
    /// Creates a project with one test contract and the minimum that `docs/forge.md` requires.
    fn new(test: &str) -> Self {
        let tools = Toolchain::ensure(&progress_to_stderr).unwrap();
        let root = tools.root().display();
        let directory = tempfile::tempdir().unwrap();
        let settings = format!(
            r#"
[profile.default]
libs = []
auto_detect_remappings = false
remappings = ["forge-std/=lib/forge-std/src/", "enshrine-forge/={root}/test/utils/"]
allow_paths = ["{root}"]
solc = "{}"
evm_version = "osaka"
ffi = true
fs_permissions = [{{ access = "read-write", path = "./cache" }}]
"#,
            tools.solc().display()
        );
        fs::write(directory.path().join("foundry.toml"), settings).unwrap();
        fs::create_dir_all(directory.path().join("lib")).unwrap();
        let forge_std = tools.root().join("lib/forge-std");
        std::os::unix::fs::symlink(forge_std, directory.path().join("lib/forge-std")).unwrap();
        fs::create_dir_all(directory.path().join("test")).unwrap();
        fs::write(directory.path().join("test/Some.t.sol"), test).unwrap();
        Self { directory, forge: tools.forge().to_owned() }
    }

    /// Returns a forge command in this project, without access to the helper.
    fn forge(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.forge);
        command.args(arguments).current_dir(self.directory.path());
        for variable in ["ENSHRINE_BIN", "CARGO_TARGET_DIR", "FOUNDRY_PROFILE", "FOUNDRY_DENY"] {
            command.env_remove(variable);
        }
        command
    }

    /// Runs a forge command with the helper on the PATH.
    fn run(&self, arguments: &[&str]) -> Output {
        self.forge(arguments).env("PATH", path_with_helper()).output().unwrap()
    }
}

fn path_with_helper() -> std::ffi::OsString {
    let directory = Path::new(HELPER).parent().unwrap().to_owned();
    let rest = env::var_os("PATH").unwrap_or_default();
    env::join_paths([directory].into_iter().chain(env::split_paths(&rest))).unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

/// Asserts that exactly `tests` tests ran and all passed.
#[track_caller]
fn assert_passed(output: &Output, tests: usize) {
    let text = text(output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains(&format!("{tests} tests passed, 0 failed")), "{text}");
}

/// Returns the first Solidity example of the guide.
fn example() -> &'static str {
    let (_, rest) = GUIDE.split_once("```solidity\n").unwrap();
    rest.split_once("```").unwrap().0
}

fn calibration() -> String {
    CALIBRATION.replace("\"../utils/", "\"enshrine-forge/")
}

#[test]
fn guide_example_works_in_another_project() {
    assert!(example().lines().count() <= 20, "the guide promises an example of 20 lines at most");
    let project = Project::new(example());
    assert_passed(&project.run(&["test"]), 1);
}

#[test]
fn gas_is_exact_under_all_forge_settings() {
    let project = Project::new(&calibration());
    for arguments in [
        &["test"][..],
        &["test", "--isolate"],
        &["test", "--gas-report"],
        &["test", "--optimize", "true"],
        &["test", "--via-ir"],
        &["test", "--via-ir", "--optimize", "true", "--isolate"],
        &["coverage"],
    ] {
        println!("forge {arguments:?}");
        assert_passed(&project.run(arguments), 6);
    }
}

#[test]
fn concurrent_runs_are_independent() {
    let project = Project::new(&calibration());
    assert_passed(&project.run(&["test"]), 6);
    thread::scope(|scope| {
        let runs: Vec<_> = (0..3).map(|_| scope.spawn(|| project.run(&["test"]))).collect();
        for run in runs {
            assert_passed(&run.join().unwrap(), 6);
        }
    });
}

#[test]
fn disabled_ffi_error_contains_setting() {
    let project = Project::new(example());
    let settings = project.directory.path().join("foundry.toml");
    let text_of_settings = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, text_of_settings.replace("ffi = true", "ffi = false")).unwrap();
    let output = project.run(&["test"]);
    assert!(!output.status.success());
    let said = text(&output);
    assert!(said.contains("foundry.toml must say `ffi = true`"), "{said}");
    assert!(!said.contains("cargo build"), "{said}");
    assert_passed(&project.run(&["test", "--ffi"]), 1);
}

#[test]
fn missing_helper_error_contains_advice() {
    let project = Project::new(example());
    let output = project.forge(&["test"]).output().unwrap();
    assert!(!output.status.success());
    let text = text(&output);
    assert!(text.contains("cargo build --release --bin enshrine"), "{text}");
    assert!(text.contains("ENSHRINE_BIN"), "{text}");

    let wrong = project.forge(&["test"]).env("ENSHRINE_BIN", "/nowhere/enshrine").output().unwrap();
    assert!(!wrong.status.success());
    assert!(
        self::text(&wrong).contains("ENSHRINE_BIN is /nowhere/enshrine"),
        "{}",
        self::text(&wrong)
    );

    let right = project.forge(&["test"]).env("ENSHRINE_BIN", HELPER).output().unwrap();
    assert_passed(&right, 1);
}

/// Tests with a call that EXECUTE refuses, with and without the helper.
const LOST: &str = r#"
pragma solidity ^0.8.24;
import {ExecuteTest} from "enshrine-forge/ExecuteTest.sol";

contract LostHelperTest is ExecuteTest {
    function test_refused() public {
        (bool ok,) = EXECUTE.staticcall{gas: 1_000_000}(hex"1201");
        assertFalse(ok);
    }

    function test_lost() public {
        vm.removeFile("cache/helper");
        (bool ok,) = EXECUTE.staticcall{gas: 1_000_000}(hex"1201");
        assertFalse(ok);
    }
}
"#;

#[test]
fn failing_helper_is_no_execute_refusal() {
    let project = Project::new(LOST);
    let cache = project.directory.path().join("cache");
    fs::create_dir_all(&cache).unwrap();
    fs::copy(HELPER, cache.join("helper")).unwrap();
    let run = |test: &str| {
        let mut command = project.forge(&["test", "--match-test", test]);
        command.env("ENSHRINE_BIN", "cache/helper").output().unwrap()
    };
    assert_passed(&run("test_refused"), 1);
    let lost = run("test_lost");
    assert!(!lost.status.success());
    assert!(text(&lost).contains("expected call to"), "{}", text(&lost));
}

#[test]
fn helper_rejects_other_protocol_version() {
    let answer = |protocol: &str| {
        let directory = tempfile::tempdir().unwrap();
        let output = Command::new(HELPER)
            .args(["forge", "shim", "--protocol", protocol])
            .current_dir(directory.path())
            .output()
            .unwrap();
        assert!(output.status.success());
        hex::decode(output.stdout).unwrap()
    };
    let refused = answer("999");
    assert_eq!(refused[0], 3);
    assert!(String::from_utf8_lossy(&refused[1..]).contains("protocol 999"));
    let (_, utilities) = HELPER_SOL.split_once("PROTOCOL = \"").unwrap();
    let (spoken, _) = utilities.split_once('"').unwrap();
    assert_eq!(answer(spoken)[0], 0);
}

#[test]
fn clean_removes_files_of_tests() {
    let project = Project::new(example());
    assert_passed(&project.run(&["test"]), 1);
    let left = project.directory.path().join("cache/enshrine/l2");
    assert!(fs::read_dir(&left).unwrap().count() > 0);
    let requests = project.directory.path().join("cache/enshrine/requests");
    assert_eq!(fs::read_dir(requests).unwrap().count(), 0);
    let cleaned = Command::new(HELPER)
        .args(["forge", "clean"])
        .current_dir(project.directory.path())
        .status()
        .unwrap();
    assert!(cleaned.success());
    assert!(!left.exists());
    assert_passed(&project.run(&["test"]), 1);
}
