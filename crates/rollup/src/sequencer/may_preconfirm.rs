//! Conditions under which prefixes are signed.

use super::{Preconfirmations, Sequencer};
use crate::{l1::poller::Terms, prefix::NotPreconfirming};
use chain::Block;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Returns the maximum age of the oldest block that is not on L1, in seconds. L1 accepts blocks for
/// `max_lag`, and a promise lasts for half of it. Half of that is left for posting.
pub(crate) const fn max_age_of_unposted(max_lag: u64) -> u64 {
    max_lag / 4
}

/// Returns the maximum age of L1's head for a promise about its child, in seconds. Once the policy
/// opens, any account may post a child of it with a timestamp of `max_lag` ago. The promise has to
/// end before.
pub(crate) fn max_age_of_safe(max_lag: u64, policy_timeout: u64) -> u64 {
    let until_open = policy_timeout.saturating_sub(max_lag.saturating_add(max_lag / 2));
    max_age_of_unposted(max_lag).min(until_open)
}

impl Sequencer {
    /// Time from the start of the next block to its sealing, if its prefixes are signed.
    pub(super) fn lead_time(
        &mut self,
        head: &Block,
        terms: &Terms,
        now: Instant,
    ) -> Option<Duration> {
        self.preconfirmations.as_ref()?.slice?;
        let time = self.clock.for_block(now + self.config.block_time);
        let may = self.may_preconfirm(head, terms, time);
        let preconfirmations = self.preconfirmations.as_ref()?;
        preconfirmations.book.set_state(may.as_ref().map(|_| ()));
        may.is_ok().then_some(self.config.block_time)
    }

    /// Returns an error if prefixes of a block at this time may not be signed: others could make the
    /// promise impossible to keep.
    fn may_preconfirm(
        &mut self,
        head: &Block,
        terms: &Terms,
        time: u64,
    ) -> Result<(), NotPreconfirming> {
        let Some(Preconfirmations { signer, rates, .. }) = &mut self.preconfirmations else {
            return Ok(());
        };
        let view = Arc::clone(&self.sync.view);
        signer.require_complete(&view)?;
        signer.require_shared(head.num_hash(), &view)?;
        if terms.admission.is_open_to_all() {
            return Err(NotPreconfirming::OpenPolicy);
        }
        let promises = terms.promises.as_ref().ok_or(NotPreconfirming::PolicyUnread)?;
        promises.check(time, self.rules.max_lag)?;
        let on_l1 = view.advanced_head().map_or(0, |safe| safe.number);
        rates.check(on_l1, head.header.number, self.rate.get())?;
        if self.isolation.limit().is_some() {
            return Err(NotPreconfirming::Isolating);
        }
        let max_lag = self.rules.max_lag;
        let safe = view.advanced_head();
        let is_child_of_safe = safe.is_none_or(|safe| safe.hash == head.hash);
        let age = time.saturating_sub(head.header.timestamp);
        let limit = max_age_of_safe(max_lag, promises.timeout());
        if is_child_of_safe && age > limit {
            return Err(NotPreconfirming::NearTimeout { age, limit });
        }
        let limit = max_age_of_unposted(max_lag);
        let age = self.queue.oldest().map_or(0, |oldest| time.saturating_sub(oldest));
        if age > limit {
            return Err(NotPreconfirming::NotPosted { age, limit });
        }
        let limit = self.rules.open_after / 2;
        let duties = &terms.duties;
        let relays_wait = view.messages().len() > duties.relayed;
        let forced_wait = view.forced_from(duties.forced_next).next().is_some();
        let due = [(relays_wait, duties.relay_due), (forced_wait, duties.forced_due)];
        let due = due.into_iter().filter_map(|(waits, due)| waits.then_some(due)).min();
        let overdue = due.map_or(0, |due| time.saturating_sub(due));
        if overdue > limit {
            return Err(NotPreconfirming::DutyOverdue { overdue, limit });
        }
        Ok(())
    }
}
