//! Conversions of parts of a node's status to RPC types.

use crate::lease::Lease;
use alloy_eips::BlockNumHash;
use client::{Excerpt, RedactedUrl};
use core::fmt::Display;
use rpc::engine::Driven;
use rpc_types::LeaseStatus;

/// Maximum length of a fault or a warning, in bytes.
const MAX_TEXT: usize = 2_000;

/// Returns the text of a fault or a warning, truncated: other nodes determine parts of it, and each
/// request for the status copies it.
pub(crate) fn bounded_text(text: impl Display) -> String {
    Excerpt::within(MAX_TEXT, text).to_string()
}

/// Returns the current state of a lease.
pub(crate) fn lease_status(lease: &Lease) -> LeaseStatus {
    let leader = lease.leader().filter(|leader| leader.id != lease.own().id);
    LeaseStatus {
        held: lease.is_held(),
        wanted: lease.is_wanted(),
        leader: leader.map(|leader| RedactedUrl::new(&leader.url).to_string()),
        error: lease.error(),
    }
}

/// Returns the progress of a driven client.
pub(crate) fn driven_status(driven: &Driven) -> rpc_types::Driven {
    rpc_types::Driven {
        url: driven.url.to_string(),
        number: driven.number,
        hash: driven.hash,
        fault: driven.fault.clone(),
    }
}

/// Returns number and hash of a block.
pub(crate) const fn num_hash(block: BlockNumHash) -> rpc_types::BlockNumHash {
    rpc_types::BlockNumHash { number: block.number, hash: block.hash }
}
