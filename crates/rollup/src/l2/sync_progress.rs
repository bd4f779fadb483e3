//! Progress log of a syncing node.

use std::time::{Duration, Instant};

/// Interval between two log lines.
const INTERVAL: Duration = Duration::from_secs(5);

/// Sync progress from the first L1 block read to the latest.
#[derive(Debug, Default)]
pub(crate) struct SyncProgress {
    begun: Option<(Instant, u64)>,
    logged: Option<Instant>,
}

impl SyncProgress {
    /// Records that L1 blocks up to `read` of `latest` have been read, and logs this at most once
    /// per [`INTERVAL`]; `l2` is the number of the latest L2 block.
    pub(crate) fn note(&mut self, read: u64, latest: u64, l2: u64) {
        let now = Instant::now();
        let (begun, from) = *self.begun.get_or_insert((now, read));
        if self.logged.is_some_and(|logged| now - logged < INTERVAL) {
            return;
        }
        self.logged = Some(now);
        let seconds_left =
            seconds_left(now - begun, read.saturating_sub(from), latest.saturating_sub(read));
        tracing::info!(read, latest, l2, seconds_left, "syncing with L1");
    }

    pub(crate) fn end(&mut self) {
        if self.logged.is_some() {
            tracing::info!("synced with L1");
        }
        *self = Self::default();
    }
}

/// Estimates the seconds for the remaining blocks; `None` before the first one was read.
fn seconds_left(elapsed: Duration, done: u64, rest: u64) -> Option<u64> {
    // Checked arithmetic: `done` may be zero, and an L1 node may return any height.
    let millis = elapsed.as_millis().checked_mul(rest.into())?.checked_div(done.into())?;
    u64::try_from(millis / 1_000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remaining_time_is_proportional_to_remaining_blocks() {
        let elapsed = Duration::from_secs(10);
        assert_eq!(seconds_left(elapsed, 100, 1_000), Some(100));
        assert_eq!(seconds_left(elapsed, 100, 0), Some(0));
        assert_eq!(seconds_left(elapsed, 0, 1_000), None);
    }
}
