//! Changes of the canonical chain in the state store.

use crate::{DiskError, disk_store::Inner};
use alloy_primitives::{B256, map::B256Map};
use std::collections::BTreeMap;
use store::{CanonicalChange, Changes, TransactionLocation};

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

impl Moves {
    pub(crate) fn of(
        changes: &Changes,
        range: Option<&Range>,
        inner: &Inner,
    ) -> Result<Self, DiskError> {
        let mut moves = Self::default();
        if let Some(change) = &changes.canonical {
            moves.move_to(change, range, inner)?;
        }
        for transaction in &changes.forgotten {
            moves.transactions.insert(*transaction, None);
        }
        Ok(moves)
    }

    fn move_to(
        &mut self,
        change: &CanonicalChange,
        range: Option<&Range>,
        inner: &Inner,
    ) -> Result<(), DiskError> {
        for number in range.map_or(0..0, |range| change.from.max(range.start)..range.end) {
            self.numbers.insert(number, None);
            let Some(hash) = inner.read_canonical(number)? else { continue };
            let Some(block) = inner.read_block(&hash)? else { continue };
            for transaction in &block.transactions {
                // A transaction that is also in an older block would no longer be found at all.
                // Nonces rule this out for signed transactions.
                let location = inner.read_transaction(transaction.hash())?;
                if location.is_some_and(|at| at.block == hash) {
                    self.transactions.insert(*transaction.hash(), None);
                }
            }
        }
        for block in &change.blocks {
            self.numbers.insert(block.header.number, Some(block.hash));
            for (index, transaction) in block.transactions.iter().enumerate() {
                let location = TransactionLocation { block: block.hash, index };
                self.transactions.insert(*transaction.hash(), Some(location));
            }
        }
        let start = range.map_or(change.from, |range| range.start.min(change.from));
        self.range = Some(start..change.from + change.blocks.len() as u64);
        Ok(())
    }
}
