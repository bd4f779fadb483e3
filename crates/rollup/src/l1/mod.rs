//! Reading of L1: consecutive headers, and the logs of the rollup's contracts.

mod answered;
mod blobs;
mod client;
mod clock;
mod events;
mod kept;
mod log;
pub(crate) mod poller;
mod posted;
mod reader;
pub(crate) mod saved;
mod view;

pub use blobs::BlobClient;
pub use client::{L1Client, L1Transaction};
pub use events::{Advanced, ForcedEntry, L1Cost, SentMessage};
pub use reader::{L1Reader, L1Update};
pub use view::L1View;

pub(crate) use answered::Answered;
pub(crate) use blobs::{BeaconFacts, whole_input};
pub(crate) use clock::L1Clock;
pub(crate) use events::{Events, PostedBlock};
pub(crate) use kept::KeptCodes;
pub(crate) use posted::PostedFile;

use alloy_primitives::{B256, Bloom};
use imbl::Vector;
use std::cmp::Ordering;

/// Returns the number of leading entries for which `is_before` returns `true`. The list must be
/// partitioned by it, as for [`slice::partition_point`].
pub(crate) fn partition_point<T: Clone>(list: &Vector<T>, is_before: impl Fn(&T) -> bool) -> usize {
    let order = |it: &T| if is_before(it) { Ordering::Less } else { Ordering::Greater };
    list.binary_search_by(order).unwrap_or_else(|at| at)
}

/// Fields of an L1 header that the node stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct L1Header {
    /// Number of the block.
    pub number: u64,
    /// Hash of the header.
    pub hash: B256,
    /// Hash of the parent.
    pub parent: B256,
    /// Timestamp of the block, in seconds.
    pub timestamp: u64,
    /// Base fee per gas, in wei.
    pub base_fee: u64,
}

/// A header from a node, verified against its hash.
#[derive(Debug, Clone)]
pub struct ReadHeader {
    /// The fields that the node stores.
    pub header: L1Header,
    pub(crate) transactions_root: B256,
    pub(crate) receipts_root: B256,
    pub(crate) bloom: Bloom,
}
