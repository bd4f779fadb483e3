//! Rate at which L1 includes the batcher's transactions while some are waiting.

use crate::BacklogConfig;
use std::time::Duration;

/// Waiting time after which all observations are halved.
const WINDOW: Duration = Duration::from_secs(120);
/// Number of units per included transaction.
pub(crate) const PARTS: u64 = 1_000;

/// Number of transactions that L1 has included, and the time during which at least one was waiting.
/// Time without waiting transactions is not counted, because it does not depend on L1's capacity.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Throughput {
    /// Assumed time until L1 includes a transaction, before any observation.
    slot: Duration,
    /// Included transactions, in thousandths.
    included: u64,
    waited: Duration,
}

impl Default for Throughput {
    fn default() -> Self {
        Self::new(BacklogConfig::default().l1_slot)
    }
}

impl Throughput {
    /// Creates an estimate without observations, for an L1 with this time between two blocks.
    pub(crate) const fn new(slot: Duration) -> Self {
        Self { slot, included: 0, waited: Duration::ZERO }
    }

    /// Adds waiting time, measured by L1's clock (`by_l1`) and by the local clock (`here`).
    pub(super) fn on_wait(&mut self, by_l1: Duration, here: Duration) {
        // If L1's clock jumps forward by hours, L1 could not include anything in that time, so it
        // is not waiting time.
        let time = by_l1.min(here.saturating_add(self.slot));
        // Halved rather than reset: the estimate adapts within one or two minutes if L1 stops, but
        // a single slow block changes it little.
        self.waited += time;
        if self.waited > WINDOW {
            (self.included, self.waited) = (self.included / 2, self.waited / 2);
        }
    }

    /// Adds transactions that L1 has included.
    pub(super) const fn add_included(&mut self, transactions: u64) {
        self.included = self.included.saturating_add(PARTS.saturating_mul(transactions));
    }

    /// Returns the number of transactions that L1 includes within a time at the observed rate, in
    /// thousandths. The observations start with one transaction in one slot.
    pub(crate) fn within(&self, time: Duration) -> u64 {
        let observed = u128::from(self.included.saturating_add(PARTS));
        let parts = observed * time.as_millis() / (self.waited + self.slot).as_millis();
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
    fn unobserved_l1_includes_one_transaction_per_slot() {
        let throughput = Throughput::default();
        assert_eq!(throughput.within(seconds(120)), 10 * PARTS);
        assert_eq!(throughput.within(seconds(0)), 0);
        assert_eq!(Throughput::new(seconds(1)).within(seconds(30)), 30 * PARTS);
    }

    #[test]
    fn estimate_follows_observed_inclusion_rate() {
        let (mut fast, mut silent) = (Throughput::default(), Throughput::default());
        let mut before = (fast.within(seconds(60)), silent.within(seconds(60)));
        for _ in 0..100 {
            fast.on_wait(seconds(2), seconds(2));
            fast.add_included(2);
            silent.on_wait(seconds(2), seconds(2));
            let now = (fast.within(seconds(60)), silent.within(seconds(60)));
            assert!(now.0 > 4 * PARTS);
            before = (before.0.max(now.0), before.1.min(now.1));
        }
        assert!(before.0 > 50 * PARTS && before.1 < PARTS, "{before:?}");
        // The estimate recovers soon after L1 includes transactions again.
        for _ in 0..60 {
            silent.on_wait(seconds(2), seconds(2));
            silent.add_included(2);
        }
        assert!(silent.within(seconds(60)) > 30 * PARTS);
    }

    #[test]
    fn observations_are_halved_after_two_minutes_of_waiting() {
        let mut throughput = Throughput::default();
        throughput.add_included(10);
        throughput.on_wait(seconds(120), seconds(120));
        // Includes the initial observation of one transaction in a slot.
        assert_eq!(throughput.within(seconds(132)), 11 * PARTS);
        throughput.on_wait(seconds(2), seconds(2));
        assert_eq!(throughput.within(seconds(61 + 12)), 6 * PARTS);
        throughput.on_wait(seconds(59), seconds(59));
        assert_eq!(throughput.within(seconds(132)), 6 * PARTS);
    }

    #[test]
    fn clock_jump_counts_as_at_most_one_slot() {
        let (mut steady, mut jumps) = (Throughput::default(), Throughput::default());
        for _ in 0..30 {
            for l1 in [&mut steady, &mut jumps] {
                l1.on_wait(seconds(2), seconds(2));
                l1.add_included(1);
            }
        }
        let before = steady.within(seconds(60));
        jumps.on_wait(seconds(100_000), Duration::from_millis(20));
        let after = jumps.within(seconds(60));
        assert!(after <= before && after * 5 > before * 4, "{after} of {before}");
        // Time that also passes on the local clock counts in full.
        steady.on_wait(seconds(100_000), seconds(100_000));
        assert!(steady.within(seconds(60)) < before / 50);
    }
}
