//! Transactions in flight.

use super::{TxCandidate, transaction::Fees};
use crate::l1::L1View;
use alloy_eips::BlockNumHash;
use alloy_primitives::{B256, Bytes};
use std::time::Instant;

/// A submitted transaction that is not yet known to be included on L1.
#[derive(Debug, Clone)]
pub struct InFlight {
    /// Blocks and data of the transaction.
    pub candidate: TxCandidate,
    /// Transaction hash.
    pub hash: B256,
    /// Nonce of the transaction.
    pub nonce: u64,
    pub(super) raw: Bytes,
    pub(super) gas_limit: u64,
    pub(super) fees: Fees,
    /// Number of the view's L1 head when these bytes were last sent; zero if an L1 reorg removed
    /// the transaction and it has not been sent again since.
    pub(super) sent_at: u64,
    /// Time at which these bytes were last sent.
    pub(super) sent_when: Instant,
    /// Number of L1's latest block when this transaction, with these fees, was first seen to have
    /// the account's next nonce; `None` until then. From L1's response rather than the view, which
    /// lags behind an L1 that responds late.
    pub(super) waits_since: Option<u64>,
    /// Maximum cost, in wei.
    pub(super) cost: u128,
    /// `true` if the transaction was abandoned, or L1 already has its blocks. It is kept until its
    /// nonce is used; the next transaction replaces it.
    pub(super) is_void: bool,
    /// `true` if L1's pool rejected it as underpriced, because the pool has another transaction
    /// with this nonce. Its fees must be bumped.
    pub(super) is_refused: bool,
}

impl InFlight {
    /// Returns `true` if this is a blob transaction.
    pub const fn has_blobs(&self) -> bool {
        self.candidate.data.blobs.is_some()
    }

    /// Returns `true` if all its blocks are on L1.
    pub(super) fn is_included(&self, view: &L1View) -> bool {
        let is_included =
            |block: &BlockNumHash| view.advanced_hash(block.number) == Some(block.hash);
        self.candidate.blocks.iter().all(is_included)
    }

    /// Returns `true` if its last block is no longer on L1, after a reorg.
    pub(super) fn is_reorged_out(&self, view: &L1View) -> bool {
        let Some(BlockNumHash { number, hash }) = self.candidate.blocks.last() else {
            return false;
        };
        let canonical = view.advanced_hash(*number);
        canonical.map_or_else(|| self.is_open(view), |canonical| canonical != *hash)
    }

    /// Returns `true` if L1 has no block at the height of its last block. This compares with the
    /// number of the safe head, because a view prunes the hashes of old blocks.
    pub(super) fn is_open(&self, view: &L1View) -> bool {
        let head = view.advanced_head().map_or(0, |head| head.number);
        self.candidate.blocks.last().is_some_and(|block| block.number > head)
    }
}
