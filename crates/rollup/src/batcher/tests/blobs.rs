//! Blobs: the terms on which L1 takes them, and what follows once it has taken some.

use super::*;
use crate::l1::SentMessage;
use contracts::Message;
use std::sync::atomic::{AtomicU64, Ordering};

/// Price of blob gas by which blocks are planned now.
fn price(batcher: &mut Batcher, fixture: &Fixture) -> u128 {
    batcher.prices(&fixture.work(), FORK).unwrap().unwrap().blob_gas.unwrap()
}

#[test]
fn a_price_holds_for_some_l1_blocks_and_the_next_one_is_asked_for_meanwhile() {
    let mut fixture = Fixture::new();
    let mut batcher = fixture.batcher();
    let (current, asked) = (Arc::new(AtomicU64::new(5)), Arc::<AtomicU64>::default());
    let (answered, count) = (Arc::clone(&current), Arc::clone(&asked));
    fixture.l1.answers(move |method, _| {
        (method == "eth_blobBaseFee").then(|| {
            count.fetch_add(1, Ordering::SeqCst);
            Ok(json!(U256::from(answered.load(Ordering::SeqCst))))
        })
    });
    assert_eq!(price(&mut batcher, &fixture), 5);
    current.store(6, Ordering::SeqCst);
    assert_eq!(price(&mut batcher, &fixture), 5);
    assert_eq!(asked.load(Ordering::SeqCst), 1);

    // While L1 does not answer, what it has said before holds, and it is asked no second time.
    fixture.view.take(header(2), Events::default());
    fixture.l1.proxy.delay(Duration::from_millis(100));
    for _ in 0..3 {
        assert_eq!(price(&mut batcher, &fixture), 5);
    }
    until("the next price", || price(&mut batcher, &fixture) == 6);
    assert_eq!(asked.load(Ordering::SeqCst), 2);

    // An old one does not hold.
    current.store(7, Ordering::SeqCst);
    fixture.view.take(header(6), Events::default());
    assert_eq!(price(&mut batcher, &fixture), 7);
    current.store(8, Ordering::SeqCst);
    fixture.view.take(header(9), Events::default());
    assert_eq!(price(&mut batcher, &fixture), 7);
    until("the next price", || price(&mut batcher, &fixture) == 8);
}

#[test]
fn blobs_are_proven_once_l1_has_taken_some_until_it_refuses_others() {
    let mut fixture = Fixture::new();
    fixture.reads_blobs = true;
    let mut batcher = fixture.batcher();
    let blocks = fixture.blocks(1);
    assert_eq!(submit(&mut batcher, &fixture.work()).unwrap(), Outcome::Brought);
    assert!(!batcher.blobs.is_proven());
    fixture.l1.answers(|method, _| (method == "eth_getTransactionCount").then(|| Ok(json!("0x1"))));
    fixture.view.take(header(2), taken(&blocks, 2));
    submit(&mut batcher, &fixture.work()).unwrap();
    assert!(in_flight(&batcher).is_empty());
    assert!(batcher.blobs.is_proven());
    batcher.blobs.on_failure(2);
    assert!(!batcher.blobs.is_proven());
}

#[test]
fn nothing_goes_behind_blocks_in_blobs_before_l1_has_taken_some_and_only_blobs_do_then() {
    let mut fixture = Fixture::new();
    fixture.reads_blobs = true;
    let mut batcher = fixture.batcher();
    fixture.blocks(1);
    assert_eq!(submit(&mut batcher, &fixture.work()).unwrap(), Outcome::Brought);
    assert!(batcher.submitter.in_flight().all(|sent| sent.has_blobs()));
    fixture.blocks(1);
    assert_eq!(submit(&mut batcher, &fixture.work()).unwrap(), Outcome::Untried);
    assert_eq!(in_flight(&batcher), [vec![1]]);
    // Once L1 has taken some, others go behind them, and blocks as calldata still do not.
    batcher.blobs.on_success();
    assert_eq!(submit(&mut batcher, &fixture.work()).unwrap(), Outcome::Brought);
    assert_eq!(in_flight(&batcher), [vec![1], vec![2]]);
    assert!(batcher.submitter.in_flight().all(|sent| sent.has_blobs()));
    fixture.blocks(1);
    batcher.reads_blobs = false;
    assert_eq!(submit(&mut batcher, &fixture.work()).unwrap(), Outcome::Untried);
    assert_eq!(in_flight(&batcher), [vec![1], vec![2]]);
}

#[test]
fn blocks_with_evidence_of_duties_are_planned_once_behind_others_and_go_alone() {
    let mut fixture = Fixture::new();
    fixture.reads_blobs = true;
    let mut batcher = fixture.batcher();
    fixture.blocks(1);
    submit(&mut batcher, &fixture.work()).unwrap();
    batcher.blobs.on_success();
    // A message is sent, and due at once: the next block shows that it is not relayed.
    let message = Message {
        sender: Address::ZERO,
        to: Address::ZERO,
        refund_to: Address::ZERO,
        value: 0,
        fee: 0,
        gas_limit: 0,
        index: 0,
        data: Bytes::new(),
    };
    let sent = SentMessage { message, l1_block: 2, l1_timestamp: NOW };
    fixture.view.take(header(2), Events { messages: vec![sent], ..Events::default() });
    fixture.blocks(1);
    assert!(!batcher.goes_next_alone);
    for _ in 0..2 {
        assert_eq!(submit(&mut batcher, &fixture.work()).unwrap(), Outcome::Untried);
        assert!(batcher.goes_next_alone);
        assert_eq!(in_flight(&batcher), [[1]]);
    }
}
