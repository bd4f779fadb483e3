//! Runs the command to completion and captures its output.

mod blocks;
mod deployed;
mod limited_logs;
mod node;

pub(crate) use blocks::{batch, block, forced, witness_json};
pub(crate) use deployed::{Deployed, devnet, write_keys};
pub(crate) use limited_logs::LimitedLogs;
pub(crate) use node::Node;

use serde_json::Value;
use std::{
    io::{self, Write as _},
    path::Path,
    process::{Command, Output, Stdio},
    sync::LazyLock,
};
use toolchain::{Toolchain, progress_to_stderr};

pub(crate) static TOOLS: LazyLock<Toolchain> =
    LazyLock::new(|| Toolchain::ensure(&progress_to_stderr).expect("the tools are installed"));

pub(crate) fn enshrine(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_enshrine")).args(arguments).output().expect("runs")
}

/// Runs the command with these bytes on standard input.
pub(crate) fn feed(arguments: &[&str], fed: &[u8]) -> Output {
    run_between(fed, arguments, Stdio::piped())
}

/// Like [`feed`], with a closed pipe as standard output.
pub(crate) fn unread(arguments: &[&str], fed: &[u8]) -> Output {
    let (reader, writer) = io::pipe().expect("a pipe");
    drop(reader);
    run_between(fed, arguments, writer.into())
}

fn run_between(fed: &[u8], arguments: &[&str], out: Stdio) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_enshrine"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(out)
        .stderr(Stdio::piped())
        .spawn()
        .expect("runs");
    // The command prints nothing before it has read its input, so this cannot deadlock.
    child.stdin.take().expect("a pipe").write_all(fed).expect("takes it");
    child.wait_with_output().expect("ends")
}

/// Runs a command that must succeed, and returns its standard output.
#[track_caller]
pub(crate) fn run(arguments: &[&str]) -> String {
    let output = enshrine(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Runs a command that must fail, and returns its standard error.
#[track_caller]
pub(crate) fn refuse(arguments: &[&str]) -> String {
    let output = enshrine(arguments);
    assert!(!output.status.success(), "{arguments:?} was expected to fail");
    String::from_utf8(output.stderr).expect("UTF-8")
}

pub(crate) fn json_of(arguments: &[&str]) -> Value {
    document(run(&[arguments, &["--json"]].concat()).as_bytes())
}

pub(crate) fn path(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

/// Returns a temporary folder, which is removed on drop, and the path of a new folder below it.
pub(crate) fn place() -> (tempfile::TempDir, String) {
    let parent = tempfile::tempdir().expect("a folder");
    let folder = path(parent.path(), "deep/my-rollup");
    (parent, folder)
}

pub(crate) fn free_port() -> u16 {
    testkit::free_port().expect("a port")
}

/// Keys that are too vague, because each command could mean something else by them.
const VAGUE: [&str; 8] = ["number", "hash", "block", "gas", "ms", "size", "chain", "root"];

/// Parses the JSON output of a command, and asserts that its keys are in camelCase and not vague.
pub(crate) fn document(text: &[u8]) -> Value {
    let document = serde_json::from_slice(text).expect("JSON");
    check(&document);
    document
}

fn check(value: &Value) {
    match value {
        Value::Array(values) => values.iter().for_each(check),
        Value::Object(fields) => {
            for (key, value) in fields {
                // `gas` is allowed for the group of prices by schedule.
                let is_vague = VAGUE.contains(&key.as_str()) && !value.is_object();
                let is_camel =
                    key.chars().all(char::is_alphanumeric) && key.starts_with(char::is_lowercase);
                assert!(is_camel && !is_vague, "{key}: {value}");
                check(value);
            }
        }
        _ => {}
    }
}
