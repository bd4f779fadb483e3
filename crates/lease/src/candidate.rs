//! A candidate: until when enough witnesses have granted it the lease.

use crate::{Answer, Leader};
use std::time::Duration;

/// Percentage of a grant's time that a candidate counts on. The rest allows for a clock of the
/// witness that runs faster than the candidate's.
pub const USABLE_PERCENT: u32 = 90;

/// Grants that a candidate has. Times are those of its own monotonic clock, since any moment that
/// it chooses.
#[derive(Debug)]
pub struct Candidate {
    /// End of each witness's grant.
    granted_until: Vec<Option<Duration>>,
    /// `true` for each witness that another candidate asks too.
    contested: Vec<bool>,
    /// The leader that a witness named last.
    leader: Option<Leader>,
}

impl Candidate {
    /// A candidate for a lease of this many witnesses, without a grant.
    pub fn new(witnesses: usize) -> Self {
        Self {
            granted_until: vec![None; witnesses],
            contested: vec![false; witnesses],
            leader: None,
        }
    }

    /// Takes the answer of a witness to a request that was sent at a time, or its silence. A silent
    /// witness may have granted: the last grant that it told of holds until its end.
    pub fn take(&mut self, witness: usize, asked_at: Duration, answer: Option<Answer>) {
        let Some(until) = self.granted_until.get_mut(witness) else { return };
        match answer {
            Some(Answer::Granted { ttl, contested }) => {
                self.contested[witness] = contested;
                let end = asked_at.saturating_add(ttl.saturating_mul(USABLE_PERCENT) / 100);
                // An answer that was overtaken by a later one takes nothing back.
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

    /// The time until which more than half of the witnesses have granted the lease, if so many
    /// have.
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

    /// Returns `true` if more than half of the witnesses say that another candidate asks for the
    /// lease. It could lead.
    pub fn is_contested(&self) -> bool {
        self.contested.iter().filter(|contested| **contested).count() > self.contested.len() / 2
    }

    /// Returns `true` if a witness has granted the lease, and its grant has not ended.
    pub fn has_grants(&self, now: Duration) -> bool {
        self.granted_until.iter().flatten().any(|until| now < *until)
    }

    /// Gives up all grants; the witnesses are to be told.
    pub fn give_up(&mut self) {
        self.granted_until.fill(None);
        self.contested.fill(false);
    }

    /// Takes the name of the leader from witnesses that were asked for it alone.
    pub fn told_of(&mut self, leader: Option<Leader>) {
        self.leader = leader;
    }

    /// The candidate that leads, as far as a witness has said.
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
    fn more_than_half_of_the_witnesses_make_a_leader() {
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
    fn a_grant_counts_from_before_it_was_asked_for_and_a_tenth_shorter() {
        let mut candidate = Candidate::new(3);
        candidate.take(0, seconds(1), GRANTED);
        candidate.take(1, seconds(3), GRANTED);
        // The older of the two decides.
        assert_eq!(candidate.held_until(), Some(seconds(10)));
        assert!(candidate.is_leading(seconds(10) - Duration::from_millis(1)));
        assert!(!candidate.is_leading(seconds(10)));
        candidate.take(2, seconds(5), GRANTED);
        assert_eq!(candidate.held_until(), Some(seconds(12)));
    }

    #[test]
    fn a_refusal_ends_a_grant_and_silence_does_not() {
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
        // Nor does the answer of a witness that there is not.
        candidate.take(1, seconds(9), GRANTED);
        assert_eq!(candidate.held_until(), Some(seconds(14)));
    }
}
