//! Time of L1's last answer.

use parking_lot::Mutex;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Instant of L1's last answer to any thread. The health check computes its age, so it is right
/// even while all threads that ask L1 wait.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answered(Arc<Mutex<Option<Instant>>>);

impl Answered {
    /// Records an answer.
    pub(crate) fn note(&self, now: Instant) {
        let mut last = self.0.lock();
        *last = Some(last.map_or(now, |last| last.max(now)));
    }

    /// Time since the last answer; `None` if there was none yet.
    pub(crate) fn age(&self, now: Instant) -> Option<Duration> {
        self.0.lock().map(|last| now.saturating_duration_since(last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_counts_from_the_newest_answer_and_there_is_none_before_the_first() {
        let (answered, begun) = (Answered::default(), Instant::now());
        let after = |seconds| begun + Duration::from_secs(seconds);
        assert_eq!(answered.age(after(9)), None);
        answered.note(after(3));
        // An answer that is noted late takes nothing back.
        answered.note(after(1));
        assert_eq!(answered.age(after(9)), Some(Duration::from_secs(6)));
        assert_eq!(answered.age(after(2)), Some(Duration::ZERO));
    }
}
