//! A witness: which candidate it has granted a lease, and until when.

use crate::{Answer, CandidateId, Leader, LeaseName};
use std::{collections::HashMap, time::Duration};

/// Maximum number of leases that a witness keeps: one for each rollup that uses it.
pub const MAX_LEASES: usize = 64;
/// Maximum length of a candidate's URL in bytes.
pub const MAX_URL_BYTES: usize = 256;

/// Time after which a candidate that was refused and has not asked again counts as one that does
/// not want the lease. Candidates ask once a second.
const CONTEST: Duration = Duration::from_secs(3);

/// Grants of one witness. Times are those of the witness's monotonic clock, since any moment that
/// it chooses.
#[derive(Debug)]
pub struct Witness {
    ttl: Duration,
    /// End of the time in which grants from before the start may hold.
    blind_until: Duration,
    grants: HashMap<LeaseName, Grant>,
}

#[derive(Debug)]
struct Grant {
    to: Leader,
    until: Duration,
    /// Newest round of the candidate that asked for it.
    round: u64,
    /// Last time that another candidate was refused.
    contested_at: Option<Duration>,
}

impl Witness {
    /// A witness that starts now and grants a lease for `ttl` at a time.
    ///
    /// It has no memory of what it granted before, so it grants nothing until all of that has
    /// ended.
    pub fn new(ttl: Duration, now: Duration) -> Self {
        Self { ttl, blind_until: now.saturating_add(ttl), grants: HashMap::new() }
    }

    /// Answers a candidate that asks for a lease, or for its renewal, in the round with this
    /// number. A candidate counts its rounds upwards.
    pub fn ask(&mut self, now: Duration, name: LeaseName, candidate: Leader, round: u64) -> Answer {
        if let Some(left) = self.blind_until.checked_sub(now).filter(|left| !left.is_zero()) {
            return Answer::Starting { left };
        }
        let own = self.grants.get(&name).filter(|grant| grant.to.id == candidate.id);
        let round = own.map_or(round, |grant| grant.round.max(round));
        let contested_at = own.and_then(|grant| grant.contested_at);
        if let Some(Grant { to, until, contested_at, .. }) = self.grants.get_mut(&name)
            && to.id != candidate.id
            && let Some(left) = until.checked_sub(now).filter(|left| !left.is_zero())
        {
            *contested_at = Some(now);
            return Answer::Held { by: to.clone(), left };
        }
        if !self.grants.contains_key(&name) && self.grants.len() >= MAX_LEASES {
            self.grants.retain(|_, grant| grant.until > now);
            if self.grants.len() >= MAX_LEASES {
                return Answer::Full { limit: MAX_LEASES };
            }
        }
        let until = now.saturating_add(self.ttl);
        self.grants.insert(name, Grant { to: candidate, until, round, contested_at });
        let contested = contested_at.is_some_and(|at| now.saturating_sub(at) < CONTEST);
        Answer::Granted { ttl: self.ttl, contested }
    }

    /// Ends the grant of a candidate that does not lead; another may have the lease at once. A
    /// release that arrives after the candidate has asked again, in a later round, ends nothing:
    /// the candidate counts on that grant.
    pub fn release(&mut self, name: LeaseName, candidate: CandidateId, round: u64) {
        let is_meant = |grant: &Grant| grant.to.id == candidate && grant.round <= round;
        if self.grants.get(&name).is_some_and(is_meant) {
            self.grants.remove(&name);
        }
    }

    /// The candidate that has a lease now, if one has.
    pub fn leader(&self, now: Duration, name: LeaseName) -> Option<&Leader> {
        self.grants.get(&name).filter(|grant| grant.until > now).map(|grant| &grant.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::B256;

    const TTL: Duration = Duration::from_secs(6);
    const NAME: LeaseName = LeaseName(B256::ZERO);
    const GRANTED: Answer = Answer::Granted { ttl: TTL, contested: false };
    const CONTESTED: Answer = Answer::Granted { ttl: TTL, contested: true };

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn candidate(byte: u8) -> Leader {
        Leader { id: CandidateId(B256::repeat_byte(byte)), url: format!("ws://{byte}") }
    }

    #[test]
    fn a_lease_belongs_to_one_candidate_until_its_time_is_over() {
        let mut witness = Witness::new(TTL, Duration::ZERO);
        assert_eq!(witness.ask(seconds(6), NAME, candidate(1), 1), GRANTED);
        let held = |left| Answer::Held { by: candidate(1), left };
        assert_eq!(witness.ask(seconds(7), NAME, candidate(2), 1), held(seconds(5)));
        // A renewal counts from when it is asked for.
        assert_eq!(witness.ask(seconds(10), NAME, candidate(1), 1), GRANTED);
        assert_eq!(witness.ask(seconds(15), NAME, candidate(2), 1), held(seconds(1)));
        assert_eq!(witness.leader(seconds(15), NAME), Some(&candidate(1)));
        assert_eq!(witness.leader(seconds(16), NAME), None);
        assert_eq!(witness.ask(seconds(16), NAME, candidate(2), 1), GRANTED);
        assert_eq!(witness.leader(seconds(16), NAME), Some(&candidate(2)));
    }

    #[test]
    fn a_witness_that_has_started_grants_nothing_until_all_earlier_grants_have_ended() {
        let mut witness = Witness::new(TTL, seconds(100));
        let starting = |left| Answer::Starting { left };
        assert_eq!(witness.ask(seconds(100), NAME, candidate(1), 1), starting(seconds(6)));
        assert_eq!(witness.ask(seconds(105), NAME, candidate(1), 1), starting(seconds(1)));
        assert_eq!(witness.ask(seconds(106), NAME, candidate(1), 1), GRANTED);
    }

    #[test]
    fn a_renewal_says_whether_another_asks() {
        let mut witness = Witness::new(TTL, Duration::ZERO);
        assert_eq!(witness.ask(seconds(6), NAME, candidate(1), 1), GRANTED);
        assert!(matches!(witness.ask(seconds(7), NAME, candidate(2), 1), Answer::Held { .. }));
        assert_eq!(witness.ask(seconds(8), NAME, candidate(1), 2), CONTESTED);
        assert_eq!(witness.ask(seconds(9), NAME, candidate(1), 3), CONTESTED);
        // The other has not asked since.
        assert_eq!(witness.ask(seconds(10), NAME, candidate(1), 4), GRANTED);
        witness.release(NAME, candidate(1).id, 4);
        assert_eq!(witness.ask(seconds(10), NAME, candidate(2), 2), GRANTED);
    }

    #[test]
    fn a_lease_is_released_by_its_holder_alone() {
        let mut witness = Witness::new(TTL, Duration::ZERO);
        witness.ask(seconds(6), NAME, candidate(1), 1);
        witness.release(NAME, candidate(2).id, 1);
        assert!(matches!(witness.ask(seconds(7), NAME, candidate(2), 1), Answer::Held { .. }));
        witness.release(NAME, candidate(1).id, 1);
        assert_eq!(witness.ask(seconds(7), NAME, candidate(2), 1), GRANTED);
    }

    #[test]
    fn a_release_that_comes_late_does_not_end_the_grant_of_a_later_round() {
        let mut witness = Witness::new(TTL, Duration::ZERO);
        witness.ask(seconds(6), NAME, candidate(1), 3);
        // An older request that comes late does not make the grant older.
        witness.ask(seconds(6), NAME, candidate(1), 1);
        witness.release(NAME, candidate(1).id, 2);
        assert!(matches!(witness.ask(seconds(7), NAME, candidate(2), 1), Answer::Held { .. }));
        witness.release(NAME, candidate(1).id, 3);
        assert_eq!(witness.ask(seconds(7), NAME, candidate(2), 1), GRANTED);
    }

    #[test]
    fn leases_that_have_ended_make_way_for_new_ones_and_others_do_not() {
        let mut witness = Witness::new(TTL, Duration::ZERO);
        let name = |byte: usize| LeaseName(B256::with_last_byte(u8::try_from(byte).unwrap()));
        for lease in 0..MAX_LEASES {
            let answer = witness.ask(seconds(6), name(lease), candidate(1), 1);
            assert_eq!(answer, GRANTED, "{lease}");
        }
        let full = Answer::Full { limit: MAX_LEASES };
        assert_eq!(witness.ask(seconds(7), name(MAX_LEASES), candidate(1), 1), full);
        assert_eq!(witness.ask(seconds(7), name(0), candidate(1), 1), GRANTED);
        let granted = witness.ask(seconds(12), name(MAX_LEASES), candidate(1), 1);
        assert_eq!(granted, GRANTED);
    }
}
