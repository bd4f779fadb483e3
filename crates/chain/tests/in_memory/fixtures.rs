//! Official fixtures, block by block: each block is executed on the full state, then verified by
//! EXECUTE inside an EVM from the recorded witness alone. The verdicts must equal the fixture's.

use crate::support::fixture::{Outcome, Pack};
use eyre::Result;

/// Tests with valid blocks that no EXECUTE input can represent: part of the name, reason, and
/// number.
///
/// The chain executes all of them with the fixture's result; only the input format excludes them.
const NOT_REPRESENTABLE: [(&str, &str, usize); 2] = [
    // Modified system contracts that return bytes other than request records. EXECUTE rejects
    // modified system contracts anyway.
    ("test_modified_withdrawal_contract.py", "do not divide into records of 76", 5),
    ("test_modified_consolidation_contract.py", "do not divide into records of 116", 5),
];

fn assert_only_listed_exceptions(outcome: &Outcome) {
    let listed = |name: &str, reason: &str| {
        NOT_REPRESENTABLE
            .iter()
            .position(|(test, why, _)| name.contains(test) && reason.contains(why))
    };
    let mut counts = [0; NOT_REPRESENTABLE.len()];
    for (name, reason) in &outcome.wrong {
        let index = listed(name, reason).unwrap_or_else(|| panic!("{name}\n{reason}"));
        counts[index] += 1;
    }
    assert_eq!(counts, NOT_REPRESENTABLE.map(|(.., count)| count));
}

#[test]
fn execute_matches_osaka_fixtures() -> Result<()> {
    let Some(outcome) = Pack::new("osaka").run()? else { return Ok(()) };
    outcome.print();
    assert_eq!((outcome.tests, outcome.valid, outcome.invalid), (7_960, 7_831, 784));
    assert_eq!(outcome.foreign_system_code, 20, "each rejected by EXECUTE as configured");
    // All 43 blocks that claim requests other than those they cause. EXECUTE rejects the claims
    // that an input can represent; for the others no input can have the claimed hash.
    assert_eq!((outcome.claimed_requests, outcome.malformed_requests), (27, 16));
    assert_only_listed_exceptions(&outcome);
    Ok(())
}

#[test]
fn execute_matches_worst_case_fixtures() -> Result<()> {
    let Some(outcome) = Pack::new("worst_case_10M").run()? else { return Ok(()) };
    outcome.print();
    assert_eq!((outcome.tests, outcome.valid, outcome.invalid), (32, 49, 0));
    assert!(outcome.wrong.is_empty(), "{:?}", outcome.wrong);
    Ok(())
}

/// The Amsterdam packs follow specifications of April and May 2026. Since then, EIP-8282 has made
/// two more system contracts a condition of validity, which none of the blocks has; EIP-7843 has
/// added a header field, which the blocks of May lack; and EIP-2780 and others have repriced
/// transactions. Under the current rules all of their valid blocks are invalid, each for one of
/// exactly these reasons, so the packs do not cover Amsterdam. ethrex covers it, over the same
/// scenarios.
#[test]
fn blocks_of_older_amsterdam_drafts_are_rejected() -> Result<()> {
    for (name, tests) in [("amsterdam_eip7928", 602), ("amsterdam_devnet4", 1_977)] {
        let Some(outcome) = Pack::new(name).run()? else { continue };
        outcome.print_summary();
        assert_eq!(outcome.tests, tests);
        assert_eq!(outcome.of_amsterdam, 0, "{name} is no coverage");
        let explained = |reason: &str| {
            [
                "at the system address 0x0000bFF46984e3725691FA540a8C7589300D8282", // EIP-8282
                "is below its intrinsic gas",                                       // EIP-2780
                "exceeds the gas limit",                                            // EIP-2780
                "brings the gas used to",                                           // EIP-8037
                "is more than blocks available gas",                                // EIP-8037
                "lack of funds", // EIP-8037: earlier transactions had a different cost
                "slot number present: got 0, expected 1", // EIP-7843
            ]
            .iter()
            .any(|part| reason.contains(part))
        };
        let others: Vec<_> =
            outcome.wrong.iter().filter(|(_, reason)| !explained(reason)).take(20).collect();
        assert!(others.is_empty(), "{name}\n{others:#?}");
    }
    Ok(())
}
