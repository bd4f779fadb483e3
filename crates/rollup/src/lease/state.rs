//! State of a candidate between its requests.

use super::{CandidateId, Leader, messages::Election, tenure::Tenure};
use std::time::{Duration, SystemTime};

/// First pause of a leader that could not work before it requests the lease again.
const FIRST_BAR: Duration = Duration::from_secs(10);
/// Maximum of this pause, which doubles each time.
pub(super) const MAX_BAR: Duration = Duration::from_secs(600);

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) tenure: Tenure,
    /// Monotonic and calendar time before the latest renewal was sent; `None` if the node does not
    /// want the lease.
    pub(super) confirmed: Option<(Duration, SystemTime)>,
    /// Id of the etcd lease.
    pub(super) lease: Option<i64>,
    /// `true` if the key that announces this candidate is attached to the lease.
    pub(super) is_announced: bool,
    /// The leader, unless it is this node.
    pub(super) leader: Option<Leader>,
    /// Error of the last round.
    pub(super) error: Option<String>,
    /// Monotonic time at which the leader last worked.
    pub(super) worked: Duration,
    /// Monotonic time until which this node does not request the lease because it could not work,
    /// and the number of times in a row that this has happened.
    pub(super) barred: (Duration, u32),
}

impl State {
    /// Returns the time for which the lease is still held with this token; zero if it is not.
    pub(super) fn remaining(&self, now: Duration, token: i64) -> Duration {
        let (Some((from, until, current)), Some((sent, calendar))) =
            (self.tenure.period(), self.confirmed)
        else {
            return Duration::ZERO;
        };
        if current != token || now < from {
            return Duration::ZERO;
        }
        // While a machine is suspended, its monotonic clock may stop, but its wall clock advances,
        // so both are checked. A wall clock that was set back counts as no elapsed time.
        let slept = SystemTime::now().duration_since(calendar).unwrap_or_default();
        until.saturating_sub(now.max(sent.saturating_add(slept)))
    }

    /// Records when the latest renewal was sent.
    pub(super) fn confirm(&mut self, sent: (Duration, SystemTime)) {
        let is_newer = self.confirmed.is_none_or(|(at, _)| at <= sent.0);
        self.confirmed = if is_newer { Some(sent) } else { self.confirmed };
    }

    /// Records the state of the election in a response.
    pub(super) fn observe(&mut self, now: Duration, own: CandidateId, election: Election) {
        self.tenure.observe(now, election.renewal);
        self.leader = election.leader.map(|(leader, _)| leader).filter(|leader| leader.id != own);
    }

    /// Bars this node from requesting the lease. The pause doubles each time, since the standby may
    /// fail for the same reason.
    pub(super) fn bar(&mut self, now: Duration) {
        let (_, times) = self.barred;
        let pause = FIRST_BAR.saturating_mul(1 << times.min(8)).min(MAX_BAR);
        self.barred = (now.saturating_add(pause), times + 1);
        self.confirmed = None;
    }
}
