//! Limits of the pool, and the transactions that give way to others in a full one.

use crate::support::{RICH, add, content, context, limits, pooled, public, senders, transaction};
use alloy_consensus::TxEip1559;
use alloy_primitives::Address;
use enshrine_node::{AdmissionContext, Pool, PoolLimits, Rejected};
use std::collections::BTreeMap;
use testkit::Key;

#[test]
fn a_full_pool_takes_what_pays_more_and_the_last_of_the_cheapest_sender_goes() {
    let mut pool = Pool::default();
    let limits = limits(4, 10);
    // Alice's first is the cheapest; her last is worth much, and useless without it.
    for (name, nonce, tip) in [("alice", 0, 1), ("alice", 1, 90), ("bob", 0, 5), ("carol", 0, 6)] {
        add(&mut pool, transaction(name, nonce, tip), 10, &limits).unwrap();
    }
    let before = content(&pool);
    for tip in [0, 1] {
        let refused = add(&mut pool, transaction("dave", 0, tip), 10, &limits);
        assert_eq!(refused.unwrap_err(), Rejected::PoolFull { got: tip, least: 1 });
        assert_eq!(content(&pool), before);
    }
    add(&mut pool, transaction("dave", 0, 2), 10, &limits).unwrap();
    assert_eq!(pool.of(Key::named("alice").address()).count(), 1);
    assert_eq!(pool.len(), 4);
    // A replacement takes no more place than what it replaces.
    add(&mut pool, transaction("bob", 0, 50), 0, &limits).unwrap();
    assert_eq!(pool.len(), 4);
    assert_eq!(pool.of(Key::named("bob").address()).count(), 1);
}

#[test]
fn the_one_that_a_transaction_needs_does_not_make_room_for_it() {
    let mut pool = Pool::default();
    let limits = limits(2, 10);
    add(&mut pool, transaction("alice", 0, 1), 10, &limits).unwrap();
    add(&mut pool, transaction("bob", 0, 5), 10, &limits).unwrap();
    let refused = add(&mut pool, transaction("alice", 1, 9), 10, &limits).unwrap_err();
    assert_eq!(refused, Rejected::PoolFull { got: 9, least: 1 });
    assert_eq!(pool.len(), 2);
    add(&mut pool, transaction("carol", 0, 9), 10, &limits).unwrap();
    assert_eq!(pool.of(Key::named("alice").address()).count(), 0);
}

#[test]
fn an_account_has_so_many_and_the_owners_as_many_as_they_want() {
    let (alice, owner) = (Key::named("alice").address(), Key::named("owner").address());
    let limits = PoolLimits { local: [owner].into_iter().collect(), ..limits(3, 2) };
    let mut pool = Pool::default();
    for nonce in 0..2 {
        add(&mut pool, transaction("alice", nonce, 5), 10, &limits).unwrap();
    }
    let refused = add(&mut pool, transaction("alice", 2, 100), 10, &limits).unwrap_err();
    assert_eq!(refused, Rejected::SenderLimit { sender: alice, limit: 2 });
    for nonce in 0..5 {
        add(&mut pool, transaction("owner", nonce, 0), 10, &limits).unwrap();
    }
    // They neither take the place of others nor give way.
    add(&mut pool, transaction("bob", 0, 1), 10, &limits).unwrap();
    add(&mut pool, transaction("carol", 0, 2), 10, &limits).unwrap();
    assert_eq!(pool.of(owner).count(), 5);
    assert_eq!(pool.of(alice).count(), 2);
    assert_eq!(pool.of(Key::named("bob").address()).count(), 0);
}

#[test]
fn a_public_pool_has_the_limits_that_the_documents_name() {
    let it = PoolLimits::public();
    assert_eq!((it.transactions, it.bytes, it.per_sender), (20_000, 67_108_864, 1_024));
    assert_eq!((it.gapped, it.gapped_per_sender, it.gapped_lifetime), (1_024, 16, 300));
    assert!(it.holds_balances && !it.accepts_unprotected);
    let none = PoolLimits::default();
    assert!(!none.holds_balances && none.accepts_unprotected);
}

#[test]
fn bytes_are_bounded_as_counts_are() {
    let size = transaction("alice", 0, 1).raw.len();
    let limits = PoolLimits { bytes: 2 * size + 20, ..PoolLimits::default() };
    let mut pool = Pool::default();
    add(&mut pool, transaction("alice", 0, 1), 10, &limits).unwrap();
    add(&mut pool, transaction("bob", 0, 2), 10, &limits).unwrap();
    add(&mut pool, transaction("carol", 0, 3), 10, &limits).unwrap();
    assert_eq!(pool.len(), 2);
    assert!(pool.of(Key::named("alice").address()).next().is_none());
    pool.clear();
    add(&mut pool, transaction("alice", 0, 1), 10, &limits).unwrap();
    add(&mut pool, transaction("bob", 0, 2), 10, &limits).unwrap();
    assert_eq!(pool.len(), 2);
}

#[test]
fn beyond_limits_that_have_become_lower_a_transaction_takes_the_place_of_one_that_pays_less() {
    let size = transaction("alice", 0, 1).raw.len();
    let by_bytes = PoolLimits { bytes: 2 * size + 20, ..PoolLimits::default() };
    for lower in [limits(2, 10), by_bytes] {
        let mut pool = Pool::default();
        for (name, tip) in [("alice", 1), ("bob", 2), ("carol", 3), ("dave", 4)] {
            add(&mut pool, transaction(name, 0, tip), 10, &PoolLimits::default()).unwrap();
        }
        let refused = add(&mut pool, transaction("erin", 0, 1), 10, &lower).unwrap_err();
        assert!(matches!(refused, Rejected::PoolFull { .. }), "{refused:?}");
        add(&mut pool, transaction("erin", 0, 5), 10, &lower).unwrap();
        assert_eq!(senders(&pool), ["bob", "carol", "dave", "erin"]);
    }
}

#[test]
fn a_long_transaction_takes_the_place_of_as_many_as_are_as_long_together() {
    let size = transaction("alice", 0, 1).raw.len();
    let limits = PoolLimits { bytes: 5 * size + 20, ..limits(5, 1) };
    for (more, stay) in [(0, &["bob", "carol", "dave", "erin"][..]), (3 * size, &["erin"])] {
        let mut pool = Pool::default();
        for (name, tip) in [("bob", 1), ("carol", 2), ("dave", 3), ("erin", 4)] {
            add(&mut pool, transaction(name, 0, tip), 10, &limits).unwrap();
        }
        let long = pooled(TxEip1559 {
            chain_id: 1,
            gas_limit: 30_000,
            max_fee_per_gas: 1_000_009,
            max_priority_fee_per_gas: 9,
            to: Address::ZERO.into(),
            input: vec![0; more].into(),
            ..Default::default()
        });
        add(&mut pool, long, 10, &limits).unwrap();
        assert_eq!(senders(&pool), [&["alice"][..], stay].concat(), "{more}");
    }
}

#[test]
fn what_a_transaction_replaces_leaves_its_bytes_to_it() {
    let size = transaction("alice", 0, 1).raw.len();
    let full = PoolLimits { bytes: 2 * size + 20, gapped: 1, ..PoolLimits::default() };
    let mut pool = Pool::default();
    for (name, tip) in [("alice", 1), ("bob", 2), ("bob", 5)] {
        add(&mut pool, transaction(name, 0, tip), 0, &full).unwrap();
    }
    assert_eq!((pool.len(), senders(&pool)), (2, vec!["alice", "bob"]));
    // So does the oldest gapped one, of which there is one at most.
    pool.clear();
    add(&mut pool, transaction("bob", 0, 2), 10, &full).unwrap();
    for name in ["alice", "carol"] {
        pool.add(transaction(name, 1, 9), &context(0, RICH), 10, &full).unwrap();
    }
    assert_eq!((pool.len(), senders(&pool)), (2, vec!["bob", "carol"]));
}

#[test]
fn a_full_pool_evicts_by_the_tip_that_the_base_fee_leaves() {
    let (mut pool, limits) = (Pool::default(), PoolLimits { transactions: 2, ..public() });
    let at = |base_fee| AdmissionContext { base_fee, ..context(0, RICH) };
    // Each offers a million more than its tip.
    pool.add(transaction("alice", 0, 50), &at(0), 10, &limits).unwrap();
    pool.add(transaction("bob", 0, 60), &at(0), 10, &limits).unwrap();
    let refused = pool.add(transaction("carol", 0, 40), &at(0), 10, &limits).unwrap_err();
    assert_eq!(refused, Rejected::PoolFull { got: 40, least: 50 });
    // A base fee above two of the offers leaves nothing of them.
    let base_fee = 1_000_055;
    let refused = pool.add(transaction("carol", 0, 40), &at(base_fee), 10, &limits).unwrap_err();
    assert_eq!(refused, Rejected::PoolFull { got: 0, least: 0 });
    pool.add(transaction("carol", 0, 56), &at(base_fee), 10, &limits).unwrap();
    assert_eq!(pool.count_of(Key::named("alice").address()), 0);
    let refused = pool.add(transaction("dave", 0, 56), &at(base_fee), 10, &limits).unwrap_err();
    assert_eq!(refused, Rejected::PoolFull { got: 1, least: 1 });
}

/// Under random insertions and removals, the pool keeps its limits, and eviction opens no nonce
/// gap.
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
        match add(&mut pool, transaction(name, nonce, tip), 10, &limits) {
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
