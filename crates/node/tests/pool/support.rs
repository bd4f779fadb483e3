//! Transactions and limits shared by the tests of the pool.

use alloy_consensus::{EthereumTxEnvelope, SignableTransaction, Signed, TxEip1559, TxEip4844};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, Signature, U256};
use chain::RecoveredTransaction;
use enshrine_node::{AdmissionContext, Pool, PoolLimits, PoolTransaction, Rejected};
use std::sync::Arc;
use testkit::Key;

/// A balance that covers the costs of all tests.
pub(crate) const RICH: u64 = u64::MAX;

/// Returns a transfer by a named account.
pub(crate) fn transaction(name: &str, nonce: u64, tip: u128) -> PoolTransaction {
    let fields = TxEip1559 {
        chain_id: 1,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 1_000_000 + tip,
        max_priority_fee_per_gas: tip,
        to: Address::ZERO.into(),
        value: U256::ZERO,
        ..Default::default()
    };
    signed(name, fields)
}

/// Returns a transaction of Alice.
pub(crate) fn pooled<T>(fields: T) -> PoolTransaction
where
    T: SignableTransaction<Signature>,
    Signed<T>: Into<EthereumTxEnvelope<TxEip4844>>,
{
    signed("alice", fields)
}

fn signed<T>(name: &str, fields: T) -> PoolTransaction
where
    T: SignableTransaction<Signature>,
    Signed<T>: Into<EthereumTxEnvelope<TxEip4844>>,
{
    let key = Key::named(name);
    let transaction = key.sign(fields);
    let raw = transaction.encoded_2718().into();
    let sender = key.address();
    PoolTransaction::new(
        RecoveredTransaction { transaction: transaction.into(), sender, signed: true },
        None,
        raw,
    )
}

/// Adds a transaction to a pool as if all nonces before the waiting ones were used.
pub(crate) fn add(
    pool: &mut Pool,
    new: PoolTransaction,
    bump: u8,
    limits: &PoolLimits,
) -> Result<Arc<PoolTransaction>, Rejected> {
    let first = pool.of(new.sender()).next().map_or(u64::MAX, |tx| tx.nonce());
    let nonce = first.min(new.nonce());
    let context = AdmissionContext { nonce, balance: U256::MAX, ..AdmissionContext::default() };
    pool.add(new, &context, bump, limits)
}

/// Returns the context of an account with this next nonce and balance.
pub(crate) fn context(nonce: u64, balance: u64) -> AdmissionContext {
    AdmissionContext { nonce, balance: U256::from(balance), ..AdmissionContext::default() }
}

/// Returns limits on the number of transactions, in total and per sender.
pub(crate) fn limits(transactions: usize, per_sender: usize) -> PoolLimits {
    PoolLimits { transactions, per_sender, ..PoolLimits::default() }
}

/// Returns the limits of a public node with few gapped transactions.
pub(crate) fn public() -> PoolLimits {
    PoolLimits { gapped: 4, gapped_per_sender: 2, gapped_lifetime: 10, ..PoolLimits::public() }
}

/// Returns senders, nonces and tips, in order.
pub(crate) fn content(pool: &Pool) -> Vec<(Address, u64, u128)> {
    let mut all: Vec<_> = pool
        .iter()
        .map(|tx| {
            use alloy_consensus::Transaction as _;
            let tip = tx.recovered.transaction.max_priority_fee_per_gas().unwrap_or_default();
            (tx.sender(), tx.nonce(), tip)
        })
        .collect();
    all.sort_unstable();
    all
}

/// Returns the names of all senders, in alphabetical order.
pub(crate) fn senders(pool: &Pool) -> Vec<&'static str> {
    let names = ["alice", "bob", "carol", "dave", "erin"];
    let has = |name: &&str| pool.of(Key::named(name).address()).next().is_some();
    names.into_iter().filter(has).collect()
}
