//! Penalties of senders whose transactions were executed but not included.

use alloy_primitives::{Address, map::AddressMap};
use std::collections::BTreeSet;

/// Number of blocks of a sender's first penalty. It doubles each time.
const SET_BACK_BLOCKS: u64 = 8;

/// Maximum number of blocks for which a sender is deprioritized, and for which its record is stored
/// afterwards.
///
/// An account whose transaction is executed but not included pays nothing, so only its position in
/// the order limits how often it can cause that. An account that never pays soon costs the others
/// one execution in 1,024 blocks, so an attacker needs new accounts. Each must be funded by an
/// included transaction of at least 21,000 gas, or by a deposit. Resetting the penalty of an
/// account requires an included transaction, which costs the same. To exclude one class of gas
/// limits from a block, an attacker needs as many accounts as executions fit into a quarter of the
/// block's gas limit: one to four for calls above 1/16 of the block's gas limit, and about 65 for
/// those below 1/256. Delaying the calls of one class therefore costs the fees of 21,000 to
/// 1,400,000 gas per block. Transfers have a separate class.
const MAX_SET_BACK_BLOCKS: u64 = 1_024;

/// Maximum number of records, of less than 200 bytes each: 6 MiB.
///
/// In a block of 30 million gas, at most 3,600 transactions of other senders are executed without
/// being included, each with 21,000 gas. The records of at least nine blocks therefore fit, and the
/// first penalty lasts eight. To have a record removed early, an attacker must fund this number of
/// other accounts.
const LIMIT: usize = 32_768;

#[derive(Debug, Clone, Copy)]
struct Record {
    /// Number of the first head at which the sender is no longer deprioritized.
    until: u64,
    /// Length of the last penalty, in blocks.
    blocks: u64,
}

/// Senders whose transactions are offered after all others. A record does not depend on whether the
/// pool has a transaction of the sender.
#[derive(Debug, Clone, Default)]
pub(super) struct SetBack {
    by_sender: AddressMap<Record>,
    /// Index of the records by the end of the penalty.
    by_end: BTreeSet<(u64, Address)>,
}

impl SetBack {
    /// Deprioritizes a sender after this block. Does nothing if it already was, because its
    /// execution used the gas that is reserved for such senders.
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

    /// Returns `true` if a sender is deprioritized at the head with this number.
    pub(super) fn contains(&self, sender: Address, head: u64) -> bool {
        self.by_sender.get(&sender).is_some_and(|entry| head < entry.until)
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
