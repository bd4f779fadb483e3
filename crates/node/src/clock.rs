//! The time that blocks get.

use std::time::{SystemTime, UNIX_EPOCH};

/// A clock that can be moved, for blocks whose timestamps rise.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    /// Seconds to add to the time of day.
    offset: i128,
    /// Seconds from each block to the next, whatever the time.
    interval: Option<u64>,
    /// Timestamp of the next block.
    next: Option<u64>,
    /// Whether blocks get what the clock shows even if that is not later than their parents.
    loose: bool,
}

impl Clock {
    /// A clock that now shows `timestamp`.
    pub fn starting_at(timestamp: u64) -> Self {
        Self { offset: i128::from(timestamp) - time_of_day(), ..Self::default() }
    }

    /// The same clock, whose blocks get what it shows, even if that is the timestamp of their parent
    /// or one before it. No verifier accepts those.
    #[must_use]
    pub const fn loose(mut self) -> Self {
        self.loose = true;
        self
    }

    /// What it shows now.
    pub fn now(&self) -> u64 {
        u64::try_from((time_of_day() + self.offset).max(0)).unwrap_or(u64::MAX)
    }

    /// Seconds that it is ahead of the time of day.
    pub const fn offset(&self) -> i128 {
        self.offset
    }

    /// Makes it show `timestamp`.
    pub fn set(&mut self, timestamp: u64) {
        self.offset = i128::from(timestamp) - time_of_day();
        self.next = None;
    }

    /// Moves it by some seconds.
    pub const fn advance(&mut self, seconds: i128) {
        self.offset = self.offset.saturating_add(seconds);
    }

    /// Gives the next block this timestamp; the clock goes on from there.
    pub const fn set_next(&mut self, timestamp: u64) {
        self.next = Some(timestamp);
    }

    /// Seconds from each block to the next, whatever the time; `None` to follow the time again.
    pub const fn set_interval(&mut self, seconds: Option<u64>) {
        self.interval = seconds;
    }

    /// Seconds from each block to the next, if that is fixed.
    pub const fn interval(&self) -> Option<u64> {
        self.interval
    }

    /// The timestamp of a block on a parent of `last`.
    pub fn peek(&self, last: u64) -> u64 {
        let due = match (self.next, self.interval) {
            (Some(next), _) => next,
            (None, Some(interval)) => last.saturating_add(interval),
            (None, None) => self.now(),
        };
        if self.loose { due } else { due.max(last.saturating_add(1)) }
    }

    /// Takes note that a block got `timestamp`.
    pub fn used(&mut self, timestamp: u64) {
        if self.next.take().is_some() {
            self.offset = i128::from(timestamp) - time_of_day();
        }
    }
}

fn time_of_day() -> i128 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i128::from(since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_rise_whatever_the_clock_shows() {
        let mut clock = Clock::starting_at(1_000);
        assert_eq!(clock.peek(5_000), 5_001);
        assert!((1_000..1_010).contains(&clock.peek(10)));
        clock.set_interval(Some(7));
        assert_eq!(clock.peek(10), 17);
    }

    #[test]
    fn a_loose_clock_stands_still_and_goes_back() {
        let mut clock = Clock::starting_at(1_000).loose();
        assert!((1_000..1_010).contains(&clock.peek(5_000)));
        clock.set(10);
        assert!((10..20).contains(&clock.peek(5_000)));
        clock.set_next(7);
        assert_eq!(clock.peek(5_000), 7);
    }

    #[test]
    fn a_timestamp_that_is_set_holds_for_one_block_and_the_clock_goes_on_from_it() {
        let mut clock = Clock::starting_at(1_000);
        clock.set_next(90_000);
        assert_eq!(clock.peek(1_000), 90_000);
        clock.used(90_000);
        assert!((90_001..90_010).contains(&clock.peek(90_000)));
    }
}
