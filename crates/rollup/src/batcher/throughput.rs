//! Rate at which L1 takes transactions while some of them wait.

use std::time::Duration;

/// Time that one transaction takes as long as L1 has not shown how long it takes: a slot.
const SLOT: Duration = Duration::from_secs(12);
/// Waiting time after which what was seen counts half.
const WINDOW: Duration = Duration::from_secs(120);
/// Parts of a transaction that are counted.
pub(crate) const PARTS: u64 = 1_000;

/// Transactions that L1 has taken, and the time for which any of them waited for that. Time without
/// one that waits says nothing of L1, and does not count.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Throughput {
    /// In thousandths.
    taken: u64,
    waited: Duration,
}

impl Throughput {
    /// Notes that transactions have waited for so much longer by L1's time, in which so much has
    /// passed here.
    pub(super) fn waited(&mut self, by_l1: Duration, here: Duration) {
        // L1 has made no block in the hours by which its clock was set forward, so they say nothing
        // of it.
        let time = by_l1.min(here.saturating_add(SLOT));
        // Halved and not forgotten: an L1 that stops is trusted with less within a minute or two,
        // and no single slow block decides.
        self.waited += time;
        if self.waited > WINDOW {
            (self.taken, self.waited) = (self.taken / 2, self.waited / 2);
        }
    }

    /// Notes that L1 has taken so many transactions.
    pub(super) const fn took(&mut self, transactions: u64) {
        self.taken = self.taken.saturating_add(PARTS.saturating_mul(transactions));
    }

    /// Transactions that L1 takes within a time, in thousandths, if it goes on as before. One in a
    /// slot stands for what was not seen yet.
    pub(crate) fn within(&self, time: Duration) -> u64 {
        let seen = u128::from(self.taken.saturating_add(PARTS));
        let parts = seen * time.as_millis() / (self.waited + SLOT).as_millis();
        u64::try_from(parts).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn an_l1_that_was_not_seen_takes_a_transaction_in_a_slot() {
        let throughput = Throughput::default();
        assert_eq!(throughput.within(seconds(120)), 10 * PARTS);
        assert_eq!(throughput.within(seconds(0)), 0);
    }

    #[test]
    fn one_that_takes_much_is_trusted_with_more_and_one_that_takes_nothing_with_less() {
        let (mut fast, mut silent) = (Throughput::default(), Throughput::default());
        let mut before = (fast.within(seconds(60)), silent.within(seconds(60)));
        for _ in 0..100 {
            fast.waited(seconds(2), seconds(2));
            fast.took(2);
            silent.waited(seconds(2), seconds(2));
            let now = (fast.within(seconds(60)), silent.within(seconds(60)));
            assert!(now.0 > 4 * PARTS);
            before = (before.0.max(now.0), before.1.min(now.1));
        }
        assert!(before.0 > 50 * PARTS && before.1 < PARTS, "{before:?}");
        // It is believed again soon after it has begun to take transactions.
        for _ in 0..60 {
            silent.waited(seconds(2), seconds(2));
            silent.took(2);
        }
        assert!(silent.within(seconds(60)) > 30 * PARTS);
    }

    #[test]
    fn after_two_minutes_of_waiting_all_that_was_seen_counts_half() {
        let mut throughput = Throughput::default();
        throughput.took(10);
        throughput.waited(seconds(120), seconds(120));
        // With the one in a slot that stands for what was not seen.
        assert_eq!(throughput.within(seconds(132)), 11 * PARTS);
        throughput.waited(seconds(2), seconds(2));
        assert_eq!(throughput.within(seconds(61 + 12)), 6 * PARTS);
        throughput.waited(seconds(59), seconds(59));
        assert_eq!(throughput.within(seconds(132)), 6 * PARTS);
    }

    #[test]
    fn a_jump_of_its_clock_does_not_make_an_l1_slow() {
        let (mut steady, mut jumps) = (Throughput::default(), Throughput::default());
        for _ in 0..30 {
            for l1 in [&mut steady, &mut jumps] {
                l1.waited(seconds(2), seconds(2));
                l1.took(1);
            }
        }
        let before = steady.within(seconds(60));
        jumps.waited(seconds(100_000), Duration::from_millis(20));
        let after = jumps.within(seconds(60));
        assert!(after <= before && after * 5 > before * 4, "{after} of {before}");
        // Time that has passed here too counts whole: L1 was silent.
        steady.waited(seconds(100_000), seconds(100_000));
        assert!(steady.within(seconds(60)) < before / 50);
    }
}
