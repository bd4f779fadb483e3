//! A bound on waiting, the one place where tests look at the wall clock.

use std::time::{Duration, Instant};

/// Bound on waiting for an event, so that a test whose event never comes fails and does not hang.
///
/// No assertion depends on its length: it is many times the duration of any wait on a busy machine.
#[derive(Debug)]
pub struct Patience {
    begun: Instant,
    limit: Duration,
}

impl Patience {
    /// Longest wait of [`Self::begin`].
    pub const LIMIT: Duration = Duration::from_secs(180);

    /// Begins to wait, for [`Self::LIMIT`].
    pub fn begin() -> Self {
        Self::of(Self::LIMIT)
    }

    /// Begins to wait, for `limit`.
    pub fn of(limit: Duration) -> Self {
        Self { begun: Instant::now(), limit }
    }

    /// Time since the beginning, for a figure that a test prints. No assertion may depend on it.
    pub fn spent(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Returns `true` until the wait has been too long.
    pub fn lasts(&self) -> bool {
        self.begun.elapsed() <= self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_ends() {
        assert!(Patience::begin().lasts());
        let short = Patience::of(Duration::ZERO);
        while short.lasts() {
            std::thread::yield_now();
        }
    }
}
