//! Senders whose transactions were executed in vain.

use alloy_primitives::{Address, map::AddressMap};
use std::collections::BTreeSet;

/// Number of blocks for which a sender is set back the first time. Each further time doubles it.
const SET_BACK_BLOCKS: u64 = 8;

/// Maximum number of blocks for which a sender is set back, and for which its record is kept
/// afterwards.
///
/// An account that makes the builder execute in vain pays nothing, so only its place limits how
/// often it can. One that never pays soon costs the others one execution in 1,024 blocks, so an
/// attacker needs new accounts. Each must be funded by a transaction of at least 21,000 gas that a
/// block includes, or by a deposit. An account whose transaction a block includes starts anew, for
/// the same price. Closing a class of gas limits for one block takes as many accounts as executions
/// fit into a quarter of the block's gas limit: one to four for calls above a sixteenth of the
/// block's gas limit, and about 65 for those below a 256th. So delaying the calls of one class
/// costs the fees of 21,000 to 1,400,000 gas per block; transfers are in a class of their own.
const MAX_SET_BACK_BLOCKS: u64 = 1_024;

/// Maximum number of records, of less than 200 bytes each: 6 MiB.
///
/// A block of 30 million gas executes at most 3,600 transactions of senders that are not set back in
/// vain, half of them kept ones, each of 21,000 gas. So the records of the last nine blocks fit at
/// least, and the first set-back lasts eight. To remove a record early, an attacker has to fund
/// this number of other accounts.
const LIMIT: usize = 32_768;

#[derive(Debug, Clone, Copy)]
struct Record {
    /// Number of the first head at which the sender is no longer set back.
    until: u64,
    /// Number of blocks for which it was set back last.
    blocks: u64,
}

/// Senders whose transactions were executed and not included. They are offered after all others,
/// whether or not the pool has a transaction of theirs at the time.
#[derive(Debug, Clone, Default)]
pub(super) struct SetBack {
    by_sender: AddressMap<Record>,
    /// The same records by their ends.
    by_end: BTreeSet<(u64, Address)>,
}

impl SetBack {
    /// Sets a sender back after this block. One that already was is unaffected: its execution used
    /// the gas that is reserved for such senders.
    pub(super) fn add(&mut self, sender: Address, block: u64) {
        if self.contains(sender, block.saturating_sub(1)) {
            return;
        }
        let blocks = match self.remove(sender) {
            Some(last) => last.blocks.saturating_mul(2).min(MAX_SET_BACK_BLOCKS),
            None => SET_BACK_BLOCKS,
        };
        let until = block.saturating_add(blocks);
        self.by_sender.insert(sender, Record { until, blocks });
        self.by_end.insert((until, sender));
        if self.by_sender.len() > LIMIT {
            self.remove_first();
        }
    }

    /// Returns `true` if a sender is set back at the head with this number.
    pub(super) fn contains(&self, sender: Address, head: u64) -> bool {
        self.by_sender.get(&sender).is_some_and(|it| head < it.until)
    }

    /// Removes the record of a sender.
    pub(super) fn forgive(&mut self, sender: Address) {
        self.remove(sender);
    }

    /// Removes old records at a new head.
    pub(super) fn expire(&mut self, head: u64) {
        while let Some((until, _)) = self.by_end.first()
            && until.saturating_add(MAX_SET_BACK_BLOCKS) <= head
        {
            self.remove_first();
        }
    }

    fn remove(&mut self, sender: Address) -> Option<Record> {
        let record = self.by_sender.remove(&sender)?;
        self.by_end.remove(&(record.until, sender));
        Some(record)
    }

    fn remove_first(&mut self) {
        if let Some((_, sender)) = self.by_end.pop_first() {
            self.by_sender.remove(&sender);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(number: usize) -> Address {
        Address::left_padding_from(&number.to_be_bytes())
    }

    #[test]
    fn each_further_vain_execution_doubles_the_time() {
        let (mut set_back, mut block) = (SetBack::default(), 1);
        for expected in [8, 16, 32, 64, 128, 256, 512, 1_024, 1_024] {
            set_back.add(sender(1), block);
            for head in block..block + expected {
                assert!(set_back.contains(sender(1), head));
                set_back.expire(head);
                // Executed among those that are set back.
                set_back.add(sender(1), head + 1);
            }
            block += expected;
            assert!(!set_back.contains(sender(1), block));
            block += 1;
        }
        set_back.forgive(sender(1));
        set_back.add(sender(1), block);
        assert!(!set_back.contains(sender(1), block + SET_BACK_BLOCKS));
    }

    #[test]
    fn records_are_bounded_and_oldest_is_removed() {
        let mut set_back = SetBack::default();
        for number in 0..2 * LIMIT {
            set_back.add(sender(number), number as u64 / 1_024);
        }
        assert_eq!((set_back.by_sender.len(), set_back.by_end.len()), (LIMIT, LIMIT));
        assert!(!set_back.by_sender.contains_key(&sender(LIMIT - 1)));
        assert!(set_back.by_sender.contains_key(&sender(LIMIT)));
        set_back.expire(u64::MAX);
        assert!(set_back.by_sender.is_empty() && set_back.by_end.is_empty());
    }
}
