//! Detection of blocks that L1 can never accept.

use super::{
    anchor::{anchor_of, is_nameable},
    preconfirmations::{LAG_MARGIN, Preconfirmations},
};
use crate::{
    L2Error,
    l1::{L1Clock, poller::Terms},
    l2::syncer::L2Syncer,
};
use alloy_primitives::B256;
use std::time::{Duration, Instant};

/// Maximum time for which a block may be ahead of L1's time before it is replaced: two slots. After
/// any reorg, an L1 that continues its slots has caught up by then.
const AHEAD: Duration = Duration::from_secs(24);
/// Time by which a block may be ahead of L1 without a fault, in seconds: L1's time is extrapolated
/// while L1 does not respond, and its responses are delayed by the round trip.
const JITTER: u64 = 2;

/// State of L1 that decides whether it can accept a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct L1State<'s> {
    pub(super) clock: &'s L1Clock,
    /// State of the contracts; `None` until it is known.
    pub(super) terms: Option<&'s Terms>,
    /// Maximum age of a block on L1, in seconds.
    pub(super) max_lag: u64,
}

/// Finds unsafe blocks that L1 can never accept.
#[derive(Debug, Default)]
pub(super) struct LostBlocks {
    /// Time since which the latest block has been ahead of L1's time.
    ahead_since: Option<Instant>,
}

impl LostBlocks {
    /// Returns `true` if the latest block was ahead of L1's time at the last [`Self::find`].
    pub(super) const fn is_ahead(&self) -> bool {
        self.ahead_since.is_some()
    }

    /// Records that the blocks that were ahead were reverted.
    pub(super) const fn on_reverted(&mut self) {
        self.ahead_since = None;
    }

    /// Returns the parent of the first unsafe block that L1 can never accept: it is too old, its
    /// anchor refers to an L1 block or messages that a reorg removed, or the owner or the policy
    /// has changed its gas limit or fee recipient. Also finds blocks that have been ahead of L1's
    /// time for too long, after a reorg set it back, and those that have replaced a promised block
    /// to whose L1 chain L1 has returned.
    pub(super) fn find(
        &mut self,
        sync: &L2Syncer,
        l1: L1State<'_>,
        promises: Option<&Preconfirmations>,
    ) -> Result<Option<B256>, L2Error> {
        let instant = Instant::now();
        let (now, next) = (l1.clock.at(instant), l1.clock.next_block(instant));
        let is_ahead = sync.chain().head().header.timestamp > next + JITTER;
        self.ahead_since = is_ahead.then(|| self.ahead_since.unwrap_or_else(Instant::now));
        let waits_too_long = self.ahead_since.is_some_and(|since| since.elapsed() >= AHEAD);
        let mut parent = sync.safe()?;
        for block in sync.unsafe_blocks()? {
            // One slot early, because a transaction sent now is included no earlier than in the
            // next L1 block.
            let too_old = block.header.timestamp + l1.max_lag < now + LAG_MARGIN;
            let lost = anchor_of(&block).is_some_and(|anchor| !is_nameable(&sync.view, &anchor));
            // A promised block is not abandoned because L1's time was set back.
            let is_promised = promises.is_some_and(|promises| promises.has_sealed(&block));
            let too_new = waits_too_long && !is_promised && block.header.timestamp > next + JITTER;
            let is_broken = promises.is_some_and(|promises| promises.are_broken_by(sync, &block));
            // The terms are unverified, so they cannot make a sequencer break a promise.
            let is_outdated = !is_promised
                && l1.terms.is_some_and(|terms| !terms.allow(&parent.header, &block.header));
            let reason = if too_old {
                "too old for L1"
            } else if lost {
                "anchor no longer on L1"
            } else if is_broken {
                "L1 returned to the chain of an earlier promise"
            } else if is_outdated {
                "gas limit or fee recipient changed on L1"
            } else if too_new {
                "ahead of L1's time"
            } else {
                parent = block;
                continue;
            };
            tracing::warn!(number = block.header.number, reason, "rebuilding unsafe blocks");
            return Ok(Some(parent.hash));
        }
        Ok(None)
    }
}
