//! Random programs, under every fork.

use crate::{
    judges::{Judges, Tally},
    world::{CHAIN_ID, World},
};
use alloy_primitives::{Address, B256, Bytes};
use chain::{BlockAttributes, BlockWithWitness, Chain, ChainConfig};
use executor::SystemCode;
use eyre::Result;
use std::{collections::BTreeSet, env};
use testkit::Random;
use wire::ProtocolFork;

/// Number of worlds per fork; `ENSHRINE_WORLDS` sets another number for longer runs.
fn worlds() -> u64 {
    const FEW: u64 = 400;
    env::var("ENSHRINE_WORLDS").ok().and_then(|number| number.parse().ok()).unwrap_or(FEW)
}

#[test]
fn programs_under_cancun() -> Result<()> {
    compare(ProtocolFork::Cancun, &[])
}

#[test]
fn programs_under_prague() -> Result<()> {
    compare(ProtocolFork::Prague, &[1, 2])
}

#[test]
fn programs_under_osaka() -> Result<()> {
    compare(ProtocolFork::Osaka, &[1, 2])
}

#[test]
fn programs_under_bpo2() -> Result<()> {
    compare(ProtocolFork::Bpo2, &[1, 2])
}

#[test]
fn programs_under_amsterdam() -> Result<()> {
    compare(ProtocolFork::Amsterdam, &[1, 2, 3, 4])
}

/// Three blocks in each world; `requests` are the kinds of requests that they cause between them.
fn compare(fork: ProtocolFork, requests: &[u8]) -> Result<()> {
    let judges = Judges::of_chain(CHAIN_ID, fork, None, None, SystemCode::Canonical);
    let mut tally = Tally::default();
    let (mut transactions, mut successful, mut left_out) = (0, 0, 0);
    let mut caused = BTreeSet::new();
    each_block(fork, &judges, worlds(), |name, new, out| {
        let calldata: Bytes = new.input()?.into();
        tally.ask(&judges, || name.to_owned(), &calldata);
        let executed = &new.block.executed;
        transactions += executed.receipts.len();
        successful += executed.receipts.iter().filter(|receipt| receipt.success).count();
        left_out += out;
        let lists = executed.requests.iter().flat_map(|requests| requests.iter());
        caused.extend(lists.filter_map(|list| list.first().copied()));
        Ok(())
    })?;
    tally.assert_agreement(&format!(
        "programs under {fork}: {transactions} transactions ({successful} successful, {left_out} left out)"
    ));
    assert!(tally.refused.is_empty(), "{:?}", tally.refused);
    assert!(successful * 8 > transactions, "programs get somewhere");
    assert!(left_out * 8 < transactions, "most transactions can stand in a block");
    assert_eq!(caused.into_iter().collect::<Vec<_>>(), requests, "requests");
    Ok(())
}

/// Plays three blocks in each of so many worlds, and shows each with a name and how many transactions were
/// left out of it.
pub(crate) fn each_block(
    fork: ProtocolFork,
    judges: &Judges,
    worlds: u64,
    mut each: impl FnMut(&str, &BlockWithWitness, usize) -> Result<()>,
) -> Result<()> {
    for seed in 0..worlds {
        let mut rng = Random::new(seed);
        let mut world = World::new(fork, &mut rng);
        let mut chain = Chain::new(&world.genesis, ChainConfig::new(judges.spec.clone()))?;
        for number in 1..=3 {
            let candidates =
                (0..1 + rng.index(4)).map(|_| world.transaction(fork, &mut rng)).collect();
            let attributes = BlockAttributes {
                timestamp: number * 12,
                slot_number: number + 100,
                fee_recipient: Address::with_last_byte(0x77),
                prev_randao: B256::repeat_byte(seed as u8),
                ..Default::default()
            };
            let (new, out) = chain.build(&attributes, candidates)?;
            each(&format!("{fork}, world {seed}, block {number}"), &new, out.len())?;
            chain.append(new)?;
        }
    }
    Ok(())
}
