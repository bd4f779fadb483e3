//! A pool with limits: what comes in, and what gives way.

use alloy_consensus::TxEip1559;
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, U256};
use chain::RecoveredTransaction;
use enshrine_node::{Pool, PoolLimits, PoolTransaction, Rejected};
use std::collections::BTreeMap;
use testkit::Key;

fn transaction(name: &str, nonce: u64, tip: u128) -> PoolTransaction {
    let key = Key::named(name);
    let transaction = key.sign(TxEip1559 {
        chain_id: 1,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 1_000_000 + tip,
        max_priority_fee_per_gas: tip,
        to: Address::ZERO.into(),
        value: U256::ZERO,
        ..Default::default()
    });
    let raw = transaction.encoded_2718().into();
    let sender = key.address();
    PoolTransaction::new(RecoveredTransaction { transaction, sender, signed: true }, None, raw)
}

fn limits(transactions: usize, per_sender: usize) -> PoolLimits {
    PoolLimits { transactions, per_sender, ..PoolLimits::default() }
}

/// Senders, nonces and tips, in order.
fn content(pool: &Pool) -> Vec<(Address, u64, u128)> {
    let mut all: Vec<_> = pool
        .iter()
        .map(|it| {
            use alloy_consensus::Transaction as _;
            let tip = it.recovered.transaction.max_priority_fee_per_gas().unwrap_or_default();
            (it.sender(), it.nonce(), tip)
        })
        .collect();
    all.sort_unstable();
    all
}

#[test]
fn a_full_pool_takes_what_pays_more_and_the_last_of_the_cheapest_sender_goes() {
    let mut pool = Pool::default();
    let limits = limits(4, 10);
    // Alice's first is the cheapest; her last is worth much, and useless without it.
    for (name, nonce, tip) in [("alice", 0, 1), ("alice", 1, 90), ("bob", 0, 5), ("carol", 0, 6)] {
        pool.add(transaction(name, nonce, tip), 10, &limits).unwrap();
    }
    let before = content(&pool);
    for tip in [0, 1] {
        let refused = pool.add(transaction("dave", 0, tip), 10, &limits);
        assert_eq!(refused.unwrap_err(), Rejected::PoolFull { got: tip, least: 1 });
        assert_eq!(content(&pool), before);
    }
    pool.add(transaction("dave", 0, 2), 10, &limits).unwrap();
    assert_eq!(pool.of(Key::named("alice").address()).count(), 1);
    assert_eq!(pool.len(), 4);
    // A replacement takes no more place than what it replaces.
    pool.add(transaction("bob", 0, 50), 0, &limits).unwrap();
    assert_eq!(pool.len(), 4);
    assert_eq!(pool.of(Key::named("bob").address()).count(), 1);
}

#[test]
fn nobody_makes_room_for_a_transaction_by_the_one_that_it_needs() {
    let mut pool = Pool::default();
    let limits = limits(2, 10);
    pool.add(transaction("alice", 0, 1), 10, &limits).unwrap();
    pool.add(transaction("bob", 0, 5), 10, &limits).unwrap();
    let refused = pool.add(transaction("alice", 1, 9), 10, &limits).unwrap_err();
    assert_eq!(refused, Rejected::PoolFull { got: 9, least: 1 });
    assert_eq!(pool.len(), 2);
    pool.add(transaction("carol", 0, 9), 10, &limits).unwrap();
    assert_eq!(pool.of(Key::named("alice").address()).count(), 0);
}

#[test]
fn an_account_has_so_many_and_the_owners_as_many_as_they_want() {
    let (alice, owner) = (Key::named("alice").address(), Key::named("owner").address());
    let limits = PoolLimits { local: [owner].into_iter().collect(), ..limits(3, 2) };
    let mut pool = Pool::default();
    for nonce in 0..2 {
        pool.add(transaction("alice", nonce, 5), 10, &limits).unwrap();
    }
    let refused = pool.add(transaction("alice", 2, 100), 10, &limits).unwrap_err();
    assert_eq!(refused, Rejected::SenderLimit { sender: alice, limit: 2 });
    for nonce in 0..5 {
        pool.add(transaction("owner", nonce, 0), 10, &limits).unwrap();
    }
    // They neither take the place of others nor give way.
    pool.add(transaction("bob", 0, 1), 10, &limits).unwrap();
    pool.add(transaction("carol", 0, 2), 10, &limits).unwrap();
    assert_eq!(pool.of(owner).count(), 5);
    assert_eq!(pool.of(alice).count(), 2);
    assert_eq!(pool.of(Key::named("bob").address()).count(), 0);
}

#[test]
fn bytes_are_bounded_as_counts_are() {
    let size = transaction("alice", 0, 1).raw.len();
    let limits = PoolLimits { bytes: 2 * size + 20, ..PoolLimits::default() };
    let mut pool = Pool::default();
    pool.add(transaction("alice", 0, 1), 10, &limits).unwrap();
    pool.add(transaction("bob", 0, 2), 10, &limits).unwrap();
    pool.add(transaction("carol", 0, 3), 10, &limits).unwrap();
    assert_eq!(pool.len(), 2);
    assert!(pool.of(Key::named("alice").address()).next().is_none());
    pool.clear();
    pool.add(transaction("alice", 0, 1), 10, &limits).unwrap();
    pool.add(transaction("bob", 0, 2), 10, &limits).unwrap();
    assert_eq!(pool.len(), 2);
}

/// Whatever comes and goes: the limits hold, and what is in the pool of a sender has no gap that eviction
/// made.
#[test]
fn a_random_walk_keeps_to_the_limits_and_opens_no_gaps() {
    const NAMES: [&str; 5] = ["alice", "bob", "carol", "dave", "erin"];
    let limits = PoolLimits { bytes: 1_000, ..limits(8, 4) };
    let mut pool = Pool::default();
    let mut next = BTreeMap::from(NAMES.map(|name| (name, 0)));
    let mut random = 1_u64;
    let (mut refused, mut evicted) = (0, 0);
    for _ in 0..3_000 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let name = NAMES[usize::try_from(random >> 33).unwrap() % NAMES.len()];
        let sender = Key::named(name).address();
        let tip = u128::from(random >> 50) % 50;
        if random.is_multiple_of(11) {
            // The first of the sender is in a block.
            let first = pool.of(sender).next().map(|it| it.nonce());
            if let Some(first) = first {
                pool.forget_below(sender, first + 1);
                next.insert(name, first + 1);
            }
            continue;
        }
        let nonce = pool.next_nonce(sender, next[name]);
        let before = content(&pool);
        match pool.add(transaction(name, nonce, tip), 10, &limits) {
            Ok(_) => evicted += before.len() + 1 - pool.len(),
            Err(_) => {
                refused += 1;
                assert_eq!(content(&pool), before);
            }
        }
        let bytes: usize = pool.iter().map(|it| it.raw.len()).sum();
        assert!(pool.len() <= 8 && bytes <= 1_000);
        for name in NAMES {
            let sender = Key::named(name).address();
            let nonces: Vec<_> = pool.of(sender).map(|it| it.nonce()).collect();
            assert!(nonces.len() <= 4);
            let run: Vec<_> = (next[name]..).take(nonces.len()).collect();
            assert_eq!(nonces, run, "{name}");
        }
    }
    assert!(refused > 100 && evicted > 100, "{refused} refused, {evicted} evicted");
}
