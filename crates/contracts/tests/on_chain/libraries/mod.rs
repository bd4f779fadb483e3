//! The Solidity libraries against Rust: what they read from calldata is what the crates of alloy
//! read, and what those refuse is refused.

mod code_references;
mod evm;
mod messages;
mod proofs;
mod real_proofs;
mod rlp;
mod transactions;

use proptest::test_runner::{Config, RngSeed};

/// Settings of the property tests: the same cases in each run.
fn cases(cases: u32) -> Config {
    Config {
        cases,
        rng_seed: RngSeed::Fixed(0x656e_7368_7269_6e65),
        failure_persistence: None,
        ..Config::default()
    }
}
