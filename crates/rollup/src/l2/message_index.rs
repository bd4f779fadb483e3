//! Index of the messages in the logs of the L2: the positions at which messages to L1 were sent and
//! messages from L1 were handled.

mod file;
mod handlings;
mod scan;

use crate::{l1::with_reserve, parties::Parties};
use alloy_eips::BlockNumHash;
use alloy_primitives::{B256, BloomInput};
use alloy_sol_types::SolEvent as _;
use chain::{Block, ChainError, ChainReader};
use contracts::{
    L2_MESSENGER,
    bindings::IL2Messenger::{
        MessageDelivered, MessageFailed, MessageParked, MessageRefunded, MessageSent,
    },
};
use disk::DiskError;
use file::{BLOCKS, Events, IndexFile};
use handlings::Handlings;
pub(crate) use handlings::{Handled, Handling};
pub(crate) use scan::Scan;
use std::{
    collections::VecDeque,
    path::Path,
    time::{Duration, Instant},
};

/// Number of blocks whose hashes are remembered. A deeper reorg rebuilds the index.
const MAX_REORG: usize = 8_192;
/// Maximum number of events in each direction that lookups return, not counting a
/// [reserve](with_reserve). Bounds memory at about 60 bytes per event: anyone can send messages.
/// The oldest events are dropped.
const MAX_EVENTS: usize = 1 << 18;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SentToL1 {
    /// Number of the L2 block.
    pub(crate) block: u64,
    /// Index of the transaction in it.
    pub(crate) transaction: u32,
    pub(crate) parties: Parties,
}

/// An event about a message.
#[derive(Debug, Clone, Copy)]
enum Event {
    Sent(SentToL1),
    Handled(Handled),
}

/// An event with the index of its message.
#[derive(Debug, Clone, Copy)]
struct Found {
    index: u64,
    event: Event,
}

#[derive(Debug, thiserror::Error)]
enum OpenError {
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// The index up to a block. With a file, a restart reads only the newest blocks again.
#[derive(Debug)]
pub(crate) struct MessageIndex {
    /// Numbers and hashes of indexed blocks, ascending: all of the newest blocks, and from before
    /// the start only the last block of each record of the file.
    blocks: VecDeque<BlockNumHash>,
    /// Index of the first message to L1 in the blocks of this node.
    first: u64,
    sent: VecDeque<SentToL1>,
    handlings: Handlings,
    file: Option<IndexFile>,
    /// Maximum number of events in each direction that lookups return.
    limit: usize,
}

impl Default for MessageIndex {
    fn default() -> Self {
        Self {
            blocks: VecDeque::new(),
            first: 0,
            sent: VecDeque::new(),
            handlings: Handlings::default(),
            file: None,
            limit: MAX_EVENTS,
        }
    }
}

impl MessageIndex {
    /// Opens the index of a chain with its file. If the file cannot be used, the index is rebuilt
    /// in memory.
    pub(crate) fn open(path: &Path, chain: &ChainReader) -> Self {
        Self::with_file(path, chain).unwrap_or_else(|error| {
            tracing::warn!(path = %path.display(), %error, "failed to open the message index");
            Self::default()
        })
    }

    fn with_file(path: &Path, chain: &ChainReader) -> Result<Self, OpenError> {
        let mut index = Self::default();
        let Some(first) = chain.canonical_hash(chain.first_number())? else { return Ok(index) };
        let mut file = IndexFile::open(path, first, |events| index.load(events))?;
        // All ancestors of a canonical block are canonical.
        index.blocks = file.ends().collect();
        while let Some(newest) = index.blocks.back()
            && chain.canonical_hash(newest.number)? != Some(newest.hash)
        {
            index.undo();
        }
        let common = index.head();
        file.cut_back(common)?;
        index.file = Some(file);
        if let Some(number) = common {
            tracing::info!(number, "loaded the message index from disk");
        }
        Ok(index)
    }

    fn load(&mut self, events: Events) -> Result<(), DiskError> {
        let Events { first, sent, handled, .. } = events;
        if !sent.is_empty() {
            if self.sent.is_empty() {
                self.first = first;
            }
            if first != self.sent_len() {
                let reason = format!("message {first}, expected {}", self.sent_len());
                return Err(DiskError::malformed("message index", reason));
            }
        }
        self.sent.extend(sent);
        handled.into_iter().for_each(|(index, handled)| self.handlings.push(index, handled));
        self.forget_beyond(with_reserve(self.limit));
        Ok(())
    }

    /// Returns the number of the newest indexed block.
    pub(crate) fn head(&self) -> Option<u64> {
        self.blocks.back().map(|block| block.number)
    }

    /// Indexes the blocks up to the head of the chain, for at most `time`, and removes the events
    /// of reorged blocks. Returns `true` if all blocks are indexed.
    pub(crate) fn catch_up(
        &mut self,
        chain: &ChainReader,
        time: Duration,
    ) -> Result<bool, ChainError> {
        let begun = Instant::now();
        let head = chain.head().header.number;
        let mut next = self.undo_reorg(chain)?;
        while next <= head {
            if begun.elapsed() > time {
                return Ok(false);
            }
            let Some(block) = chain.canonical_block(next)? else { return Ok(false) };
            // The chain may change meanwhile; the next call handles the reorg.
            if self.blocks.back().is_some_and(|last| last.hash != block.header.parent_hash) {
                return Ok(false);
            }
            for found in events(&block) {
                self.add(found);
            }
            self.extend_to(block.num_hash());
            next += 1;
        }
        Ok(true)
    }

    /// Adds the events of a completed scan, unless a reorg has removed its blocks.
    pub(crate) fn adopt(&mut self, scan: Scan, chain: &ChainReader) -> Result<(), ChainError> {
        let (first, end) = scan.blocks();
        let next = self.undo_reorg(chain)?;
        if next < first || chain.canonical_hash(end.number)? != Some(end.hash) {
            return Ok(());
        }
        let mut events =
            scan.into_events().skip_while(|((number, ..), _)| *number < next).peekable();
        let from = chain.first_number();
        loop {
            // The records of the file end at the same blocks as without a scan.
            let before = self.file.as_ref().map_or(self.blocks.back().copied(), |file| file.end());
            let last = before.map_or(0, |block| block.number + 1) + (BLOCKS - 1);
            let last = last.max(from);
            if last < next || last > end.number {
                return Ok(());
            }
            let Some(hash) = chain.canonical_hash(last)? else { return Ok(()) };
            while let Some((_, found)) = events.next_if(|((number, ..), _)| *number <= last) {
                self.add(found);
            }
            self.extend_to(BlockNumHash { number: last, hash });
        }
    }

    /// Removes the events of reorged blocks. Returns the number of the next block.
    fn undo_reorg(&mut self, chain: &ChainReader) -> Result<u64, ChainError> {
        while let Some(newest) = self.blocks.back() {
            if chain.canonical_hash(newest.number)? == Some(newest.hash) {
                break;
            }
            self.undo();
        }
        let common = self.head();
        // Not only if blocks were removed: an earlier call may have failed before this.
        self.write(|file| file.cut_back(common));
        if common.is_none() {
            *self = Self { file: self.file.take(), limit: self.limit, ..Self::default() };
        }
        Ok(common.map_or(chain.first_number(), |number| number + 1))
    }

    /// Sets the newest block, after the events up to it were added.
    fn extend_to(&mut self, block: BlockNumHash) {
        self.blocks.push_back(block);
        if self.blocks.len() > MAX_REORG {
            self.blocks.pop_front();
        }
        self.forget_beyond(with_reserve(self.limit));
        self.save();
    }

    /// Appends a record to the file if there are enough new blocks.
    fn save(&mut self) {
        let (Some(file), Some(newest)) = (&self.file, self.blocks.back()) else { return };
        let saved = file.end();
        let next = saved.map_or(0, |end| end.number + 1);
        if newest.number + 1 < next + BLOCKS {
            return;
        }
        let events = self.events(saved, *newest);
        self.write(|file| file.append(&events));
    }

    /// Returns the events of the blocks after `after` up to `end`.
    fn events(&self, after: Option<BlockNumHash>, end: BlockNumHash) -> Events {
        let is_before = |block: u64| after.is_some_and(|after| block <= after.number);
        let sent_from = self.sent.partition_point(|sent| is_before(sent.block));
        let sent = self.sent.range(sent_from..).take_while(|sent| sent.block <= end.number);
        let handled = self.handlings.after(after.map(|after| after.number));
        Events {
            after: after.map_or(B256::ZERO, |after| after.hash),
            end,
            first: self.first + sent_from as u64,
            sent: sent.copied().collect(),
            handled: handled.take_while(|(_, handled)| handled.block <= end.number).collect(),
        }
    }

    /// Removes dropped events from a long file.
    pub(crate) fn compact(&mut self) {
        let events = self.sent.len() + self.handlings.len();
        if self.file.as_ref().is_some_and(|file| file.is_wasteful(events)) {
            self.rewrite();
        }
    }

    fn rewrite(&mut self) {
        let Some(file) = &self.file else { return };
        let (mut after, mut records) = (None, Vec::new());
        for end in file.ends() {
            records.push(self.events(after, end));
            after = Some(end);
        }
        self.write(|file| file.replace(&records));
    }

    /// Changes the file. After an error the file is not used until the next start.
    fn write(&mut self, change: impl FnOnce(&mut IndexFile) -> Result<(), DiskError>) {
        if let Some(Err(error)) = self.file.as_mut().map(change) {
            tracing::warn!(%error, "failed to write the message index, keeping it in memory until restart");
            self.file = None;
        }
    }

    fn undo(&mut self) {
        self.blocks.pop_back();
        self.remove_after(self.head());
    }

    /// Removes the events after a block, or all for `None`.
    fn remove_after(&mut self, common: Option<u64>) {
        let is_removed = |block: u64| common.is_none_or(|common| block > common);
        while self.sent.back().is_some_and(|sent| is_removed(sent.block)) {
            self.sent.pop_back();
        }
        self.handlings.remove_newest(is_removed);
    }

    /// Drops the oldest events beyond `limit` in each direction.
    fn forget_beyond(&mut self, limit: usize) {
        while self.sent.len() > limit {
            self.sent.pop_front();
            self.first += 1;
        }
        self.handlings.truncate_front(limit);
    }

    fn add(&mut self, found: Found) {
        match found.event {
            Event::Sent(sent) => {
                // After a gap due to dropped events, the older events are dropped too.
                if found.index != self.sent_len() {
                    self.sent.clear();
                }
                if self.sent.is_empty() {
                    self.first = found.index;
                }
                self.sent.push_back(sent);
            }
            Event::Handled(handled) => self.handlings.push(found.index, handled),
        }
    }

    /// Returns `true` if the blocks of this node have sent no message to L1.
    pub(crate) fn has_sent_none(&self) -> bool {
        self.sent.is_empty()
    }

    /// Returns the number of messages to L1, including those before the first block of this node.
    pub(crate) fn sent_len(&self) -> u64 {
        self.first + self.sent.len() as u64
    }

    /// Returns the index of the oldest message to L1 that a lookup returns.
    pub(crate) fn first_sent(&self) -> u64 {
        self.first.max(self.sent_len().saturating_sub(self.limit as u64))
    }

    pub(crate) fn sent(&self, index: u64) -> Option<SentToL1> {
        let position = index.checked_sub(self.first).filter(|_| index >= self.first_sent())?;
        self.sent.get(usize::try_from(position).ok()?).copied()
    }

    /// Returns the last handling of a message from L1.
    pub(crate) fn handled(&self, index: u64) -> Option<Handled> {
        self.handlings.last_of(index, self.limit)
    }
}

/// Returns the events in the logs of a block.
fn events(block: &Block) -> Vec<Found> {
    let (number, bloom) = (block.header.number, &block.header.logs_bloom);
    if !bloom.contains_input(BloomInput::Raw(L2_MESSENGER.as_slice())) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (transaction, receipt) in (0_u32..).zip(&block.executed.receipts) {
        for log in receipt.logs.iter().filter(|log| log.address == L2_MESSENGER) {
            if let Ok(event) = MessageSent::decode_log(log) {
                let parties = Parties::new(event.sender, event.to, event.refundTo);
                let sent = SentToL1 { block: number, transaction, parties };
                found.push(Found { index: event.index, event: Event::Sent(sent) });
                continue;
            }
            let (index, how) = if let Ok(event) = MessageDelivered::decode_log(log) {
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
            let handled = Handled { how, block: number, transaction };
            found.push(Found { index, event: Event::Handled(handled) });
        }
    }
    found
}

#[cfg(test)]
mod memory;
#[cfg(test)]
mod tests;
