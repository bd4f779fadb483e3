//! Tests of the order of transactions: replacements, and waiting for L1.

use super::*;
use crate::submitter::{TxCandidate, TxData};
use alloy_sol_types::SolCall as _;
use contracts::{Anchor, L1_ANCHOR};

#[test]
fn l1_fork_replaces_transactions_in_flight() {
    let spec = ChainSpec::scheduled(CHAIN_ID, FORK, &[(ProtocolFork::Amsterdam, 10_000)]);
    let mut fixture = BatcherSetup::of(spec, 0);
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
fn replacement_ends_with_same_block_if_another_follows() {
    let spec = ChainSpec::scheduled(CHAIN_ID, FORK, &[(ProtocolFork::Amsterdam, 10_000)]);
    let mut fixture = BatcherSetup::of(spec, 0);
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

/// Returns a parameter that names the block of the header with this number.
fn at_hash(number: u64) -> Value {
    json!({ "blockHash": header(number).hash, "requireCanonical": false })
}

/// The next batch waits until the view contains the blocks of that transaction.
#[test]
fn next_batch_waits_for_included_replaced_transaction() {
    let spec = ChainSpec::scheduled(CHAIN_ID, FORK, &[(ProtocolFork::Amsterdam, 10_000)]);
    let mut fixture = BatcherSetup::of(spec, 0);
    let mut batcher = fixture.batcher();
    let first = fixture.blocks(1);
    submit(&mut batcher, &fixture.work()).unwrap();
    fixture.blocks(1);
    // The first transaction is abandoned for a fork, but L1's latest block includes it.
    fixture.now = 9_500;
    fixture.l1.answers(|method, params| {
        let is_newest = method == "eth_getTransactionCount" && params[1] != at_hash(1);
        is_newest.then(|| Ok(json!("0x1")))
    });
    submit(&mut batcher, &fixture.work()).unwrap();
    assert_eq!(in_flight(&batcher), [[0; 0]; 0]);
    assert_eq!(fixture.l1.sent().len(), 1);

    fixture.view.apply(header(2), included(&first, 2));
    submit(&mut batcher, &fixture.work()).unwrap();
    assert_eq!(in_flight(&batcher), [[2]]);
    let nonces: Vec<_> = fixture.l1.sent().iter().map(|sent| sent.nonce()).collect();
    assert_eq!(nonces, [0, 1]);
}

/// The nodes' L1 chain has another block at the height of the view's head, which includes a
/// transaction with the nonce of the one in flight.
#[test]
fn account_is_read_at_hash_of_head() {
    let count = "eth_getTransactionCount";
    // With the nonce used, the transaction has failed, and its block is sent again.
    for (response, is_sent_again) in
        [(Ok("0x0"), false), (Err("header for hash not found"), false), (Ok("0x1"), true)]
    {
        let mut fixture = BatcherSetup::new();
        let mut batcher = fixture.batcher();
        fixture.blocks(1);
        submit(&mut batcher, &fixture.work()).unwrap();
        assert_eq!(in_flight(&batcher), [[1]]);
        fixture.l1.answers(move |method, params| {
            // A request at the first block may not have been answered yet.
            let is_by_hash = [1, 2].map(at_hash).contains(&params[1]);
            let nonce = if is_by_hash { response } else { Ok("0x1") };
            (method == count).then(|| nonce.map(|nonce| json!(nonce)))
        });
        fixture.view.apply(header(2), Events::default());
        submit(&mut batcher, &fixture.work()).unwrap();
        submit(&mut batcher, &fixture.work()).unwrap();
        assert_eq!(in_flight(&batcher), [[1]]);
        let nonces: Vec<_> = fixture.l1.sent().iter().map(|sent| sent.nonce()).collect();
        assert_eq!(nonces.contains(&1), is_sent_again, "{response:?}: {nonces:?}");
    }
}

#[test]
fn posting_resumes_after_l1_reorg() {
    let mut fixture = BatcherSetup::new();
    let room = fixture.batcher().start(Arc::default()).unwrap();
    room.on_l1_reorg();
    fixture.blocks(1);
    room.offer(fixture.work());
    until("the block in flight", || room.report().status.in_flight.is_some());
    room.end();
}

#[test]
fn l1_estimates_gas_of_evidence() {
    // L1's fixed estimate, and an eighth more.
    let estimate = 112_500;
    for has_anchor in [false, true] {
        let mut fixture = BatcherSetup::new();
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
        assert_eq!(submit(&mut batcher, &fixture.work()).unwrap(), Outcome::Progressed);
        let gas_limit = fixture.l1.sent()[0].gas_limit();
        assert_eq!(gas_limit == estimate, has_anchor, "{gas_limit}");
    }
}

#[test]
fn batch_timestamp_is_that_of_last_block() {
    let blocks = BatcherSetup::new().blocks(3);
    let candidate = TxCandidate::new(&blocks, TxData { input: Bytes::new(), blobs: None });
    assert_eq!(candidate.timestamp, blocks[2].header.timestamp);
    assert_eq!(candidate.blocks[0], blocks[0].num_hash());
    assert!(blocks[1].header.timestamp < blocks[2].header.timestamp);
}
