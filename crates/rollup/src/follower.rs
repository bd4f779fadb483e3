//! Following L1 and a sequencer.

use crate::{RollupError, derive, l1::poller::L1Poll, l2_syncer::L2Syncer, pool_log::PoolLog};
use alloy_consensus::Transaction as _;
use alloy_primitives::{Bytes, map::B256Set};
use chain::{Block, RecoveredTransaction};
use std::sync::Arc;
use wire::StatelessInput;

/// Keeps an L2 at L1's state of it, and ahead of that at a sequencer's.
#[derive(Debug)]
pub struct Follower {
    sync: L2Syncer,
    /// `true` if a sequencer, or a caller of the Engine API, supplies unsafe blocks.
    has_feed: bool,
    /// `true` if L1 was reorganised and the L2 has not followed yet, for instance after an error.
    is_reverted: bool,
    /// Transactions of replaced blocks that later blocks may include.
    displaced: Vec<RecoveredTransaction>,
    /// File that keeps these transactions over a restart.
    pool_log: Option<Arc<PoolLog>>,
}

impl Follower {
    /// A follower, with deferred transactions outside the pool.
    pub(crate) const fn new(
        sync: L2Syncer,
        has_feed: bool,
        displaced: Vec<RecoveredTransaction>,
        pool_log: Option<Arc<PoolLog>>,
    ) -> Self {
        Self { sync, has_feed, is_reverted: false, displaced, pool_log }
    }

    /// Returns the synced L2 for the next role, and the deferred transactions.
    pub(crate) fn into_parts(self) -> (L2Syncer, Vec<RecoveredTransaction>) {
        (self.sync, self.displaced)
    }

    /// Transactions of replaced blocks.
    pub(crate) fn requeued(&self) -> &[RecoveredTransaction] {
        &self.displaced
    }

    /// Sets that a sequencer supplies unsafe blocks.
    pub(crate) const fn has_sequencer(&mut self) {
        self.has_feed = true;
    }

    pub(crate) const fn sync(&self) -> &L2Syncer {
        &self.sync
    }

    /// Takes a result of reading L1; [`Self::follow_l1`] applies it.
    pub(crate) fn take_over(&mut self, polled: L1Poll) {
        self.sync.take_over(polled.update, polled.snapshot.view);
    }

    /// Imports the L2 blocks on L1.
    ///
    /// # Errors
    ///
    /// [`RollupError`]; earlier work stays, and the next call continues.
    pub fn follow_l1(&mut self) -> Result<(), RollupError> {
        // An error ends it here: what is displaced stays noted in the syncer until the next call.
        let update = self.sync.catch_up()?;
        self.is_reverted |= update.reverted;
        let mut displaced = update.displaced;
        let settled = self.settle(&mut displaced);
        self.keep(displaced);
        settled?;
        self.forget_used()?;
        self.tidy()
    }

    /// Moves the L2 back to the blocks on L1 where it has others.
    fn settle(&mut self, displaced: &mut Vec<RecoveredTransaction>) -> Result<(), RollupError> {
        // Who knows the L2 from L1 alone knows nothing of blocks that L1 has given up.
        let (sync, has_feed) = (&self.sync, self.has_feed);
        once_done(&mut self.is_reverted, || {
            let safe = sync.safe()?;
            if !has_feed && sync.chain().head().hash != safe.hash {
                sync.set_head(safe.hash, displaced)?;
            }
            Ok::<_, RollupError>(())
        })?;
        // A sequencer or a caller of the Engine API may have moved the head meanwhile: what L1 has
        // taken stands.
        let safe = sync.safe()?;
        if sync.chain().canonical_hash(safe.header.number)? != Some(safe.hash) {
            sync.set_head(safe.hash, displaced)?;
        }
        Ok(())
    }

    fn keep(&mut self, displaced: Vec<RecoveredTransaction>) {
        if let Some(log) = &self.pool_log {
            log.keep_displaced(&displaced);
        }
        self.displaced.extend(displaced);
    }

    fn tidy(&self) -> Result<(), RollupError> {
        if let Some(log) = &self.pool_log {
            log.tidy(&self.sync.node, self.sync.safe()?.header.number, &self.displaced);
        }
        Ok(())
    }

    /// Removes transactions of replaced blocks once their nonces are used. Until then L1 may be
    /// reorganised again, and this node may be the one that posts them again.
    fn forget_used(&mut self) -> Result<(), RollupError> {
        if self.displaced.is_empty() {
            return Ok(());
        }
        let chain = self.sync.chain();
        let state = chain.state_after(chain.head());
        let (mut seen, mut waiting) = (B256Set::default(), Vec::new());
        for it in &self.displaced {
            // The nonce is used, so this transaction can never be mined again.
            let is_used = it.transaction.nonce() < state.nonce(it.sender)?;
            if !is_used && seen.insert(*it.transaction.hash()) {
                waiting.push(it.clone());
            }
        }
        self.displaced = waiting;
        Ok(())
    }

    /// Imports an unsafe block of a sequencer: executes it once, on its parent's state, if the
    /// parent is known.
    ///
    /// # Errors
    ///
    /// [`RollupError::Refused`] for a block that the rules of an L2 forbid, and the errors of
    /// importing.
    pub fn take_unsafe(&mut self, input: &Bytes) -> Result<Option<Arc<Block>>, RollupError> {
        let malformed = |source| RollupError::Input { number: 0, source };
        let decoded = StatelessInput::decode(input).map_err(malformed)?;
        let payload = &decoded.request.payload;
        let chain = self.sync.chain();
        if chain.find_block(&payload.block_hash)?.is_some() {
            return Ok(None);
        }
        // Without its parent it cannot be executed; the sequencer is asked again from the newest
        // common block.
        let Some(parent) = chain.find_block(&payload.parent_hash)? else { return Ok(None) };
        // A sequencer may not change blocks that L1 has taken.
        let safe = self.sync.safe()?.header.number;
        if parent.header.number < safe {
            return Ok(None);
        }
        // A replayed block of another chain could be valid here only if nothing in it is signed; it
        // is refused all the same.
        let expected = chain.config().spec.chain_id();
        if decoded.chain_id != expected {
            return Err(RollupError::OtherL2 { got: decoded.chain_id, expected });
        }
        let new = self.sync.node.read(|node| derive::import_unsafe(&node.chain, &decoded))?;
        // A leader's blocks that nobody has fetched may be replaced by those of the next one.
        let mut displaced = Vec::new();
        let adopted = self.sync.adopt(new, &mut displaced);
        self.keep(displaced);
        adopted?;
        Ok(Some(Arc::clone(self.sync.chain().head())))
    }
}

/// Follows a reorganisation of L1; retried by later calls until it succeeds.
fn once_done<E>(owed: &mut bool, work: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
    if *owed {
        work()?;
        *owed = false;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_done_stays_owed_until_it_is_done_and_no_longer() {
        let (mut owed, mut done) = (true, 0);
        assert_eq!(once_done(&mut owed, || Err("the disk")), Err("the disk"));
        for _ in 0..2 {
            let work = || {
                done += 1;
                Ok::<_, ()>(())
            };
            assert_eq!(once_done(&mut owed, work), Ok(()));
        }
        assert_eq!((owed, done), (false, 1));
    }
}
