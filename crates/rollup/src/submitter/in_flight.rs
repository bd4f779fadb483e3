//! Transactions that L1 does not have yet.

use super::{Load, transaction::Fees};
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
    pub(super) load: Load,
    pub(super) gas_limit: u64,
    pub(super) fees: Fees,
    /// The L1 head at which these bytes were sent last, and those of before.
    pub(super) sent_at: u64,
    pub(super) first_sent_at: u64,
    pub(super) sent_when: Instant,
    /// What it costs at most.
    pub(super) cost: u128,
    /// Whether nothing goes behind it.
    pub(super) goes_alone: bool,
    /// Whether its blocks are not its own any more: L1 has them from somebody else, they go again in another
    /// transaction, or another way. It is counted until its nonce is used, and the next one takes that.
    pub(super) is_void: bool,
}

impl InFlight {
    /// Whether it carries blobs.
    pub const fn has_blobs(&self) -> bool {
        self.load.blobs.is_some()
    }
}
