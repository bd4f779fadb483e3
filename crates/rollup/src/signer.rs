//! Keys that sign for a node.

use crate::{
    RollupError,
    web3signer::{SignerError, Web3Signer},
};
use alloy_consensus::{SignableTransaction, Signed};
use alloy_primitives::{Address, B256, Signature, keccak256};
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;
use executor::Transaction;
use std::{sync::Arc, time::Duration};

/// A key, in this process or behind a remote signer, and the account that it signs for. No secret is shown.
#[derive(Clone)]
pub struct Signer(Key);

#[derive(Clone)]
enum Key {
    Local(PrivateKeySigner),
    Remote(Arc<Web3Signer>),
}

impl core::fmt::Debug for Signer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Signer").field(&self.address()).finish()
    }
}

impl Signer {
    /// The key with this secret.
    ///
    /// # Errors
    ///
    /// [`RollupError::Config`] for zero and numbers beyond the order of the curve.
    pub fn new(field: &'static str, secret: B256) -> Result<Self, RollupError> {
        let key = PrivateKeySigner::from_bytes(&secret);
        key.map(|key| Self(Key::Local(key)))
            .map_err(|error| RollupError::Config { field, reason: error.to_string() })
    }

    /// The key of an account that a Web3Signer at this URL holds. Nothing is sent yet, and each signature is compared
    /// with the account.
    ///
    /// # Errors
    ///
    /// [`RollupError::Signer`] if the URL is malformed.
    pub fn remote(url: &str, account: Address) -> Result<Self, RollupError> {
        Ok(Self(Key::Remote(Arc::new(Web3Signer::new(url, account)?))))
    }

    /// Its account.
    pub fn address(&self) -> Address {
        match &self.0 {
            Key::Local(key) => key.address(),
            Key::Remote(signer) => signer.account(),
        }
    }

    /// Returns `None` for a key of this process, and else the outcome of asking the remote signer for the key.
    pub(crate) fn ask_remote(&self) -> Option<Result<String, SignerError>> {
        match &self.0 {
            Key::Local(_) => None,
            Key::Remote(signer) => Some(signer.identifier()),
        }
    }

    /// Signs a transaction.
    ///
    /// # Errors
    ///
    /// [`RollupError::Config`] if the key does not sign, and [`RollupError::Signer`] if the remote signer gives no correct
    /// signature in time.
    pub fn sign<T>(&self, transaction: T) -> Result<Transaction, RollupError>
    where
        T: SignableTransaction<Signature>,
        Signed<T>: Into<Transaction>,
    {
        let hash = transaction.signature_hash();
        let signature = match &self.0 {
            Key::Local(key) => signed_by(key, &hash)?,
            Key::Remote(signer) => signer.sign(&transaction.encoded_for_signing(), hash)?,
        };
        Ok(transaction.into_signed(signature).into())
    }

    /// Signs the Keccak hash of data, which must not be a transaction.
    pub(crate) fn sign_data(&self, data: &[u8]) -> Result<Signature, RollupError> {
        let hash = keccak256(data);
        match &self.0 {
            Key::Local(key) => signed_by(key, &hash),
            Key::Remote(signer) => Ok(signer.sign(data, hash)?),
        }
    }

    /// Signs a transaction of a block, for which a remote signer has this time. A signature that comes later is there for
    /// the next call with the same transaction.
    ///
    /// # Errors
    ///
    /// [`SignerError::Pending`] if the remote signer has not answered in time, and the errors of [`Self::sign`].
    pub(crate) fn sign_within<T>(
        &self,
        transaction: T,
        wait: Duration,
    ) -> Result<Transaction, RollupError>
    where
        T: SignableTransaction<Signature>,
        Signed<T>: Into<Transaction>,
    {
        let hash = transaction.signature_hash();
        let signature = match &self.0 {
            Key::Local(key) => signed_by(key, &hash)?,
            Key::Remote(signer) => {
                signer.sign_within(transaction.encoded_for_signing(), hash, wait)?
            }
        };
        Ok(transaction.into_signed(signature).into())
    }
}

fn signed_by(key: &PrivateKeySigner, hash: &B256) -> Result<Signature, RollupError> {
    let signature = key.sign_hash_sync(hash);
    signature.map_err(|error| RollupError::Config { field: "key", reason: error.to_string() })
}
