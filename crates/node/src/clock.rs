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
    /// Unix time in seconds, set by the test that shares the value, so that results do not depend
    /// on the speed of the test.
    Manual(Arc<AtomicU64>),
}

impl TimeOfDay {
    /// Creates a source fixed at the Unix time `seconds`, which changes only through the returned
    /// handle.
    pub fn manual(seconds: u64) -> Self {
        Self::Manual(Arc::new(AtomicU64::new(seconds)))
    }

    /// Returns the Unix time in seconds.
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
    /// Fixed number of seconds between blocks, independent of the time of day.
    interval: Option<u64>,
    /// Timestamp of the next block.
    next: Option<u64>,
    /// Time set since the last block; the fixed interval counts from it.
    set: Option<u64>,
    /// `true` if timestamps need not be later than the parent's.
    loose: bool,
}

impl Clock {
    /// Creates a clock whose current time is `timestamp`.
    pub fn starting_at(timestamp: u64) -> Self {
        Self::starting_by(TimeOfDay::System, timestamp)
    }

    /// Creates a clock whose current time is `timestamp` and that advances with `time`.
    pub fn starting_by(time: TimeOfDay, timestamp: u64) -> Self {
        let mut clock = Self { time, ..Self::default() };
        clock.set(timestamp);
        clock.set = None;
        clock
    }

    /// Allows timestamps that are equal to or earlier than the parent's. Verifiers reject such
    /// blocks.
    #[must_use]
    pub const fn loose(mut self) -> Self {
        self.loose = true;
        self
    }

    /// Returns the current time of the clock.
    pub fn now(&self) -> u64 {
        u64::try_from((i128::from(self.time.now()) + self.offset).max(0)).unwrap_or(u64::MAX)
    }

    /// Returns the number of seconds by which the clock is ahead of the time of day.
    pub const fn offset(&self) -> i128 {
        self.offset
    }

    /// Sets the clock to `timestamp`.
    pub fn set(&mut self, timestamp: u64) {
        self.offset = i128::from(timestamp) - i128::from(self.time.now());
        (self.next, self.set) = (None, Some(timestamp));
    }

    /// Restores the offset of an earlier state of this clock, and clears the timestamp set for the
    /// next block. The time of day continues, and the block interval is unchanged.
    pub const fn restore(&mut self, earlier: &Self) {
        self.offset = earlier.offset;
        (self.next, self.set) = (None, earlier.set);
    }

    /// Moves the clock by a number of seconds.
    pub const fn advance(&mut self, seconds: i128) {
        self.offset = self.offset.saturating_add(seconds);
    }

    /// Sets the timestamp of the next block, from which the clock continues.
    pub const fn set_next(&mut self, timestamp: u64) {
        self.next = Some(timestamp);
    }

    /// Sets a fixed number of seconds between blocks; `None` follows the time of day again.
    pub const fn set_interval(&mut self, seconds: Option<u64>) {
        self.interval = seconds;
    }

    /// Returns the fixed number of seconds between blocks, if there is one.
    pub const fn interval(&self) -> Option<u64> {
        self.interval
    }

    /// Returns the timestamp for a block whose parent has the timestamp `last`.
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

    /// Returns a clock at `timestamp`, and the handle that moves its time.
    fn clock_at(timestamp: u64) -> (Clock, Arc<AtomicU64>) {
        let seconds = Arc::new(AtomicU64::new(1_700_000_000));
        (Clock::starting_by(TimeOfDay::Manual(Arc::clone(&seconds)), timestamp), seconds)
    }

    #[test]
    fn timestamps_increase_although_the_clock_lags() {
        let (mut clock, time) = clock_at(1_000);
        assert_eq!(clock.peek(5_000), 5_001);
        assert_eq!(clock.peek(10), 1_000);
        time.fetch_add(3, Relaxed);
        assert_eq!(clock.peek(10), 1_003);
        clock.set_interval(Some(7));
        assert_eq!(clock.peek(10), 17);
    }

    #[test]
    fn loose_clock_allows_equal_and_earlier_timestamps() {
        let (clock, _) = clock_at(1_000);
        let mut clock = clock.loose();
        assert_eq!(clock.peek(5_000), 1_000);
        clock.set(10);
        assert_eq!(clock.peek(5_000), 10);
        clock.set_next(7);
        assert_eq!(clock.peek(5_000), 7);
    }

    #[test]
    fn clock_continues_from_timestamp_set_for_one_block() {
        let (mut clock, time) = clock_at(1_000);
        clock.set_next(90_000);
        assert_eq!(clock.peek(1_000), 90_000);
        clock.used(90_000);
        time.fetch_add(5, Relaxed);
        assert_eq!(clock.peek(90_000), 90_005);
    }

    #[test]
    fn fixed_interval_counts_from_set_time_then_blocks() {
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
    fn default_clock_follows_system_time() {
        let begun = TimeOfDay::System.now();
        let now = Clock::default().now();
        let ended = TimeOfDay::System.now();
        assert!((begun..=ended).contains(&now), "{begun} {now} {ended}");
    }
}
