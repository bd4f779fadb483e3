//! The largest duties of a block, submitted to L1 through the transaction pool of a node with the
//! limits of public pools, on an L1 with the gas schedule of Osaka and on one with that of
//! Amsterdam. The block around the duty is filled up to the size limit of the pool.

mod duty;
mod rollup;

use duty::Duty;
use eyre::Result;
use rollup::DevnetRollup;
use wire::ProtocolFork;

fn advances(fork: ProtocolFork, prepare: fn(&mut DevnetRollup) -> Result<Duty>) -> Result<()> {
    let mut rollup = DevnetRollup::new(fork)?;
    let duty = prepare(&mut rollup)?;
    rollup.advance_by_the_largest(&duty)
}

#[test]
fn osaka_pool_accepts_maximum_relays() -> Result<()> {
    advances(ProtocolFork::Osaka, Duty::relays)
}

#[test]
fn amsterdam_pool_accepts_maximum_relays() -> Result<()> {
    advances(ProtocolFork::Amsterdam, Duty::relays)
}

#[test]
fn osaka_pool_accepts_largest_forced_transactions() -> Result<()> {
    advances(ProtocolFork::Osaka, Duty::forced)
}

#[test]
fn amsterdam_pool_accepts_largest_forced_transactions() -> Result<()> {
    advances(ProtocolFork::Amsterdam, Duty::forced)
}

#[test]
fn osaka_pool_accepts_maximum_forced_evidence() -> Result<()> {
    advances(ProtocolFork::Osaka, Duty::evidence)
}

#[test]
fn amsterdam_pool_accepts_maximum_forced_evidence() -> Result<()> {
    advances(ProtocolFork::Amsterdam, Duty::evidence)
}
