//! Handlings of messages from L1, in the order of the chain and by message.

use std::collections::{BTreeMap, VecDeque};

/// Effect of an L2 transaction on a message from L1. The values are those in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handling {
    Delivered = 0,
    Failed = 1,
    Parked = 2,
    Refunded = 3,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Handled {
    pub(crate) how: Handling,
    /// Number of the L2 block.
    pub(crate) block: u64,
    /// Index of the transaction in it.
    pub(crate) transaction: u32,
}

/// A handling in the order of the chain.
#[derive(Debug, Clone, Copy)]
struct Entry {
    index: u64,
    handled: Handled,
    /// Number of the previous handling of the same message, which may have been dropped.
    previous: Option<u64>,
}

/// The newest handlings, numbered in the order of the chain.
#[derive(Debug, Default)]
pub(super) struct Handlings {
    dropped: u64,
    entries: VecDeque<Entry>,
    /// Number of the last handling of each message.
    last: BTreeMap<u64, u64>,
}

impl Handlings {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns the last handling of a message, if it is one of the newest `limit` handlings.
    pub(super) fn last_of(&self, index: u64, limit: usize) -> Option<Handled> {
        let position = self.last.get(&index)?.checked_sub(self.dropped)?;
        let position = usize::try_from(position).ok()?;
        let is_found = position + limit >= self.entries.len();
        self.entries.get(position).filter(|_| is_found).map(|entry| entry.handled)
    }

    /// Returns the handlings in the blocks after `after`, each with the index of its message.
    pub(super) fn after(&self, after: Option<u64>) -> impl Iterator<Item = (u64, Handled)> {
        let is_before = |entry: &Entry| after.is_some_and(|after| entry.handled.block <= after);
        let from = self.entries.partition_point(is_before);
        self.entries.range(from..).map(|entry| (entry.index, entry.handled))
    }

    pub(super) fn push(&mut self, index: u64, handled: Handled) {
        let number = self.dropped + self.entries.len() as u64;
        let previous = self.last.insert(index, number);
        self.entries.push_back(Entry { index, handled, previous });
    }

    /// Removes the handlings in the newest blocks for which `is_removed` returns `true`.
    pub(super) fn remove_newest(&mut self, is_removed: impl Fn(u64) -> bool) {
        while let Some(entry) = self.entries.pop_back_if(|entry| is_removed(entry.handled.block)) {
            match entry.previous.filter(|previous| *previous >= self.dropped) {
                Some(previous) => self.last.insert(entry.index, previous),
                None => self.last.remove(&entry.index),
            };
        }
    }

    pub(super) fn truncate_front(&mut self, limit: usize) {
        while self.entries.len() > limit
            && let Some(entry) = self.entries.pop_front()
        {
            if self.last.get(&entry.index) == Some(&self.dropped) {
                self.last.remove(&entry.index);
            }
            self.dropped += 1;
        }
    }

    /// Returns the number of messages with a handling.
    #[cfg(test)]
    pub(super) fn messages(&self) -> usize {
        self.last.len()
    }
}
