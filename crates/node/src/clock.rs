//! Timestamps of new blocks.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{SystemTime, UNIX_EPOCH},
};

/// Source of the time of day.
#[derive(Debug, Clone, Default)]
pub enum TimeOfDay {
    /// The operating system.
    #[default]
    System,
    /// Seconds since 1970, set by the test that holds the value, so that the test does not depend
    /// on its own speed.
    Manual(Arc<AtomicU64>),
}

impl TimeOfDay {
    /// A fixed time at `seconds` since 1970, which changes only by the returned handle.
    pub fn manual(seconds: u64) -> Self {
        Self::Manual(Arc::new(AtomicU64::new(seconds)))
    }

    /// Seconds since 1970.
    pub fn now(&self) -> u64 {
        match self {
            Self::System => {
                SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
            }
            Self::Manual(seconds) => seconds.load(Relaxed),
        }
    }
}

/// An adjustable clock for block timestamps, which by default increase from block to block.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    time: TimeOfDay,
    /// Seconds to add to the time of day.
    offset: i128,
    /// Fixed number of seconds between blocks, independent of the time.
    interval: Option<u64>,
    /// Timestamp of the next block.
    next: Option<u64>,
    /// Time set since the last block; the fixed number of seconds counts from it.
    set: Option<u64>,
    /// `true` if a block gets the clock's time even if that is not later than its parent's.
    loose: bool,
}

impl Clock {
    /// A clock that now shows `timestamp`.
    pub fn starting_at(timestamp: u64) -> Self {
        Self::starting_by(TimeOfDay::System, timestamp)
    }

    /// A clock that now shows `timestamp` and runs with `time`.
    pub fn starting_by(time: TimeOfDay, timestamp: u64) -> Self {
        let mut clock = Self { time, ..Self::default() };
        clock.set(timestamp);
        clock.set = None;
        clock
    }

    /// The same clock, but with timestamps that may be equal to the parent's or earlier. Verifiers
    /// refuse such blocks.
    #[must_use]
    pub const fn loose(mut self) -> Self {
        self.loose = true;
        self
    }

    /// Current time of the clock.
    pub fn now(&self) -> u64 {
        u64::try_from((i128::from(self.time.now()) + self.offset).max(0)).unwrap_or(u64::MAX)
    }

    /// Seconds by which the clock is ahead of the time of day.
    pub const fn offset(&self) -> i128 {
        self.offset
    }

    /// Sets the clock to `timestamp`.
    pub fn set(&mut self, timestamp: u64) {
        self.offset = i128::from(timestamp) - i128::from(self.time.now());
        (self.next, self.set) = (None, Some(timestamp));
    }

    /// Goes back to an earlier state of this clock, without a timestamp for the next block. The
    /// time of day goes on, and the number of seconds between blocks stays.
    pub const fn restore(&mut self, earlier: &Self) {
        self.offset = earlier.offset;
        (self.next, self.set) = (None, earlier.set);
    }

    /// Moves the clock by some seconds.
    pub const fn advance(&mut self, seconds: i128) {
        self.offset = self.offset.saturating_add(seconds);
    }

    /// Gives the next block this timestamp; the clock continues from there.
    pub const fn set_next(&mut self, timestamp: u64) {
        self.next = Some(timestamp);
    }

    /// Sets a fixed number of seconds between blocks; `None` follows the time again.
    pub const fn set_interval(&mut self, seconds: Option<u64>) {
        self.interval = seconds;
    }

    /// Fixed number of seconds between blocks, if there is one.
    pub const fn interval(&self) -> Option<u64> {
        self.interval
    }

    /// Timestamp of a block whose parent has the timestamp `last`.
    pub fn peek(&self, last: u64) -> u64 {
        let due = match (self.next, self.interval) {
            (Some(next), _) => next,
            (None, Some(interval)) => self.set.unwrap_or(last).saturating_add(interval),
            (None, None) => self.now(),
        };
        if self.loose { due } else { due.max(last.saturating_add(1)) }
    }

    /// Records that a block got `timestamp`.
    pub fn used(&mut self, timestamp: u64) {
        self.set = None;
        if self.next.take().is_some() {
            self.offset = i128::from(timestamp) - i128::from(self.time.now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock at `timestamp`, and the handle that moves its time.
    fn clock_at(timestamp: u64) -> (Clock, Arc<AtomicU64>) {
        let seconds = Arc::new(AtomicU64::new(1_700_000_000));
        (Clock::starting_by(TimeOfDay::Manual(Arc::clone(&seconds)), timestamp), seconds)
    }

    #[test]
    fn timestamps_rise_although_the_clock_shows_less() {
        let (mut clock, time) = clock_at(1_000);
        assert_eq!(clock.peek(5_000), 5_001);
        assert_eq!(clock.peek(10), 1_000);
        time.fetch_add(3, Relaxed);
        assert_eq!(clock.peek(10), 1_003);
        clock.set_interval(Some(7));
        assert_eq!(clock.peek(10), 17);
    }

    #[test]
    fn a_loose_clock_stands_still_and_goes_back() {
        let (clock, _) = clock_at(1_000);
        let mut clock = clock.loose();
        assert_eq!(clock.peek(5_000), 1_000);
        clock.set(10);
        assert_eq!(clock.peek(5_000), 10);
        clock.set_next(7);
        assert_eq!(clock.peek(5_000), 7);
    }

    #[test]
    fn a_timestamp_that_is_set_holds_for_one_block_and_the_clock_goes_on_from_it() {
        let (mut clock, time) = clock_at(1_000);
        clock.set_next(90_000);
        assert_eq!(clock.peek(1_000), 90_000);
        clock.used(90_000);
        time.fetch_add(5, Relaxed);
        assert_eq!(clock.peek(90_000), 90_005);
    }

    #[test]
    fn a_fixed_distance_counts_from_a_time_that_was_set_and_then_from_block_to_block() {
        let (mut clock, _) = clock_at(1_000);
        clock.set_interval(Some(7));
        assert_eq!(clock.peek(2_000), 2_007);
        clock.set(50_000);
        assert_eq!(clock.peek(2_000), 50_007);
        clock.used(50_007);
        assert_eq!(clock.peek(50_007), 50_014);
    }

    #[test]
    fn restored_clock_keeps_its_offset_and_runs_on() {
        let (mut clock, time) = clock_at(1_000);
        clock.advance(500);
        let earlier = clock.clone();
        clock.advance(70_000);
        clock.set_next(90_000);
        clock.set_interval(Some(7));
        time.fetch_add(3, Relaxed);
        clock.restore(&earlier);
        assert_eq!((clock.now(), clock.peek(10)), (1_503, 17));
        clock.set_interval(None);
        assert_eq!(clock.peek(10), 1_503);
    }

    #[test]
    fn a_clock_goes_by_the_time_of_the_system_unless_it_is_given_another() {
        let begun = TimeOfDay::System.now();
        let shown = Clock::default().now();
        let ended = TimeOfDay::System.now();
        assert!((begun..=ended).contains(&shown), "{begun} {shown} {ended}");
    }
}
