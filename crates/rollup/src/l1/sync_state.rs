//! Progress of the worker in reading L1 and deriving the L2.

use crate::{L1Error, status::bounded_text};
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(crate) struct FailedPoll {
    /// Text of the error. It is kept until the next poll, and the error may contain a whole
    /// response.
    pub(crate) error: String,
    /// `true` if a service of L1 is [unavailable for now](L1Error::is_outage).
    pub(crate) is_outage: bool,
    /// Number of the latest L1 block that was read.
    pub(crate) read: u64,
    /// Number of L1's latest block.
    pub(crate) latest: u64,
}

impl FailedPoll {
    pub(crate) fn new(error: &L1Error, read: u64, latest: u64) -> Self {
        Self { error: bounded_text(error), is_outage: error.is_outage(), read, latest }
    }
}

/// Progress of the worker, and the errors that keep it from continuing.
#[derive(Debug)]
pub(crate) struct L1SyncState {
    /// `true` once the L2 has been derived up to L1's head.
    pub(crate) is_synced: bool,
    /// `true` if L1 had more blocks than the last poll returned.
    pub(crate) has_more: bool,
    /// The last poll of L1, if it failed.
    pub(crate) unread: Option<FailedPoll>,
    /// Error of the last derivation, if it failed.
    pub(crate) not_followed: Option<String>,
    /// Time of the next attempt to derive, and the pause after that if it fails.
    pub(crate) again: Option<(Instant, Duration)>,
}

impl L1SyncState {
    pub(crate) const fn new() -> Self {
        let (unread, not_followed, again) = (None, None, None);
        Self { is_synced: false, has_more: true, unread, not_followed, again }
    }

    /// Returns `true` if blocks may be sealed. An outage of L1 does not prevent it: the sequencer
    /// itself bounds how long it continues without L1.
    pub(crate) fn may_seal(&self) -> bool {
        let is_believed = self.unread.as_ref().is_none_or(|failed| failed.is_outage);
        self.is_synced && self.not_followed.is_none() && is_believed
    }

    /// Returns the error that keeps the node from L1's head.
    pub(crate) fn fault(&self) -> Option<String> {
        let unread = self.unread.as_ref().map(|failed| failed.error.clone());
        unread.or_else(|| self.not_followed.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_json_rpc::{ErrorPayload, RpcError};
    use serde_json::json;

    #[test]
    fn failed_poll_keeps_bounded_text() {
        let failed = |response: &str| {
            let payload = json!({ "code": -32_000, "message": response }).to_string();
            let payload: ErrorPayload = serde_json::from_str(&payload).unwrap();
            let outage = L1Error::from(RpcError::<_>::ErrorResp(payload));
            let reason = response.to_owned();
            let other = L1Error::OtherRollup { rollup: Default::default(), reason };
            [outage, other].map(|error| FailedPoll::new(&error, 1, 2))
        };
        let [outage, other] = failed(&"x".repeat(1 << 20));
        assert!(outage.error.len() < 3_000 && other.error.len() < 3_000);
        assert_eq!((outage.is_outage, other.is_outage), (true, false));
        for poll in failed("no funds") {
            assert!(poll.error.contains("no funds"), "{}", poll.error);
        }
    }
}
