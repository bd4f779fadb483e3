//! Source of the data that L1 blocks refer to.

use alloy_primitives::{
    Address, B256, Bytes,
    map::{AddressMap, B256Map},
};
use contracts::code_reference::CodeReference;
use std::collections::BTreeSet;

/// Source of the data to which L1 blocks refer: blobs and kept codes.
/// All methods return `None` for data that has not been fetched, so that
/// [`derive()`](crate::derive) reports them as a [`RequiredData`]. Implementations must not block; the
/// caller fetches missing data.
///
/// The data is not trusted: an input is only used if it contains the blocks that the rollup has
/// logged.
pub trait DataAvailability {
    /// Returns the blob with this versioned hash.
    fn blob(&self, hash: &B256) -> Option<&Bytes>;
    /// Returns the bytes that an account stores as its code, or `Some(None)` if it stores none.
    fn kept_code(&self, account: &Address) -> Option<Option<&CodeReference>>;
}

/// Data that a derivation lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequiredData {
    /// This transaction's blobs, by their versioned hashes.
    Blobs(B256, Vec<B256>),
    /// The codes of these accounts: all to which the inputs of a transaction refer.
    Codes(BTreeSet<Address>),
}

/// Data fetched for one L1 block, in memory.
#[derive(Debug, Clone, Default)]
pub struct FetchedData {
    /// Blobs, by their versioned hashes.
    pub blobs: B256Map<Bytes>,
    /// Kept codes, by account; `None` for an account without one.
    pub codes: AddressMap<Option<CodeReference>>,
}

impl DataAvailability for FetchedData {
    fn blob(&self, hash: &B256) -> Option<&Bytes> {
        self.blobs.get(hash)
    }

    fn kept_code(&self, account: &Address) -> Option<Option<&CodeReference>> {
        self.codes.get(account).map(Option::as_ref)
    }
}
