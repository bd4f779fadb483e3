//! Reading of L1: consecutive headers, and the logs of the rollup's contracts.

mod answered;
mod blobs;
mod client;
mod clock;
mod kept;
mod log;
pub(crate) mod poller;
mod posted;
mod reader;
pub(crate) mod saved;
#[cfg(test)]
pub(crate) mod tests;
mod view;

pub use blobs::BlobClient;
pub use client::L1Client;
pub use reader::{L1Reader, L1Update};
pub use view::L1View;

pub use derive::{Advanced, Events, ForcedEntry, L1Cost, L1Header, L1Transaction, SentMessage};

pub(crate) use answered::Answered;
pub(crate) use blobs::BeaconFacts;
pub(crate) use clock::L1Clock;
pub(crate) use kept::KeptCodes;
pub(crate) use posted::{PostedBlock, PostedFile};

use alloy_primitives::{B256, Bloom};
use imbl::Vector;
use std::cmp::Ordering;

/// Returns the number of leading entries for which `is_before` returns `true`. The list must be
/// partitioned by it, as for [`slice::partition_point`].
pub(crate) fn partition_point<T: Clone>(list: &Vector<T>, is_before: impl Fn(&T) -> bool) -> usize {
    let order = |it: &T| if is_before(it) { Ordering::Less } else { Ordering::Greater };
    list.binary_search_by(order).unwrap_or_else(|at| at)
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
