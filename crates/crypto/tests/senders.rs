//! Senders recovered in batches equal those that the reference recovers one by one.

use alloy_consensus::{
    SignableTransaction, Signed, TxEip1559, TxEip2930, TxEip4844, TxEip7702, TxLegacy,
    crypto::SECP256K1N_HALF,
};
use alloy_primitives::{Signature, TxKind, U256, b256};
use enshrine_crypto::{Backend, libraries, select};
use executor::{Transaction, recover_sender};
use testkit::Key;

/// The order of the group.
const ORDER: U256 = U256::from_be_bytes(
    b256!("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141").0,
);

/// Returns a transaction with its own sender, whose type and length follow from `nonce`.
fn transaction(nonce: u64) -> Transaction {
    let key = Key::named(&nonce.to_string());
    let input = vec![nonce as u8; nonce as usize * 37 % 600].into();
    let (gas_limit, to) = (21_000 + nonce, TxKind::Call(key.address()));
    match nonce % 6 {
        0 => key.sign(TxLegacy { nonce, input, gas_limit, to, ..Default::default() }),
        1 => {
            key.sign(TxLegacy { chain_id: Some(1), nonce, input, gas_limit, ..Default::default() })
        }
        2 => key.sign(TxEip2930 { chain_id: 1, nonce, input, gas_limit, to, ..Default::default() }),
        3 => key.sign(TxEip1559 { chain_id: 1, nonce, input, gas_limit, to, ..Default::default() }),
        4 => key.sign(TxEip4844 { chain_id: 1, nonce, input, gas_limit, ..Default::default() }),
        _ => key.sign(TxEip7702 { chain_id: 1, nonce, input, gas_limit, ..Default::default() }),
    }
}

/// Returns the transaction with another signature.
fn signed(transaction: &Transaction, signature: Signature) -> Transaction {
    fn with<T: SignableTransaction<Signature> + Clone>(
        transaction: &Signed<T>,
        signature: Signature,
    ) -> Signed<T> {
        transaction.tx().clone().into_signed(signature)
    }
    match transaction {
        Transaction::Legacy(tx) => with(tx, signature).into(),
        Transaction::Eip2930(tx) => with(tx, signature).into(),
        Transaction::Eip1559(tx) => with(tx, signature).into(),
        Transaction::Eip4844(tx) => with(tx, signature).into(),
        Transaction::Eip7702(tx) => with(tx, signature).into(),
    }
}

/// Compares with the reference, and returns the number of senders.
fn compare(transactions: &[Transaction]) -> usize {
    let expected: Vec<_> = transactions.iter().map(recover_sender).collect();
    for backend in [Backend::Reference, Backend::Fast] {
        select(backend);
        assert_eq!(libraries().senders(transactions), expected, "{backend:?}");
    }
    expected.iter().flatten().count()
}

#[test]
fn batch_senders_match_reference() {
    let all: Vec<_> = (0..40).map(transaction).collect();
    for size in 0..=all.len() {
        assert_eq!(compare(&all[..size]), size);
    }
}

#[test]
fn invalid_signature_does_not_affect_other_senders() {
    let mut all: Vec<_> = (0..17).map(transaction).collect();
    for position in 0..all.len() {
        let valid = all[position].clone();
        let of = *valid.signature();
        let (r, s) = (of.r(), of.s());
        let bad = [
            // A high s that recovers the same key, and one that does not.
            Signature::new(r, ORDER - s, !of.v()),
            Signature::new(r, SECP256K1N_HALF + U256::ONE, of.v()),
            Signature::new(U256::ZERO, s, of.v()),
            Signature::new(r, U256::ZERO, of.v()),
            Signature::new(ORDER, s, of.v()),
            Signature::new(U256::MAX, s, of.v()),
            Signature::new(U256::from(5), s, of.v()),
        ];
        for signature in bad {
            all[position] = signed(&valid, signature);
            assert_eq!(compare(&all), all.len() - 1, "{signature:?}");
        }
        // Other valid signatures, with other keys.
        for signature in [Signature::new(r, s, !of.v()), Signature::new(r, SECP256K1N_HALF, of.v())]
        {
            all[position] = signed(&valid, signature);
            assert_eq!(compare(&all), all.len(), "{signature:?}");
        }
        all[position] = valid;
    }
}
