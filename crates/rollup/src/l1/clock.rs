//! The time on L1, estimated between its answers.

use std::time::{Duration, Instant};

/// Estimate of L1's time. It runs as fast as the local clock, at any local time, and stays between
/// L1's head and L1's next block. For the latter some L1 nodes report the present, others the next
/// slot, and a development node may stand still or be years away.
///
/// A report is of a moment between the question and the answer, and of a whole second. So the clock
/// begins with the answer, and is held against the report as of the question: a late answer never
/// turns back a clock that is right, which would hold up the next block. Between reports the upper
/// bound grows by the time since the question, unless L1 stood still then.
#[derive(Debug, Clone, Copy)]
pub(crate) struct L1Clock {
    /// L1's time, and the local time at which it was set.
    shown: Option<(u64, Instant)>,
    /// Timestamps of L1's head and of its next block.
    bounds: (u64, u64),
    /// Local times at which L1 was last asked, and had answered.
    set: Option<(Instant, Instant)>,
    /// Local time at which the timestamp of L1's next block last advanced.
    moved: Option<Instant>,
    /// `true` if L1's time was advancing at the last look.
    goes_on: bool,
}

/// Time without a later timestamp of L1's next block after which L1 counts as standing still,
/// although the clock has reached that timestamp. Clocks that tick at different moments of a second
/// differ by less than one, and an answer may be late.
const STANDSTILL: Duration = Duration::from_secs(4);

impl L1Clock {
    /// A clock that is not set.
    pub(crate) const fn new() -> Self {
        Self { shown: None, bounds: (0, 0), set: None, moved: None, goes_on: false }
    }

    /// Sets the clock by the timestamps of L1's head and next block, which L1 reported between
    /// these local times.
    pub(crate) fn set(&mut self, asked: Instant, answered: Instant, head: u64, next: u64) {
        let known = self.shown.is_some();
        let (earliest, latest) = (self.running(asked), self.running(answered));
        if self.set.is_some() && next > self.bounds.1 {
            self.moved = Some(answered);
        }
        (self.bounds, self.set) = ((head, next), Some((asked, answered)));
        // As long as it is within bounds it goes on as it is, so that no second is lost to
        // rounding.
        if !known || earliest > next {
            self.shown = Some((next, answered));
        } else if latest < head {
            self.shown = Some((head, answered));
        }
        // With slots it does not move for long, and is ahead of ours then.
        let is_behind = known && earliest < next;
        self.goes_on =
            self.moved.is_some_and(|moved| is_behind || since(answered, moved) < STANDSTILL);
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

    /// Latest timestamp that L1's next block may have: the reported one, plus the time since the
    /// question, of which a part of a second may have begun the next one.
    pub(crate) fn next_block(&self, now: Instant) -> u64 {
        let asked = self.set.filter(|_| self.goes_on).map(|(asked, _)| since(now, asked));
        let seconds = asked.map_or(0, |time| time.as_millis().div_ceil(1_000));
        self.bounds.1.saturating_add(u64::try_from(seconds).unwrap_or(u64::MAX))
    }

    /// Time since L1 answered; zero if it never did.
    pub(crate) fn age(&self, now: Instant) -> Duration {
        self.set.map_or(Duration::ZERO, |(_, answered)| since(now, answered))
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

    impl L1Clock {
        /// Sets the clock by an L1 that answers at once.
        pub(crate) fn set_at(&mut self, now: Instant, head: u64, next: u64) {
            self.set(now, now, head, next);
        }
    }

    #[test]
    fn it_never_shows_more_than_the_next_block_and_never_less_than_the_head() {
        let begun = Instant::now();
        let mut clock = L1Clock::new();
        clock.set_at(begun, 1_000, 1_012);
        assert_eq!(clock.at(begun), 1_012);
        // L1 was not read for long: it waits.
        assert_eq!(clock.at(begun + seconds(60)), 1_012);
        // An L1 that stands still, and is behind then.
        clock.set_at(begun + seconds(60), 1_000, 1_001);
        assert_eq!(clock.at(begun + seconds(90)), 1_001);
        // One that has jumped.
        clock.set_at(begun + seconds(91), 9_000, 9_001);
        assert_eq!(clock.at(begun + seconds(91)), 9_000);
    }

    #[test]
    fn with_slots_it_goes_on_second_by_second() {
        let begun = Instant::now();
        let mut clock = L1Clock::new();
        clock.set_at(begun, 1_000, 1_012);
        let mut seen = Vec::new();
        for second in 1..36 {
            let head = 1_000 + second / 12 * 12;
            clock.set_at(begun + seconds(second), head, head + 12);
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
        clock.set_at(begun, 500, 1_000);
        // Nothing is known of how its time goes yet.
        assert_eq!(clock.for_block(begun + seconds(5)), 1_000);
        clock.set_at(begun + seconds(5), 500, 1_005);
        for silent in [0, 1, 60, 3_600] {
            let now = begun + seconds(5 + silent);
            assert_eq!((clock.for_block(now), clock.at(now)), (1_005 + silent, 1_005));
            assert_eq!(clock.next_block(now), 1_005 + silent);
            assert_eq!(clock.age(now), seconds(silent));
        }
        // It answers again, and has gone on as well.
        clock.set_at(begun + seconds(65), 1_060, 1_065);
        assert_eq!(clock.for_block(begun + seconds(66)), 1_066);
        // Looked at again within the same second, it has not moved, and goes on all the same.
        clock.set_at(begun + seconds(66), 1_060, 1_065);
        assert_eq!(clock.for_block(begun + seconds(70)), 1_069);
        // It stands still now: a block is not to be ahead of it.
        clock.set_at(begun + seconds(69), 1_060, 1_065);
        assert_eq!(clock.for_block(begun + seconds(90)), 1_065);
        clock.set_at(begun + seconds(91), 1_080, 1_081);
        assert_eq!(clock.for_block(begun + seconds(92)), 1_082);
    }

    /// Milliseconds between blocks that are made once a second by the clock of an L1 in real time.
    /// Its answers take as long as `delay` says at each look.
    fn intervals(phase: u64, delay: impl Fn(u64) -> u64) -> Vec<u64> {
        let begun = Instant::now();
        let at = |time: u64| begun + Duration::from_millis(time);
        let l1_time = |time: u64| (1_000_000 + phase + time) / 1_000;
        let mut clock = L1Clock::new();
        let (mut look, mut looks, mut asked) = (0, 0, None);
        let (mut last, mut block, mut blocks) = (0, 0, Vec::new());
        for time in 0..100_000 {
            match asked {
                Some((from, until)) if time >= until => {
                    // The node answers at one end of the delay or at the other.
                    let answer = l1_time(if looks % 2 == 0 { from } else { until });
                    clock.set(at(from), at(until), answer - answer % 12, answer);
                    (asked, look, looks) = (None, time + 100, looks + 1);
                }
                None if time >= look => asked = Some((time, time + delay(looks))),
                _ => {}
            }
            let next = clock.for_block(at(time));
            assert!(next <= l1_time(time), "a block of {next} s at {} s", l1_time(time));
            if looks > 5 && time >= last + 1_000 && next > block {
                (last, block) = (time + 10, next);
                blocks.push(last);
            }
        }
        blocks.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    #[test]
    fn blocks_are_a_second_apart_with_an_l1_that_answers_late() {
        for phase in (0..1_000).step_by(50) {
            for late in [0, 100, 1_000, 2_500] {
                // At first it answers at once, then by turns a little earlier and later.
                let delay = |look| if look < 5 { 2 } else { late + look * 37 % 60 };
                let all = intervals(phase, delay);
                let long = all.iter().filter(|interval| **interval > 1_100).count();
                assert!(long == 0 && all.len() > 90, "{late} ms late: {long} of {}", all.len());
            }
        }
    }

    #[test]
    fn with_an_l1_that_shows_the_present_it_shows_that() {
        let begun = Instant::now();
        let mut clock = L1Clock::new();
        for second in 0..30 {
            clock.set_at(begun + seconds(second), 500, 1_000 + second);
            assert_eq!(clock.at(begun + seconds(second)), 1_000 + second);
        }
    }
}
