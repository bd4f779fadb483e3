//! Sync of the L2 with L1.

use crate::{
    L2Error,
    l1::{L1Error, L1Update, L1View, PostedBlock},
    l2::{import::import, sync_progress::SyncProgress},
};
use alloy_eips::BlockNumHash;
use alloy_primitives::B256;
use chain::{Block, ChainReader, ExecutedBlock, RecoveredTransaction};
use derive::DataMissing;
use node::{Forkchoice, Node, SetForkchoice, SetHead};
use std::{collections::VecDeque, sync::Arc};

/// Keeps an L2 in sync with its view of L1.
#[derive(Debug)]
pub(crate) struct L2Syncer {
    pub(crate) node: Arc<Node>,
    pub(crate) view: Arc<L1View>,
    /// L2 blocks on L1 that this node has not imported yet.
    waiting: VecDeque<PostedBlock>,
    /// Result of the current sync, kept across failed attempts.
    outcome: SyncOutcome,
    progress: SyncProgress,
}

impl L2Syncer {
    pub(crate) fn new(node: Arc<Node>, view: Arc<L1View>) -> Self {
        Self {
            node,
            view,
            waiting: VecDeque::new(),
            outcome: SyncOutcome::default(),
            progress: SyncProgress::default(),
        }
    }

    /// Queues the result of reading L1; [`Self::catch_up`] applies it.
    pub(crate) fn queue_update(&mut self, update: L1Update, view: Arc<L1View>) {
        let L1Update { reverted_to, advanced, more } = update;
        if let Some(common) = reverted_to {
            // Blocks that were reorged out before this node imported them are never executed.
            self.waiting.retain(|block| block.l1_block <= common);
            self.outcome.reverted = true;
        }
        self.waiting.extend(advanced);
        self.outcome.more = more;
        self.view = view;
    }

    /// Imports the L2 blocks on L1. Keeps unsafe blocks on top, unless L1 has other blocks at their
    /// heights.
    ///
    /// # Errors
    ///
    /// [`L2Error`] if a block cannot be imported. The next call continues with that block.
    pub(crate) fn catch_up(&mut self) -> Result<SyncOutcome, L2Error> {
        self.skip_canonical()?;
        while let Some(next) = self.waiting.front() {
            let (number, transaction) = (next.number, next.transaction);
            let canonical = self.chain().canonical_hash(number)?;
            // Compared before the import, which makes L1's block canonical.
            let is_replaced = canonical.is_some_and(|canonical| canonical != next.hash);
            // Restored even if the import fails after the old blocks were removed.
            let mut displaced = core::mem::take(&mut self.outcome.displaced);
            let imported = self.import_posted(next, &mut displaced);
            self.outcome.displaced = displaced;
            imported?;
            if is_replaced {
                self.outcome.overtaken_by = Some(transaction);
            }
            // Removed only after the import, so that after an error, such as a full disk, the next
            // call starts with the same block.
            self.waiting.pop_front();
        }
        self.require_first()?;
        self.update_forkchoice()?;
        if self.outcome.more {
            let read = self.view.head().map_or(0, |head| head.number);
            let l2 = self.chain().head().header.number;
            self.progress.note(read, self.view.latest(), l2);
        } else {
            self.progress.end();
        }
        Ok(core::mem::take(&mut self.outcome))
    }

    /// Skips blocks that are already canonical, such as all blocks from before a restart. The
    /// waiting blocks form a chain, so the canonical ones are at its beginning.
    fn skip_canonical(&mut self) -> Result<(), L2Error> {
        let chain = self.chain();
        let (mut first, mut end) = (0, self.waiting.len());
        while first < end {
            let middle = first + (end - first) / 2;
            let PostedBlock { number, hash, .. } = &self.waiting[middle];
            let is_before = *number < chain.first_number();
            match is_before || chain.canonical_hash(*number)? == Some(*hash) {
                true => first = middle + 1,
                false => end = middle,
            }
        }
        self.waiting.drain(..first);
        if self.waiting.is_empty() {
            // After a long sync, the list would keep the capacity for all L2 blocks.
            self.waiting.shrink_to(1_024);
        }
        Ok(())
    }

    /// Once L1 has been read up to its head, checks that it includes the first block of a chain
    /// from a snapshot.
    fn require_first(&self) -> Result<(), L2Error> {
        let first = self.chain().first_number();
        let genesis = self.view.deployment().genesis.number.unwrap_or_default();
        let is_read = self.view.head().is_some() && !self.outcome.more;
        let on_l1 = self.view.advanced_head().map_or(genesis, |head| head.number);
        if first > genesis && is_read && on_l1 < first {
            return Err(L2Error::SnapshotGone { first });
        }
        Ok(())
    }

    /// Returns the safe block: the latest L2 block on L1, or the chain's first block if there is
    /// none.
    pub(crate) fn safe(&self) -> Result<Arc<Block>, L2Error> {
        let chain = self.chain();
        let first = chain.first_number();
        let hash = match self.view.advanced_head() {
            Some(head) if head.number >= first => Some(head.hash),
            // A chain from a snapshot starts with a block that is on L1.
            _ => chain.canonical_hash(first)?,
        };
        Ok(chain.block(&hash.unwrap_or(self.view.deployment().genesis_hash))?)
    }

    /// Returns the transactions of replaced blocks that the last failed [`Self::catch_up`] has not
    /// returned.
    pub(crate) fn displaced(&self) -> &[RecoveredTransaction] {
        &self.outcome.displaced
    }

    /// Returns the blocks that are not on L1, oldest first.
    pub(crate) fn unsafe_blocks(&self) -> Result<Vec<Arc<Block>>, L2Error> {
        let (chain, safe) = (self.chain(), self.safe()?);
        let numbers = safe.header.number + 1..=chain.head().header.number;
        let blocks = numbers.filter_map(|number| chain.canonical_block(number).transpose());
        Ok(blocks.collect::<Result<_, _>>()?)
    }

    pub(crate) fn chain(&self) -> ChainReader {
        self.node.read(|node| node.chain.reader().clone())
    }

    /// Imports an L2 block from L1, makes it canonical, and adds the transactions of replaced
    /// blocks to `displaced`.
    fn import_posted(
        &self,
        posted: &PostedBlock,
        displaced: &mut Vec<RecoveredTransaction>,
    ) -> Result<(), L2Error> {
        let PostedBlock { number, hash, input, transaction, .. } = posted;
        let chain = self.chain();
        if chain.canonical_hash(*number)? == Some(*hash) {
            return Ok(());
        }
        // A block that is known from a sequencer, or from before a reorg, is not executed again.
        if let Some(block) = chain.find_block(hash)? {
            return self.set_head(block.hash, displaced);
        }
        let missing = DataMissing { transaction: *transaction, number: *number };
        let input = input.as_ref().ok_or(missing).map_err(L1Error::from)?;
        let new = self.node.read(|node| import(&node.chain, input, *hash))?;
        self.adopt(new, displaced)
    }

    /// Makes an executed block the head, on any parent, and adds the transactions of replaced
    /// blocks to `displaced`, even if it fails after these blocks were removed.
    pub(crate) fn adopt(
        &self,
        new: ExecutedBlock,
        displaced: &mut Vec<RecoveredTransaction>,
    ) -> Result<(), L2Error> {
        let parent = new.block.header.parent_hash;
        if self.chain().head().hash != parent {
            // Set the parent first, so that `displaced` gets the transactions of all replaced
            // blocks, and none of the new branch.
            self.set_head(parent, displaced)?;
        }
        self.node.adopt(new)?;
        Ok(())
    }

    /// Makes a known block the head, and adds the transactions of replaced blocks to `displaced`.
    /// Only this method replaces blocks, so no caller can lose their transactions by ignoring a
    /// result.
    pub(crate) fn set_head(
        &self,
        hash: B256,
        displaced: &mut Vec<RecoveredTransaction>,
    ) -> Result<(), L2Error> {
        let from = self.chain().head().header.number;
        let replaced = self.node.execute(SetHead(hash))?;
        let to = self.chain().head().header.number;
        tracing::warn!(from, to, transactions = replaced.len(), "L2 reorg detected");
        displaced.extend(replaced);
        Ok(())
    }

    fn update_forkchoice(&self) -> Result<(), L2Error> {
        let first = self.chain().first_number();
        let number = |head: Option<BlockNumHash>| head.map_or(first, |head| head.number.max(first));
        let now = Forkchoice {
            safe: number(self.view.advanced_head()),
            finalized: number(self.view.finalized_head()),
        };
        // The command makes the node rebuild its pending block, so it is sent only for changes.
        if self.node.read(|node| node.forkchoice) != Some(now) {
            self.node.execute(SetForkchoice(now));
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
pub(crate) struct SyncOutcome {
    pub(crate) reverted: bool,
    /// Transactions of L2 blocks that were replaced by those on L1.
    pub(crate) displaced: Vec<RecoveredTransaction>,
    /// Hash of the last L1 transaction whose blocks replaced others.
    pub(crate) overtaken_by: Option<B256>,
    /// `true` if L1 has more blocks to read now.
    pub(crate) more: bool,
}
