//! Follower that imports the L2 blocks on L1, and the unsafe blocks of a sequencer on top.

use crate::{
    L2Error,
    l1::poller::L1Poll,
    l2::{ancestry::descends_from, import::import_unsafe, pool_log::PoolLog, syncer::L2Syncer},
};
use alloy_consensus::Transaction as _;
use alloy_primitives::{Bytes, map::B256Set};
use chain::{Block, RecoveredTransaction};
use std::sync::Arc;
use wire::StatelessInput;

/// Keeps the L2 in sync with L1, and with the unsafe blocks of a sequencer.
#[derive(Debug)]
pub struct Follower {
    sync: L2Syncer,
    /// `true` if a sequencer, or a caller of the Engine API, supplies unsafe blocks.
    has_feed: bool,
    /// `true` until an L1 reorg has been applied to the L2.
    is_reverted: bool,
    /// Transactions of replaced blocks, which later blocks may include.
    displaced: Vec<RecoveredTransaction>,
    /// File that persists these transactions across restarts.
    pool_log: Option<Arc<PoolLog>>,
}

impl Follower {
    /// Creates a follower with transactions of blocks that were replaced earlier.
    pub(crate) const fn new(
        sync: L2Syncer,
        has_feed: bool,
        displaced: Vec<RecoveredTransaction>,
        pool_log: Option<Arc<PoolLog>>,
    ) -> Self {
        Self { sync, has_feed, is_reverted: false, displaced, pool_log }
    }

    /// Returns the syncer for the node's next role, and the transactions of replaced blocks.
    pub(crate) fn into_parts(self) -> (L2Syncer, Vec<RecoveredTransaction>) {
        (self.sync, self.displaced)
    }

    /// Returns the transactions of replaced blocks.
    pub(crate) fn requeued(&self) -> &[RecoveredTransaction] {
        &self.displaced
    }

    /// Records that a sequencer supplies unsafe blocks from now on.
    pub(crate) const fn on_sequencer_found(&mut self) {
        self.has_feed = true;
    }

    pub(crate) const fn sync(&self) -> &L2Syncer {
        &self.sync
    }

    /// Queues the result of an L1 poll; [`Self::follow_l1`] applies it.
    pub(crate) fn queue_poll(&mut self, polled: L1Poll) {
        self.sync.queue_update(polled.update, polled.snapshot.view);
    }

    /// Imports the L2 blocks on L1, and follows L1 reorgs.
    ///
    /// # Errors
    ///
    /// [`L2Error`] if a block cannot be imported. Imported blocks are kept, and the next call
    /// continues after them.
    pub fn follow_l1(&mut self) -> Result<(), L2Error> {
        // On error, the syncer keeps the displaced transactions until the next call.
        let update = self.sync.catch_up()?;
        self.is_reverted |= update.reverted;
        let mut displaced = update.displaced;
        let settled = self.settle(&mut displaced);
        self.keep(displaced);
        settled?;
        self.forget_used()
    }

    /// Reverts the L2 head to the blocks on L1 where the L2 has different ones.
    fn settle(&mut self, displaced: &mut Vec<RecoveredTransaction>) -> Result<(), L2Error> {
        // A node without a feed derives the L2 from L1 alone, so it drops blocks that L1 has
        // reorged out.
        if self.is_reverted {
            let safe = self.sync.safe()?;
            if !self.has_feed && self.sync.chain().head().hash != safe.hash {
                self.sync.set_head(safe.hash, displaced)?;
            }
            // Cleared last: after an error, the next poll reverts to the safe block again.
            self.is_reverted = false;
        }
        // A sequencer or a caller of the Engine API may have moved the head meanwhile, but the safe
        // block must stay canonical.
        let safe = self.sync.safe()?;
        if self.sync.chain().canonical_hash(safe.header.number)? != Some(safe.hash) {
            self.sync.set_head(safe.hash, displaced)?;
        }
        Ok(())
    }

    fn keep(&mut self, displaced: Vec<RecoveredTransaction>) {
        if let Some(log) = &self.pool_log {
            log.keep_displaced(&displaced);
        }
        self.displaced.extend(displaced);
    }

    /// Removes transactions of replaced blocks once their nonces are used. Until then this node may
    /// have to include them again as the sequencer.
    fn forget_used(&mut self) -> Result<(), L2Error> {
        if self.displaced.is_empty() {
            return Ok(());
        }
        let chain = self.sync.chain();
        let state = chain.state_after(chain.head());
        let (mut seen, mut waiting) = (B256Set::default(), Vec::new());
        for displaced in &self.displaced {
            // A transaction with a used nonce cannot be included again on this branch.
            let is_used = displaced.transaction.nonce() < state.nonce(displaced.sender)?;
            if !is_used && seen.insert(*displaced.transaction.hash()) {
                waiting.push(displaced.clone());
            }
        }
        self.displaced = waiting;
        Ok(())
    }

    /// Imports an unsafe block of a sequencer: executes it once, on its parent's state. Returns
    /// `None` without importing it if the block is known, its parent is unknown, or it would
    /// replace a block on L1.
    ///
    /// # Errors
    ///
    /// [`L2Error::Refused`] for a block that the rules of an L2 forbid,
    /// [`L2Error::OtherL2`] for a block of another chain, and other errors of importing.
    pub fn import_unsafe(&mut self, input: &Bytes) -> Result<Option<Arc<Block>>, L2Error> {
        let malformed = |source| L2Error::Input { number: 0, source };
        let decoded = StatelessInput::decode(input).map_err(malformed)?;
        let payload = &decoded.request.payload;
        let chain = self.sync.chain();
        if chain.find_block(&payload.block_hash)?.is_some() {
            return Ok(None);
        }
        // Without its parent the block cannot be executed. The feed requests blocks again from the
        // newest common one.
        let Some(parent) = chain.find_block(&payload.parent_hash)? else { return Ok(None) };
        // A sequencer may not replace blocks that are on L1, and anyone can serve its blocks of a
        // branch that L1 has replaced.
        if !descends_from(&chain, &parent, self.sync.safe()?.num_hash())? {
            return Ok(None);
        }
        // A block of another chain could be valid here only if it had no signed transactions. It is
        // rejected in any case.
        let expected = chain.config().spec.chain_id();
        if decoded.chain_id != expected {
            return Err(L2Error::OtherL2 { got: decoded.chain_id, expected });
        }
        let new = self.sync.node.read(|node| import_unsafe(&node.chain, &decoded))?;
        // The next leader may replace blocks that it has never fetched from the previous one.
        let mut displaced = Vec::new();
        let adopted = self.sync.adopt(new, &mut displaced);
        self.keep(displaced);
        adopted?;
        Ok(Some(Arc::clone(self.sync.chain().head())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batcher::tests::{BatcherSetup, header, included};
    use chain::BlockAttributes;
    use node::{Clock, Node, Settings};

    /// Blocks of a branch that L1 has replaced are signed by the sequencer too.
    #[test]
    fn unsafe_block_of_replaced_branch_is_ignored() {
        let mut setup = BatcherSetup::new();
        let genesis = setup.chain.head().hash;
        let build = |setup: &BatcherSetup, seconds| {
            let timestamp = setup.chain.head().header.timestamp + seconds;
            let attributes = BlockAttributes { timestamp, ..BlockAttributes::default() };
            setup.chain.build(&attributes, Vec::new()).unwrap().0
        };
        // The node has all blocks of the replaced branch but the last.
        for _ in 0..2 {
            let block = build(&setup, 1);
            setup.chain.append(block).unwrap();
        }
        let replaced = build(&setup, 1);
        setup.chain.set_head(&genesis).unwrap();
        let block = build(&setup, 7);
        let safe = setup.chain.append(block).unwrap();
        let next = build(&setup, 1);
        setup.view.apply(header(2), included(&[Arc::clone(&safe)], 2));
        let BatcherSetup { chain, view, .. } = setup;
        let node = Node::new(chain, Clock::default(), Settings::default());
        let sync = L2Syncer::new(node, Arc::new(view));
        let mut follower = Follower::new(sync, true, Vec::new(), None);
        let mut import = |block: &chain::ExecutedBlock| {
            let input = block.input().unwrap().into();
            let imported = follower.import_unsafe(&input).unwrap();
            (imported.map(|block| block.hash), follower.sync().chain().head().hash)
        };
        assert_eq!(import(&replaced), (None, safe.hash));
        assert_eq!(import(&next), (Some(next.block.hash), next.block.hash));
        assert_eq!(import(&replaced), (None, next.block.hash));
    }
}
