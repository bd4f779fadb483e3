//! The Solidity libraries compared with alloy: both decode the same values from calldata and reject
//! the same bytes.

mod code_references;
mod evm;
mod messages;
mod proofs;
mod real_proofs;
mod rlp;
mod transactions;

use proptest::test_runner::{Config, RngSeed};

/// Configuration of the property tests, with the same cases in each run.
fn cases(cases: u32) -> Config {
    Config {
        cases,
        rng_seed: RngSeed::Fixed(0x656e_7368_7269_6e65),
        failure_persistence: None,
        ..Config::default()
    }
}
