//! Costs of transactions: the balance that covers them, and the fees that replace them.

use crate::support::{RICH, add, content, context, pooled, public, transaction};
use alloy_consensus::{TxEip1559, TxEip4844};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, U256};
use chain::RecoveredTransaction;
use codec::{ExecuteTx, ExecuteTxVersion, SignedExecuteTx};
use enshrine_node::{AdmissionContext, DropReason, Pool, PoolLimits, PoolTransaction, Rejected};
use testkit::Key;

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

#[test]
fn cost_is_value_plus_maximum_gas_and_blobs() {
    let of = |value| {
        pooled(TxEip1559 { gas_limit: 21_000, max_fee_per_gas: 7, value, ..Default::default() })
    };
    assert_eq!(of(U256::from(5)).cost(), U256::from(21_000 * 7 + 5));
    assert_eq!(of(U256::MAX).cost(), U256::MAX);
    let blobs = pooled(blob_transaction(3, 11));
    assert_eq!(blobs.cost(), U256::from(21_000 * 3 + 131_072 * 11));
}

#[test]
fn blob_replacement_must_double_the_blob_fee() {
    for (fee, is_enough) in [(19, false), (20, true)] {
        let mut pool = Pool::default();
        add(&mut pool, pooled(blob_transaction(100, 10)), 10, &PoolLimits::default()).unwrap();
        let new = pooled(blob_transaction(200, fee));
        let added = add(&mut pool, new, 10, &PoolLimits::default());
        assert_eq!(added.is_ok(), is_enough, "{fee}: {added:?}");
    }
}

#[test]
fn replacement_must_raise_tip_unless_bump_is_zero() {
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
    let hash = *pool.add(offer(1_000, 100), &context(0, RICH), 10, &limits).unwrap().hash();
    for (fee, tip) in [(2_000, 100), (2_000, 109), (1_099, 200)] {
        let refused = pool.add(offer(fee, tip), &context(0, RICH), 10, &limits).unwrap_err();
        assert_eq!(refused, Rejected::Underpriced { existing: hash, bump: 10 });
    }
    pool.add(offer(1_100, 110), &context(0, RICH), 10, &limits).unwrap();
    assert!(matches!(pool.drop_reason(&hash), Some(DropReason::Replaced(_))));
    pool.add(offer(1_101, 1), &context(0, RICH), 0, &limits).unwrap();
    assert_eq!(pool.len(), 1);
}

#[test]
fn balance_must_cover_all_pending_transactions_of_sender() {
    let (mut pool, limits) = (Pool::default(), public());
    let cost: u64 = transaction("alice", 0, 9).cost().to();
    let sender = Key::named("alice").address();
    let two = context(0, 2 * cost);
    pool.add(transaction("alice", 0, 9), &two, 10, &limits).unwrap();
    pool.add(transaction("alice", 1, 9), &two, 10, &limits).unwrap();
    let refused = pool.add(transaction("alice", 2, 9), &two, 10, &limits).unwrap_err();
    let [balance, pending_cost, cost] = [2 * cost, 2 * cost, cost].map(U256::from);
    assert_eq!(refused, Rejected::Overdraft { sender, balance, pending_cost, cost });
    // The cost of a replaced transaction is released before its replacement is checked.
    let dearer = transaction("alice", 1, 200_000);
    let refused = pool.add(dearer.clone(), &two, 10, &limits).unwrap_err();
    assert!(matches!(refused, Rejected::Overdraft { .. }), "{refused}");
    let enough = AdmissionContext { balance: cost + dearer.cost(), ..two };
    pool.add(dearer.clone(), &enough, 0, &limits).unwrap();
    // When the balance shrinks, the last transaction is dropped.
    pool.settle(sender, 0, cost, &limits);
    assert_eq!(content(&pool), [(sender, 0, 9)]);
    let reason = pool.drop_reason(dearer.hash());
    assert_eq!(reason, Some(&DropReason::Unfunded { balance: cost }));
    pool.settle(sender, 1, U256::ZERO, &limits);
    assert!(pool.is_empty());
}

/// Returns a transaction of Alice's with this allowance of EXECUTE gas, at a fee cap of two wei.
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
fn attack_ether_is_not_reserved_for_two_allowances() {
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
fn reserved_costs_follow_every_pool_change() {
    let (mut pool, limits) = (Pool::default(), public());
    let sender = Key::named("alice").address();
    let rich = context(0, RICH);
    let check = |pool: &Pool| {
        let sum: U256 = pool.of(sender).map(|tx| tx.cost()).sum();
        let poor = AdmissionContext { balance: U256::ZERO, ..context(0, 0) };
        let refused = pool.clone().add(transaction("alice", 50, 9), &poor, 10, &limits);
        let Err(Rejected::Overdraft { pending_cost, .. }) = refused else { panic!("{refused:?}") };
        assert_eq!(pending_cost, sum);
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
    let first: U256 = pool.of(sender).take(1).map(|tx| tx.cost()).sum();
    pool.settle(sender, 2, first, &limits);
    assert_eq!(pool.count_of(sender), 1);
    check(&pool);
    pool.remove_sender(sender);
    pool.add(transaction("alice", 2, 9), &context(2, RICH), 10, &limits).unwrap();
    check(&pool);
}

#[test]
fn delegated_account_has_one_pending_transaction() {
    let (mut pool, limits) = (Pool::default(), public());
    let [alice, bob] = ["alice", "bob"].map(|name| Key::named(name).address());
    let delegated = AdmissionContext { is_delegated: true, ..context(0, RICH) };
    pool.add(transaction("alice", 0, 9), &delegated, 10, &limits).unwrap();
    let refused = pool.add(transaction("alice", 1, 9), &delegated, 10, &limits).unwrap_err();
    assert_eq!(refused, Rejected::Delegated(alice));
    pool.add(transaction("alice", 0, 99_999_999), &delegated, 10, &limits).unwrap();

    // The same limit applies to an account with a pending authorization.
    let authorizes = AdmissionContext { authorities: vec![bob], ..context(0, RICH) };
    pool.add(transaction("bob", 0, 9), &context(0, RICH), 10, &limits).unwrap();
    let carrier = pool.add(transaction("carol", 0, 9), &authorizes, 10, &limits).unwrap();
    let refused = pool.add(transaction("bob", 1, 9), &context(0, RICH), 10, &limits).unwrap_err();
    assert_eq!(refused, Rejected::Delegated(bob));
    pool.remove(carrier.hash());
    pool.add(transaction("bob", 1, 9), &context(0, RICH), 10, &limits).unwrap();
    let refused = pool.add(transaction("carol", 0, 9), &authorizes, 10, &limits).unwrap_err();
    assert_eq!(refused, Rejected::AuthorityReserved(bob));

    // It also applies to an account that authorizes code for itself, which may spend the balance
    // that its other transaction needs.
    pool.clear();
    let own = AdmissionContext { authorities: vec![bob], ..context(0, RICH) };
    pool.add(transaction("bob", 0, 9), &context(0, RICH), 10, &limits).unwrap();
    let refused = pool.add(transaction("bob", 1, 9), &own, 10, &limits).unwrap_err();
    assert_eq!(refused, Rejected::AuthorityReserved(bob));
    pool.add(transaction("bob", 0, 99_999_999), &own, 10, &limits).unwrap();
    let refused = pool.add(transaction("bob", 1, 9), &context(0, RICH), 10, &limits).unwrap_err();
    assert_eq!(refused, Rejected::Delegated(bob));

    // It does not apply while the authorization is in a gapped transaction.
    pool.clear();
    pool.add(transaction("carol", 1, 9), &authorizes, 10, &limits).unwrap();
    for nonce in 0..2 {
        pool.add(transaction("bob", nonce, 9), &context(0, RICH), 10, &limits).unwrap();
    }
    pool.add(transaction("carol", 0, 9), &context(0, RICH), 10, &limits).unwrap();
    let refused = pool.add(transaction("bob", 2, 9), &context(0, RICH), 10, &limits).unwrap_err();
    assert_eq!(refused, Rejected::Delegated(bob));

    // Clearing the pool also removes its authorizations.
    pool.clear();
    pool.add(transaction("carol", 0, 9), &authorizes, 10, &limits).unwrap();
    pool.clear();
    for nonce in 0..2 {
        pool.add(transaction("bob", nonce, 9), &context(0, RICH), 10, &limits).unwrap();
    }
}
