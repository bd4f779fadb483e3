//! The example of the Rust SDK runs against a localnet.

use crate::process::Localnet;
use std::{path::Path, process::Command};

#[test]
fn example_of_rust_sdk_runs() {
    let localnet = Localnet::start(&[]);
    // Tests of the whole workspace build all examples.
    let example = Path::new(env!("CARGO_BIN_EXE_enshrine"))
        .with_file_name("examples")
        .join("deposit_and_claim");
    assert!(example.is_file(), "build it: cargo build --workspace --examples --profile checks");
    let output = Command::new(example).arg(localnet.ready_file()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 3, "{said}");
    assert_eq!(lines[0], "deposited; on the L2 the friend has 2 ether");
    assert_eq!(lines[1], "claimed; on L1 the friend has 1.000000000000000000 ether");
    assert!(lines[2].starts_with("the forced transaction is in L2 block "), "{said}");
}
