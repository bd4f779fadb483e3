//! Transactions that L1 does not have yet.

use super::{TxData, transaction::Fees};
use alloy_primitives::{B256, Bytes};
use std::time::Instant;

/// A transaction that L1 does not have yet.
#[derive(Debug, Clone)]
pub struct InFlight {
    /// The L2 blocks that it brings, as number and hash.
    pub blocks: Vec<(u64, B256)>,
    /// Its hash.
    pub hash: B256,
    /// Its nonce.
    pub nonce: u64,
    pub(super) raw: Bytes,
    pub(super) data: TxData,
    pub(super) gas_limit: u64,
    pub(super) fees: Fees,
    /// The L1 head at which these bytes were sent last, and those of before.
    pub(super) sent_at: u64,
    pub(super) first_sent_at: u64,
    pub(super) sent_when: Instant,
    /// Most wei that it costs.
    pub(super) cost: u128,
    /// `true` if no transaction is sent behind it.
    pub(super) goes_alone: bool,
    /// `true` if its blocks are no longer its own: L1 has them from another account, or they go in another
    /// transaction or another way. It counts until its nonce is used, which the next transaction takes.
    pub(super) is_void: bool,
}

impl InFlight {
    /// Returns `true` if it carries blobs.
    pub const fn has_blobs(&self) -> bool {
        self.data.blobs.is_some()
    }
}
