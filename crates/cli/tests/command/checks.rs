//! Configuration mistakes: `enshrine node --check` reports each, and a node with one refuses to
//! start or warns.

use crate::support::{Deployed, devnet, write_keys};
use contracts::Deployment;
use serde_json::Value;
use std::{
    process::{Command, Output},
    thread::sleep,
    time::Duration,
};
use testkit::{ETHER, Key, NodeProcess, Timeout, allowed_balances, enrich, http, write_deployment};

/// A rollup with a sequencing policy, and its operator's files.
struct Rollup {
    deployed: Deployed,
    other_l1: NodeProcess,
    advance: Key,
    operator: Key,
}

impl Rollup {
    fn new() -> Self {
        let [advance, operator] = ["advance", "operator"].map(Key::named);
        let deployed = Deployed::new(&[advance.address()], |fixture| {
            fixture.rich(["operator"], ETHER).sequenced_by(advance.address())
        });
        Self { deployed, other_l1: devnet(&["--chain-id", "4242"]), advance, operator }
    }

    /// Returns the flags of a sequencer with these keys and this deployment.
    fn flags(&self, deployment: &Deployment, advance: &Key, operator: &Key) -> Vec<String> {
        let file = write_deployment(deployment, self.deployed.folder.path()).unwrap();
        let keys = write_keys(self.deployed.folder.path(), "keys.json", advance, operator);
        let allowed = allowed_balances(&self.deployed.deployment.genesis);
        let l1 = self.deployed.l1.client().url();
        [
            &["--role", "sequencer", "--deployment", &file.display().to_string()][..],
            &["--l1", l1, "--l1-beacon", l1],
            &["--advance-key", &keys, "--operator-key", &keys],
            &["--allow-balance", &allowed],
        ]
        .concat()
        .iter()
        .map(ToString::to_string)
        .collect()
    }

    /// Returns valid flags.
    fn right(&self) -> Vec<String> {
        self.flags(&self.deployed.deployment, &self.advance, &self.operator)
    }
}

fn node(flags: &[String], more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_enshrine"));
    command.arg("node").args(flags).args(more).output().unwrap()
}

/// Returns the exit code of `--check`, and names and verdicts of the checks that did not pass.
fn mistakes(flags: &[String]) -> (i32, Vec<(String, String)>) {
    let output = node(flags, &["--check", "--json"]);
    let checks: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(&output.stderr));
    });
    let text = |check: &Value, key: &str| check[key].as_str().unwrap().to_owned();
    let mut found = Vec::new();
    for check in &checks {
        let verdict = text(check, "verdict");
        if verdict != "passed" {
            for key in ["got", "expected", "advice"] {
                assert!(!text(check, key).is_empty(), "{key} of {check}");
            }
            found.push((text(check, "name"), verdict));
        }
    }
    (output.status.code().unwrap(), found)
}

fn replaced(flags: &[String], flag: &str, value: &str) -> Vec<String> {
    let mut flags = flags.to_vec();
    let at = flags.iter().position(|argument| argument == flag).unwrap();
    value.clone_into(&mut flags[at + 1]);
    flags
}

fn first(name: &str, outcome: &str) -> (String, String) {
    (name.to_owned(), outcome.to_owned())
}

/// Asserts that `--check` refuses these flags for this reason, and that a node with them does not
/// start.
fn refused(flags: &[String], name: &str) {
    let (code, found) = mistakes(flags);
    assert_eq!(code, 1);
    assert!(found.contains(&first(name, "refused")), "{found:?}");
    has_no_answer(flags, name);
}

/// Asserts that a node with these flags exits with this error.
fn has_no_answer(flags: &[String], expected: &str) {
    let output = node(flags, &["--http-port", "0"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(expected), "{expected} in {said}");
}

#[test]
fn configuration_mistakes_are_reported_and_refused() {
    let rollup = Rollup::new();
    let Rollup { deployed, advance, operator, .. } = &rollup;
    let deployment = &deployed.deployment;
    let other = rollup.other_l1.client().url();

    let right = rollup.right();
    assert_eq!(mistakes(&right), (0, Vec::new()));
    has_no_answer(&replaced(&right, "--l1", other), "chain id 4242");
    refused(&replaced(&right, "--l1-beacon", other), "consensus client");
    refused(&rollup.flags(deployment, operator, advance), "sequencing policy");
    let elsewhere = Deployment { rollup: deployment.forced, ..deployment.clone() };
    assert_eq!(
        node(&rollup.flags(&elsewhere, advance, operator), &["--check"]).status.code(),
        Some(2)
    );
    let mut changed = deployment.clone();
    changed.genesis.timestamp += 1;
    has_no_answer(&rollup.flags(&changed, advance, operator), "another genesis");

    // A fault that may be temporary is a warning.
    let stranger = Key::named("stranger");
    enrich(rollup.deployed.l1.client(), [stranger.address()], 1_000 * ETHER).unwrap();
    let flags = rollup.flags(deployment, &stranger, operator);
    assert_eq!(mistakes(&flags), (1, vec![first("sequencing policy", "warning")]));
    let silent = replaced(&rollup.right(), "--l1-beacon", "http://127.0.0.1:1");
    assert_eq!(mistakes(&silent), (1, vec![first("consensus client", "warning")]));
    assert_eq!(mistakes(&rollup.right()), (0, Vec::new()));
}

#[test]
fn missing_float_is_temporary_health_warning() {
    let rollup = Rollup::new();
    let account = rollup.advance.address();
    enrich(rollup.deployed.l1.client(), [account], 0).unwrap();
    let flags = rollup.right();
    assert_eq!(mistakes(&flags), (1, vec![first("float on L1", "warning")]));

    let mut command = Command::new(env!("CARGO_BIN_EXE_enshrine"));
    let node = NodeProcess::start_at("--http-port", command.arg("node").args(&flags)).unwrap();
    let warnings = || {
        let health = node.client().get("/health", None).ok()?;
        let health: Value = serde_json::from_slice(&health).unwrap();
        Some(health["warnings"].as_array().unwrap().clone())
    };
    until("the warning", || {
        warnings().is_some_and(|warnings| {
            warnings.len() == 1 && warnings[0].as_str().unwrap().starts_with("float on L1: ")
        })
    });
    enrich(rollup.deployed.l1.client(), [account], 1_000 * ETHER).unwrap();
    until("no warning", || warnings().is_some_and(|warnings| warnings.is_empty()));
    until("no warning in the metrics", || {
        metrics(node.client().url()).contains("enshrine_rollup_check_warnings 0")
    });
}

/// Returns the metrics of a node, which are text.
fn metrics(url: &str) -> String {
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    http(address, "GET /metrics HTTP/1.1", "").unwrap()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let timeout = Timeout::begin();
    while !holds() {
        assert!(timeout.lasts(), "timed out waiting for {what}");
        sleep(Duration::from_millis(50));
    }
}
