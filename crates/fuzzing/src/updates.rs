//! Updates about the next block that a sequencer publishes, as followers and watchers decode them.

use crate::Outcome;
use alloy_primitives::Bytes;
use preconf::{HeaderSummary, PrefixUpdate, transaction_hash_at};

/// Checks that an update has one encoding, and that reading its header and its transactions as the
/// nodes of a proof never panics.
pub fn updates(data: &[u8]) -> Outcome {
    let Ok(update) = PrefixUpdate::decode(&Bytes::copy_from_slice(data)) else {
        return Outcome::Unreadable;
    };
    let encoded = update.encode();
    assert!(encoded.is_ok_and(|encoded| encoded == data), "an update has one encoding");
    // The root is that of the first node, so that reading goes beyond the check of this hash.
    let root = update.transactions.first().map(alloy_primitives::keccak256);
    let root = root.unwrap_or(preconf::EMPTY_TRIE);
    let _ = transaction_hash_at(root, update.first, &update.transactions);
    let Ok(header) = HeaderSummary::read(&update.header) else { return Outcome::Refused };
    assert_eq!(header.hash, alloy_primitives::keccak256(&update.header));
    Outcome::Accepted
}
