//! State of a witness: the candidate that holds each lease, and when the grant expires.

use crate::{Answer, CandidateId, Leader, LeaseName};
use std::{collections::HashMap, time::Duration};

/// Maximum number of leases of a witness: one for each rollup that uses it.
pub const MAX_LEASES: usize = 64;
/// Maximum length of a candidate's URL in bytes.
pub const MAX_URL_BYTES: usize = 256;

/// Time after its last refused request for which a candidate counts as one that wants the lease.
/// Candidates send a request every second.
const CONTEST: Duration = Duration::from_secs(3);

/// Grants of a witness. All times are of its own monotonic clock, from an arbitrary origin.
#[derive(Debug)]
pub struct Witness {
    ttl: Duration,
    /// Time until which grants from before the start may be valid.
    blind_until: Duration,
    grants: HashMap<LeaseName, Grant>,
}

#[derive(Debug)]
struct Grant {
    to: Leader,
    until: Duration,
    /// Newest round in which the holder requested the lease.
    round: u64,
    /// Time of the last refused request of another candidate.
    contested_at: Option<Duration>,
}

impl Witness {
    /// Creates a witness that starts at `now` and grants leases for `ttl`.
    ///
    /// It does not know what it granted before its start, so it grants nothing until these grants
    /// have expired.
    pub fn new(ttl: Duration, now: Duration) -> Self {
        Self { ttl, blind_until: now.saturating_add(ttl), grants: HashMap::new() }
    }

    /// Handles a candidate's request for a lease, or for its renewal. The round numbers of a
    /// candidate increase.
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

    /// Releases the grant of a candidate, so that another one can get the lease at once. A release
    /// that arrives after a request of a later round is ignored, because the candidate relies on
    /// the later grant.
    pub fn release(&mut self, name: LeaseName, candidate: CandidateId, round: u64) {
        let is_meant = |grant: &Grant| grant.to.id == candidate && grant.round <= round;
        if self.grants.get(&name).is_some_and(is_meant) {
            self.grants.remove(&name);
        }
    }

    /// Current holder of a lease, if there is one.
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
    fn lease_has_one_holder_until_it_expires() {
        let mut witness = Witness::new(TTL, Duration::ZERO);
        assert_eq!(witness.ask(seconds(6), NAME, candidate(1), 1), GRANTED);
        let held = |left| Answer::Held { by: candidate(1), left };
        assert_eq!(witness.ask(seconds(7), NAME, candidate(2), 1), held(seconds(5)));
        // A renewal counts from its request.
        assert_eq!(witness.ask(seconds(10), NAME, candidate(1), 1), GRANTED);
        assert_eq!(witness.ask(seconds(15), NAME, candidate(2), 1), held(seconds(1)));
        assert_eq!(witness.leader(seconds(15), NAME), Some(&candidate(1)));
        assert_eq!(witness.leader(seconds(16), NAME), None);
        assert_eq!(witness.ask(seconds(16), NAME, candidate(2), 1), GRANTED);
        assert_eq!(witness.leader(seconds(16), NAME), Some(&candidate(2)));
    }

    #[test]
    fn restarted_witness_waits_for_earlier_grants() {
        let mut witness = Witness::new(TTL, seconds(100));
        let starting = |left| Answer::Starting { left };
        assert_eq!(witness.ask(seconds(100), NAME, candidate(1), 1), starting(seconds(6)));
        assert_eq!(witness.ask(seconds(105), NAME, candidate(1), 1), starting(seconds(1)));
        assert_eq!(witness.ask(seconds(106), NAME, candidate(1), 1), GRANTED);
    }

    #[test]
    fn renewal_reports_contest() {
        let mut witness = Witness::new(TTL, Duration::ZERO);
        assert_eq!(witness.ask(seconds(6), NAME, candidate(1), 1), GRANTED);
        assert!(matches!(witness.ask(seconds(7), NAME, candidate(2), 1), Answer::Held { .. }));
        assert_eq!(witness.ask(seconds(8), NAME, candidate(1), 2), CONTESTED);
        assert_eq!(witness.ask(seconds(9), NAME, candidate(1), 3), CONTESTED);
        // The other candidate has not requested the lease since.
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
    fn late_release_does_not_end_later_grant() {
        let mut witness = Witness::new(TTL, Duration::ZERO);
        witness.ask(seconds(6), NAME, candidate(1), 3);
        // A late request of an earlier round does not reset the grant's round.
        witness.ask(seconds(6), NAME, candidate(1), 1);
        witness.release(NAME, candidate(1).id, 2);
        assert!(matches!(witness.ask(seconds(7), NAME, candidate(2), 1), Answer::Held { .. }));
        witness.release(NAME, candidate(1).id, 3);
        assert_eq!(witness.ask(seconds(7), NAME, candidate(2), 1), GRANTED);
    }

    #[test]
    fn only_expired_leases_are_evicted() {
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
