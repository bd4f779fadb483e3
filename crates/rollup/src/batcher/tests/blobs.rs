//! Tests of posting in blobs: L1's terms, and batches after the first blob transaction.

use super::*;
use crate::batcher::blob_backoff::BlobBackoff;
use crate::l1::SentMessage;
use contracts::Message;
use std::sync::atomic::{AtomicU64, Ordering};

/// Returns the blob base fee that the planner uses now.
fn price(batcher: &mut Batcher, fixture: &BatcherSetup) -> u128 {
    batcher.planner.prices(&fixture.work(), FORK).unwrap().unwrap().blob_gas.unwrap()
}

#[test]
fn blob_price_is_reused_and_refreshed_in_background() {
    let mut fixture = BatcherSetup::new();
    let mut batcher = fixture.batcher();
    let (current, requests) = (Arc::new(AtomicU64::new(5)), Arc::<AtomicU64>::default());
    let (answered, count) = (Arc::clone(&current), Arc::clone(&requests));
    fixture.l1.answers(move |method, _| {
        (method == "eth_blobBaseFee").then(|| {
            count.fetch_add(1, Ordering::SeqCst);
            Ok(json!(U256::from(answered.load(Ordering::SeqCst))))
        })
    });
    assert_eq!(price(&mut batcher, &fixture), 5);
    current.store(6, Ordering::SeqCst);
    assert_eq!(price(&mut batcher, &fixture), 5);
    assert_eq!(requests.load(Ordering::SeqCst), 1);

    // While the request is pending, the old price is used, and no second request is sent.
    fixture.view.apply(header(2), Events::default());
    fixture.l1.proxy.delay(Duration::from_millis(100));
    for _ in 0..3 {
        assert_eq!(price(&mut batcher, &fixture), 5);
    }
    until("the next price", || price(&mut batcher, &fixture) == 6);
    assert_eq!(requests.load(Ordering::SeqCst), 2);

    // A price older than `MAX_AGE` is not used.
    current.store(7, Ordering::SeqCst);
    fixture.view.apply(header(6), Events::default());
    assert_eq!(price(&mut batcher, &fixture), 7);
    current.store(8, Ordering::SeqCst);
    fixture.view.apply(header(9), Events::default());
    assert_eq!(price(&mut batcher, &fixture), 7);
    until("the next price", || price(&mut batcher, &fixture) == 8);
}

#[test]
fn blobs_are_proven_from_inclusion_until_failure() {
    let mut fixture = BatcherSetup::new();
    fixture.reads_blobs = true;
    let mut batcher = fixture.batcher();
    let blocks = fixture.blocks(1);
    assert_eq!(submit(&mut batcher, &fixture.work()).unwrap(), Outcome::Progressed);
    assert!(!batcher.planner.blobs.is_proven());
    fixture.l1.answers(|method, _| (method == "eth_getTransactionCount").then(|| Ok(json!("0x1"))));
    fixture.view.apply(header(2), included(&blocks, 2));
    submit(&mut batcher, &fixture.work()).unwrap();
    assert!(in_flight(&batcher).is_empty());
    assert!(batcher.planner.blobs.is_proven());
    batcher.planner.blobs.on_failure(2);
    assert!(!batcher.planner.blobs.is_proven());
}

/// A message from anyone can make evidence stale, so the pause must be short.
#[test]
fn stale_evidence_pauses_blobs_briefly() {
    let mut backoff = BlobBackoff::default();
    for head in (10..1_000).step_by(3) {
        backoff.on_stale_evidence(head);
        assert!(!backoff.allows(head + 1) && backoff.allows(head + 2));
        assert!(!backoff.is_proven());
    }
    // The pause after a failure for another reason is neither shortened nor doubled.
    backoff.on_failure(1_000);
    backoff.on_stale_evidence(1_001);
    assert!(!backoff.allows(1_031) && backoff.allows(1_032));
    backoff.on_failure(1_032);
    assert!(!backoff.allows(1_095) && backoff.allows(1_096));
}

#[test]
fn only_blobs_follow_blobs_once_they_are_proven() {
    let mut fixture = BatcherSetup::new();
    fixture.reads_blobs = true;
    let mut batcher = fixture.batcher();
    fixture.blocks(1);
    assert_eq!(submit(&mut batcher, &fixture.work()).unwrap(), Outcome::Progressed);
    assert!(batcher.submitter.in_flight().all(|sent| sent.has_blobs()));
    fixture.blocks(1);
    assert_eq!(submit(&mut batcher, &fixture.work()).unwrap(), Outcome::NotDue);
    assert_eq!(in_flight(&batcher), [vec![1]]);
    // Once blobs are proven, more blobs are queued after them, but no calldata.
    batcher.planner.blobs.on_success();
    assert_eq!(submit(&mut batcher, &fixture.work()).unwrap(), Outcome::Progressed);
    assert_eq!(in_flight(&batcher), [vec![1], vec![2]]);
    assert!(batcher.submitter.in_flight().all(|sent| sent.has_blobs()));
    fixture.blocks(1);
    batcher.planner.reads_blobs = false;
    assert_eq!(submit(&mut batcher, &fixture.work()).unwrap(), Outcome::NotDue);
    assert_eq!(in_flight(&batcher), [vec![1], vec![2]]);
}

/// Returns a message that is immediately overdue, so that the next block needs relay evidence.
fn overdue_message() -> Events {
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
    let sent = SentMessage { message, l1_block: 2, l1_timestamp: NOW, l1_transaction: B256::ZERO };
    Events { messages: vec![sent], ..Events::default() }
}

/// Fails a blob transaction on L1, and returns whether blobs are used two L1 blocks later.
fn uses_blobs_soon_after_failure(events: Events) -> bool {
    let mut fixture = BatcherSetup::new();
    fixture.reads_blobs = true;
    let mut batcher = fixture.batcher();
    fixture.view.apply(header(2), events);
    fixture.blocks(1);
    submit(&mut batcher, &fixture.work()).unwrap();
    assert!(batcher.submitter.in_flight().all(|sent| sent.has_blobs()));
    assert_eq!(in_flight(&batcher), [[1]]);
    // Its nonce is used, and the rollup has not advanced.
    fixture.l1.answers(|method, _| (method == "eth_getTransactionCount").then(|| Ok(json!("0x1"))));
    fixture.view.apply(header(3), Events::default());
    submit(&mut batcher, &fixture.work()).unwrap();
    assert!(!batcher.planner.blobs.allows(4));
    batcher.planner.blobs.allows(5)
}

#[test]
fn only_failures_of_blobs_pause_blobs_long() {
    assert!(uses_blobs_soon_after_failure(overdue_message()));
    assert!(!uses_blobs_soon_after_failure(Events::default()));
}

/// Such blocks are planned only once while other transactions are in flight.
#[test]
fn blocks_with_relay_evidence_are_sent_alone() {
    let mut fixture = BatcherSetup::new();
    fixture.reads_blobs = true;
    let mut batcher = fixture.batcher();
    fixture.blocks(1);
    submit(&mut batcher, &fixture.work()).unwrap();
    batcher.planner.blobs.on_success();
    fixture.view.apply(header(2), overdue_message());
    // The block in flight still needs no evidence.
    fixture.duties.relay_due = fixture.blocks(1)[0].header.timestamp;
    assert!(!batcher.goes_next_alone);
    for _ in 0..2 {
        assert_eq!(submit(&mut batcher, &fixture.work()).unwrap(), Outcome::NotDue);
        assert!(batcher.goes_next_alone);
        assert_eq!(in_flight(&batcher), [[1]]);
    }
}
