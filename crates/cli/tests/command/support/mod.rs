//! The command, run to its end, and what it prints.

mod blocks;
mod node;

pub(crate) use blocks::{batch, block, transfer, witness_json};
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
    LazyLock::new(|| Toolchain::ensure(&progress_to_stderr).expect("the tools are there"));

pub(crate) fn enshrine(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_enshrine")).args(arguments).output().expect("runs")
}

/// Runs the command with something on its standard input.
pub(crate) fn feed(arguments: &[&str], fed: &[u8]) -> Output {
    run_between(fed, arguments, Stdio::piped())
}

/// Like the function above, with a closed pipe as standard output.
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
    // It says nothing before it has read everything.
    child.stdin.take().expect("a pipe").write_all(fed).expect("takes it");
    child.wait_with_output().expect("ends")
}

/// Output of a command that succeeds.
#[track_caller]
pub(crate) fn run(arguments: &[&str]) -> String {
    let output = enshrine(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Standard error of a command that must fail.
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

/// A new folder's name, below one that is removed.
pub(crate) fn place() -> (tempfile::TempDir, String) {
    let parent = tempfile::tempdir().expect("a folder");
    let folder = path(parent.path(), "deep/my-rollup");
    (parent, folder)
}

pub(crate) fn free_port() -> u16 {
    testkit::free_port().expect("a port")
}

/// Names that each command would mean something else by: of what, they do not say.
const VAGUE: [&str; 8] = ["number", "hash", "block", "gas", "ms", "size", "chain", "root"];

/// Reads what a command has printed for programs, and looks at its keys: written as JSON-RPC writes
/// them, and none that says less than the next command's key for the same thing.
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
                // What gas is paid by each schedule is a group of its own.
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
