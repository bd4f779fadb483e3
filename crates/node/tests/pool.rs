//! A pool with limits: admission and eviction.

use alloy_consensus::{EthereumTxEnvelope, SignableTransaction, Signed, TxEip1559, TxEip4844};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, Signature, U256};
use chain::RecoveredTransaction;
use codec::{ExecuteTx, ExecuteTxVersion, SignedExecuteTx};
use enshrine_node::{AdmissionContext, DropReason, Pool, PoolLimits, PoolTransaction, Rejected};
use std::{collections::BTreeMap, sync::Arc};
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
    PoolTransaction::new(
        RecoveredTransaction { transaction: transaction.into(), sender, signed: true },
        None,
        raw,
    )
}

/// A transaction of Alice's.
fn pooled<T>(fields: T) -> PoolTransaction
where
    T: SignableTransaction<Signature>,
    Signed<T>: Into<EthereumTxEnvelope<TxEip4844>>,
{
    let key = Key::named("alice");
    let transaction = key.sign(fields);
    let raw = transaction.encoded_2718().into();
    let sender = key.address();
    PoolTransaction::new(
        RecoveredTransaction { transaction: transaction.into(), sender, signed: true },
        None,
        raw,
    )
}

/// A transaction with one blob and these fees per gas and per blob gas.
fn blob_transaction(fee: u128, blob_fee: u128) -> TxEip4844 {
    TxEip4844 {
        chain_id: 1,
        gas_limit: 21_000,
        max_fee_per_gas: fee,
        max_priority_fee_per_gas: fee,
        max_fee_per_blob_gas: blob_fee,
        blob_versioned_hashes: vec![B256::with_last_byte(1)],
        ..Default::default()
    }
}

/// Adds a transaction to a pool as if all nonces before the waiting ones were used.
fn add(
    pool: &mut Pool,
    new: PoolTransaction,
    bump: u8,
    limits: &PoolLimits,
) -> Result<Arc<PoolTransaction>, Rejected> {
    let first = pool.of(new.sender()).next().map_or(u64::MAX, |it| it.nonce());
    let nonce = first.min(new.nonce());
    let context = AdmissionContext { nonce, balance: U256::MAX, ..AdmissionContext::default() };
    pool.add(new, &context, bump, limits)
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
fn a_sender_has_the_nonces_that_it_has_sent_and_the_next_one_is_the_first_that_is_missing() {
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
fn the_cost_of_a_transaction_is_its_value_and_the_most_that_it_pays_for_gas_and_blobs() {
    let of = |value| {
        pooled(TxEip1559 { gas_limit: 21_000, max_fee_per_gas: 7, value, ..Default::default() })
    };
    assert_eq!(of(U256::from(5)).cost(), U256::from(21_000 * 7 + 5));
    assert_eq!(of(U256::MAX).cost(), U256::MAX);
    let blobs = pooled(blob_transaction(3, 11));
    assert_eq!(blobs.cost(), U256::from(21_000 * 3 + 131_072 * 11));
}

#[test]
fn a_replacement_with_blobs_pays_twice_as_much_for_them() {
    for (fee, is_enough) in [(19, false), (20, true)] {
        let mut pool = Pool::default();
        add(&mut pool, pooled(blob_transaction(100, 10)), 10, &PoolLimits::default()).unwrap();
        let new = pooled(blob_transaction(200, fee));
        let taken = add(&mut pool, new, 10, &PoolLimits::default());
        assert_eq!(taken.is_ok(), is_enough, "{fee}: {taken:?}");
    }
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

/// Names of all senders, in alphabetical order.
fn senders(pool: &Pool) -> Vec<&'static str> {
    let names = ["alice", "bob", "carol", "dave", "erin"];
    let has = |name: &&str| pool.of(Key::named(name).address()).next().is_some();
    names.into_iter().filter(has).collect()
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
fn the_version_rises_with_every_change_and_stays_where_nothing_changes() {
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

fn context(nonce: u64, balance: u64) -> AdmissionContext {
    AdmissionContext { nonce, balance: U256::from(balance), ..AdmissionContext::default() }
}

/// Limits of a public node with few gapped transactions.
fn public() -> PoolLimits {
    PoolLimits { gapped: 4, gapped_per_sender: 2, gapped_lifetime: 10, ..PoolLimits::public() }
}

const RICH: u64 = u64::MAX;

#[test]
fn gapped_transactions_are_few_and_the_oldest_gives_way_to_the_next() {
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

    // With the missing nonce they are executable, and others have their places.
    pool.add(transaction("bob", 0, 9), &context(0, RICH), 10, &limits).unwrap();
    for nonce in 1..3 {
        pool.add(transaction("dave", nonce, 9), &context(0, RICH), 10, &limits).unwrap();
    }
    assert_eq!((pool.len(), pool.count_of(address("bob"))), (7, 3));
    let next = |_| 0;
    assert_eq!(pool.ready(0, enshrine_node::Order::Fees, next).len(), 3);
}

#[test]
fn a_gapped_transaction_expires_after_its_blocks_and_an_executable_one_does_not() {
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
    // What loses the one before it waits from then on.
    pool.add(transaction("alice", 1, 9), &at(15), 10, &limits).unwrap();
    pool.expire_gapped(100, &limits);
    pool.drop_transaction(transaction("alice", 0, 9).hash(), DropReason::Invalid("gone".into()));
    pool.expire_gapped(109, &limits);
    assert_eq!(pool.len(), 1);
    pool.expire_gapped(110, &limits);
    assert!(pool.is_empty());
}

#[test]
fn what_waits_behind_blocks_that_give_way_is_no_surplus_and_what_waits_behind_a_dropped_one_is() {
    let (mut pool, limits) = (Pool::default(), public());
    let address = |name: &str| Key::named(name).address();
    for nonce in 0..12 {
        pool.add(transaction("alice", nonce, 9), &context(0, RICH), 10, &limits).unwrap();
    }
    let head = |pool: &mut Pool, block, nonce| {
        pool.settle(address("alice"), nonce, U256::from(RICH), &limits);
        pool.expire_gapped(block, &limits);
    };
    // Four are in blocks, of which some give way, and then more.
    head(&mut pool, 2, 4);
    head(&mut pool, 1, 2);
    assert_eq!(pool.len(), 8);
    head(&mut pool, 1, 1);
    assert_eq!(pool.len(), 8);
    // A gapped one of another sender counts as ever, and takes no place of theirs.
    let limits = PoolLimits { gapped: 1, ..public() };
    for name in ["bob", "carol"] {
        pool.add(transaction(name, 1, 9), &context(0, RICH), 10, &limits).unwrap();
    }
    assert_eq!(["alice", "bob", "carol"].map(|name| pool.count_of(address(name))), [8, 0, 1]);
    // They are executable once the blocks are made again.
    head(&mut pool, 2, 4);
    let next = |sender| if sender == address("alice") { 4 } else { 0 };
    assert_eq!(pool.ready(0, enshrine_node::Order::Fees, next).len(), 8);

    let limits = public();
    pool.drop_transaction(transaction("alice", 4, 9).hash(), DropReason::Invalid("gone".into()));
    pool.expire_gapped(3, &limits);
    assert_eq!(pool.count_of(address("alice")), limits.gapped_per_sender);
}

#[test]
fn a_full_pool_evicts_gapped_transactions_before_executable_ones_and_for_none_of_them() {
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

#[test]
fn a_balance_covers_all_that_its_account_has_waiting() {
    let (mut pool, limits) = (Pool::default(), public());
    let cost: u64 = transaction("alice", 0, 9).cost().to();
    let sender = Key::named("alice").address();
    let two = context(0, 2 * cost);
    pool.add(transaction("alice", 0, 9), &two, 10, &limits).unwrap();
    pool.add(transaction("alice", 1, 9), &two, 10, &limits).unwrap();
    let refused = pool.add(transaction("alice", 2, 9), &two, 10, &limits).unwrap_err();
    let [balance, held, cost] = [2 * cost, 2 * cost, cost].map(U256::from);
    assert_eq!(refused, Rejected::Overdraft { sender, balance, held, cost });
    // A replacement takes the place of what it replaces, in this too.
    let dearer = transaction("alice", 1, 200_000);
    let refused = pool.add(dearer.clone(), &two, 10, &limits).unwrap_err();
    assert!(matches!(refused, Rejected::Overdraft { .. }), "{refused}");
    let enough = AdmissionContext { balance: cost + dearer.cost(), ..two };
    pool.add(dearer.clone(), &enough, 0, &limits).unwrap();
    // The balance shrinks: the last one goes.
    pool.settle(sender, 0, cost, &limits);
    assert_eq!(content(&pool), [(sender, 0, 9)]);
    let reason = pool.drop_reason(dearer.hash());
    assert_eq!(reason, Some(&DropReason::Unfunded { balance: cost }));
    pool.settle(sender, 1, U256::ZERO, &limits);
    assert!(pool.is_empty());
}

/// A transaction of Alice's with an allowance of so much EXECUTE gas, for two wei each at most.
fn buys(nonce: u64, execute_gas_limit: u64) -> PoolTransaction {
    let tx = ExecuteTx {
        chain_id: 1,
        nonce,
        max_priority_fee_per_gas: 9,
        max_fee_per_gas: 10,
        gas_limit: 100_000,
        to: Address::ZERO.into(),
        value: U256::from(5),
        input: Bytes::new(),
        pre_state_root: B256::ZERO,
        coinbase: Address::ZERO,
        block_number: 0,
        timestamp: 0,
        witness: Bytes::new(),
        withdrawals: Bytes::new(),
        version: ExecuteTxVersion::V3 {
            anchor: None,
            max_fee_per_execute_gas: 2,
            execute_gas_limit,
        },
    };
    let key = Key::named("alice");
    let signed = SignedExecuteTx { signature: key.sign_digest(&tx.signing_hash()), tx };
    let (raw, sender) = (signed.encode().into(), key.address());
    let recovered = RecoveredTransaction { transaction: signed.into(), sender, signed: true };
    PoolTransaction::new(recovered, None, raw)
}

#[test]
fn attack_no_ether_is_promised_to_two_allowances() {
    let (mut pool, limits) = (Pool::default(), public());
    let cost = 100_000 * 10 + 5 + 2 * 1_000_000;
    assert_eq!(buys(0, 1_000_000).cost(), U256::from(cost));
    for (balance, is_taken) in [(2 * cost - 1, false), (2 * cost, true)] {
        let context = context(0, balance);
        pool.clear();
        pool.add(buys(0, 1_000_000), &context, 10, &limits).unwrap();
        let second = pool.add(buys(1, 1_000_000), &context, 10, &limits);
        let is_short = matches!(second, Err(Rejected::Overdraft { .. }));
        assert_eq!((second.is_ok(), is_short), (is_taken, !is_taken), "{second:?}");
    }
}

#[test]
fn the_costs_that_a_balance_is_held_against_follow_each_way_into_and_out_of_the_pool() {
    let (mut pool, limits) = (Pool::default(), public());
    let sender = Key::named("alice").address();
    let rich = context(0, RICH);
    let check = |pool: &Pool| {
        let sum: U256 = pool.of(sender).map(|it| it.cost()).sum();
        let poor = AdmissionContext { balance: U256::ZERO, ..context(0, 0) };
        let refused = pool.clone().add(transaction("alice", 50, 9), &poor, 10, &limits);
        let Err(Rejected::Overdraft { held, .. }) = refused else { panic!("{refused:?}") };
        assert_eq!(held, sum);
    };
    for nonce in [0, 1, 2, 3, 4, 5, 8, 9] {
        pool.add(transaction("alice", nonce, 9 + u128::from(nonce)), &rich, 10, &limits).unwrap();
        check(&pool);
    }
    pool.add(transaction("alice", 3, 500_000), &rich, 10, &limits).unwrap();
    check(&pool);
    pool.drop_transaction(transaction("alice", 4, 13).hash(), DropReason::Invalid("gone".into()));
    check(&pool);
    pool.forget_below(sender, 2);
    check(&pool);
    let first: U256 = pool.of(sender).take(1).map(|it| it.cost()).sum();
    pool.settle(sender, 2, first, &limits);
    assert_eq!(pool.count_of(sender), 1);
    check(&pool);
    pool.remove_sender(sender);
    pool.add(transaction("alice", 2, 9), &context(2, RICH), 10, &limits).unwrap();
    check(&pool);
}

#[test]
fn an_account_that_others_can_empty_has_one_transaction_waiting() {
    let (mut pool, limits) = (Pool::default(), public());
    let [alice, bob] = ["alice", "bob"].map(|name| Key::named(name).address());
    let delegated = AdmissionContext { is_delegated: true, ..context(0, RICH) };
    pool.add(transaction("alice", 0, 9), &delegated, 10, &limits).unwrap();
    let refused = pool.add(transaction("alice", 1, 9), &delegated, 10, &limits).unwrap_err();
    assert_eq!(refused, Rejected::Delegated(alice));
    pool.add(transaction("alice", 0, 99_999_999), &delegated, 10, &limits).unwrap();

    // And so has one whose authorization waits.
    let authorizes = AdmissionContext { authorities: vec![bob], ..context(0, RICH) };
    pool.add(transaction("bob", 0, 9), &context(0, RICH), 10, &limits).unwrap();
    let carrier = pool.add(transaction("carol", 0, 9), &authorizes, 10, &limits).unwrap();
    let refused = pool.add(transaction("bob", 1, 9), &context(0, RICH), 10, &limits).unwrap_err();
    assert_eq!(refused, Rejected::Delegated(bob));
    pool.remove(carrier.hash());
    pool.add(transaction("bob", 1, 9), &context(0, RICH), 10, &limits).unwrap();
    let refused = pool.add(transaction("carol", 0, 9), &authorizes, 10, &limits).unwrap_err();
    assert_eq!(refused, Rejected::AuthorityReserved(bob));

    // A pool that has been emptied knows of no authorization.
    pool.clear();
    pool.add(transaction("carol", 0, 9), &authorizes, 10, &limits).unwrap();
    pool.clear();
    for nonce in 0..2 {
        pool.add(transaction("bob", nonce, 9), &context(0, RICH), 10, &limits).unwrap();
    }
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

#[test]
fn a_replacement_has_a_higher_tip_too_unless_any_higher_offer_is_enough() {
    let (mut pool, limits) = (Pool::default(), PoolLimits::default());
    let offer = |fee, tip| {
        let key = Key::named("alice");
        let transaction = key.sign(TxEip1559 {
            chain_id: 1,
            gas_limit: 21_000,
            max_fee_per_gas: fee,
            max_priority_fee_per_gas: tip,
            to: Address::ZERO.into(),
            ..Default::default()
        });
        let raw = transaction.encoded_2718().into();
        let recovered = RecoveredTransaction {
            transaction: transaction.into(),
            sender: key.address(),
            signed: true,
        };
        PoolTransaction::new(recovered, None, raw)
    };
    let known = *pool.add(offer(1_000, 100), &context(0, RICH), 10, &limits).unwrap().hash();
    for (fee, tip) in [(2_000, 100), (2_000, 109), (1_099, 200)] {
        let refused = pool.add(offer(fee, tip), &context(0, RICH), 10, &limits).unwrap_err();
        assert_eq!(refused, Rejected::Underpriced { known, bump: 10 });
    }
    pool.add(offer(1_100, 110), &context(0, RICH), 10, &limits).unwrap();
    assert!(matches!(pool.drop_reason(&known), Some(DropReason::Replaced(_))));
    pool.add(offer(1_101, 1), &context(0, RICH), 0, &limits).unwrap();
    assert_eq!(pool.len(), 1);
}
