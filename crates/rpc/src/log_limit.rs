//! Rate limit for log lines that remote clients can cause.
//!
//! One line per refusal would let a single socket write megabytes per second, and fill the disk
//! that the pool's file needs.

use parking_lot::Mutex;
use std::time::{Duration, Instant};

/// Default minimum time between two lines of one kind.
const INTERVAL: Duration = Duration::from_secs(1);

/// Admits one line of a kind per interval and counts the suppressed ones.
#[derive(Debug)]
pub struct LogLimit {
    interval: Duration,
    state: Mutex<(Option<Instant>, u64)>,
}

impl LogLimit {
    /// Creates a limit that admits the next line, and then one per second.
    pub const fn new() -> Self {
        Self::every(INTERVAL)
    }

    /// Like [`Self::new`], with another interval.
    pub const fn every(interval: Duration) -> Self {
        Self { interval, state: Mutex::new((None, 0)) }
    }

    /// Returns the number of suppressed lines since the last one if another may be written now.
    pub fn admit(&self) -> Option<u64> {
        self.admit_at(Instant::now())
    }

    fn admit_at(&self, now: Instant) -> Option<u64> {
        let (last, left_out) = &mut *self.state.lock();
        if last.is_some_and(|last| now.saturating_duration_since(last) < self.interval) {
            *left_out += 1;
            return None;
        }
        *last = Some(now);
        Some(core::mem::take(left_out))
    }
}

impl Default for LogLimit {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limit_admits_one_line_per_second() {
        let (limit, begun) = (LogLimit::new(), Instant::now());
        assert_eq!(limit.admit_at(begun), Some(0));
        for milliseconds in 0..999 {
            assert_eq!(limit.admit_at(begun + Duration::from_millis(milliseconds)), None);
        }
        assert_eq!(limit.admit_at(begun + INTERVAL), Some(999));
        assert_eq!(limit.admit_at(begun + INTERVAL), None);
        assert_eq!(limit.admit_at(begun + 2 * INTERVAL), Some(1));
        let rare = LogLimit::every(2 * INTERVAL);
        assert_eq!(rare.admit_at(begun), Some(0));
        assert_eq!(rare.admit_at(begun + INTERVAL), None);
        assert_eq!(rare.admit_at(begun + 2 * INTERVAL), Some(1));
    }
}
