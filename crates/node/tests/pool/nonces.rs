//! Nonces in the pool: executable and gapped transactions.

use crate::support::{RICH, add, context, public, transaction};
use alloy_primitives::U256;
use enshrine_node::{AdmissionContext, DropReason, Pool, PoolLimits, Rejected};
use testkit::Key;

#[test]
fn next_nonce_is_the_first_missing_one() {
    let (mut pool, alice) = (Pool::default(), Key::named("alice").address());
    for nonce in [0, 1, 3] {
        add(&mut pool, transaction("alice", nonce, 5), 10, &PoolLimits::default()).unwrap();
    }
    assert_eq!(
        [0, 1, 2, 3, 4].map(|nonce| pool.has(alice, nonce)),
        [true, true, false, true, false]
    );
    assert_eq!([0, 1, 2, 3, 4].map(|next| pool.next_nonce(alice, next)), [2, 2, 2, 4, 4]);
    assert_eq!(pool.next_nonce(Key::named("bob").address(), 7), 7);
}

#[test]
fn version_increases_with_every_change_only() {
    let (mut pool, alice) = (Pool::default(), Key::named("alice").address());
    let mut last = pool.version();
    let mut change = |what: &str, change: &dyn Fn(&mut Pool)| {
        change(&mut pool);
        assert!(pool.version() > last, "{what}");
        last = pool.version();
    };
    let add = |nonce| {
        move |pool: &mut Pool| {
            add(pool, transaction("alice", nonce, 5), 10, &PoolLimits::default()).unwrap();
        }
    };
    let hash = *transaction("alice", 2, 5).hash();
    change("added", &add(0));
    change("added behind it", &add(1));
    change("added behind both", &add(2));
    change("removed", &|pool| drop(pool.remove(&hash)));
    change("in a block", &|pool| pool.forget_below(alice, 1));
    change("all of a sender", &|pool| pool.remove_sender(alice));
    change("added again", &add(3));
    change("all", &Pool::clear);
    assert!(pool.remove(&hash).is_none());
    assert_eq!(pool.version(), last);
}

#[test]
fn gapped_limit_evicts_the_oldest_gapped_transaction() {
    let (mut pool, limits) = (Pool::default(), public());
    let names = ["alice", "bob", "carol"];
    let address = |name: &str| Key::named(name).address();
    for (name, nonce) in [("alice", 1), ("alice", 2), ("bob", 1), ("bob", 2)] {
        pool.add(transaction(name, nonce, 9), &context(0, RICH), 10, &limits).unwrap();
    }
    let refused = pool.add(transaction("alice", 3, 9), &context(0, RICH), 10, &limits);
    let (sender, limit) = (address("alice"), 2);
    assert_eq!(refused.unwrap_err(), Rejected::GappedLimit { sender, limit });
    let oldest = *transaction("alice", 1, 9).hash();
    pool.add(transaction("carol", 1, 1), &context(0, RICH), 10, &limits).unwrap();
    assert_eq!(pool.drop_reason(&oldest), Some(&DropReason::TooManyGapped));
    assert_eq!(names.map(|name| pool.count_of(address(name))), [1, 2, 1]);

    // The missing nonce makes them executable, which frees their gapped slots for others.
    pool.add(transaction("bob", 0, 9), &context(0, RICH), 10, &limits).unwrap();
    for nonce in 1..3 {
        pool.add(transaction("dave", nonce, 9), &context(0, RICH), 10, &limits).unwrap();
    }
    assert_eq!((pool.len(), pool.count_of(address("bob"))), (7, 3));
    let next = |_| 0;
    assert_eq!(pool.ready(0, enshrine_node::Order::Fees, next).len(), 3);
}

#[test]
fn only_gapped_transactions_expire() {
    let (mut pool, limits) = (Pool::default(), public());
    let at = |block| AdmissionContext { block, ..context(0, RICH) };
    pool.add(transaction("alice", 0, 9), &at(5), 10, &limits).unwrap();
    pool.add(transaction("bob", 1, 9), &at(5), 10, &limits).unwrap();
    pool.expire_gapped(14, &limits);
    assert_eq!(pool.len(), 2);
    pool.expire_gapped(15, &limits);
    assert_eq!(pool.len(), 1);
    let reason = pool.drop_reason(transaction("bob", 1, 9).hash());
    assert_eq!(reason, Some(&DropReason::Expired(10)));
    // A transaction that becomes gapped later expires counting from then on.
    pool.add(transaction("alice", 1, 9), &at(15), 10, &limits).unwrap();
    pool.expire_gapped(100, &limits);
    pool.drop_transaction(transaction("alice", 0, 9).hash(), DropReason::Invalid("gone".into()));
    pool.expire_gapped(109, &limits);
    assert_eq!(pool.len(), 1);
    pool.expire_gapped(110, &limits);
    assert!(pool.is_empty());
}

/// Transactions that are gapped because an earlier one was dropped do count against the limits.
#[test]
fn gapped_limits_exempt_transactions_displaced_by_reorg() {
    let (mut pool, limits) = (Pool::default(), public());
    let address = |name: &str| Key::named(name).address();
    for nonce in 0..12 {
        pool.add(transaction("alice", nonce, 9), &context(0, RICH), 10, &limits).unwrap();
    }
    let head = |pool: &mut Pool, block, nonce| {
        pool.settle(address("alice"), nonce, U256::from(RICH), &limits);
        pool.expire_gapped(block, &limits);
    };
    // Blocks include four of them; two reorgs then remove some of these blocks.
    head(&mut pool, 2, 4);
    head(&mut pool, 1, 2);
    assert_eq!(pool.len(), 8);
    head(&mut pool, 1, 1);
    assert_eq!(pool.len(), 8);
    // A gapped transaction of another sender still counts, but uses none of their slots.
    let limits = PoolLimits { gapped: 1, ..public() };
    for name in ["bob", "carol"] {
        pool.add(transaction(name, 1, 9), &context(0, RICH), 10, &limits).unwrap();
    }
    assert_eq!(["alice", "bob", "carol"].map(|name| pool.count_of(address(name))), [8, 0, 1]);
    // They become executable once the blocks are canonical again.
    head(&mut pool, 2, 4);
    let next = |sender| if sender == address("alice") { 4 } else { 0 };
    assert_eq!(pool.ready(0, enshrine_node::Order::Fees, next).len(), 8);

    let limits = public();
    pool.drop_transaction(transaction("alice", 4, 9).hash(), DropReason::Invalid("gone".into()));
    pool.expire_gapped(3, &limits);
    assert_eq!(pool.count_of(address("alice")), limits.gapped_per_sender);
}

/// A gapped transaction evicts no executable one.
#[test]
fn full_pool_evicts_gapped_transactions_first() {
    let (mut pool, limits) = (Pool::default(), PoolLimits { transactions: 3, ..public() });
    let add = |pool: &mut Pool, name, nonce, tip| {
        pool.add(transaction(name, nonce, tip), &context(0, RICH), 10, &limits).map(drop)
    };
    add(&mut pool, "alice", 0, 1).unwrap();
    add(&mut pool, "bob", 1, 90).unwrap();
    add(&mut pool, "carol", 0, 2).unwrap();
    add(&mut pool, "dave", 0, 1).unwrap();
    assert_eq!(pool.count_of(Key::named("bob").address()), 0);
    let refused = add(&mut pool, "erin", 1, 90).unwrap_err();
    assert!(matches!(refused, Rejected::PoolFull { .. }), "{refused}");
    add(&mut pool, "erin", 0, 90).unwrap();
}
