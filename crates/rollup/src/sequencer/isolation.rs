//! Search for the transaction because of which EXECUTE on L1 rejects a block that this node has
//! executed.
//!
//! Such a block reveals a consensus difference between the node and L1. Until it is fixed, one
//! transaction must not prevent all others from being posted. The rejected block is replaced by one
//! block at a time with fewer of its transactions, until L1 rejects a single transaction. That
//! transaction is dropped once L1 has accepted a block without user transactions in its place. If
//! L1 rejects this block too, there is another cause, and nothing is dropped.

use crate::l1::L1View;
use alloy_primitives::{Address, B256, keccak256};
use chain::Block;

/// State of the search.
#[derive(Debug, Default)]
pub(super) struct Isolation {
    /// Maximum number of user transactions in the next block; `None` without a search.
    limit: Option<usize>,
    /// Hash of the trial block, which is not on L1 yet.
    trial: Option<B256>,
    /// The transaction that L1 rejected alone, in which case the trial block has no user
    /// transactions.
    suspect: Option<B256>,
    /// Safe head after which L1 rejected even a block without user transactions.
    in_vain: Option<B256>,
}

impl Isolation {
    /// Returns the maximum number of user transactions in the next block; `None` without a limit.
    /// With a limit, the block only contains transactions of rejected blocks.
    pub(super) const fn limit(&self) -> Option<usize> {
        self.limit
    }

    /// Returns `true` if no block may be sealed until L1 has included the last one.
    pub(super) const fn awaits_l1(&self) -> bool {
        self.trial.is_some()
    }

    /// Records a sealed block, which is the trial during a search.
    pub(super) fn on_sealed(&mut self, block: B256) {
        self.trial = self.limit.map(|_| block);
    }

    /// Halves the limit after L1 has rejected a block with these user transactions (at least one).
    pub(super) const fn on_refused(&mut self, users: &[B256]) {
        self.trial = None;
        (self.limit, self.suspect) = match users {
            [alone] => (Some(0), Some(*alone)),
            _ => (Some(users.len() / 2), None),
        };
    }

    /// Ends the trial if L1 has included it, as the block `safe`, or if it is no longer the
    /// `oldest` block that is not on L1, because it was replaced after an L1 reorg or was too old.
    /// Returns the transaction to drop, if found. `all_done` is `true` if no transactions of
    /// rejected blocks are left.
    pub(super) fn follow(
        &mut self,
        safe: B256,
        oldest: Option<B256>,
        all_done: bool,
    ) -> Option<B256> {
        let trial = self.trial?;
        if trial == safe {
            return self.accepted(all_done);
        }
        self.trial = self.trial.filter(|_| oldest == Some(trial));
        None
    }

    /// Continues after L1 has accepted the trial. Returns the transaction to drop, if it was found.
    fn accepted(&mut self, all_done: bool) -> Option<B256> {
        self.trial = None;
        let found = self.suspect.take();
        let is_over = found.is_some() || all_done;
        self.limit = self.limit.map(|limit| limit.saturating_mul(2)).filter(|_| !is_over);
        found
    }

    /// Returns `true` if the search can replace the block after `safe`, which L1 has rejected with
    /// these user transactions. Without any, the rejection has another cause, and the search ends
    /// until L1 has another block.
    pub(super) fn may_replace(&mut self, safe: B256, block: &Block, users: &[B256]) -> bool {
        if self.in_vain == Some(safe) {
            return false;
        }
        let (number, transactions) = (block.header.number, users.len());
        if users.is_empty() {
            tracing::error!(number, "EXECUTE on L1 rejected a block without user transactions");
            *self = Self { in_vain: Some(safe), ..Self::default() };
            return false;
        }
        tracing::warn!(
            number,
            transactions,
            "EXECUTE on L1 rejected a block, replacing it by smaller ones"
        );
        true
    }
}

/// Returns the hashes of the block's user transactions in order, i.e. neither the operator's nor
/// forced ones from index `forced_next` on.
pub(super) fn users_of(
    block: &Block,
    view: &L1View,
    operator: Address,
    forced_next: u64,
) -> Vec<B256> {
    let forced: Vec<_> = view.forced_from(forced_next).map(|tx| keccak256(&tx.raw)).collect();
    let all = block.transactions.iter().map(|tx| *tx.hash()).zip(&block.senders);
    let users = all.filter(|(hash, sender)| **sender != operator && !forced.contains(hash));
    users.map(|(hash, _)| hash).collect()
}
