//! Signers of a node.

mod error;
mod web3signer;

pub use error::SignerError;

use crate::signer::web3signer::Web3Signer;
use alloy_consensus::{SignableTransaction, Signed};
use alloy_primitives::{Address, B256, Signature, keccak256};
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;
use executor::{Transaction, recover_sender};
use preconf::{Domain, Preconfirmation};
use std::{sync::Arc, time::Duration};

/// A key with its account, either local or at a remote signer. `Debug` does not print secrets.
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
    /// Creates a signer with a local secret. Errors contain the configuration `field`.
    ///
    /// # Errors
    ///
    /// [`SignerError::Key`] if the secret is zero or not below the order of the curve.
    pub fn new(field: &'static str, secret: B256) -> Result<Self, SignerError> {
        let key = PrivateKeySigner::from_bytes(&secret);
        key.map(|key| Self(Key::Local(key)))
            .map_err(|error| SignerError::Key { field, reason: error.to_string() })
    }

    /// Creates a signer for an account at a Web3Signer. Sends no request yet; each signature is
    /// verified against the account.
    ///
    /// # Errors
    ///
    /// [`SignerError`] if the URL is malformed.
    pub fn remote(url: &str, account: Address) -> Result<Self, SignerError> {
        Ok(Self(Key::Remote(Arc::new(Web3Signer::new(url, account)?))))
    }

    /// Returns the address of the account.
    pub fn address(&self) -> Address {
        match &self.0 {
            Key::Local(key) => key.address(),
            Key::Remote(signer) => signer.account(),
        }
    }

    /// Returns `true` if the key is local.
    pub(crate) const fn is_local(&self) -> bool {
        matches!(self.0, Key::Local(_))
    }

    /// Requests the public key of the account from the remote signer; `None` for a local key.
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
    /// [`SignerError::Key`] if the local key cannot sign, and [`SignerError`] if the
    /// remote signer returns no valid signature in time.
    pub fn sign<T>(&self, transaction: T) -> Result<Transaction, SignerError>
    where
        T: SignableTransaction<Signature>,
        Signed<T>: Into<Transaction>,
    {
        let hash = transaction.signature_hash();
        let signature = match &self.0 {
            Key::Local(key) => signed_by(key, &hash)?,
            Key::Remote(signer) => signer.sign(&transaction.encoded_for_signing(), hash)?,
        };
        self.checked(transaction.into_signed(signature).into())
    }

    /// Signs the Keccak hash of data, which must not be the encoding of a transaction.
    pub(crate) fn sign_data(&self, data: &[u8]) -> Result<Signature, SignerError> {
        let hash = keccak256(data);
        match &self.0 {
            Key::Local(key) => signed_by(key, &hash),
            Key::Remote(signer) => Ok(signer.sign(data, hash)?),
        }
    }

    pub(crate) fn sign_preconfirmation(
        &self,
        domain: Domain,
        message: &Preconfirmation,
    ) -> Result<Signature, SignerError> {
        self.sign_typed(domain, message.struct_hash())
    }

    /// Signs typed data (EIP-712) with this struct hash. The data for a remote signer begins with
    /// `0x1901`, unlike any transaction.
    ///
    /// # Errors
    ///
    /// Same as [`Self::sign`].
    pub fn sign_typed(&self, domain: Domain, struct_hash: B256) -> Result<Signature, SignerError> {
        let separator = domain.separator();
        self.sign_data(&[&[0x19, 0x01][..], separator.as_slice(), struct_hash.as_slice()].concat())
    }

    /// Signs a transaction of a block, and waits at most `wait` for a remote signer. A signature
    /// that arrives later is returned by the next call with the same transaction.
    ///
    /// # Errors
    ///
    /// [`SignerError::Pending`] if the remote signer has not responded in time, and the errors of
    /// [`Self::sign`].
    pub(crate) fn sign_within<T>(
        &self,
        transaction: T,
        wait: Duration,
    ) -> Result<Transaction, SignerError>
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
        self.checked(transaction.into_signed(signature).into())
    }

    /// Recovers the sender as EXECUTE does, because the block builder does not recover it again.
    fn checked(&self, transaction: Transaction) -> Result<Transaction, SignerError> {
        let (got, expected) = (recover_sender(&transaction), self.address());
        if got != Some(expected) {
            return Err(SignerError::Unrecoverable { got, expected });
        }
        Ok(transaction)
    }
}

fn signed_by(key: &PrivateKeySigner, hash: &B256) -> Result<Signature, SignerError> {
    let signature = key.sign_hash_sync(hash);
    signature.map_err(|error| SignerError::Key { field: "key", reason: error.to_string() })
}
