//! A time limit for waiting, the only place where tests read the wall clock.

use std::time::{Duration, Instant};

/// Time limit for waiting for an event, so that a test whose event never occurs fails and does not
/// hang.
///
/// No assertion may depend on the limit, which is many times longer than any wait on a busy
/// machine.
#[derive(Debug)]
pub struct Timeout {
    begun: Instant,
    limit: Duration,
}

impl Timeout {
    /// Time limit of [`Self::begin`].
    pub const LIMIT: Duration = Duration::from_secs(180);

    /// Starts to wait for at most [`Self::LIMIT`].
    pub fn begin() -> Self {
        Self::of(Self::LIMIT)
    }

    /// Starts to wait for at most `limit`.
    pub fn of(limit: Duration) -> Self {
        Self { begun: Instant::now(), limit }
    }

    /// Returns the time since the start, for output of a test. No assertion may depend on it.
    pub fn spent(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Returns `true` until the limit is exceeded.
    pub fn lasts(&self) -> bool {
        self.begun.elapsed() <= self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_ends() {
        assert!(Timeout::begin().lasts());
        let short = Timeout::of(Duration::ZERO);
        while short.lasts() {
            std::thread::yield_now();
        }
    }
}
