//! State of a candidate: its grants, and the time until which a majority of them is valid.

use crate::{Answer, Leader};
use std::time::Duration;

/// Percentage of a grant's duration that a candidate uses. The rest is a margin for a clock of the
/// witness that runs faster than the candidate's.
pub const USABLE_PERCENT: u32 = 90;

/// Grants of a candidate. All times are of its own monotonic clock, from an arbitrary origin.
#[derive(Debug)]
pub struct Candidate {
    /// End of each witness's grant.
    granted_until: Vec<Option<Duration>>,
    /// `true` for each witness from which another candidate requests the lease, too.
    contested: Vec<bool>,
    /// Leader that a witness reported last.
    leader: Option<Leader>,
}

impl Candidate {
    /// Creates a candidate without grants for a lease with this number of witnesses.
    pub fn new(witnesses: usize) -> Self {
        Self {
            granted_until: vec![None; witnesses],
            contested: vec![false; witnesses],
            leader: None,
        }
    }

    /// Processes the answer of a witness to a request sent at `asked_at`; `None` if it did not
    /// answer. Without an answer the witness's last known grant stays valid until it expires.
    pub fn take(&mut self, witness: usize, asked_at: Duration, answer: Option<Answer>) {
        let Some(until) = self.granted_until.get_mut(witness) else { return };
        match answer {
            Some(Answer::Granted { ttl, contested }) => {
                self.contested[witness] = contested;
                let end = asked_at.saturating_add(ttl.saturating_mul(USABLE_PERCENT) / 100);
                // An older answer that arrives late does not shorten the grant.
                *until = Some(until.map_or(end, |known| known.max(end)));
                self.leader = None;
            }
            Some(Answer::Held { by, .. }) => {
                *until = None;
                self.leader = Some(by);
            }
            Some(Answer::Starting { .. } | Answer::Full { .. }) => *until = None,
            None => {}
        }
    }

    /// Time until which more than half of the witnesses have granted the lease; `None` without such
    /// a majority.
    pub fn held_until(&self) -> Option<Duration> {
        let majority = self.granted_until.len() / 2 + 1;
        let mut ends: Vec<_> = self.granted_until.iter().flatten().copied().collect();
        ends.sort_unstable();
        ends.len().checked_sub(majority).and_then(|at| ends.get(at)).copied()
    }

    /// Returns `true` if the candidate leads at this time.
    pub fn is_leading(&self, now: Duration) -> bool {
        self.held_until().is_some_and(|until| now < until)
    }

    /// Returns `true` if more than half of the witnesses report that another candidate requests the
    /// lease, so that it could lead.
    pub fn is_contested(&self) -> bool {
        self.contested.iter().filter(|contested| **contested).count() > self.contested.len() / 2
    }

    /// Returns `true` if a grant of a witness has not expired.
    pub fn has_grants(&self, now: Duration) -> bool {
        self.granted_until.iter().flatten().any(|until| now < *until)
    }

    /// Drops all grants. The caller has to release them at the witnesses.
    pub fn give_up(&mut self) {
        self.granted_until.fill(None);
        self.contested.fill(false);
    }

    /// Sets the leader that witnesses reported to a request that does not ask for the lease.
    pub fn observe_leader(&mut self, leader: Option<Leader>) {
        self.leader = leader;
    }

    /// Leader that a witness has reported.
    pub const fn leader(&self) -> Option<&Leader> {
        self.leader.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CandidateId;
    use alloy_primitives::B256;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    const GRANTED: Option<Answer> =
        Some(Answer::Granted { ttl: Duration::from_secs(10), contested: false });

    fn held() -> Option<Answer> {
        let by = Leader { id: CandidateId(B256::repeat_byte(2)), url: "ws://b".to_owned() };
        Some(Answer::Held { by, left: seconds(1) })
    }

    #[test]
    fn majority_of_witnesses_makes_leader() {
        for (witnesses, needed) in [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)] {
            let mut candidate = Candidate::new(witnesses);
            for witness in 0..needed {
                assert!(!candidate.is_leading(seconds(1)), "{witness} of {witnesses}");
                candidate.take(witness, seconds(1), GRANTED);
            }
            assert!(candidate.is_leading(seconds(1)), "{witnesses}");
        }
        assert!(!Candidate::new(0).is_leading(seconds(1)));
    }

    #[test]
    fn a_majority_of_witnesses_names_a_contest() {
        let contested = Some(Answer::Granted { ttl: seconds(10), contested: true });
        let mut candidate = Candidate::new(3);
        for (witness, answer, is_contested) in [
            (0, &contested, false),
            (1, &GRANTED, false),
            (2, &contested, true),
            (0, &GRANTED, false),
        ] {
            candidate.take(witness, seconds(1), answer.clone());
            assert_eq!(candidate.is_contested(), is_contested, "{witness}");
        }
    }

    #[test]
    fn grant_counts_from_request_and_tenth_shorter() {
        let mut candidate = Candidate::new(3);
        candidate.take(0, seconds(1), GRANTED);
        candidate.take(1, seconds(3), GRANTED);
        // A majority of three needs both, so the older one counts.
        assert_eq!(candidate.held_until(), Some(seconds(10)));
        assert!(candidate.is_leading(seconds(10) - Duration::from_millis(1)));
        assert!(!candidate.is_leading(seconds(10)));
        candidate.take(2, seconds(5), GRANTED);
        assert_eq!(candidate.held_until(), Some(seconds(12)));
    }

    #[test]
    fn refusal_ends_grant_but_silence_does_not() {
        let mut candidate = Candidate::new(3);
        candidate.take(0, seconds(1), GRANTED);
        candidate.take(1, seconds(1), GRANTED);
        candidate.take(1, seconds(2), None);
        assert!(candidate.is_leading(seconds(3)));
        candidate.take(1, seconds(2), held());
        assert!(!candidate.is_leading(seconds(3)));
        assert_eq!(candidate.leader().map(|it| it.url.as_str()), Some("ws://b"));
        assert!(candidate.has_grants(seconds(3)));
        candidate.give_up();
        assert!(!candidate.has_grants(seconds(3)));
    }

    #[test]
    fn an_answer_that_comes_late_takes_nothing_back() {
        let mut candidate = Candidate::new(1);
        candidate.take(0, seconds(5), GRANTED);
        candidate.take(0, seconds(1), GRANTED);
        assert_eq!(candidate.held_until(), Some(seconds(14)));
        // The answer of an unknown witness is ignored.
        candidate.take(1, seconds(9), GRANTED);
        assert_eq!(candidate.held_until(), Some(seconds(14)));
    }
}
