//! Search for the transaction that makes EXECUTE on L1 reject a block which this node has executed.
//!
//! Such a block shows a consensus difference between the node and L1. Until it is fixed, one
//! transaction must not prevent all others from being posted. The rejected block is replaced by
//! blocks with fewer of its transactions, one at a time, until L1 rejects a single transaction.
//! That transaction is dropped once L1 has accepted a block without user transactions in its place.
//! If L1 rejects this block too, it has another reason, and nothing is dropped.

use super::Sequencer;
use crate::SequencerError;
use alloy_primitives::{B256, keccak256};
use chain::Block;
use node::DropTransaction;

/// State of the search.
#[derive(Debug, Default)]
pub(super) struct Isolation {
    /// Maximum number of user transactions in the next block; `None` without a search.
    limit: Option<usize>,
    /// Hash of the trial block, which is not on L1 yet.
    trial: Option<B256>,
    /// The transaction that L1 rejected alone; the trial block is then without user transactions.
    suspect: Option<B256>,
    /// The safe head after which L1 rejected even a block without user transactions.
    in_vain: Option<B256>,
}

impl Isolation {
    /// Maximum number of user transactions in the next block; `None` without a limit. With a limit,
    /// the block contains only transactions of rejected blocks.
    pub(super) const fn limit(&self) -> Option<usize> {
        self.limit
    }

    /// Returns `true` if no block may be sealed until L1 has included the last one.
    pub(super) const fn awaits_l1(&self) -> bool {
        self.trial.is_some()
    }

    /// Records a sealed block, which is the trial during a search.
    pub(super) fn sealed(&mut self, block: B256) {
        self.trial = self.limit.map(|_| block);
    }

    /// Halves the limit after L1 has rejected a block with these user transactions (at least one).
    const fn refused(&mut self, users: &[B256]) {
        self.trial = None;
        (self.limit, self.suspect) = match users {
            [alone] => (Some(0), Some(*alone)),
            _ => (Some(users.len() / 2), None),
        };
    }

    /// Continues after L1 has accepted the trial. Returns the transaction to drop, if it was found.
    fn accepted(&mut self, all_done: bool) -> Option<B256> {
        self.trial = None;
        let found = self.suspect.take();
        let is_over = found.is_some() || all_done;
        self.limit = self.limit.map(|limit| limit.saturating_mul(2)).filter(|_| !is_over);
        found
    }
}

impl Sequencer {
    /// Replaces the oldest unsafe block if EXECUTE on L1 rejects it, and drops the transaction that
    /// causes this once it is found.
    pub(super) fn isolate_refused(&mut self) -> Result<(), SequencerError> {
        let safe = self.sync.safe()?;
        let oldest = self.chain().canonical_block(safe.header.number + 1)?;
        let is_oldest = |hash| oldest.as_ref().is_some_and(|block| block.hash == hash);
        match self.isolation.trial {
            Some(trial) if trial == safe.hash => {
                if let Some(hash) = self.isolation.accepted(self.requeued.is_empty()) {
                    self.drop_refused(hash)?;
                }
            }
            // It was replaced after an L1 reorg, or because it was too old.
            Some(trial) if !is_oldest(trial) => self.isolation.trial = None,
            _ => {}
        }
        let refused = self.batcher.report().refused;
        let Some(block) = oldest.filter(|block| refused == Some(block.hash)) else {
            return Ok(());
        };
        if self.isolation.in_vain == Some(safe.hash) {
            return Ok(());
        }
        let Some(users) = self.users_of(&block) else { return Ok(()) };
        let (number, transactions) = (block.header.number, users.len());
        if users.is_empty() {
            tracing::error!(number, "EXECUTE on L1 rejects a block without user transactions");
            self.isolation = Isolation { in_vain: Some(safe.hash), ..Isolation::default() };
            return Ok(());
        }
        tracing::warn!(
            number,
            transactions,
            "EXECUTE on L1 rejects a block, replacing it by smaller ones"
        );
        self.revert_to(safe.hash)?;
        self.isolation.refused(&users);
        Ok(())
    }

    /// Hashes of the block's user transactions, i.e. neither the operator's nor forced, in order;
    /// `None` before L1 was read.
    fn users_of(&self, block: &Block) -> Option<Vec<B256>> {
        let next = self.terms.as_ref()?.duties.forced_next;
        let operator = self.config.operator_key.address();
        let forced: Vec<_> =
            self.view().forced_from(next).map(|entry| keccak256(&entry.raw)).collect();
        let all = block.transactions.iter().map(|it| *it.hash()).zip(&block.senders);
        let users = all.filter(|(hash, sender)| **sender != operator && !forced.contains(hash));
        Some(users.map(|(hash, _)| hash).collect())
    }

    fn drop_refused(&mut self, hash: B256) -> Result<(), SequencerError> {
        let reason = "EXECUTE on L1 rejects every block with it";
        tracing::error!(transaction = %hash, reason, "dropped transaction");
        self.requeued.remove(&hash);
        self.node().execute(DropTransaction { hash, reason: reason.to_owned() });
        let chain = self.chain();
        self.requeued.return_gapped(&self.sync.node, &chain)
    }
}
