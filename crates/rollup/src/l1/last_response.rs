//! Time of L1's last response.

use parking_lot::Mutex;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Instant of L1's last response to any thread. The health check computes its age from the instant,
/// so the age is correct even while all threads wait for L1.
#[derive(Debug, Clone, Default)]
pub(crate) struct LastResponse(Arc<Mutex<Option<Instant>>>);

impl LastResponse {
    pub(crate) fn note(&self, now: Instant) {
        let mut last = self.0.lock();
        *last = Some(last.map_or(now, |last| last.max(now)));
    }

    /// Returns the time since the last response; `None` before the first.
    pub(crate) fn age(&self, now: Instant) -> Option<Duration> {
        self.0.lock().map(|last| now.saturating_duration_since(last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_counts_from_newest_response() {
        let (answered, begun) = (LastResponse::default(), Instant::now());
        let after = |seconds| begun + Duration::from_secs(seconds);
        assert_eq!(answered.age(after(9)), None);
        answered.note(after(3));
        // An older response that is recorded late does not lower the instant.
        answered.note(after(1));
        assert_eq!(answered.age(after(9)), Some(Duration::from_secs(6)));
        assert_eq!(answered.age(after(2)), Some(Duration::ZERO));
    }
}
