//! Keys that sign for a node.

use crate::RollupError;
use alloy_consensus::{SignableTransaction, Signed};
use alloy_primitives::{Address, B256, Signature};
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;
use executor::Transaction;

/// A key, and the account that it signs for. Its secret is not shown.
#[derive(Clone)]
pub struct Signer(PrivateKeySigner);

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
        key.map(Self).map_err(|error| RollupError::Config { field, reason: error.to_string() })
    }

    /// Its account.
    pub const fn address(&self) -> Address {
        self.0.address()
    }

    /// Signs a transaction.
    ///
    /// # Errors
    ///
    /// [`RollupError::Config`] if the key does not sign.
    pub fn sign<T>(&self, transaction: T) -> Result<Transaction, RollupError>
    where
        T: SignableTransaction<Signature>,
        Signed<T>: Into<Transaction>,
    {
        let signature = self.0.sign_hash_sync(&transaction.signature_hash());
        let signature = signature
            .map_err(|error| RollupError::Config { field: "key", reason: error.to_string() })?;
        Ok(transaction.into_signed(signature).into())
    }
}
