//! Replacement of blocks that L1 can never accept, and reinclusion of their transactions.

use super::Sequencer;
use crate::{
    SequencerError,
    l2::{contracts::relayed_after, pool_log::may_come_right},
    sequencer::anchor::anchor_of,
};
use alloy_consensus::Transaction as _;
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{B256, map::AddressMap};
use chain::{Block, RecoveredTransaction, Rejection};
use contracts::Anchor;
use node::{DropTransaction, PoolTransaction, Rejected, SetPoolLimits};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

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
        let mut parent = self.sync.safe()?.hash;
        for block in self.unsafe_blocks()? {
            // One slot early, because a transaction sent now is included no earlier than in the
            // next L1 block.
            let too_old = block.header.timestamp + self.rules.max_lag < now + LAG_MARGIN;
            let lost = anchor_of(&block).is_some_and(|anchor| !self.is_nameable(&anchor));
            // What is promised is not given up because L1's time went back.
            let is_promised = self.has_promised(&block);
            let too_new = waits_too_long && !is_promised && block.header.timestamp > next + JITTER;
            let is_broken = self.breaks_promise(&block);
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
        self.record_reverted(parent)?;
        let mut displaced = Vec::new();
        let moved = self.sync.set_head(parent, &mut displaced);
        self.displace(displaced);
        moved?;
        self.reset_attributes();
        self.ahead_since = None;
        Ok(())
    }

    /// Keeps the transactions of replaced blocks, and records them in the pool's file for a
    /// restart.
    pub(super) fn displace(&mut self, displaced: Vec<RecoveredTransaction>) {
        if let Some(log) = &self.pool_log {
            log.keep_displaced(&displaced);
        }
        self.requeue(displaced);
    }

    /// Queues the transactions of replaced blocks again, except the operator's, which are created
    /// anew.
    pub(crate) fn requeue(&mut self, displaced: Vec<RecoveredTransaction>) {
        let operator = self.config.operator_key.address();
        let mut kept: Vec<_> = displaced.into_iter().filter(|it| it.sender != operator).collect();
        // Those of older blocks come first: later ones may depend on them.
        kept.append(&mut self.requeued);
        self.requeued = kept;
    }

    /// Drops kept transactions that a block includes now, or that no block can include any more.
    /// While messages of L1 are still to be relayed, a lack of ether does not count: one of them
    /// may be a deposit.
    pub(super) fn forget_kept(
        &mut self,
        block: &Arc<Block>,
        rejected: &[(B256, Rejection)],
    ) -> Result<(), SequencerError> {
        self.return_gapped()?;
        if self.requeued.is_empty() {
            return Ok(());
        }
        let is_behind = relayed_after(&self.chain(), block)? < self.view().messages().len();
        let mut dropped = Vec::new();
        let chain = self.chain();
        self.requeued.retain(|kept| {
            let hash = kept.transaction.hash();
            let reason = rejected.iter().find(|(rejected, _)| rejected == hash);
            // If an older block includes it, this block rejects it, but it was not dropped.
            let included = block.transactions.iter().any(|it| it.hash() == hash)
                || reason.is_some() && matches!(chain.transaction(hash), Ok(Some(_)));
            if included {
                return false;
            }
            let is_out = |it: &Rejection| {
                // A message that is not relayed yet may deposit the missing ether, but none makes a
                // transaction smaller.
                it.is_final() && (!is_behind || matches!(it, Rejection::TooLarge(_)))
            };
            let Some((transaction, reason)) = reason.filter(|(_, it)| is_out(it)) else {
                return true;
            };
            tracing::warn!(%transaction, %reason, "dropped transaction");
            dropped.push(DropTransaction { hash: *transaction, reason: reason.to_string() });
            false
        });
        for command in dropped {
            self.node().execute(command);
        }
        Ok(())
    }

    /// Returns kept transactions with a nonce gap, or a fee cap below the base fee, to the pool.
    /// Kept transactions precede the pool's in a block, so the missing ones, if they are in the
    /// pool, would be included only after them. One that the pool rejects for a reason that may
    /// pass is still kept: it was acknowledged.
    pub(super) fn return_gapped(&mut self) -> Result<(), SequencerError> {
        let chain = self.chain();
        let base_fee = u128::from(chain.state().next_base_fee()?);
        let mut next = AddressMap::<u64>::default();
        let mut is_gapped = Vec::with_capacity(self.requeued.len());
        for kept in &self.requeued {
            let nonce = kept.transaction.nonce();
            let expected = match next.get(&kept.sender) {
                Some(expected) => *expected,
                None => chain.nonce(kept.sender)?,
            };
            let is_below = kept.transaction.max_fee_per_gas() < base_fee;
            is_gapped.push(nonce > expected || is_below && nonce == expected);
            let reached =
                if nonce == expected && !is_below { nonce.saturating_add(1) } else { expected };
            next.insert(kept.sender, reached);
        }
        if !is_gapped.contains(&true) {
            return Ok(());
        }
        let all = core::mem::take(&mut self.requeued).into_iter().zip(is_gapped);
        let (gapped, others): (Vec<_>, Vec<_>) = all.partition(|(_, is_gapped)| *is_gapped);
        self.requeued = others.into_iter().map(|(kept, _)| kept).collect();
        // They were acknowledged, so the pool has to accept them beyond its limits.
        let limits = self.node().read(|node| node.settings.pool_limits.clone());
        let limits = self.node().execute(SetPoolLimits(limits.unbounded()));
        for (kept, _) in gapped {
            let hash = *kept.transaction.hash();
            let raw = kept.transaction.encoded_2718().into();
            match self.node().submit(PoolTransaction::new(kept.clone(), None, raw)) {
                Ok(_) | Err(Rejected::Known(_) | Rejected::NonceTooLow { .. }) => {}
                Err(Rejected::Backlog(_)) => self.requeued.push(kept),
                Err(reason) if may_come_right(&reason) => self.requeued.push(kept),
                Err(reason) => {
                    tracing::warn!(transaction = %hash, %reason, "dropped transaction");
                    self.node().execute(DropTransaction { hash, reason: reason.to_string() });
                }
            }
        }
        self.node().execute(SetPoolLimits(limits));
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
