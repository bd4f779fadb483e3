//! Estimate of L1's time between its responses.

use std::time::{Duration, Instant};

/// Estimate of L1's time. It advances with the local monotonic clock, and is bounded by the
/// timestamps of L1's head and of L1's next block. For the latter, some L1 nodes report the current
/// time and others the next slot; the time of a development node may be stalled or years off.
///
/// A reported timestamp is in whole seconds, and was taken between the request and the response.
/// The clock therefore starts at the response, but is corrected only if it was wrong at the
/// request: a late response must not set back a correct clock, because that would delay the next
/// block. Between reports the upper bound grows by the time since the request, unless L1's time
/// stood still.
#[derive(Debug, Clone, Copy)]
pub(crate) struct L1Clock {
    /// Estimated time, and the local time at which it was set.
    estimate: Option<(u64, Instant)>,
    /// Last reported timestamps of L1's head and of its next block.
    bounds: (u64, u64),
    /// Local times of the last request to L1, and of its response.
    set: Option<(Instant, Instant)>,
    /// Local time at which the timestamp of L1's next block last advanced.
    moved: Option<Instant>,
    /// `true` if L1's time was advancing at the last report.
    is_advancing: bool,
}

/// Time after which L1 is considered stalled if the timestamp of its next block does not advance
/// although the estimate has reached it. Clocks that tick at different moments of a second differ
/// by less than a second, and a response may be late.
const STANDSTILL: Duration = Duration::from_secs(4);

impl L1Clock {
    pub(crate) const fn new() -> Self {
        Self { estimate: None, bounds: (0, 0), set: None, moved: None, is_advancing: false }
    }

    /// Sets the clock by the timestamps of L1's head and next block, which L1 reported between
    /// these local times.
    pub(crate) fn set(&mut self, requested: Instant, responded: Instant, head: u64, next: u64) {
        let is_set = self.estimate.is_some();
        // L1 may report any numbers.
        let next = next.max(head);
        let (earliest, latest) = (self.running(requested), self.running(responded));
        if self.set.is_some() && next > self.bounds.1 {
            self.moved = Some(responded);
        }
        (self.bounds, self.set) = ((head, next), Some((requested, responded)));
        // An estimate within the bounds is not changed, so that rounding loses no second.
        if !is_set || earliest > next {
            self.estimate = Some((next, responded));
        } else if latest < head {
            self.estimate = Some((head, responded));
        }
        // An L1 that reports the next slot does not advance for a whole slot, but is ahead of the
        // estimate.
        let is_behind = is_set && earliest < next;
        self.is_advancing =
            self.moved.is_some_and(|moved| is_behind || since(responded, moved) < STANDSTILL);
    }

    /// Returns L1's time, at most the last reported timestamp of L1's next block.
    pub(crate) fn at(&self, now: Instant) -> u64 {
        let (head, next) = self.bounds;
        self.running(now).clamp(head, next)
    }

    /// Returns the time for a new L2 block: like [`Self::at`], but advancing while L1 does not
    /// respond.
    pub(crate) fn for_block(&self, now: Instant) -> u64 {
        let (head, _) = self.bounds;
        self.running(now).clamp(head, self.next_block(now))
    }

    /// Returns the highest timestamp that L1's next block may have by now: the reported one, plus
    /// the time since the request, rounded up to whole seconds.
    pub(crate) fn next_block(&self, now: Instant) -> u64 {
        let requested =
            self.set.filter(|_| self.is_advancing).map(|(requested, _)| since(now, requested));
        let seconds = requested.map_or(0, |time| time.as_millis().div_ceil(1_000));
        self.bounds.1.saturating_add(u64::try_from(seconds).unwrap_or(u64::MAX))
    }

    /// Returns the time since L1's last response; zero before the first.
    pub(crate) fn age(&self, now: Instant) -> Duration {
        self.set.map_or(Duration::ZERO, |(_, responded)| since(now, responded))
    }

    fn running(&self, now: Instant) -> u64 {
        let (time, at) = self.estimate.unwrap_or((self.bounds.0, now));
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

    impl L1Clock {
        /// Sets the clock by an L1 without latency.
        pub(crate) fn set_at(&mut self, now: Instant, head: u64, next: u64) {
            self.set(now, now, head, next);
        }
    }

    #[test]
    fn next_block_before_head_is_ignored() {
        let begun = Instant::now();
        for (head, next, time) in
            [(u64::MAX, 0, u64::MAX), (1_000, 999, 1_000), (1_000, 1_012, 1_012)]
        {
            let mut clock = L1Clock::new();
            clock.set_at(begun, head, next);
            assert_eq!((clock.at(begun), clock.for_block(begun)), (time, time));
        }
    }

    #[test]
    fn time_stays_between_head_and_next_block() {
        let begun = Instant::now();
        let mut clock = L1Clock::new();
        clock.set_at(begun, 1_000, 1_012);
        assert_eq!(clock.at(begun), 1_012);
        // Without a new report the clock stops at the upper bound.
        assert_eq!(clock.at(begun + seconds(60)), 1_012);
        // A stalled L1, whose time is behind.
        clock.set_at(begun + seconds(60), 1_000, 1_001);
        assert_eq!(clock.at(begun + seconds(90)), 1_001);
        // An L1 whose time has jumped forward.
        clock.set_at(begun + seconds(91), 9_000, 9_001);
        assert_eq!(clock.at(begun + seconds(91)), 9_000);
    }

    #[test]
    fn time_advances_by_seconds_within_slots() {
        let begun = Instant::now();
        let mut clock = L1Clock::new();
        clock.set_at(begun, 1_000, 1_012);
        let mut times = Vec::new();
        for second in 1..36 {
            let head = 1_000 + second / 12 * 12;
            clock.set_at(begun + seconds(second), head, head + 12);
            times.push(clock.at(begun + seconds(second)));
        }
        // The clock starts at its upper bound, and stops there until the first slot has ended.
        assert_eq!(times[..12], [[1_012; 11].as_slice(), &[1_013]].concat());
        assert!(times[11..].windows(2).all(|pair| pair[1] == pair[0] + 1), "{times:?}");
    }

    #[test]
    fn only_block_time_advances_while_l1_is_silent() {
        let begun = Instant::now();
        let mut clock = L1Clock::new();
        clock.set_at(begun, 500, 1_000);
        // After a single report it is not known whether L1's time advances.
        assert_eq!(clock.for_block(begun + seconds(5)), 1_000);
        clock.set_at(begun + seconds(5), 500, 1_005);
        for silent in [0, 1, 60, 3_600] {
            let now = begun + seconds(5 + silent);
            assert_eq!((clock.for_block(now), clock.at(now)), (1_005 + silent, 1_005));
            assert_eq!(clock.next_block(now), 1_005 + silent);
            assert_eq!(clock.age(now), seconds(silent));
        }
        // L1 responds again, and its time has advanced.
        clock.set_at(begun + seconds(65), 1_060, 1_065);
        assert_eq!(clock.for_block(begun + seconds(66)), 1_066);
        // A report with the same timestamp soon after does not count as a stall.
        clock.set_at(begun + seconds(66), 1_060, 1_065);
        assert_eq!(clock.for_block(begun + seconds(70)), 1_069);
        // L1's time is stalled, so blocks may not be ahead of it.
        clock.set_at(begun + seconds(69), 1_060, 1_065);
        assert_eq!(clock.for_block(begun + seconds(90)), 1_065);
        clock.set_at(begun + seconds(91), 1_080, 1_081);
        assert_eq!(clock.for_block(begun + seconds(92)), 1_082);
    }

    /// Returns the intervals in ms between blocks that are sealed once a second by the clock of an
    /// L1 in real time. `delay` is the latency of each poll in ms.
    fn intervals(phase: u64, delay: impl Fn(u64) -> u64) -> Vec<u64> {
        let begun = Instant::now();
        let at = |time: u64| begun + Duration::from_millis(time);
        let l1_time = |time: u64| (1_000_000 + phase + time) / 1_000;
        let mut clock = L1Clock::new();
        let (mut next_poll, mut polls, mut requested) = (0, 0, None);
        let (mut last, mut block, mut blocks) = (0, 0, Vec::new());
        for time in 0..100_000 {
            match requested {
                Some((from, until)) if time >= until => {
                    // The timestamp is taken at the beginning or at the end of the delay.
                    let reported = l1_time(if polls % 2 == 0 { from } else { until });
                    clock.set(at(from), at(until), reported - reported % 12, reported);
                    (requested, next_poll, polls) = (None, time + 100, polls + 1);
                }
                None if time >= next_poll => requested = Some((time, time + delay(polls))),
                _ => {}
            }
            let next = clock.for_block(at(time));
            assert!(next <= l1_time(time), "a block of {next} s at {} s", l1_time(time));
            if polls > 5 && time >= last + 1_000 && next > block {
                (last, block) = (time + 10, next);
                blocks.push(last);
            }
        }
        blocks.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    #[test]
    fn late_responses_do_not_delay_blocks() {
        for phase in (0..1_000).step_by(50) {
            for late in [0, 100, 1_000, 2_500] {
                // The first responses are fast, the next ones late, with some jitter.
                let delay = |poll| if poll < 5 { 2 } else { late + poll * 37 % 60 };
                let all = intervals(phase, delay);
                let long = all.iter().filter(|interval| **interval > 1_100).count();
                assert!(long == 0 && all.len() > 90, "{late} ms late: {long} of {}", all.len());
            }
        }
    }

    #[test]
    fn time_follows_l1_that_reports_current_time() {
        let begun = Instant::now();
        let mut clock = L1Clock::new();
        for second in 0..30 {
            clock.set_at(begun + seconds(second), 500, 1_000 + second);
            assert_eq!(clock.at(begun + seconds(second)), 1_000 + second);
        }
    }
}
