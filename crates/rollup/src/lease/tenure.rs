//! Rules for when a node holds the lease. They depend only on etcd's transactions, and not on when
//! etcd expires a lease.

use std::time::Duration;

/// Duration of the etcd lease to which the election key is attached, in seconds. etcd deletes the
/// key of a dead node after this time.
pub const TTL_SECONDS: u64 = 5;

/// Time that a node waits before a takeover, after it has observed the last renewal of the previous
/// holder. Equal to [`TTL_SECONDS`], so that it has normally passed when etcd deletes the key.
pub const TAKEOVER_WAIT: Duration = Duration::from_secs(TTL_SECONDS);

/// Time for which a node holds the lease after a renewal, from before the request was sent. 10%
/// shorter than [`TAKEOVER_WAIT`], because clock rates differ.
pub const HOLD: Duration = Duration::from_millis(TTL_SECONDS * 1_000 * 9 / 10);

/// State of a candidate. Times are of its own monotonic clock, from an arbitrary origin; revisions
/// are etcd's.
#[derive(Debug, Default)]
pub(super) struct Tenure {
    /// Latest observed renewal of any candidate: its revision, and the time of the first response
    /// with it.
    last_renewal: Option<(i64, Duration)>,
    own: Option<OwnTerm>,
    /// Fencing token of the last term from which this candidate has resigned, or zero.
    resigned: i64,
}

/// The term of this candidate, which has the election key.
#[derive(Debug, Clone, Copy)]
struct OwnTerm {
    /// Revision at which the election key was created.
    token: i64,
    /// Time before which the previous holder may still hold the lease.
    not_before: Duration,
    /// Time until which the last renewal is valid.
    until: Duration,
}

impl Tenure {
    /// Records the revision of the last renewal, as observed in a response that arrived at `now`.
    /// `None` if there is none, because the last holder has resigned.
    pub(super) fn observe(&mut self, now: Duration, renewal: Option<i64>) {
        if self.last_renewal.map(|(revision, _)| revision) != renewal {
            self.last_renewal = renewal.map(|revision| (revision, now));
        }
    }

    /// Records that this candidate created the election key, in a transaction that was sent at
    /// `sent`, answered at `now`, and read `previous`, the last renewal of the previous holder.
    pub(super) fn win(&mut self, sent: Duration, now: Duration, token: i64, previous: Option<i64>) {
        self.observe(now, previous);
        // Without a renewal on record, the last holder has resigned or never existed.
        let not_before = self.last_renewal.map_or(Duration::ZERO, |(_, at)| at + TAKEOVER_WAIT);
        self.own = Some(OwnTerm { token, not_before, until: sent + HOLD });
    }

    /// Records at `now` that the election key belongs to this candidate, although no response to
    /// its creation has arrived. It holds the lease only after a renewal: other candidates may have
    /// observed the creation long ago. Returns `false` if it has resigned from this term: the
    /// resignation may still be in flight, and after it the next holder does not wait.
    pub(super) const fn adopt(&mut self, now: Duration, token: i64) -> bool {
        if token <= self.resigned {
            return false;
        }
        let not_before = now.saturating_add(TAKEOVER_WAIT);
        self.own = Some(OwnTerm { token, not_before, until: Duration::ZERO });
        true
    }

    /// Records that a renewal sent at `sent` has succeeded.
    pub(super) fn renew(&mut self, sent: Duration, token: i64) {
        if let Some(own) = self.own.as_mut().filter(|own| own.token == token) {
            own.until = own.until.max(sent + HOLD);
        }
    }

    /// Ends the term with this token, whose election key has been deleted.
    pub(super) fn end(&mut self, token: i64) {
        self.own.take_if(|own| own.token == token);
    }

    /// Ends the current term, which is never continued, before the resignation is sent. Returns its
    /// token, and `true` if the previous holder's time is over, so that the next holder need not
    /// wait for it.
    pub(super) fn resign(&mut self, now: Duration) -> Option<(i64, bool)> {
        let OwnTerm { token, not_before, .. } = self.own.take()?;
        self.resigned = token;
        Some((token, not_before <= now))
    }

    /// Returns the revision of the last observed renewal, if it has expired for any candidate.
    pub(super) fn overdue(&self, now: Duration) -> Option<i64> {
        self.last_renewal.filter(|(_, at)| *at + TAKEOVER_WAIT <= now).map(|(renewal, _)| renewal)
    }

    /// Returns the fencing token of the current term, even if the lease is not held yet.
    pub(super) fn token(&self) -> Option<i64> {
        self.own.map(|own| own.token)
    }

    /// Returns the times from which and until which the lease is held, and its fencing token.
    pub(super) fn period(&self) -> Option<(Duration, Duration, i64)> {
        self.own.map(|own| (own.not_before, own.until, own.token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn holds(tenure: &Tenure, now: Duration) -> bool {
        tenure.period().is_some_and(|(from, until, _)| from <= now && now < until)
    }

    #[test]
    fn hold_is_a_tenth_shorter_than_wait() {
        assert_eq!(HOLD * 10, TAKEOVER_WAIT * 9);
        assert_eq!(TAKEOVER_WAIT, seconds(TTL_SECONDS));
    }

    #[test]
    fn renewal_counts_from_before_its_request() {
        let mut tenure = Tenure::default();
        tenure.win(seconds(10), seconds(12), 7, None);
        assert!(holds(&tenure, seconds(12)) && holds(&tenure, seconds(14)));
        assert!(!holds(&tenure, seconds(10) + HOLD));
        tenure.renew(seconds(13), 7);
        assert!(holds(&tenure, seconds(17)) && !holds(&tenure, seconds(13) + HOLD));
        // A response that arrives late does not shorten the term, and one of another term does not
        // extend it.
        tenure.renew(seconds(11), 7);
        tenure.renew(seconds(16), 6);
        assert!(holds(&tenure, seconds(17)) && !holds(&tenure, seconds(13) + HOLD));
        assert_eq!(tenure.token(), Some(7));
    }

    #[test]
    fn takeover_waits_for_last_renewal_seen() {
        // The renewal was observed at 3 s, and again later: the first time counts.
        let mut tenure = Tenure::default();
        tenure.observe(seconds(3), Some(5));
        tenure.observe(seconds(6), Some(5));
        tenure.win(seconds(7), seconds(7), 9, Some(5));
        assert!(!holds(&tenure, seconds(7)) && holds(&tenure, seconds(8)));
        // One that was never observed before: the wait starts with the response.
        let mut tenure = Tenure::default();
        tenure.observe(seconds(3), Some(5));
        tenure.win(seconds(7), seconds(8), 9, Some(6));
        tenure.renew(seconds(11), 9);
        assert!(!holds(&tenure, seconds(12)) && holds(&tenure, seconds(13)));
        // After a resignation there is nothing to wait for.
        let mut tenure = Tenure::default();
        tenure.observe(seconds(3), Some(5));
        tenure.win(seconds(4), seconds(4), 9, None);
        assert!(holds(&tenure, seconds(4)));
    }

    #[test]
    fn renewal_is_overdue_after_wait() {
        let mut tenure = Tenure::default();
        assert_eq!(tenure.overdue(seconds(9)), None);
        tenure.observe(seconds(3), Some(5));
        assert_eq!(tenure.overdue(seconds(7)), None);
        assert_eq!(tenure.overdue(seconds(8)), Some(5));
        tenure.observe(seconds(8), Some(6));
        assert_eq!(tenure.overdue(seconds(8)), None);
    }

    #[test]
    fn adopted_key_is_held_after_renewal() {
        let mut tenure = Tenure::default();
        assert!(tenure.adopt(seconds(1), 7));
        assert!(!holds(&tenure, seconds(6)));
        tenure.renew(seconds(4), 7);
        assert!(!holds(&tenure, seconds(5)) && holds(&tenure, seconds(6)));
    }

    #[test]
    fn resigned_term_is_not_adopted() {
        let mut tenure = Tenure::default();
        tenure.win(seconds(1), seconds(1), 7, None);
        tenure.end(6);
        assert_eq!(tenure.token(), Some(7), "another term");
        assert_eq!(tenure.resign(seconds(2)), Some((7, true)));
        assert_eq!(tenure.resign(seconds(2)), None);
        assert!(!tenure.adopt(seconds(3), 7));
        assert_eq!(tenure.token(), None);
        assert!(tenure.adopt(seconds(3), 8));
        // A term that ended otherwise may be adopted.
        tenure.end(8);
        assert!(tenure.adopt(seconds(3), 8));
    }

    #[test]
    fn resignation_during_wait_is_not_clean() {
        let mut tenure = Tenure::default();
        tenure.win(seconds(1), seconds(1), 7, Some(3));
        assert_eq!(tenure.resign(seconds(2)), Some((7, false)));
        tenure.win(seconds(1), seconds(1), 8, Some(3));
        assert_eq!(tenure.resign(seconds(6)), Some((8, true)));
    }
}
