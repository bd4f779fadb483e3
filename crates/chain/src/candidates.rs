//! Candidate transactions of a block, across the attempts to build it.

use crate::{
    BudgetRequest, Rejection,
    filler::{RecoveredTransaction, Rejected},
};
use executor::Invalid;
use std::collections::HashSet;

/// Maximum number of transactions per block that turn out to be too long even alone. Bounded,
/// because the builder executes each of them.
const MAX_TOO_LONG: usize = 16;

/// Transactions that a block may include, and those that it rejected, by their positions.
pub(crate) struct Candidates<'c> {
    all: Vec<(usize, &'c RecoveredTransaction)>,
    /// Transactions of the next attempt.
    offered: Vec<(usize, &'c RecoveredTransaction)>,
    rejected: Vec<(usize, Rejection)>,
    /// Positions of the transactions that were executed but not included.
    in_vain: Vec<usize>,
    /// Number of transactions that were too long even alone.
    too_long: usize,
    /// `true` once the last transaction was removed to shorten the block.
    is_cut: bool,
}

impl<'c> Candidates<'c> {
    pub(crate) fn new(transactions: impl IntoIterator<Item = &'c RecoveredTransaction>) -> Self {
        let all: Vec<_> = transactions.into_iter().enumerate().collect();
        let offered = all.clone();
        let (rejected, in_vain) = (Vec::new(), Vec::new());
        Self { all, offered, rejected, in_vain, too_long: 0, is_cut: false }
    }

    /// Returns the transactions of the next attempt, with their positions.
    pub(crate) fn offered(&self) -> &[(usize, &'c RecoveredTransaction)] {
        &self.offered
    }

    /// Removes the transactions that an attempt rejected. Returns `true` if the block has to be
    /// rebuilt without them. Thousands may be offered for a block that can include a few dozen.
    pub(crate) fn remove(&mut self, rejected: Vec<Rejected>) -> bool {
        let removed: HashSet<usize> = rejected.iter().map(|rejection| rejection.index).collect();
        self.offered.retain(|(index, _)| !removed.contains(index));
        let must_rebuild = rejected.iter().any(|rejection| rejection.leaves_reads);
        let executed = rejected.iter().filter(|rejection| rejection.executed);
        self.in_vain.extend(executed.map(|rejection| rejection.index));
        self.rejected
            .extend(rejected.into_iter().map(|rejection| (rejection.index, rejection.reason)));
        must_rebuild
    }

    /// Removes transactions from a block whose input has `length` bytes, of which `max` are
    /// allowed. `request` is that of the next attempt.
    pub(crate) fn shorten(&mut self, length: usize, max: usize, request: &mut BudgetRequest) {
        let reason = |index| {
            let reason = format!("{length} bytes of input with it, {max} are allowed");
            Invalid::Transaction { index, reason }
        };
        if let [(index, _)] = self.offered[..] {
            self.remove_too_long(index, reason(index), request);
            return;
        }
        // All transactions but the last fit, unless computing the post-state root reads many
        // nodes.
        let count = self.offered.len();
        let surplus = if self.is_cut { surplus_count(count, length, max) } else { 1 };
        self.is_cut = true;
        for (index, _) in self.offered.drain(count - surplus..) {
            self.in_vain.push(index);
            self.rejected.push((index, Rejection::BlockFull(reason(index))));
        }
    }

    /// Removes a transaction that no block can include, and offers those again that did not fit
    /// next to it.
    fn remove_too_long(&mut self, index: usize, reason: Invalid, request: &mut BudgetRequest) {
        self.rejected.push((index, Rejection::TooLarge(reason)));
        self.in_vain.push(index);
        self.too_long += 1;
        // Further transactions that may be too long wait for a later block, so that they do not
        // keep all others out of this one.
        request.is_strict = self.too_long > MAX_TOO_LONG;
        if self.too_long > MAX_TOO_LONG + 1 {
            self.offered.clear();
            return;
        }
        self.rejected.retain(|(_, reason)| reason.is_final());
        let removed: HashSet<usize> = self.rejected.iter().map(|(index, _)| *index).collect();
        self.in_vain.retain(|index| removed.contains(index));
        let remaining = self.all.iter().filter(|(index, _)| !removed.contains(index));
        self.offered = remaining.copied().collect();
        self.is_cut = false;
    }

    /// Returns the rejected transactions in order, and the positions of those that were executed.
    pub(crate) fn into_rejected(mut self) -> (Vec<(usize, Rejection)>, Vec<usize>) {
        self.rejected.sort_by_key(|(index, _)| *index);
        (self.rejected, self.in_vain)
    }
}

/// Estimates how many of `count` transactions to remove from an input of `length` bytes so that it
/// fits, assuming that all have the same size; at least one.
fn surplus_count(count: usize, length: usize, max: usize) -> usize {
    (length - max).saturating_mul(count).div_ceil(length).clamp(1, count)
}
