//! Changes of the canonical chain in the state store.

use alloy_primitives::{B256, map::B256Map};
use chain::store::{CanonicalChange, TransactionLocation};
use std::collections::BTreeMap;

/// Numbers of the canonical blocks, from the first to one past the last.
pub(crate) type Range = core::ops::Range<u64>;

/// Returns `true` if the change leaves no gap in the canonical chain.
pub(crate) fn accepts(range: Option<&Range>, change: &CanonicalChange) -> bool {
    let numbers = change.blocks.iter().map(|block| block.header.number);
    range.is_none_or(|range| change.from <= range.end)
        && numbers.eq((change.from..).take(change.blocks.len()))
}

/// Effect of a commit on canonical numbers and transaction locations: each key occurs once, with
/// its final value.
#[derive(Debug, Default)]
pub(crate) struct Moves {
    pub(crate) numbers: BTreeMap<u64, Option<B256>>,
    pub(crate) transactions: B256Map<Option<TransactionLocation>>,
    /// The new range of canonical blocks, if it changes.
    pub(crate) range: Option<Range>,
}
