//! Backoff of failed addresses.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// Backoff of an address after its first failure; it doubles with each further failure.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
/// Maximum backoff of an address.
const MAX_BACKOFF: Duration = Duration::from_secs(300);
/// Time without a failure after which the failure count of an address is reset.
const RESET_AFTER: Duration = Duration::from_secs(600);

/// Failures of each address of a client, in the order of the addresses.
#[derive(Debug)]
pub(crate) struct Backoffs(Mutex<Vec<Failures>>);

#[derive(Debug, Clone, Copy, Default)]
struct Failures {
    count: u32,
    last: Option<Instant>,
}

impl Failures {
    fn record(&mut self, now: Instant) {
        let is_reset = self.last.is_some_and(|last| now.duration_since(last) >= RESET_AFTER);
        self.count = if is_reset { 1 } else { self.count.saturating_add(1) };
        self.last = Some(now);
    }

    /// Returns the remaining backoff.
    fn remaining(&self, now: Instant) -> Duration {
        let Some(last) = self.last else { return Duration::ZERO };
        let factor = 1_u32.checked_shl(self.count.saturating_sub(1)).unwrap_or(u32::MAX);
        let backoff = FIRST_BACKOFF.saturating_mul(factor).min(MAX_BACKOFF);
        backoff.saturating_sub(now.saturating_duration_since(last))
    }
}

impl Backoffs {
    /// Creates the state for this number of addresses, without failures.
    pub(crate) fn of(addresses: usize) -> Self {
        Self(Mutex::new(vec![Failures::default(); addresses]))
    }

    /// Records a failure of the turn's address and advances to the next turn, unless a concurrent
    /// request has already done so.
    pub(crate) fn switch(&self, turn: &AtomicUsize, failed: usize, now: Instant) {
        // The counts are consistent even if a thread panicked while it held the lock.
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Checked under the lock, so that concurrent failures of an address count once.
        if turn.load(Ordering::Relaxed) == failed {
            turn.store(Self::next(&mut all, failed, now), Ordering::Relaxed);
        }
    }

    /// Records a failure of the turn's address, and returns the next turn whose address has no
    /// backoff, or else the shortest remaining one.
    fn next(all: &mut [Failures], turn: usize, now: Instant) -> usize {
        let count = all.len();
        if let Some(failed) = all.get_mut(turn % count.max(1)) {
            failed.record(now);
        }
        let after = (1..=count).map(|step| turn.wrapping_add(step));
        let wait = |turn: &usize| {
            all.get(turn % count).map_or(MAX_BACKOFF, |backoff| backoff.remaining(now))
        };
        after.min_by_key(wait).unwrap_or_else(|| turn.wrapping_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the turn after a failure at `failed`.
    fn next(backoffs: &Backoffs, failed: usize, now: Instant) -> usize {
        let turn = AtomicUsize::new(failed);
        backoffs.switch(&turn, failed, now);
        turn.into_inner()
    }

    #[test]
    fn backoff_doubles_with_each_failure() {
        let (backoffs, begun) = (Backoffs::of(3), Instant::now());
        // The second address fails each time.
        assert_eq!(next(&backoffs, 1, begun), 2);
        let mut now = begun;
        for doubled in 1..9 {
            // During its backoff, a failure of the first address moves to the third.
            let left_for = FIRST_BACKOFF * (1 << (doubled - 1));
            assert_eq!(next(&backoffs, 0, now + left_for / 2) % 3, 2, "{doubled}");
            now += RESET_AFTER / 2;
            assert_eq!(next(&backoffs, 1, now), 2);
        }
        // After a long time without a failure, it is used like any other address.
        assert_eq!(next(&backoffs, 0, now + 2 * RESET_AFTER), 1);
    }

    #[test]
    fn all_failed_addresses_use_shortest_backoff() {
        let (backoffs, now) = (Backoffs::of(2), Instant::now());
        assert_eq!(next(&backoffs, 0, now), 1);
        assert_eq!(next(&backoffs, 1, now + Duration::from_millis(10)), 2);
        // The first address has failed twice by now and has the longer backoff.
        assert_eq!(next(&backoffs, 2, now + Duration::from_millis(20)), 3);
    }

    #[test]
    fn concurrent_failures_count_once() {
        let (backoffs, now, turn) = (Backoffs::of(2), Instant::now(), AtomicUsize::new(0));
        backoffs.switch(&turn, 0, now);
        backoffs.switch(&turn, 0, now);
        assert_eq!(turn.load(Ordering::Relaxed), 1);
        backoffs.switch(&turn, 1, now + Duration::from_millis(10));
        assert_eq!(turn.load(Ordering::Relaxed), 2);
        backoffs.switch(&turn, 2, now + FIRST_BACKOFF / 2);
        assert_eq!(turn.load(Ordering::Relaxed), 3);
    }
}
