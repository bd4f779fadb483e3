//! Index of the blobs in memory, by versioned hash.

use crate::Sidecar;
use alloy_primitives::{B256, Bytes, map::B256Map};
use parking_lot::RwLock;
use std::{
    fmt,
    sync::{Arc, Weak},
};
use variants::BlobSource;

/// Blobs of transactions in pool and chain, by their versioned hashes.
///
/// The index stores weak references, so a blob is available as long as its sidecar is in memory:
/// while its transaction is in the pool, and while the node stores the block that includes it.
#[derive(Default)]
pub struct BlobStore {
    entries: RwLock<Entries>,
}

#[derive(Default)]
struct Entries {
    by_hash: B256Map<Vec<Place>>,
    /// Number of hashes at which entries of dropped sidecars are removed.
    sweep_at: usize,
}

/// Location of a blob: its sidecar, and its index there.
type Place = (Weak<Sidecar>, usize);

/// Minimum number of hashes before entries of dropped sidecars are removed.
const FEW: usize = 1_024;

impl fmt::Debug for BlobStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobStore").field("hashes", &self.len()).finish()
    }
}

impl BlobStore {
    /// Adds the blobs of a sidecar. The caller has verified their proofs; the versioned hashes are
    /// computed from the commitments.
    pub fn insert(&self, sidecar: &Arc<Sidecar>) {
        let mut entries = self.entries.write();
        for (index, hash) in sidecar.versioned_hashes().enumerate() {
            let places = entries.by_hash.entry(hash).or_default();
            places.retain(|(weak, _)| weak.strong_count() > 0);
            places.push((Arc::downgrade(sidecar), index));
        }
        if entries.by_hash.len() > entries.sweep_at.max(FEW) {
            entries.by_hash.retain(|_, places| {
                places.retain(|(weak, _)| weak.strong_count() > 0);
                !places.is_empty()
            });
            entries.sweep_at = 2 * entries.by_hash.len();
        }
    }

    /// Returns the number of indexed hashes, including those whose blobs were dropped.
    pub fn len(&self) -> usize {
        self.entries.read().by_hash.len()
    }

    /// Returns `true` if no hash is indexed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl BlobSource for BlobStore {
    fn blob(&self, versioned_hash: &B256) -> Option<Bytes> {
        let entries = self.entries.read();
        let mut places = entries.by_hash.get(versioned_hash)?.iter();
        places.find_map(|(sidecar, index)| {
            let sidecar = sidecar.upgrade()?;
            sidecar.blobs().get(*index).map(|blob| Bytes::copy_from_slice(blob.as_slice()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_eips::eip7594::BlobTransactionSidecarEip7594;
    use alloy_primitives::FixedBytes;

    /// Returns a sidecar of one blob, with an arbitrary commitment.
    fn sidecar(number: u64) -> Arc<Sidecar> {
        let mut commitment = FixedBytes::<48>::ZERO;
        commitment[..8].copy_from_slice(&number.to_be_bytes());
        let blob = FixedBytes::repeat_byte(number.to_le_bytes()[0]);
        let sidecar = BlobTransactionSidecarEip7594::new(vec![blob], vec![commitment], Vec::new());
        Arc::new(Sidecar::Eip7594(sidecar))
    }

    fn hash(sidecar: &Sidecar) -> B256 {
        sidecar.versioned_hashes().next().unwrap()
    }

    #[test]
    fn blob_is_available_while_a_sidecar_is_held() {
        let store = BlobStore::default();
        let (first, other) = (sidecar(1), sidecar(2));
        let (hash, other_hash) = (hash(&first), hash(&other));
        store.insert(&first);
        assert_eq!(store.blob(&hash).unwrap(), vec![1; 131_072]);
        assert_eq!(store.blob(&other_hash), None);
        // If two transactions have the same blob, one of them is sufficient.
        let again = Arc::new(Sidecar::clone(&first));
        store.insert(&again);
        drop(first);
        assert_eq!(store.blob(&hash).unwrap(), vec![1; 131_072]);
        drop(again);
        assert_eq!(store.blob(&hash), None);
    }

    #[test]
    fn entries_of_dropped_sidecars_are_removed() {
        let store = BlobStore::default();
        let live = sidecar(0);
        store.insert(&live);
        for number in 1..5_000 {
            store.insert(&sidecar(number));
        }
        assert!(store.len() <= FEW + 1, "{}", store.len());
        assert!(store.blob(&hash(&live)).is_some());
    }
}
