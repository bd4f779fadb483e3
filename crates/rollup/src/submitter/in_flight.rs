//! Transactions that L1 does not have yet.

use super::{TxData, transaction::Fees};
use crate::l1::L1View;
use alloy_primitives::{B256, Bytes};
use std::time::Instant;

/// A transaction that L1 does not have yet.
#[derive(Debug, Clone)]
pub struct InFlight {
    /// The L2 blocks that it brings, as number and hash.
    pub blocks: Vec<(u64, B256)>,
    /// Timestamp of the last of them.
    pub(super) timestamp: u64,
    /// Its hash.
    pub hash: B256,
    /// Its nonce.
    pub nonce: u64,
    pub(super) raw: Bytes,
    pub(super) data: TxData,
    pub(super) gas_limit: u64,
    pub(super) fees: Fees,
    /// The head of the view when these bytes were sent last, and the time of that; the head is zero
    /// while L1 has given the transaction back and it was not sent since.
    pub(super) sent_at: u64,
    pub(super) sent_when: Instant,
    /// Newest L1 block when it was the first to be taken, with these fees and acknowledged by L1's
    /// pool; `None` until L1 has said so since. Not by the view, which lags behind an L1 that
    /// answers late.
    pub(super) waits_since: Option<u64>,
    /// Most wei that it costs.
    pub(super) cost: u128,
    /// `true` if no transaction is sent behind it.
    pub(super) goes_alone: bool,
    /// `true` if its blocks are no longer its own: L1 has them from another account, or they go in
    /// another transaction or another way. It counts until its nonce is used, which the next
    /// transaction takes.
    pub(super) is_void: bool,
    /// `true` if L1's pool has refused it since it has another at its nonce: it is to pay more.
    pub(super) is_refused: bool,
}

impl InFlight {
    /// Returns `true` if it carries blobs.
    pub const fn has_blobs(&self) -> bool {
        self.data.blobs.is_some()
    }

    /// Returns `true` if L1 has all its blocks.
    pub(super) fn is_taken(&self, view: &L1View) -> bool {
        let taken = |(number, hash): &(u64, B256)| view.advanced_hash(*number) == Some(*hash);
        self.blocks.iter().all(taken)
    }

    /// Returns `true` if L1 does not have its last block any more.
    pub(super) fn is_given_back(&self, view: &L1View) -> bool {
        let Some((number, hash)) = self.blocks.last() else { return false };
        let there = view.advanced_hash(*number);
        there.map_or_else(|| self.is_open(view), |there| there != *hash)
    }

    /// Returns `true` if L1 has nothing in the place of its last block. A view forgets old blocks,
    /// but not their numbers.
    pub(super) fn is_open(&self, view: &L1View) -> bool {
        let head = view.advanced_head().map_or(0, |(number, _)| number);
        self.blocks.last().is_some_and(|(number, _)| *number > head)
    }
}
