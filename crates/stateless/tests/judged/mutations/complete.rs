//! Completion of a block and its witness to the EXECUTE input.

use super::support::{generated, verdict_on};
use chain::to_stateless_input;
use codec::{OwnedWitness, RawBlock};
use executor::{ChainSpec, Invalid, StateError};
use wire::ProtocolFork;

#[test]
fn completion_adds_requests_and_access_list() {
    for case in generated() {
        let block = RawBlock::decode(&case.rlp).expect("a block");
        let completed = verdict_on(to_stateless_input(
            &block,
            &OwnedWitness::of(&case.input().witness),
            &case.spec,
        ));
        assert_eq!(completed.as_ref(), Ok(&case.bytes), "{}", case.name);
    }
}

#[test]
fn completion_by_execution_needs_witness() {
    let mut executed = 0;
    for case in generated() {
        let block = RawBlock::decode(&case.rlp).expect("a block");
        let mut witness = OwnedWitness::of(&case.input().witness);
        witness.state.clear();
        let requests = !case.input().request.execution_requests.is_empty();
        let completed = verdict_on(to_stateless_input(&block, &witness, &case.spec));
        if requests || case.input().fork >= ProtocolFork::Amsterdam {
            let missing = matches!(completed, Err(Invalid::State(StateError::Account { .. })));
            assert!(missing, "{}: {completed:?}", case.name);
            executed += 1;
        } else {
            assert!(completed.is_ok(), "{}: {completed:?}", case.name);
        }
    }
    assert!(executed > 0);
}

#[test]
fn blocks_from_before_cancun_cannot_be_completed() {
    let case = &generated()[0];
    let block = RawBlock::decode(&case.rlp).expect("a block");
    for fork in [ProtocolFork::Paris, ProtocolFork::Shanghai] {
        let older = ChainSpec::constant(case.spec.chain_id(), fork);
        let completed = verdict_on(to_stateless_input(
            &block,
            &OwnedWitness::of(&case.input().witness),
            &older,
        ));
        assert_eq!(completed, Err(Invalid::UnsupportedFork(fork)));
    }
}
