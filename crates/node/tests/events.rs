//! Events for subscribers that read slowly.

use alloy_consensus::TxEip1559;
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, Bytes};
use chain::{Chain, ChainConfig, RecoveredTransaction};
use enshrine_node::{
    Clock, Event, EventReceiver, MineRequest, Mining, Node, PoolTransaction, Settings,
};
use executor::ChainSpec;
use std::sync::Arc;
use testkit::{CHAIN_ID, ETHER, Key, rich_genesis};
use tokio::sync::broadcast::error::TryRecvError;
use wire::ProtocolFork;

/// Bytes of calldata of each transaction.
const LENGTH: usize = 100_000;
/// Documented limit of the events that wait for a subscriber, in bytes.
const LIMIT: usize = 128 << 20;

fn node() -> Arc<Node> {
    const FORK: ProtocolFork = ProtocolFork::Osaka;
    let settings = Settings { mining: Mining::Manual, replacement_bump: 0, ..Settings::default() };
    let config = ChainConfig::new(ChainSpec::constant(CHAIN_ID, FORK));
    let chain = Chain::new(&rich_genesis(FORK, ["alice"], 100 * ETHER), config).unwrap();
    Node::new(chain, Clock::starting_at(1_000), settings)
}

/// Submits a long transaction, which replaces one with the same nonce and a lower fee.
fn submit(node: &Node, nonce: u64, fee: u64) {
    let signed = Key::named("alice").sign(TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 2_000_000,
        max_fee_per_gas: u128::from(2_000_000_000 + fee),
        to: Address::repeat_byte(0xb0).into(),
        input: vec![0; LENGTH].into(),
        ..Default::default()
    });
    let (raw, sender): (Bytes, _) = (signed.encoded_2718().into(), Key::named("alice").address());
    let recovered = RecoveredTransaction { transaction: signed.into(), sender, signed: true };
    node.submit(PoolTransaction::new(recovered, None, raw)).unwrap();
}

/// Returns the events of a subscriber, and the number of those that it has missed.
fn read(events: &mut EventReceiver) -> (Vec<Event>, u64) {
    let (mut all, mut missed) = (Vec::new(), 0);
    loop {
        match events.try_recv() {
            Ok(event) => all.push(event),
            Err(TryRecvError::Lagged(count)) => missed += count,
            Err(_) => return (all, missed),
        }
    }
}

/// Returns the bytes of calldata that these events hold.
fn bytes(events: &[Event]) -> usize {
    let of_event = |event: &Event| match event {
        Event::Pooled(transaction) => transaction.raw.len(),
        Event::Head { added, .. } => {
            added.iter().map(|block| block.transactions.len()).sum::<usize>() * LENGTH
        }
    };
    events.iter().map(of_event).sum()
}

#[test]
fn unread_transactions_hold_bounded_bytes() {
    let node = node();
    let (mut slow, mut fast) = (node.subscribe(), node.subscribe());
    let mut seen = 0;
    for fee in 0..1_500 {
        submit(&node, 0, fee);
        // Control: a subscriber that reads its events misses none.
        let (events, missed) = read(&mut fast);
        assert_eq!((events.len(), missed), (1, 0));
        seen += events.len();
    }
    assert_eq!((node.read(|node| node.pool.len()), seen), (1, 1_500));
    let (events, missed) = read(&mut slow);
    assert!(bytes(&events) <= LIMIT / 2 && events.len() > 500, "{}", events.len());
    assert_eq!(events.len() as u64 + missed, 1_500);
    let newest = node.read(|node| node.pool.iter().next().cloned()).unwrap();
    assert!(matches!(events.last(), Some(Event::Pooled(last)) if last.hash() == newest.hash()));
}

#[test]
fn unread_blocks_hold_bounded_bytes() {
    let node = node();
    let mut slow = node.subscribe();
    for nonce in 0..600 {
        submit(&node, nonce, 0);
        node.mine(&MineRequest::default()).unwrap();
    }
    let (events, missed) = read(&mut slow);
    assert!(bytes(&events) <= LIMIT && events.len() > 500, "{}", events.len());
    assert_eq!((events.len() as u64 + missed, missed > 0), (1_200, true));
    let Some(Event::Head { added, .. }) = events.last() else { panic!("no block") };
    assert_eq!(added[0].header.number, 600);
}
