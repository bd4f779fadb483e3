//! Each example runs to its end and checks its own output.

use std::process::Command;

/// Runs a program and expects lines on its output that begin like this.
fn runs(program: &str, lines: &[&str]) {
    let output = Command::new(program).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let as_expected = said.lines().zip(lines).all(|(line, start)| line.starts_with(start));
    assert!(as_expected && said.lines().count() == lines.len(), "{said}");
}

#[test]
fn verify_block() {
    runs(
        env!("CARGO_BIN_EXE_verify-block"),
        &["block 1 (0x", "state before: 0x", "state after:  0x"],
    );
}

#[test]
fn execute_in_revm() {
    let lines = ["a valid block of chain 8079 for ", "a forged one fails, "];
    runs(env!("CARGO_BIN_EXE_execute-in-revm"), &lines);
}

#[test]
fn gas_schedule() {
    let lines = ["", "with one gas less: out of gas", "by ethrex's rule: "];
    runs(env!("CARGO_BIN_EXE_gas-schedule"), &lines);
}

#[test]
fn devnet_in_a_test() {
    runs(env!("CARGO_BIN_EXE_devnet-in-a-test"), &["http://127.0.0.1:"]);
}

#[test]
fn advance_a_rollup() {
    runs(env!("CARGO_BIN_EXE_advance-a-rollup"), &["L1 has L2 block 1 and state 0x"]);
}
