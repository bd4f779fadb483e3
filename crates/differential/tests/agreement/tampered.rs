//! Tampered inputs.

use crate::{
    judges::{Judges, Tally},
    scenario::{ScenarioBlock, play},
};
use alloy_primitives::Bytes;
use enshrine_differential::real_blocks;
use eyre::Result;
use testkit::{
    Random,
    tampered::{CHANGES, Draft, scramble},
};
use wire::{ProtocolFork, StatelessInput};

#[test]
fn tampered_blocks_under_osaka() -> Result<()> {
    for (pack, changes) in [("amsterdam_eip7928", 3), ("amsterdam_devnet4", 3), ("osaka", 1)] {
        tamper_with_scenarios(pack, ProtocolFork::Osaka, changes)?;
    }
    Ok(())
}

#[test]
fn tampered_blocks_under_amsterdam() -> Result<()> {
    for (pack, changes) in [("amsterdam_eip7928", 6), ("amsterdam_devnet4", 4), ("osaka", 1)] {
        tamper_with_scenarios(pack, ProtocolFork::Amsterdam, changes)?;
    }
    Ok(())
}

/// Applies every change to every real block.
#[test]
fn tampered_real_blocks() -> Result<()> {
    let (judges, mut tally) = (Judges::by_id(), Tally::default());
    for (seed, block) in real_blocks("real blocks, tampered with")?.iter().enumerate() {
        let mut rng = Random::new(seed as u64);
        let input = StatelessInput::decode(&block.calldata)?;
        for (what, change) in CHANGES {
            let mut draft = Draft::new(&input);
            change(&mut draft, &mut rng);
            let Some(tampered) = draft.encode() else { continue };
            tally.ask(&judges, || format!("{what}: {}", block.name), &tampered);
        }
    }
    tally.assert_agreement("real blocks, tampered with");
    Ok(())
}

/// Applies `changes` changes with a recomputed block hash, and as many without, to every block.
fn tamper_with_scenarios(pack: &str, fork: ProtocolFork, changes: usize) -> Result<()> {
    let mut tally = Tally::default();
    let played = play(pack, Some(fork), |ScenarioBlock { name, judges, new, .. }| {
        let calldata: Bytes = new.input()?.into();
        let Ok(input) = StatelessInput::decode(&calldata) else { return Ok(()) };
        let mut rng = Random::from_hash(&new.block.hash);
        for _ in 0..changes {
            let (what, change) = rng.pick(CHANGES);
            let mut draft = Draft::new(&input);
            change(&mut draft, &mut rng);
            if let Some(tampered) = draft.encode() {
                tally.ask(judges, || format!("{what}: {name}"), &tampered);
            }
            let scrambled = scramble(&calldata, &mut rng);
            tally.ask_damaged(judges, || format!("scrambled: {name}"), &scrambled);
        }
        Ok(())
    })?;
    let what = format!("{pack} under {fork}, tampered with");
    tally.assert_agreement(&what);
    if played.is_some() {
        assert!(
            tally.missing_for_ethrex < tally.accepted / 100,
            "{what}: {} witnesses are too small for ethrex alone",
            tally.missing_for_ethrex
        );
        assert!(tally.accepted > 500, "{what}: changes of what the header leaves free");
        assert!(tally.refused.len() > 5 * tally.accepted / 2, "{what}: changes of all else");
    }
    Ok(())
}
