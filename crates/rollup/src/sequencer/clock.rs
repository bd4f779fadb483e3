//! What time it is on L1.

use std::time::Instant;

/// L1's clock, as far as this machine can tell. It goes as fast as ours, whatever ours shows, and stays
/// between L1's head and the block that L1 would make now: some nodes of L1 show the present as the time of
/// that, some the next slot, and a development node may stand still or be years away.
#[derive(Debug)]
pub(super) struct L1Clock {
    /// The time that it showed, and when.
    shown: Option<(u64, Instant)>,
    /// Time of L1's head, and of its next block.
    bounds: (u64, u64),
}

impl L1Clock {
    /// A clock that is to be set.
    pub(super) const fn new() -> Self {
        Self { shown: None, bounds: (0, 0) }
    }

    /// Sets it by the time of L1's head, and of its next block.
    pub(super) fn set(&mut self, head: u64, next: u64) {
        self.set_at(Instant::now(), head, next);
    }

    /// The time.
    pub(super) fn now(&self) -> u64 {
        self.at(Instant::now())
    }

    /// Time of L1's next block, as its node says.
    pub(super) const fn next_block(&self) -> u64 {
        self.bounds.1
    }

    fn set_at(&mut self, now: Instant, head: u64, next: u64) {
        self.bounds = (head, next);
        let running = self.shown.map(|(time, at)| time + (now - at).as_secs());
        let bounded = running.unwrap_or(next).clamp(head, next);
        // As long as it is within bounds it goes on as it is, so that no second is lost to rounding.
        if running != Some(bounded) {
            self.shown = Some((bounded, now));
        }
    }

    fn at(&self, now: Instant) -> u64 {
        let (head, next) = self.bounds;
        let (time, at) = self.shown.unwrap_or((head, now));
        (time + (now - at).as_secs()).clamp(head, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn it_never_shows_more_than_the_next_block_and_never_less_than_the_head() {
        let begun = Instant::now();
        let mut clock = L1Clock::new();
        clock.set_at(begun, 1_000, 1_012);
        assert_eq!(clock.at(begun), 1_012);
        // Nobody has looked for long: it waits.
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
    fn with_an_l1_that_shows_the_present_it_shows_that() {
        let begun = Instant::now();
        let mut clock = L1Clock::new();
        for second in 0..30 {
            clock.set_at(begun + seconds(second), 500, 1_000 + second);
            assert_eq!(clock.at(begun + seconds(second)), 1_000 + second);
        }
    }
}
