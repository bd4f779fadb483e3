//! Index of the messages in the logs of the L2: where messages to L1 were sent, and where messages
//! from L1 were delivered. The data stay in the logs.

use alloy_eips::BlockNumHash;
use alloy_primitives::{Address, BloomInput};
use alloy_sol_types::SolEvent as _;
use chain::{Block, ChainError, ChainReader};
use contracts::{
    L2_MESSENGER,
    bindings::IL2Messenger::{
        MessageDelivered, MessageFailed, MessageParked, MessageRefunded, MessageSent,
    },
};
use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

/// Number of blocks whose hashes are remembered. After a deeper reorg the index is made anew.
const MAX_REORG: usize = 8_192;
/// Maximum number of indexed events in each direction. It bounds memory, at some 100 bytes an event.
/// The oldest ones are dropped: anyone can send messages, and must not stop the index with them.
const MAX_EVENTS: usize = 1 << 18;

/// A message to L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SentToL1 {
    /// Number of the L2 block.
    pub(crate) block: u64,
    /// Index of the transaction in it.
    pub(crate) transaction: u32,
    pub(crate) sender: Address,
    pub(crate) to: Address,
    pub(crate) refund_to: Address,
}

/// What an L2 transaction did with a message from L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handling {
    Delivered,
    Failed,
    Parked,
    Refunded,
}

/// Handling of a message from L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Handled {
    pub(crate) how: Handling,
    /// Number of the L2 block.
    pub(crate) block: u64,
    /// Index of the transaction in it.
    pub(crate) transaction: u32,
}

/// The index up to a block. It is made from the blocks of the chain after each start.
#[derive(Debug, Default)]
pub(crate) struct MessageIndex {
    /// Numbers and hashes of the newest indexed blocks.
    blocks: VecDeque<BlockNumHash>,
    /// Index of the first message to L1 in the blocks of this node.
    first: u64,
    sent: VecDeque<SentToL1>,
    handled: BTreeMap<u64, VecDeque<Handled>>,
    /// Block and index of each handling, in order.
    order: VecDeque<(u64, u64)>,
}

impl MessageIndex {
    /// Number of the newest indexed block.
    pub(crate) fn head(&self) -> Option<u64> {
        self.blocks.back().map(|block| block.number)
    }

    /// Indexes the blocks up to the head of the chain, for at most `time`, and undoes those that a
    /// reorg has removed. Returns `true` if all are indexed.
    pub(crate) fn catch_up(
        &mut self,
        chain: &ChainReader,
        time: Duration,
    ) -> Result<bool, ChainError> {
        let begun = Instant::now();
        while let Some(newest) = self.blocks.back() {
            if chain.canonical_hash(newest.number)? == Some(newest.hash) {
                break;
            }
            self.undo();
        }
        let head = chain.head().header.number;
        let mut next = match self.head() {
            Some(number) => number + 1,
            None => {
                *self = Self::default();
                chain.first_number()
            }
        };
        while next <= head {
            if begun.elapsed() > time {
                return Ok(false);
            }
            let Some(block) = chain.canonical_block(next)? else { return Ok(false) };
            // The chain may change in between; the next call undoes what it has removed.
            if self.blocks.back().is_some_and(|last| last.hash != block.header.parent_hash) {
                return Ok(false);
            }
            self.take(&block);
            self.forget_beyond(MAX_EVENTS);
            next += 1;
        }
        Ok(true)
    }

    fn undo(&mut self) {
        let Some(BlockNumHash { number, .. }) = self.blocks.pop_back() else { return };
        while self.sent.back().is_some_and(|sent| sent.block >= number) {
            self.sent.pop_back();
        }
        while let Some(&(block, index)) = self.order.back()
            && block >= number
        {
            self.order.pop_back();
            if let Some(handled) = self.handled.get_mut(&index) {
                handled.pop_back();
                if handled.is_empty() {
                    self.handled.remove(&index);
                }
            }
        }
    }

    /// Drops the oldest events beyond `most` in each direction.
    fn forget_beyond(&mut self, most: usize) {
        while self.sent.len() > most {
            self.sent.pop_front();
            self.first += 1;
        }
        while self.order.len() > most
            && let Some((_, index)) = self.order.pop_front()
        {
            if let Some(handled) = self.handled.get_mut(&index) {
                handled.pop_front();
                if handled.is_empty() {
                    self.handled.remove(&index);
                }
            }
        }
    }

    fn take(&mut self, block: &Block) {
        let number = block.header.number;
        self.blocks.push_back(block.num_hash());
        if self.blocks.len() > MAX_REORG {
            self.blocks.pop_front();
        }
        let messenger = BloomInput::Raw(L2_MESSENGER.as_slice());
        if !block.header.logs_bloom.contains_input(messenger) && !block.header.logs_bloom.is_zero()
        {
            return;
        }
        for (transaction, receipt) in (0_u32..).zip(&block.executed.receipts) {
            for log in receipt.logs.iter().filter(|log| log.address == L2_MESSENGER) {
                if let Ok(event) = MessageSent::decode_log(log) {
                    if self.sent.is_empty() {
                        self.first = event.index;
                    }
                    let (sender, to, refund_to) = (event.sender, event.to, event.refundTo);
                    let sent = SentToL1 { block: number, transaction, sender, to, refund_to };
                    self.sent.push_back(sent);
                    continue;
                }
                let handled = if let Ok(event) = MessageDelivered::decode_log(log) {
                    (event.index, Handling::Delivered)
                } else if let Ok(event) = MessageFailed::decode_log(log) {
                    (event.index, Handling::Failed)
                } else if let Ok(event) = MessageParked::decode_log(log) {
                    (event.index, Handling::Parked)
                } else if let Ok(event) = MessageRefunded::decode_log(log) {
                    (event.index, Handling::Refunded)
                } else {
                    continue;
                };
                let (index, how) = handled;
                let handled = Handled { how, block: number, transaction };
                self.handled.entry(index).or_default().push_back(handled);
                self.order.push_back((number, index));
            }
        }
    }

    /// Number of messages to L1, including those before the first block of this node.
    pub(crate) fn sent_len(&self) -> u64 {
        self.first + self.sent.len() as u64
    }

    /// Index of the first message to L1 that this node has.
    pub(crate) const fn first_sent(&self) -> u64 {
        self.first
    }

    /// Returns a message to L1.
    pub(crate) fn sent(&self, index: u64) -> Option<SentToL1> {
        self.sent.get(usize::try_from(index.checked_sub(self.first)?).ok()?).copied()
    }

    /// Returns the last handling of a message from L1.
    pub(crate) fn handled(&self, index: u64) -> Option<Handled> {
        self.handled.get(&index)?.back().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::B256;

    fn handling(index: &mut MessageIndex, block: u64, message: u64, how: Handling) {
        let handled = Handled { how, block, transaction: 0 };
        index.handled.entry(message).or_default().push_back(handled);
        index.order.push_back((block, message));
    }

    #[test]
    fn oldest_events_are_dropped_beyond_limit() {
        let mut index = MessageIndex { first: 7, ..MessageIndex::default() };
        for block in 0..10 {
            let (sender, to) = (Address::repeat_byte(1), Address::repeat_byte(2));
            let sent = SentToL1 { block, transaction: 0, sender, to, refund_to: sender };
            index.sent.push_back(sent);
            handling(&mut index, block, block / 2, Handling::Failed);
            index.blocks.push_back(BlockNumHash::new(block, B256::with_last_byte(block as u8)));
        }
        index.forget_beyond(3);
        assert_eq!((index.first_sent(), index.sent_len()), (14, 17));
        assert_eq!(index.sent(13), None);
        assert_eq!(index.sent(14).map(|it| it.block), Some(7));
        assert_eq!(index.handled(2), None);
        assert_eq!(index.handled(3).map(|it| it.block), Some(7));
        // A reorg undoes what is left of its blocks.
        for _ in 0..3 {
            index.undo();
        }
        assert_eq!((index.sent_len(), index.handled(4), index.handled(3)), (14, None, None));
    }
}
