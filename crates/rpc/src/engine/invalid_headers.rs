//! Cache of invalid headers.

use alloy_primitives::B256;
use parking_lot::Mutex;
use std::collections::VecDeque;

/// Maximum number of cached headers; the oldest is dropped when a new one exceeds it.
const MAX_HEADERS: usize = 256;

/// The most recent invalid headers by hash.
#[derive(Debug, Default)]
pub(crate) struct InvalidHeaderCache(Mutex<VecDeque<(B256, Invalid)>>);

/// Reason for which a payload is invalid.
#[derive(Debug, Clone)]
pub(crate) struct Invalid {
    /// The newest valid ancestor.
    pub(crate) latest_valid: B256,
    pub(crate) reason: String,
}

impl InvalidHeaderCache {
    pub(crate) fn get(&self, hash: &B256) -> Option<Invalid> {
        let headers = self.0.lock();
        headers.iter().find(|(known, _)| known == hash).map(|(_, invalid)| invalid.clone())
    }

    pub(crate) fn insert(&self, hash: B256, invalid: Invalid) {
        let mut headers = self.0.lock();
        if headers.iter().all(|(known, _)| *known != hash) {
            headers.push_back((hash, invalid));
        }
        if headers.len() > MAX_HEADERS {
            headers.pop_front();
        }
    }
}
