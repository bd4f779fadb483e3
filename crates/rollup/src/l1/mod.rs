//! Reading of L1: consecutive headers, and the logs of the rollup's contracts.

mod blobs;
pub(crate) mod bridge_log;
mod client;
mod clock;
mod code_cache;
pub(crate) mod cost;
mod error;
pub(crate) mod execute_rate;
pub(crate) mod fork_schedule;
mod history;
mod last_response;
mod log;
pub(crate) mod poller;
mod posted;
pub(crate) mod profile;
pub(crate) mod promise_terms;
mod provider;
pub(crate) mod queue;
mod reader;
pub(crate) mod rollup_contracts;
pub(crate) mod saved;
pub(crate) mod sync_state;
#[cfg(test)]
mod tests;
mod view;
mod vote;

pub use blobs::BlobClient;
pub use client::L1Client;
pub use error::{L1Error, revert_data};
pub use provider::L1Provider;
pub use reader::{L1Reader, L1Update};
pub use view::L1View;

pub use derive::{
    ClaimedMessage, Events, ForcedDischarge, ForcedEntry, L1Cost, L1Header, L1Transaction,
    PostedBlock, SentMessage,
};

pub(crate) use blobs::BeaconFacts;
pub(crate) use clock::L1Clock;
pub(crate) use code_cache::CodeCache;
pub(crate) use error::{Silence, is_revert_response};
pub(crate) use history::with_reserve;
pub(crate) use last_response::LastResponse;
pub(crate) use posted::PostedFile;
pub(crate) use vote::{Quorum, Verdicts};

use alloy_primitives::{B256, Bloom};
use imbl::Vector;
use std::cmp::Ordering;

/// Returns the number of leading entries for which `is_before` returns `true`. The list must be
/// partitioned by it, as for [`slice::partition_point`].
pub(crate) fn partition_point<T: Clone>(list: &Vector<T>, is_before: impl Fn(&T) -> bool) -> usize {
    let order = |entry: &T| if is_before(entry) { Ordering::Less } else { Ordering::Greater };
    list.binary_search_by(order).unwrap_or_else(|at| at)
}

/// A header from a node, verified against its hash.
#[derive(Debug, Clone)]
pub struct ReadHeader {
    /// The fields that the node stores.
    pub header: L1Header,
    /// Root of the block's transactions.
    pub transactions_root: B256,
    /// Root of the block's receipts.
    pub receipts_root: B256,
    /// Bloom filter of the block's logs; empty from EIP-7668 on.
    pub bloom: Bloom,
}
