//! Signing and sender recovery in a microsecond, which take libraries up to a tenth of a
//! millisecond.

use crate::memo::Memo;
use alloy_consensus::{SignableTransaction as _, TxEip1559};
use alloy_primitives::{Address, Signature, U256, uint};
use stateless::{Cryptography, Transaction};
use std::sync::LazyLock;
use testkit::Key;

/// Order of the curve secp256k1.
const ORDER: U256 = uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);
/// x-coordinate of the generator, whose y-coordinate is even.
const GENERATOR_X: U256 =
    uint!(0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798_U256);

/// Senders of the transactions of all scenes, by transaction hash.
static SENDERS: LazyLock<Memo<Option<Address>>> = LazyLock::new(|| Memo::new(1 << 16));

/// The cryptography of the executor, which recovers the sender of each transaction once.
#[derive(Debug)]
pub(crate) struct KnownSenders;

impl Cryptography for KnownSenders {
    fn senders(&self, transactions: &[Transaction]) -> Vec<Option<Address>> {
        let recovered = |tx: &Transaction| ().senders(core::slice::from_ref(tx)).pop().flatten();
        let known = |tx: &Transaction| SENDERS.get_or(tx.hash(), || recovered(tx));
        transactions.iter().map(known).collect()
    }
}

/// An account with its private key.
#[derive(Debug)]
pub(crate) struct Signer {
    secret: U256,
    address: Address,
}

impl Signer {
    /// Returns Alice and Bob.
    pub(crate) fn all() -> &'static [Self; 2] {
        static SIGNERS: LazyLock<[Signer; 2]> = LazyLock::new(|| {
            ["alice", "bob"].map(|name| {
                let key = Key::named(name);
                Signer { secret: key.secret().into(), address: key.address() }
            })
        });
        &SIGNERS
    }

    /// Signs a transaction, and caches its sender.
    ///
    /// The nonce of the signature is one, so that its point is the generator and needs no
    /// multiplication. Such a signature is valid, but reveals the private key, which is a test key.
    pub(crate) fn sign(&self, transaction: TxEip1559) -> Transaction {
        let digest = U256::from_be_bytes(transaction.signature_hash().0);
        let s = GENERATOR_X.mul_mod(self.secret, ORDER).add_mod(digest, ORDER);
        // The form with low `s` (EIP-2).
        let is_high = s > ORDER >> 1;
        let s = if is_high { ORDER - s } else { s };
        let signed = transaction.into_signed(Signature::new(GENERATOR_X, s, is_high));
        let signed = Transaction::from(signed);
        SENDERS.insert(signed.hash(), Some(self.address));
        signed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_recover_cached_senders() {
        let mut senders = [0; 2];
        for nonce in 0..40 {
            let at = nonce as usize % 2;
            let signer = &Signer::all()[at];
            let signed = signer.sign(TxEip1559 { nonce, ..Default::default() });
            let expected = [Some(signer.address)];
            assert_eq!(().senders(core::slice::from_ref(&signed)), expected);
            assert_eq!(KnownSenders.senders(core::slice::from_ref(&signed)), expected);
            senders[usize::from(signed.signature().v())] += 1;
            let other = TxEip1559 { nonce, gas_limit: 1, ..Default::default() };
            let other = [other.into_signed(*signed.signature()).into()];
            assert_ne!(KnownSenders.senders(&other), expected);
            assert_eq!(KnownSenders.senders(&other), ().senders(&other));
        }
        assert!(senders.iter().all(|count| *count > 0), "both forms of the point occur");
    }
}
