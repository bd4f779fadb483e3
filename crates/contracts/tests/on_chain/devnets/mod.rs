//! The largest duties of a rollup, brought to L1 as anybody would bring them: as a transaction to
//! the pool of a node with the limits that pools have, on an L1 with the gas schedule of Osaka and
//! on one with that of Amsterdam. The block around the duty is as large as the pool takes.

mod duty;
mod scene;

use duty::Duty;
use eyre::Result;
use scene::Scene;
use wire::ProtocolFork;

fn advances(fork: ProtocolFork, prepare: fn(&mut Scene) -> Result<Duty>) -> Result<()> {
    let mut scene = Scene::new(fork)?;
    let duty = prepare(&mut scene)?;
    scene.advance_by_the_largest(&duty)
}

#[test]
fn the_most_relays_that_are_owed_pass_the_pool_of_an_osaka_l1() -> Result<()> {
    advances(ProtocolFork::Osaka, Duty::relays)
}

#[test]
fn the_most_relays_that_are_owed_pass_the_pool_of_an_amsterdam_l1() -> Result<()> {
    advances(ProtocolFork::Amsterdam, Duty::relays)
}

#[test]
fn the_largest_forced_transactions_pass_the_pool_of_an_osaka_l1() -> Result<()> {
    advances(ProtocolFork::Osaka, Duty::forced)
}

#[test]
fn the_largest_forced_transactions_pass_the_pool_of_an_amsterdam_l1() -> Result<()> {
    advances(ProtocolFork::Amsterdam, Duty::forced)
}

#[test]
fn the_most_evidence_against_forced_transactions_passes_the_pool_of_an_osaka_l1() -> Result<()> {
    advances(ProtocolFork::Osaka, Duty::evidence)
}

#[test]
fn the_most_evidence_against_forced_transactions_passes_the_pool_of_an_amsterdam_l1() -> Result<()>
{
    advances(ProtocolFork::Amsterdam, Duty::evidence)
}
