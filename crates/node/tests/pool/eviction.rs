//! Limits of the pool, and eviction from a full one.

use crate::support::{RICH, add, content, context, limits, pooled, public, senders, transaction};
use alloy_consensus::TxEip1559;
use alloy_primitives::Address;
use enshrine_node::{AdmissionContext, DropReason, Order, Pool, PoolLimits, Rejected};
use std::collections::BTreeMap;
use testkit::Key;

#[test]
fn full_pool_evicts_last_transaction_of_cheapest_sender() {
    let mut pool = Pool::default();
    let limits = limits(4, 10);
    // Alice's first transaction is the cheapest; her last has a high tip, but needs the first.
    for (name, nonce, tip) in [("alice", 0, 1), ("alice", 1, 90), ("bob", 0, 5), ("carol", 0, 6)] {
        add(&mut pool, transaction(name, nonce, tip), 10, &limits).unwrap();
    }
    let before = content(&pool);
    for tip in [0, 1] {
        let refused = add(&mut pool, transaction("dave", 0, tip), 10, &limits);
        assert_eq!(refused.unwrap_err(), Rejected::PoolFull { got: tip, minimum: 1 });
        assert_eq!(content(&pool), before);
    }
    add(&mut pool, transaction("dave", 0, 2), 10, &limits).unwrap();
    assert_eq!(pool.of(Key::named("alice").address()).count(), 1);
    assert_eq!(pool.len(), 4);
    // A replacement needs no additional slot.
    add(&mut pool, transaction("bob", 0, 50), 0, &limits).unwrap();
    assert_eq!(pool.len(), 4);
    assert_eq!(pool.of(Key::named("bob").address()).count(), 1);
}

#[test]
fn transaction_does_not_evict_its_own_predecessor() {
    let mut pool = Pool::default();
    let limits = limits(2, 10);
    add(&mut pool, transaction("alice", 0, 1), 10, &limits).unwrap();
    add(&mut pool, transaction("bob", 0, 5), 10, &limits).unwrap();
    let refused = add(&mut pool, transaction("alice", 1, 9), 10, &limits).unwrap_err();
    assert_eq!(refused, Rejected::PoolFull { got: 9, minimum: 1 });
    assert_eq!(pool.len(), 2);
    add(&mut pool, transaction("carol", 0, 9), 10, &limits).unwrap();
    assert_eq!(pool.of(Key::named("alice").address()).count(), 0);
}

#[test]
fn preconfirmed_transactions_are_neither_evicted_nor_replaced() {
    let mut pool = Pool::default();
    let limits = limits(2, 10);
    let first = add(&mut pool, transaction("alice", 0, 1), 10, &limits).unwrap();
    add(&mut pool, transaction("bob", 0, 5), 10, &limits).unwrap();
    let hash = *first.hash();
    pool.set_preconfirmed([hash].into_iter().collect());
    // It no longer counts, so one more transaction fits.
    add(&mut pool, transaction("carol", 0, 9), 10, &limits).unwrap();
    add(&mut pool, transaction("dave", 0, 9), 10, &limits).unwrap();
    assert!(pool.is_preconfirmed(&hash) && pool.get(&hash).is_some());
    assert_eq!(pool.of(Key::named("bob").address()).count(), 0);
    let refused = add(&mut pool, transaction("alice", 0, 1_000_000), 10, &limits);
    assert_eq!(refused.unwrap_err(), Rejected::Preconfirmed { existing: hash });

    // Without the prefix it counts, and can be replaced and evicted.
    pool.set_preconfirmed([].into_iter().collect());
    add(&mut pool, transaction("alice", 0, 1_000_000), 10, &limits).unwrap();
    let refused = add(&mut pool, transaction("eve", 0, 8), 10, &limits);
    assert_eq!(refused.unwrap_err(), Rejected::PoolFull { got: 8, minimum: 9 });
}

#[test]
fn sender_limit_does_not_apply_to_local_senders() {
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
    // Local transactions neither take slots of others nor are evicted.
    add(&mut pool, transaction("bob", 0, 1), 10, &limits).unwrap();
    add(&mut pool, transaction("carol", 0, 2), 10, &limits).unwrap();
    assert_eq!(pool.of(owner).count(), 5);
    assert_eq!(pool.of(alice).count(), 2);
    assert_eq!(pool.of(Key::named("bob").address()).count(), 0);
}

#[test]
fn public_pool_has_the_documented_limits() {
    let limits = PoolLimits::public();
    assert_eq!((limits.transactions, limits.bytes, limits.per_sender), (20_000, 67_108_864, 1_024));
    assert_eq!((limits.gapped, limits.gapped_per_sender, limits.gapped_lifetime), (1_024, 16, 300));
    assert!(limits.holds_balances && !limits.accepts_unprotected);
    let none = PoolLimits::default();
    assert!(!none.holds_balances && none.accepts_unprotected);
}

#[test]
fn full_pool_evicts_by_bytes() {
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
fn lowered_limits_evict_one_transaction_per_admission() {
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
fn long_transaction_evicts_several_to_free_its_bytes() {
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

/// The time must not grow with the cube of the number of evicted transactions: the node's lock is
/// held meanwhile.
#[test]
fn one_long_transaction_evicts_thousands() {
    const COUNT: u64 = 8_192;
    // Gapped ones, and executable ones.
    for first in [1, 0] {
        let mut pool = Pool::default();
        for nonce in first..first + COUNT {
            let none = PoolLimits::default();
            pool.add(transaction("alice", nonce, 1), &context(0, RICH), 10, &none).unwrap();
        }
        let last = pool.of(Key::named("alice").address()).next_back().map(|tx| *tx.hash());
        let bytes: usize = pool.iter().map(|tx| tx.raw.len()).sum();
        let limits = PoolLimits { bytes, ..PoolLimits::default() };
        let mut long = transaction("bob", 0, 2);
        long.raw = vec![0; bytes].into();
        add(&mut pool, long, 10, &limits).unwrap();
        assert_eq!(senders(&pool), ["bob"]);
        assert_eq!(pool.drop_reason(&last.unwrap()), Some(&DropReason::Evicted));
    }
}

#[test]
fn replaced_transaction_frees_its_bytes() {
    let size = transaction("alice", 0, 1).raw.len();
    let full = PoolLimits { bytes: 2 * size + 20, gapped: 1, ..PoolLimits::default() };
    let mut pool = Pool::default();
    for (name, tip) in [("alice", 1), ("bob", 2), ("bob", 5)] {
        add(&mut pool, transaction(name, 0, tip), 0, &full).unwrap();
    }
    assert_eq!((pool.len(), senders(&pool)), (2, vec!["alice", "bob"]));
    // The same holds for an evicted gapped transaction, of which one is allowed.
    pool.clear();
    add(&mut pool, transaction("bob", 0, 2), 10, &full).unwrap();
    for name in ["alice", "carol"] {
        pool.add(transaction(name, 1, 9), &context(0, RICH), 10, &full).unwrap();
    }
    assert_eq!((pool.len(), senders(&pool)), (2, vec!["bob", "carol"]));
}

#[test]
fn full_pool_evicts_by_effective_tip() {
    let (mut pool, limits) = (Pool::default(), PoolLimits { transactions: 2, ..public() });
    let at = |base_fee| AdmissionContext { base_fee, ..context(0, RICH) };
    // Each fee cap is a million above the tip.
    pool.add(transaction("alice", 0, 50), &at(0), 10, &limits).unwrap();
    pool.add(transaction("bob", 0, 60), &at(0), 10, &limits).unwrap();
    let refused = pool.add(transaction("carol", 0, 40), &at(0), 10, &limits).unwrap_err();
    assert_eq!(refused, Rejected::PoolFull { got: 40, minimum: 50 });
    // A base fee above two of the fee caps leaves them no tip.
    let base_fee = 1_000_055;
    let refused = pool.add(transaction("carol", 0, 40), &at(base_fee), 10, &limits).unwrap_err();
    assert_eq!(refused, Rejected::PoolFull { got: 0, minimum: 0 });
    pool.add(transaction("carol", 0, 56), &at(base_fee), 10, &limits).unwrap();
    assert_eq!(pool.count_of(Key::named("alice").address()), 0);
    let refused = pool.add(transaction("dave", 0, 56), &at(base_fee), 10, &limits).unwrap_err();
    assert_eq!(refused, Rejected::PoolFull { got: 1, minimum: 1 });
}

/// Under random insertions and removals, the pool keeps its limits, and eviction opens no nonce
/// gaps.
#[test]
fn random_operations_keep_limits_and_open_no_gaps() {
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
            // The first transaction of the sender is included in a block.
            let first = pool.of(sender).next().map(|tx| tx.nonce());
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
        let bytes: usize = pool.iter().map(|tx| tx.raw.len()).sum();
        assert!(pool.len() <= 8 && bytes <= 1_000);
        for name in NAMES {
            let sender = Key::named(name).address();
            let nonces: Vec<_> = pool.of(sender).map(|tx| tx.nonce()).collect();
            assert!(nonces.len() <= 4);
            let run: Vec<_> = (next[name]..).take(nonces.len()).collect();
            assert_eq!(nonces, run, "{name}");
        }
    }
    assert!(refused > 100 && evicted > 100, "{refused} refused, {evicted} evicted");
}

#[test]
fn senders_are_set_back_without_pending_transactions() {
    let mut pool = Pool::default();
    let (alice, bob) = (Key::named("alice").address(), Key::named("bob").address());
    let first = |pool: &Pool| pool.ready(0, Order::Fees, |_| 0)[0].sender();
    // Her transaction has left the pool, e.g. because no block can include it.
    pool.set_back(alice, 1);
    pool.expire_gapped(1, &limits(10, 10));
    add(&mut pool, transaction("alice", 0, 9), 10, &limits(10, 10)).unwrap();
    add(&mut pool, transaction("bob", 0, 1), 10, &limits(10, 10)).unwrap();
    for head in 1..9 {
        pool.expire_gapped(head, &limits(10, 10));
        assert!(pool.is_set_back(alice) && !pool.is_set_back(bob));
        assert_eq!(first(&pool), bob);
    }
    pool.expire_gapped(9, &limits(10, 10));
    assert_eq!(first(&pool), alice);
    // A further time lasts twice as long.
    pool.set_back(alice, 10);
    assert_eq!(first(&pool), bob);
    pool.forgive(alice);
    assert_eq!(first(&pool), alice);
}
