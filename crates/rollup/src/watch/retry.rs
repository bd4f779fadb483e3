//! Time between the tries of what L1 rejects.

/// Number of L1 blocks after which evidence is tried again that L1 has rejected, or that is not
/// worth its cost; it doubles with each try.
const RETRY_AFTER: u64 = 2;
/// Maximum number of tries that count, which limits the wait between two of them to 32 L1 blocks:
/// conditions can be checked for a day, and fees fall within minutes.
const MAX_TRIES: u32 = 5;

/// Time of the next try.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Retry {
    pub(super) tries: u32,
    /// Number of L1's head from which the next step is made.
    pub(super) not_before: u64,
}

impl Retry {
    /// Returns `true` if it is time for the next try.
    pub(super) const fn is_due(&self, head: u64) -> bool {
        self.not_before <= head
    }

    /// Tries again in a later L1 block: in the next one if this try does not count.
    pub(super) fn postpone(&mut self, head: u64, counts: bool) {
        self.tries = (self.tries + u32::from(counts)).min(MAX_TRIES);
        let wait = match counts {
            true => RETRY_AFTER << (self.tries - 1),
            false => 1,
        };
        self.not_before = head.saturating_add(wait);
    }
}
