//! The time on L1, estimated between its answers.

use std::time::{Duration, Instant};

/// Estimate of L1's time. It runs as fast as the local clock, at any local time, and stays between L1's head and
/// L1's next block. For the latter some L1 nodes report the present, others the next slot, and a development node
/// may stand still or be years away.
///
/// While L1 is silent, the upper bound also grows by the time since the clock was set, unless L1 stood still then.
#[derive(Debug, Clone, Copy)]
pub(crate) struct L1Clock {
    /// L1's time, and the local time at which it was set.
    shown: Option<(u64, Instant)>,
    /// Timestamps of L1's head and of its next block.
    bounds: (u64, u64),
    /// Local time at which the clock was last set.
    set: Option<Instant>,
    /// Local time at which the timestamp of L1's next block last advanced.
    moved: Option<Instant>,
    /// `true` if L1's time was advancing at the last look.
    goes_on: bool,
}

/// Time without a later timestamp of L1's next block after which L1 counts as standing still, although the clock
/// has reached that timestamp. Clocks that tick at different moments of a second differ by less than one, and an
/// answer may be late.
const STANDSTILL: Duration = Duration::from_secs(4);

impl L1Clock {
    /// A clock that is not set.
    pub(crate) const fn new() -> Self {
        Self { shown: None, bounds: (0, 0), set: None, moved: None, goes_on: false }
    }

    /// Sets the clock by the timestamps of L1's head and next block.
    pub(crate) fn set(&mut self, now: Instant, head: u64, next: u64) {
        let running = self.shown.map(|(time, at)| time + since(now, at).as_secs());
        if self.set.is_some() && next > self.bounds.1 {
            self.moved = Some(now);
        }
        (self.bounds, self.set) = ((head, next), Some(now));
        let bounded = running.unwrap_or(next).clamp(head, next);
        // With slots it does not move for long, and is ahead of ours then.
        self.goes_on =
            self.moved.is_some_and(|moved| bounded < next || since(now, moved) < STANDSTILL);
        // As long as it is within bounds it goes on as it is, so that no second is lost to rounding.
        if running != Some(bounded) {
            self.shown = Some((bounded, now));
        }
    }

    /// The time, at most the last reported timestamp of L1's next block.
    pub(crate) fn at(&self, now: Instant) -> u64 {
        let (head, next) = self.bounds;
        self.running(now).clamp(head, next)
    }

    /// Time for a new block: as [`Self::at`], but advancing while L1 is silent.
    pub(crate) fn for_block(&self, now: Instant) -> u64 {
        let (head, _) = self.bounds;
        self.running(now).clamp(head, self.next_block(now))
    }

    /// Timestamp of L1's next block: the reported one, plus the time since the report.
    pub(crate) fn next_block(&self, now: Instant) -> u64 {
        let silent = if self.goes_on { self.age(now).as_secs() } else { 0 };
        self.bounds.1.saturating_add(silent)
    }

    /// Time since the clock was set; zero if it was not.
    pub(crate) fn age(&self, now: Instant) -> Duration {
        self.set.map_or(Duration::ZERO, |set| since(now, set))
    }

    fn running(&self, now: Instant) -> u64 {
        let (time, at) = self.shown.unwrap_or((self.bounds.0, now));
        time.saturating_add(since(now, at).as_secs())
    }
}

fn since(now: Instant, earlier: Instant) -> Duration {
    now.saturating_duration_since(earlier)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn it_never_shows_more_than_the_next_block_and_never_less_than_the_head() {
        let begun = Instant::now();
        let mut clock = L1Clock::new();
        clock.set(begun, 1_000, 1_012);
        assert_eq!(clock.at(begun), 1_012);
        // L1 was not read for long: it waits.
        assert_eq!(clock.at(begun + seconds(60)), 1_012);
        // An L1 that stands still, and is behind then.
        clock.set(begun + seconds(60), 1_000, 1_001);
        assert_eq!(clock.at(begun + seconds(90)), 1_001);
        // One that has jumped.
        clock.set(begun + seconds(91), 9_000, 9_001);
        assert_eq!(clock.at(begun + seconds(91)), 9_000);
    }

    #[test]
    fn with_slots_it_goes_on_second_by_second() {
        let begun = Instant::now();
        let mut clock = L1Clock::new();
        clock.set(begun, 1_000, 1_012);
        let mut seen = Vec::new();
        for second in 1..36 {
            let head = 1_000 + second / 12 * 12;
            clock.set(begun + seconds(second), head, head + 12);
            seen.push(clock.at(begun + seconds(second)));
        }
        // It began at its bound, and waits there until the first slot is over.
        assert_eq!(seen[..12], [[1_012; 11].as_slice(), &[1_013]].concat());
        assert!(seen[11..].windows(2).all(|pair| pair[1] == pair[0] + 1), "{seen:?}");
    }

    #[test]
    fn while_l1_is_silent_its_time_goes_on_for_new_blocks_alone() {
        let begun = Instant::now();
        let mut clock = L1Clock::new();
        clock.set(begun, 500, 1_000);
        // Nothing is known of how its time goes yet.
        assert_eq!(clock.for_block(begun + seconds(5)), 1_000);
        clock.set(begun + seconds(5), 500, 1_005);
        for silent in [0, 1, 60, 3_600] {
            let now = begun + seconds(5 + silent);
            assert_eq!((clock.for_block(now), clock.at(now)), (1_005 + silent, 1_005));
            assert_eq!(clock.next_block(now), 1_005 + silent);
            assert_eq!(clock.age(now), seconds(silent));
        }
        // It answers again, and has gone on as well.
        clock.set(begun + seconds(65), 1_060, 1_065);
        assert_eq!(clock.for_block(begun + seconds(66)), 1_066);
        // Looked at again within the same second, it has not moved, and goes on all the same.
        clock.set(begun + seconds(66), 1_060, 1_065);
        assert_eq!(clock.for_block(begun + seconds(70)), 1_069);
        // It stands still now: a block is not to be ahead of it.
        clock.set(begun + seconds(69), 1_060, 1_065);
        assert_eq!(clock.for_block(begun + seconds(90)), 1_065);
        clock.set(begun + seconds(91), 1_080, 1_081);
        assert_eq!(clock.for_block(begun + seconds(92)), 1_082);
    }

    #[test]
    fn with_an_l1_that_shows_the_present_it_shows_that() {
        let begun = Instant::now();
        let mut clock = L1Clock::new();
        for second in 0..30 {
            clock.set(begun + seconds(second), 500, 1_000 + second);
            assert_eq!(clock.at(begun + seconds(second)), 1_000 + second);
        }
    }
}
