//! Runs the shell steps of `action.yml` with an archive of this machine.

use crate::process::ports;
use client::{Client, ClientOptions};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// A step: its environment by name, with the expressions of GitHub, and its commands.
type Step = (BTreeMap<String, String>, String);

/// Returns the steps of the action. Each has the keys `env` and `run`, in this order, with deeper
/// indentation below them.
fn steps() -> Vec<Step> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../action.yml");
    let text = fs::read_to_string(path).unwrap();
    let (_, steps) = text.split_once("  steps:\n").unwrap();
    let step = |text: &str| {
        let (_, rest) = text.split_once("      env:\n").unwrap();
        let (variables, commands) = rest.split_once("      run: |\n").unwrap();
        let variables = variables.lines().map(|line| {
            let (name, value) = line.trim().split_once(": ").unwrap();
            (name.to_owned(), value.to_owned())
        });
        let commands =
            commands.lines().map(|line| format!("{}\n", line.trim_start_matches("        ")));
        (variables.collect(), commands.collect())
    };
    steps.split("    - id: ").skip(1).map(step).collect()
}

/// A run of the action in a folder of its own, whose process is ended on drop.
struct Run {
    folder: TempDir,
    inputs: BTreeMap<&'static str, String>,
}

impl Run {
    /// Packs an archive of the command, and sets the inputs that have no default.
    fn new(command: &str, args: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("enshrine-0-test/enshrine");
        fs::create_dir_all(program.parent().unwrap()).unwrap();
        // The real one would take long to pack.
        let script = format!("#!/bin/sh\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_enshrine"));
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let archive = folder.path().join("archive.tar.gz");
        let mut tar = Command::new("tar");
        tar.arg("-czf").arg(&archive).arg("-C").arg(folder.path()).arg("enshrine-0-test");
        assert!(tar.status().unwrap().success());
        let sum = Command::new("sha256sum").arg(&archive).output().unwrap();
        let sum = String::from_utf8(sum.stdout).unwrap();
        let inputs = [
            ("archive", archive.display().to_string()),
            ("sha256", sum.split(' ').next().unwrap().to_uppercase()),
            ("command", command.to_owned()),
            ("args", args.to_owned()),
            ("timeout", "180".to_owned()),
        ];
        Self { folder, inputs: inputs.into() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the steps until one fails, and returns the output of that one.
    fn run(&self) -> Result<(), String> {
        let temp = self.path("temp");
        fs::create_dir_all(&temp).unwrap();
        for (variables, commands) in steps() {
            let mut shell = Command::new("bash");
            // As GitHub runs steps with `shell: bash`.
            shell.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", &commands]);
            for (name, expression) in variables {
                let input = expression.strip_prefix("${{ inputs.").unwrap();
                shell.env(name, &self.inputs[input.strip_suffix(" }}").unwrap()]);
            }
            let added = fs::read_to_string(self.path("github-path")).unwrap_or_default();
            let path = std::env::var("PATH").unwrap();
            let output = shell
                .env("PATH", format!("{}:{path}", added.trim()))
                .env("RUNNER_TEMP", &temp)
                .env("TMPDIR", &temp)
                .env("GITHUB_PATH", self.path("github-path"))
                .env("GITHUB_OUTPUT", self.path("github-output"))
                .output()
                .unwrap();
            if !output.status.success() {
                return Err(String::from_utf8_lossy(&output.stdout).into_owned());
            }
        }
        Ok(())
    }

    /// Returns an output of the action.
    fn output(&self, name: &str) -> Option<String> {
        let text = fs::read_to_string(self.path("github-output")).ok()?;
        let found = text.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
        found.map(str::to_owned)
    }

    /// Returns the chain id of the node at the URL in an output.
    fn chain_id(&self, name: &str) -> String {
        let url = self.output(name).unwrap();
        Client::new(&url, ClientOptions::default()).unwrap().request("eth_chainId", ()).unwrap()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Some(process) = self.output("pid") {
            let _ = Command::new("kill").args(["-s", "TERM", &process]).status();
        }
    }
}

#[test]
fn action_starts_localnet_and_sets_outputs() {
    let (l1, l2) = ports();
    let run = Run::new("localnet", &format!("--l1-port {l1} --l2-port {l2}"));
    run.run().unwrap();
    assert_eq!(run.output("l1-url").unwrap(), format!("http://127.0.0.1:{l1}"));
    assert_eq!(
        (run.chain_id("l1-url"), run.chain_id("l2-url")),
        ("0x7a69".into(), "0x1f8f".into())
    );
    let report = fs::read(Path::new(&run.output("report").unwrap())).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(report["l2Url"].as_str(), run.output("l2-url").as_deref());
}

#[test]
fn action_starts_devnet() {
    let run = Run::new("devnet", "--port 0 --chain-id 77");
    run.run().unwrap();
    assert_eq!(run.chain_id("l1-url"), "0x4d");
}

#[test]
fn action_rejects_wrong_inputs_and_prints_log() {
    let refused = |input: &'static str, value: &str, expected: &str| {
        let mut run = Run::new("localnet", "--l1-port 0 --l2-port 0");
        run.inputs.insert(input, value.to_owned());
        let said = run.run().unwrap_err();
        assert!(said.contains("::error::") && said.contains(expected), "{input}: {said}");
    };
    refused("sha256", &"0".repeat(64), "expected 000");
    refused("archive", "http://example.org/archive.tar.gz", "expected an https URL");
    refused("command", "node", "expected localnet or devnet");
    refused("args", "--fork prague", "invalid value 'prague'");
    refused("timeout", "0", "not ready after 0 s");
}
