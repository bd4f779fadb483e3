//! The official fixtures, block by block: executed on a full state, then verified by EXECUTE from
//! the recorded witness alone, inside an EVM. The verdicts must equal the fixture's.

mod support;

use eyre::Result;
use support::fixture::{Outcome, Pack};

#[test]
fn osaka_fixtures_get_their_verdicts_from_execute() -> Result<()> {
    let Some(outcome) = Pack::new("osaka").run()? else { return Ok(()) };
    outcome.print();
    assert!(outcome.wrong.is_empty());
    Ok(())
}

#[test]
fn worst_case_fixtures_get_their_verdicts_from_execute() -> Result<()> {
    let Some(outcome) = Pack::new("worst_case_10M").run()? else { return Ok(()) };
    outcome.print();
    assert!(outcome.wrong.is_empty());
    Ok(())
}

#[test]
fn amsterdam_devnet4() -> Result<()> {
    let Some(outcome) = Pack::new("amsterdam_devnet4").run()? else { return Ok(()) };
    outcome.print();
    Ok(())
}
