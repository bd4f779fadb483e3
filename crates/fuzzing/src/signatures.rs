//! Signatures that are made and verified in a microsecond, which takes a library up to a tenth of a
//! millisecond.

use crate::memo::Memo;
use alloy_consensus::{SignableTransaction as _, TxEip1559};
use alloy_primitives::{Address, Signature, U256, uint};
use stateless::{Cryptography, Transaction};
use std::sync::LazyLock;
use testkit::Key;

/// Number of points of the curve secp256k1.
const ORDER: U256 = uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);
/// First coordinate of its generator, whose second coordinate is even.
const GENERATOR_X: U256 =
    uint!(0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798_U256);

/// Senders of the transactions of all scenes, by the hash of the transaction.
static SENDERS: LazyLock<Memo<Option<Address>>> = LazyLock::new(|| Memo::new(1 << 16));

/// The libraries of the executor, which recover the sender of each transaction once.
#[derive(Debug)]
pub(crate) struct KnownSenders;

impl Cryptography for KnownSenders {
    fn senders(&self, transactions: &[Transaction]) -> Vec<Option<Address>> {
        let recovered = |it: &Transaction| ().senders(core::slice::from_ref(it)).pop().flatten();
        let known = |it: &Transaction| SENDERS.get_or(it.hash(), || recovered(it));
        transactions.iter().map(known).collect()
    }
}

/// An account that signs.
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

    /// Signs a transaction, whose sender is known from now on.
    ///
    /// The nonce of the signature is one, so that its point is the generator and needs no
    /// multiplication. Such a signature is valid, and reveals the secret of a key for tests.
    pub(crate) fn sign(&self, transaction: TxEip1559) -> Transaction {
        let digest = U256::from_be_bytes(transaction.signature_hash().0);
        let s = GENERATOR_X.mul_mod(self.secret, ORDER).add_mod(digest, ORDER);
        // The lower of both forms (EIP-2).
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
    fn libraries_recover_the_sender_that_is_known_and_another_one_of_a_changed_transaction() {
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
