//! Blobs of test transactions.

use crate::HarnessError;
use alloy_eips::eip4844::{c_kzg, env_settings::EnvKzgSettings, kzg_to_versioned_hash};
use alloy_primitives::{B256, Bytes};
use std::{
    collections::BTreeMap,
    sync::{PoisonError, RwLock},
};
use variants::BlobSource;

/// Blobs of a chain in this process, by their versioned hashes. They are never removed.
#[derive(Debug, Default)]
pub struct Blobs(RwLock<BTreeMap<B256, Bytes>>);

impl Blobs {
    /// Stores a blob and returns its versioned hash.
    ///
    /// # Errors
    ///
    /// [`HarnessError::Blob`] if the blob is malformed.
    pub fn keep(&self, blob: &[u8]) -> Result<B256, HarnessError> {
        let failed = |error: c_kzg::Error| HarnessError::Blob(format!("{error:?}"));
        let whole = c_kzg::Blob::from_bytes(blob).map_err(failed)?;
        let settings = EnvKzgSettings::Default;
        let commitment = settings.get().blob_to_kzg_commitment(&whole).map_err(failed)?;
        let hash = kzg_to_versioned_hash(commitment.to_bytes().as_slice());
        let mut blobs = self.0.write().unwrap_or_else(PoisonError::into_inner);
        blobs.insert(hash, Bytes::copy_from_slice(blob));
        Ok(hash)
    }
}

impl BlobSource for Blobs {
    fn blob(&self, versioned_hash: &B256) -> Option<Bytes> {
        let blobs = self.0.read().unwrap_or_else(PoisonError::into_inner);
        blobs.get(versioned_hash).cloned()
    }
}
