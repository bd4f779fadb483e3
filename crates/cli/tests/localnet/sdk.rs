//! The examples of the Rust SDK run against a localnet.

use crate::process::Localnet;
use std::{path::Path, process::Command};

/// Runs an example against a localnet with these flags, and returns the lines that it prints.
fn run(example: &str, flags: &[&str]) -> Vec<String> {
    let localnet = Localnet::start(flags);
    // Tests of the whole workspace build all examples.
    let program =
        Path::new(env!("CARGO_BIN_EXE_enshrine")).with_file_name("examples").join(example);
    assert!(program.is_file(), "build it: cargo build --workspace --examples --profile checks");
    let output = Command::new(program).arg(localnet.ready_file()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said.lines().map(ToOwned::to_owned).collect()
}

#[test]
fn example_of_rust_sdk_runs() {
    let lines = run("deposit_and_claim", &[]);
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(lines[0], "deposited; on the L2 the friend has 2 ether");
    assert_eq!(lines[1], "claimed; on L1 the friend has 1.000000000000000000 ether");
    assert!(lines[2].starts_with("the forced transaction is in L2 block "), "{lines:?}");
}

#[test]
fn example_of_rust_sdk_bridges_tokens() {
    let lines = run("bridge_tokens", &["--fork", "amsterdam"]);
    let expected = [
        "deposited; on the L2 the account has 600 tokens",
        "claimed; on L1 the account has 650 tokens",
    ];
    assert_eq!(lines, expected);
}
