//! Senders of transactions.

use crate::recovery::{self, LANES, PublicKey, Signature};
use alloy_consensus::{EthereumTxEnvelope, SignableTransaction as _, crypto::SECP256K1N_HALF};
use alloy_primitives::{Address, B256, Signature as TransactionSignature};
use executor::{Transaction, recover_sender};
use keccak::keccak256_batch_by;

/// Recovers the senders of transactions; `None` if recovering them one by one would be faster.
pub(crate) fn recover(transactions: &[Transaction]) -> Option<Vec<Option<Address>>> {
    // A vector of signatures takes as long as 1.7 single ones.
    let alone = usize::from(transactions.len() % LANES == 1);
    let together =
        transactions.get(..transactions.len() - alone).filter(|batch| !batch.is_empty())?;
    if !recovery::is_available() {
        return None;
    }
    let keys = recovery::recover(&signatures(together));
    let mut senders = addresses(&keys);
    senders.resize(transactions.len(), None);
    for (sender, transaction) in senders.iter_mut().zip(transactions) {
        // `recovery` accepts a high s, so the reference must reject it (EIP-2).
        let is_high = transaction.signature().s() > SECP256K1N_HALF;
        if is_high || sender.is_none() {
            *sender = recover_sender(transaction);
        }
    }
    Some(senders)
}

/// Returns the signatures of transactions with the signed digests.
fn signatures(transactions: &[Transaction]) -> Vec<Signature> {
    let (mut payloads, mut ends) = (Vec::new(), Vec::with_capacity(transactions.len()));
    for transaction in transactions {
        match transaction {
            EthereumTxEnvelope::Legacy(signed) => signed.tx().encode_for_signing(&mut payloads),
            EthereumTxEnvelope::Eip2930(signed) => signed.tx().encode_for_signing(&mut payloads),
            EthereumTxEnvelope::Eip1559(signed) => signed.tx().encode_for_signing(&mut payloads),
            EthereumTxEnvelope::Eip4844(signed) => signed.tx().encode_for_signing(&mut payloads),
            EthereumTxEnvelope::Eip7702(signed) => signed.tx().encode_for_signing(&mut payloads),
        }
        ends.push(payloads.len());
    }
    let start = |i: usize| i.checked_sub(1).map_or(0, |before| ends[before]);
    let mut digests = vec![B256::ZERO; transactions.len()];
    keccak256_batch_by(|i| &payloads[start(i)..ends[i]], &mut digests);
    let signature = |(transaction, digest): (&Transaction, B256)| {
        let signature: &TransactionSignature = transaction.signature();
        Signature {
            digest: digest.0,
            r: signature.r().to_be_bytes(),
            s: signature.s().to_be_bytes(),
            is_odd: signature.v(),
        }
    };
    transactions.iter().zip(digests).map(signature).collect()
}

/// Returns the addresses of public keys.
fn addresses(keys: &[Option<PublicKey>]) -> Vec<Option<Address>> {
    let mut digests = vec![B256::ZERO; keys.len()];
    keccak256_batch_by(|i| keys[i].as_ref().map_or(&[], |key| &key[..]), &mut digests);
    let address = |(key, digest): (&Option<PublicKey>, B256)| {
        key.is_some().then(|| Address::from_word(digest))
    };
    keys.iter().zip(digests).map(address).collect()
}
