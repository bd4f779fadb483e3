//! Backoff of transactions that L1 rejects.

/// Number of L1 blocks after which rejected or unprofitable evidence is retried. Doubles with each
/// try.
const RETRY_AFTER: u64 = 2;
/// Maximum number of counted tries, which limits the backoff to 32 L1 blocks: conditions can be
/// checked for a day, and fees fall within minutes.
const MAX_TRIES: u32 = 5;

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Retry {
    pub(super) tries: u32,
    /// L1 block from which the next step is due.
    pub(super) not_before: u64,
}

impl Retry {
    /// Returns `true` if the next try is due.
    pub(super) const fn is_due(&self, head: u64) -> bool {
        self.not_before <= head
    }

    /// Postpones the next try to a later L1 block, or to the next one unless this try `counts`.
    pub(super) fn postpone(&mut self, head: u64, counts: bool) {
        self.tries = (self.tries + u32::from(counts)).min(MAX_TRIES);
        let wait = match counts {
            true => RETRY_AFTER << (self.tries - 1),
            false => 1,
        };
        self.not_before = head.saturating_add(wait);
    }
}
