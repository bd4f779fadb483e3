//! The addresses that a client has left, and for how long.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// Time for which an address is left after its first failure; it doubles with each further one.
const FIRST: Duration = Duration::from_secs(1);
/// Longest time for which an address is left.
const LONGEST: Duration = Duration::from_secs(300);
/// Time without a failure after which an address counts as one that never failed.
const FORGIVEN: Duration = Duration::from_secs(600);

/// Failures of each address of a client.
#[derive(Debug)]
pub(crate) struct Rest(Mutex<Vec<Failures>>);

#[derive(Debug, Clone, Copy, Default)]
struct Failures {
    count: u32,
    last: Option<Instant>,
}

impl Failures {
    fn note(&mut self, now: Instant) {
        let is_forgiven = self.last.is_some_and(|last| now.duration_since(last) >= FORGIVEN);
        self.count = if is_forgiven { 1 } else { self.count.saturating_add(1) };
        self.last = Some(now);
    }

    /// Time until the address is asked again.
    fn rest(&self, now: Instant) -> Duration {
        let Some(last) = self.last else { return Duration::ZERO };
        let factor = 1_u32.checked_shl(self.count.saturating_sub(1)).unwrap_or(u32::MAX);
        let rest = FIRST.saturating_mul(factor).min(LONGEST);
        rest.saturating_sub(now.saturating_duration_since(last))
    }
}

impl Rest {
    /// No address has failed yet.
    pub(crate) fn of(addresses: usize) -> Self {
        Self(Mutex::new(vec![Failures::default(); addresses]))
    }

    /// Notes that the address of a turn has failed, and moves to the turn of the next one, unless a
    /// request side by side has done so.
    pub(crate) fn leave(&self, turn: &AtomicUsize, failed: usize, now: Instant) {
        // A thread that panicked has left the numbers whole.
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, so that one failure of an address counts once.
        if turn.load(Ordering::Relaxed) == failed {
            turn.store(Self::next(&mut all, failed, now), Ordering::Relaxed);
        }
    }

    /// Turn of the first address that is not left, or else of the one that is asked again first.
    fn next(all: &mut [Failures], turn: usize, now: Instant) -> usize {
        let count = all.len();
        if let Some(failed) = all.get_mut(turn % count.max(1)) {
            failed.note(now);
        }
        let after = (1..=count).map(|step| turn.wrapping_add(step));
        let rest = |turn: &usize| all.get(turn % count).map_or(LONGEST, |it| it.rest(now));
        after.min_by_key(rest).unwrap_or_else(|| turn.wrapping_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The turn after that of a failed address.
    fn next(rest: &Rest, failed: usize, now: Instant) -> usize {
        let turn = AtomicUsize::new(failed);
        rest.leave(&turn, failed, now);
        turn.into_inner()
    }

    #[test]
    fn an_address_is_left_for_twice_as_long_each_time() {
        let (rest, begun) = (Rest::of(3), Instant::now());
        // The second address fails whenever it is asked.
        assert_eq!(next(&rest, 1, begun), 2);
        let mut now = begun;
        for doubled in 1..9 {
            // While it is left, a failure of another goes to the third one.
            let left_for = FIRST * (1 << (doubled - 1));
            assert_eq!(next(&rest, 0, now + left_for / 2) % 3, 2, "{doubled}");
            now += FORGIVEN / 2;
            assert_eq!(next(&rest, 1, now), 2);
        }
        // After a long time without a failure it is asked like any other.
        assert_eq!(next(&rest, 0, now + 2 * FORGIVEN), 1);
    }

    #[test]
    fn when_all_have_failed_the_first_of_them_is_asked() {
        let (rest, now) = (Rest::of(2), Instant::now());
        assert_eq!(next(&rest, 0, now), 1);
        assert_eq!(next(&rest, 1, now + Duration::from_millis(10)), 2);
        // The first one has failed twice by now, and is left for longer.
        assert_eq!(next(&rest, 2, now + Duration::from_millis(20)), 3);
    }

    #[test]
    fn requests_side_by_side_leave_an_address_once() {
        let (rest, now, turn) = (Rest::of(2), Instant::now(), AtomicUsize::new(0));
        rest.leave(&turn, 0, now);
        rest.leave(&turn, 0, now);
        assert_eq!(turn.load(Ordering::Relaxed), 1);
        rest.leave(&turn, 1, now + Duration::from_millis(10));
        assert_eq!(turn.load(Ordering::Relaxed), 2);
        rest.leave(&turn, 2, now + FIRST / 2);
        assert_eq!(turn.load(Ordering::Relaxed), 3);
    }
}
