//! How far the worker has read L1, and derived the L2 from it.

use crate::RollupError;
use std::time::{Duration, Instant};

/// A failed poll of L1.
#[derive(Debug)]
pub(crate) struct FailedPoll {
    pub(crate) error: RollupError,
    /// Number of the newest L1 block that was read, and of the newest one.
    pub(crate) read: u64,
    pub(crate) latest: u64,
}

/// How far L1 has been read, and what keeps the worker from going on.
#[derive(Debug)]
pub(crate) struct L1SyncState {
    /// `true` once the L2 has been derived up to L1's head.
    pub(crate) is_synced: bool,
    /// `true` if L1 had more blocks than the last read returned.
    pub(crate) has_more: bool,
    /// Error of the last read of L1, if it failed.
    pub(crate) unread: Option<FailedPoll>,
    /// Error of the last derivation, if it failed.
    pub(crate) not_followed: Option<String>,
    /// Time of the next derivation, and the pause after that if it fails.
    pub(crate) again: Option<(Instant, Duration)>,
}

impl L1SyncState {
    pub(crate) const fn new() -> Self {
        let (unread, not_followed, again) = (None, None, None);
        Self { is_synced: false, has_more: true, unread, not_followed, again }
    }

    /// Returns `true` if blocks may be made. An outage of L1 does not stop them: the sequencer
    /// bounds how long it continues without L1.
    pub(crate) fn may_seal(&self) -> bool {
        let is_believed = self.unread.as_ref().is_none_or(|failed| failed.error.is_outage());
        self.is_synced && self.not_followed.is_none() && is_believed
    }

    /// Returns the error that keeps the node from L1's head.
    pub(crate) fn fault(&self) -> Option<String> {
        let unread = self.unread.as_ref().map(|failed| failed.error.to_string());
        unread.or_else(|| self.not_followed.clone())
    }
}
