//! Replacement of blocks that L1 can never accept.

use super::Sequencer;
use crate::{SequencerError, sequencer::anchor::anchor_of};
use alloy_primitives::B256;
use contracts::Anchor;
use std::time::{Duration, Instant};

/// Seconds before its maximum age at which a block is replaced: one slot.
pub(super) const LAG_MARGIN: u64 = 12;
/// Maximum time for which a block may be ahead of L1's time before it is replaced: two slots. An L1
/// that continues its slots has caught up by then, after any reorg.
const AHEAD: Duration = Duration::from_secs(24);
/// Seconds by which a block may be ahead of L1 without a fault: L1's time is extrapolated while L1
/// does not respond, and its responses arrive late by their round trip.
const JITTER: u64 = 2;

impl Sequencer {
    /// Reverts to the parent of the first unsafe block that L1 can never accept: it is too old, or
    /// its anchor refers to an L1 block or messages that a reorg removed. Also reverts blocks that
    /// have been ahead of L1's time for too long, after a reorg set it back, and those that have
    /// replaced a promised block whose L1 chain is back. The transactions of reverted blocks are
    /// kept.
    pub(super) fn rebuild_lost(&mut self) -> Result<(), SequencerError> {
        let instant = Instant::now();
        let (now, next) = (self.clock.at(instant), self.clock.next_block(instant));
        let is_ahead = self.chain().head().header.timestamp > next + JITTER;
        self.ahead_since = is_ahead.then(|| self.ahead_since.unwrap_or_else(Instant::now));
        let waits_too_long = self.ahead_since.is_some_and(|since| since.elapsed() >= AHEAD);
        let chain = self.chain();
        let mut parent = self.sync.safe()?.hash;
        for block in self.unsafe_blocks()? {
            // One slot early, because a transaction sent now is included no earlier than in the
            // next L1 block.
            let too_old = block.header.timestamp + self.rules.max_lag < now + LAG_MARGIN;
            let lost = anchor_of(&block).is_some_and(|anchor| !self.is_nameable(&anchor));
            // What is promised is not given up because L1's time went back.
            let promises = self.preconfirmations.as_ref();
            let is_promised = promises.is_some_and(|it| it.has_sealed(&block));
            let too_new = waits_too_long && !is_promised && block.header.timestamp > next + JITTER;
            let is_broken =
                promises.is_some_and(|it| it.are_broken_by(&chain, &self.sync.view, &block));
            if too_old || lost || too_new || is_broken {
                let reason = match (too_old, lost, is_broken) {
                    (true, ..) => "too old for L1",
                    (_, true, _) => "anchor no longer on L1",
                    (.., true) => "L1 is back on the chain of an earlier promise",
                    _ => "ahead of L1's time",
                };
                tracing::warn!(number = block.header.number, reason, "rebuilding unsafe blocks");
                return self.revert_to(parent);
            }
            parent = block.hash;
        }
        Ok(())
    }

    /// Reverts to a block, and keeps the transactions of the blocks after it.
    pub(crate) fn revert_to(&mut self, parent: B256) -> Result<(), SequencerError> {
        // Before the head moves, so that the batcher posts none of the reverted blocks.
        self.batcher.forget();
        if self.preconfirmations.is_some() {
            let blocks = self.unsafe_blocks()?;
            let reverted = blocks.iter().rev().take_while(|block| block.hash != parent);
            if let Some(promises) = &mut self.preconfirmations {
                promises.record_reverted(&self.sync.chain(), &self.sync.view, reverted);
            }
        }
        let mut displaced = Vec::new();
        let moved = self.sync.set_head(parent, &mut displaced);
        self.requeued.displace(displaced);
        moved?;
        self.reset_attributes();
        self.ahead_since = None;
        Ok(())
    }

    /// Returns `true` if L1's canonical chain still contains the anchor block and its messages.
    pub(super) fn is_nameable(&self, anchor: &Anchor) -> bool {
        let messages = self.view().messages();
        self.view().is_canonical(anchor.l1_block_number, anchor.l1_block_hash)
            && messages.checkpoint_of(anchor.message_count).is_some()
            && messages.root_at(anchor.message_count) == anchor.message_root
    }
}
