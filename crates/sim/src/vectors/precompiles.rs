//! Blocks in which a contract gives a precompile more or less gas than it needs.
//!
//! A verifier that has less gas for a precompile than the contract gave it must not count a failure
//! differently: the gas of each case is exactly what a call with unlimited gas reserves, and a
//! neighbour has one gas less.

use super::{
    forms::{Cases, Expected},
    vector_chain::VectorChain,
};
use alloy_primitives::U256;
use eyre::{OptionExt as _, Result, ensure};
use testkit::resealed;
use variants::DialectName;
use wire::ProtocolFork;

const FORKS: [ProtocolFork; 4] =
    [ProtocolFork::Cancun, ProtocolFork::Prague, ProtocolFork::Osaka, ProtocolFork::Amsterdam];
/// Rounds of BLAKE2F, each of which costs one gas.
const ROUNDS: u32 = 60_000;

/// Adds blocks with calls of BLAKE2F, and valid blocks with calls that run out of their gas.
pub(super) fn add(cases: &mut Cases) -> Result<()> {
    for fork in FORKS {
        for (what, rounds, gas, is_success) in [
            ("BLAKE2F with exactly its gas", ROUNDS, ROUNDS, true),
            ("BLAKE2F with one gas too little", ROUNDS, ROUNDS - 1, false),
            ("BLAKE2F with all gas", ROUNDS, u32::MAX, true),
            ("BLAKE2F that no gas suffices for", u32::MAX, u32::MAX, false),
        ] {
            let (block, got) =
                VectorChain::with_caller_of_precompile(fork)?.blake2f(rounds, gas)?;
            ensure!(got == U256::from(is_success), "{fork}, {what}: success is {got}");
            let name = format!("{fork} block, {what}");
            let call = DialectName::Specs.encode(&block)?;
            cases.accepted(&name, &fork.to_string(), "default", &call)?;
            // The gas used shows whether the precompile has failed.
            let other = resealed(&block, |block| block.request.payload.gas_used += 1);
            let other =
                DialectName::Specs.encode(&other.ok_or_eyre("a block without a header")?)?;
            let expected = Expected::Failed("amount");
            cases.refused("a gas used of one more", &name, expected, &other)?;
        }
    }
    Ok(())
}
