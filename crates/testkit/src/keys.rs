//! Named test keys and the transactions that they sign.
//!
//! The name determines the key, so that tests and demonstrations can use names such as Alice and
//! Bob, and every reader can derive the same accounts. These addresses must never hold real funds.
//!
//! The caller sets nonces, fees and limits.

use alloy_consensus::{EthereumTxEnvelope, SignableTransaction, Signed, TxEip4844};
use alloy_eips::eip7702::{Authorization, SignedAuthorization};
use alloy_primitives::{Address, B256, B512, Signature, keccak256};
use alloy_signer::SignerSync;
use alloy_signer_local::PrivateKeySigner;

/// A signed transaction as in a block, i.e. without blob sidecars.
pub type Transaction = EthereumTxEnvelope<TxEip4844>;

/// A private key.
#[derive(Debug, Clone)]
pub struct Key(PrivateKeySigner);

impl Key {
    /// Returns the key of a name, whose secret is Keccak-256 of the name, as in forge's
    /// `makeAddrAndKey`.
    pub fn named(name: &str) -> Self {
        let secret = keccak256(name.as_bytes());
        Self::from_secret(secret).expect("a Keccak digest is a valid secret, but for 1 in 2^128")
    }

    /// Returns the key with this secret, or `None` for zero and for numbers that are not below the
    /// order of the curve.
    pub fn from_secret(secret: B256) -> Option<Self> {
        PrivateKeySigner::from_bytes(&secret).ok().map(Self)
    }

    /// Returns the address of the key.
    pub const fn address(&self) -> Address {
        self.0.address()
    }

    /// Returns the secret.
    pub fn secret(&self) -> B256 {
        self.0.to_bytes()
    }

    /// Returns the public key, x followed by y.
    pub fn public_key(&self) -> B512 {
        self.0.public_key()
    }

    /// Signs a digest.
    pub fn sign_digest(&self, digest: &B256) -> Signature {
        self.0.sign_hash_sync(digest).expect("a local key signs every digest")
    }

    /// Signs a transaction of any type.
    pub fn sign<T>(&self, transaction: T) -> Transaction
    where
        T: SignableTransaction<Signature>,
        Signed<T>: Into<Transaction>,
    {
        let signature = self.sign_digest(&transaction.signature_hash());
        transaction.into_signed(signature).into()
    }

    /// Signs an authorization (EIP-7702), which delegates this account to the code of another.
    pub fn authorize(&self, authorization: Authorization) -> SignedAuthorization {
        let signature = self.sign_digest(&authorization.signature_hash());
        authorization.into_signed(signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_depends_only_on_name() {
        assert_eq!(Key::named("alice").address(), Key::named("alice").address());
        assert_ne!(Key::named("alice").address(), Key::named("bob").address());
    }
}
