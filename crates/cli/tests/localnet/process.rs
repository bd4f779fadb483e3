//! A localnet as a child process.

use client::{Client, ClientOptions};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread::sleep,
    time::Duration,
};
use tempfile::TempDir;
use testkit::{Timeout, free_port};

/// Deadline for what is due soon. Machines are slow and loaded.
const LIMIT: Duration = Duration::from_secs(180);
const PAUSE: Duration = Duration::from_millis(20);

/// A running localnet, killed on drop.
pub(crate) struct Localnet {
    process: Child,
    folder: TempDir,
    /// The object of `--ready-file`.
    pub(crate) report: Value,
    pub(crate) l1: Client,
    pub(crate) l2: Client,
}

impl Localnet {
    /// Starts a localnet on free ports with these flags, and waits until it is ready.
    pub(crate) fn start(flags: &[&str]) -> Self {
        Self::start_on(ports(), flags)
    }

    /// Starts a localnet on these ports of L1 and the L2.
    pub(crate) fn start_on((l1, l2): (u16, u16), flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ready = folder.path().join("ready.json");
        let (out, err) = (folder.path().join("out"), folder.path().join("err"));
        let mut process = Command::new(env!("CARGO_BIN_EXE_enshrine"))
            .arg("localnet")
            .args(["--l1-port", &l1.to_string(), "--l2-port", &l2.to_string()])
            .args(["--ready-file", "ready.json"])
            .args(flags)
            .current_dir(folder.path())
            .env_remove("RUST_LOG")
            // A killed localnet leaves its temporary folder behind.
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(fs::File::create(&out).unwrap())
            .stderr(fs::File::create(&err).unwrap())
            .spawn()
            .unwrap();
        let timeout = Timeout::of(LIMIT);
        while !ready.exists() {
            let ended = process.try_wait().unwrap();
            let said = || fs::read_to_string(&err).unwrap_or_default();
            assert!(ended.is_none() && timeout.lasts(), "{ended:?}: {}", said());
            sleep(PAUSE);
        }
        // The file is complete as soon as it exists.
        let report: Value = serde_json::from_slice(&fs::read(&ready).unwrap()).unwrap();
        let client = |key: &str| {
            Client::new(report[key].as_str().unwrap(), ClientOptions::default()).unwrap()
        };
        let (l1, l2) = (client("l1Url"), client("l2Url"));
        Self { process, folder, report, l1, l2 }
    }

    /// Returns the path of the ready file.
    pub(crate) fn ready_file(&self) -> PathBuf {
        self.folder.path().join("ready.json")
    }

    /// Returns standard output or standard error so far, by the names `out` and `err`.
    pub(crate) fn said(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    /// Returns an address in the report.
    pub(crate) fn address(&self, key: &str) -> alloy_primitives::Address {
        self.report[key].as_str().unwrap().parse().unwrap()
    }

    /// Returns the address of a contract of the rollup.
    pub(crate) fn contract(&self, key: &str) -> alloy_primitives::Address {
        self.report["contracts"][key].as_str().unwrap().parse().unwrap()
    }

    /// Returns the address of a user's account.
    pub(crate) fn user(&self, index: usize) -> alloy_primitives::Address {
        self.report["accounts"][index]["address"].as_str().unwrap().parse().unwrap()
    }

    /// Sends a signal and at once SIGTERM, as `timeout` sends two, and waits for the end of the
    /// process.
    pub(crate) fn end(&mut self, signal: &str) -> ExitStatus {
        let id = self.process.id();
        let signals = format!("kill -s {signal} {id}; kill -s TERM {id}");
        assert!(Command::new("sh").args(["-c", &signals]).status().unwrap().success());
        let timeout = Timeout::of(LIMIT);
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            assert!(timeout.lasts(), "SIG{signal} did not end the localnet");
            sleep(PAUSE);
        }
    }
}

impl Drop for Localnet {
    fn drop(&mut self) {
        // It is no error if the process has already ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns free ports for L1 and the L2, and a third one after the latter for a follower.
pub(crate) fn ports() -> (u16, u16) {
    let l1 = free_port().unwrap();
    loop {
        let (l2, next) = (free_port().unwrap(), free_port().unwrap());
        if next == l2 + 1 {
            return (l1, l2);
        }
    }
}

/// Runs a localnet that must refuse to start, and returns its standard error.
pub(crate) fn refuse(flags: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_enshrine"));
    let output = command.arg("localnet").args(flags).env_remove("RUST_LOG").output().unwrap();
    assert!(!output.status.success(), "{flags:?} was accepted");
    assert!(output.stdout.is_empty(), "{flags:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// Waits until a condition holds.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let timeout = Timeout::of(LIMIT);
    while !holds() {
        assert!(timeout.lasts(), "timed out waiting for {what}");
        sleep(PAUSE);
    }
}

/// Returns the path of a folder as text.
pub(crate) fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
