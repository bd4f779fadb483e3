//! The official fixtures: both verifiers return the verdict of the fixture.
//!
//! This validates the combination of ethrex's parts in this crate.

use crate::{
    judges::{Judges, Tally},
    scenario::everything,
};
use chain::{Chain, ChainConfig};
use codec::RawBlock;
use executor::SystemCode;
use eyre::{OptionExt, Result};
use testkit::vectors::fixture::{self, CHAIN_ID, DEPOSIT_CONTRACT, Fixture};

#[derive(Default)]
struct Tallies {
    valid: Tally,
    invalid: Tally,
    /// Number of valid blocks that cannot be encoded as an input.
    no_input: usize,
}

#[test]
fn both_match_verdicts_of_osaka_fixtures() -> Result<()> {
    let Some(tallies) = run("osaka")? else { return Ok(()) };
    assert_eq!((tallies.valid.accepted, tallies.valid.total()), (7_821, 7_821));
    assert_eq!(tallies.no_input, 10, "requests that are no records");
    assert_eq!(tallies.invalid.refused.len(), 779, "all but those that are no RLP of a block");
    Ok(())
}

#[test]
fn both_match_verdicts_of_worst_case_fixtures() -> Result<()> {
    let Some(tallies) = run("worst_case_10M")? else { return Ok(()) };
    assert_eq!((tallies.valid.accepted, tallies.valid.total()), (49, 49));
    Ok(())
}

fn run(pack: &str) -> Result<Option<Tallies>> {
    let mut tallies = Tallies::default();
    let present = fixture::each(pack, |fixture| run_fixture(fixture, &mut tallies))?;
    tallies.valid.assert_agreement(&format!("{pack}, valid"));
    tallies.invalid.assert_agreement(&format!("{pack}, invalid"));
    assert_eq!(tallies.invalid.accepted, 0);
    Ok(present.then_some(tallies))
}

fn run_fixture(fixture: &Fixture, tallies: &mut Tallies) -> Result<()> {
    let judges = Judges::of_chain(
        CHAIN_ID,
        fixture.fork,
        fixture.later,
        Some(DEPOSIT_CONTRACT),
        SystemCode::Any,
    );
    let config =
        ChainConfig { system_code: SystemCode::Any, ..ChainConfig::new(judges.spec.clone()) };
    let mut chain = Chain::from_header(fixture.header.clone(), &fixture.genesis, config)?;
    for block in &fixture.blocks {
        let Ok(raw) = RawBlock::decode(&block.rlp) else { continue };
        let name = || fixture.name.clone();
        if block.exception.is_some() {
            let parent = chain.block(&raw.header.parent_hash)?;
            let fork = judges.spec.fork_at(raw.header.timestamp).ok_or_eyre("no fork")?;
            let all = everything(&chain, &parent.header)?;
            let input = raw.to_input(fork, CHAIN_ID, &all, &[], &[])?.into();
            tallies.invalid.ask(&judges, name, &input);
            continue;
        }
        let new = chain.import(&raw)?;
        match new.input() {
            Ok(input) => tallies.valid.ask(&judges, name, &input.into()),
            Err(_) => tallies.no_input += 1,
        }
        chain.append(new)?;
    }
    Ok(())
}
