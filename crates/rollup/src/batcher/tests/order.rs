//! Order of transactions: what takes the place of others, and what waits for L1.

use super::*;
use alloy_sol_types::SolCall as _;
use contracts::{Anchor, L1_ANCHOR};
use submission::last_timestamp;

#[test]
fn a_fork_of_l1_replaces_what_is_on_its_way() {
    let spec = ChainSpec::scheduled(CHAIN_ID, FORK, &[(ProtocolFork::Amsterdam, 10_000)]);
    let mut fixture = Fixture::of(spec, 0);
    let mut batcher = fixture.batcher();
    fixture.blocks(1);
    for (now, sent) in [(NOW, 1), (2 * NOW, 1), (9_500, 2), (9_501, 2)] {
        fixture.now = now;
        submit(&mut batcher, &fixture.work()).unwrap();
        assert_eq!(fixture.l1.sent().len(), sent, "{now}");
        assert_eq!(in_flight(&batcher), [vec![1]]);
    }
    let sent = fixture.l1.sent();
    assert_eq!(sent[0].nonce(), sent[1].nonce());
    assert!(sent[0].gas_limit() < sent[1].gas_limit());
}

#[test]
fn what_replaces_a_transaction_with_another_behind_it_ends_with_the_same_block() {
    let spec = ChainSpec::scheduled(CHAIN_ID, FORK, &[(ProtocolFork::Amsterdam, 10_000)]);
    let mut fixture = Fixture::of(spec, 0);
    let mut batcher = fixture.batcher();
    for count in [2, 1] {
        fixture.blocks(count);
        submit(&mut batcher, &fixture.work()).unwrap();
    }
    assert_eq!(in_flight(&batcher), [vec![1, 2], vec![3]]);
    fixture.blocks(1);
    fixture.now = 9_500;
    submit(&mut batcher, &fixture.work()).unwrap();
    assert_eq!(in_flight(&batcher), [[1, 2]]);
    submit(&mut batcher, &fixture.work()).unwrap();
    assert_eq!(in_flight(&batcher), [[1, 2], [3, 4]]);
}

#[test]
fn nothing_goes_behind_what_gave_way_and_was_taken_until_the_view_shows_it() {
    let spec = ChainSpec::scheduled(CHAIN_ID, FORK, &[(ProtocolFork::Amsterdam, 10_000)]);
    let mut fixture = Fixture::of(spec, 0);
    let mut batcher = fixture.batcher();
    let first = fixture.blocks(1);
    submit(&mut batcher, &fixture.work()).unwrap();
    fixture.blocks(1);
    // It gives way to a fork, but L1's newest block has it.
    fixture.now = 9_500;
    fixture.l1.answers(|method, params| {
        let is_newest = method == "eth_getTransactionCount" && params[1] != json!("0x1");
        is_newest.then(|| Ok(json!("0x1")))
    });
    submit(&mut batcher, &fixture.work()).unwrap();
    assert_eq!(in_flight(&batcher), [[0; 0]; 0]);
    assert_eq!(fixture.l1.sent().len(), 1);

    fixture.view.take(header(2), taken(&first, 2));
    submit(&mut batcher, &fixture.work()).unwrap();
    assert_eq!(in_flight(&batcher), [[2]]);
    let nonces: Vec<_> = fixture.l1.sent().iter().map(|sent| sent.nonce()).collect();
    assert_eq!(nonces, [0, 1]);
}

#[test]
fn blocks_go_on_after_a_reorganisation_of_l1() {
    let mut fixture = Fixture::new();
    let room = fixture.batcher().start(Arc::default()).unwrap();
    room.l1_went_back();
    fixture.blocks(1);
    room.offer(fixture.work());
    until("the block on its way", || room.report().status.in_flight.is_some());
    room.end();
}

#[test]
fn l1_is_asked_for_the_gas_of_evidence() {
    // Its answer to all questions, and an eighth more.
    let answer = 112_500;
    for has_anchor in [false, true] {
        let mut fixture = Fixture::new();
        let mut batcher = fixture.batcher();
        let anchor = Anchor {
            l1_block_number: 1,
            l1_block_hash: header(1).hash,
            message_count: 0,
            message_root: B256::ZERO,
        };
        match has_anchor {
            true => {
                let call = (L1_ANCHOR, anchor.prove_call().abi_encode().into());
                fixture.block(call, anchor.hash());
            }
            false => drop(fixture.blocks(1)),
        }
        assert_eq!(submit(&mut batcher, &fixture.work()).unwrap(), Outcome::Brought);
        let gas_limit = fixture.l1.sent()[0].gas_limit();
        assert_eq!(gas_limit == answer, has_anchor, "{gas_limit}");
    }
}

#[test]
fn the_time_of_blocks_is_that_of_the_last() {
    let blocks = Fixture::new().blocks(3);
    assert_eq!(last_timestamp(&blocks), blocks[2].header.timestamp);
    assert!(blocks[1].header.timestamp < blocks[2].header.timestamp);
}
