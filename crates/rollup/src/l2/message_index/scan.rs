//! Indexing of a long chain without its file.
//!
//! Blocks are stored by hash, so reading them by number takes a random read each. A scan visits
//! them in storage order, and decodes only those with logs of the messenger.

use super::{Event, Found, MAX_EVENTS, MAX_REORG, MessageIndex, events};
use crate::l1::with_reserve;
use alloy_eips::BlockNumHash;
use alloy_primitives::BloomInput;
use chain::{Block, ChainError, ChainReader};
use contracts::L2_MESSENGER;

/// Number of the newest blocks that a scan leaves out, because a reorg may replace them meanwhile.
/// They are read by number.
const LEFT: u64 = MAX_REORG as u64;
/// Minimum number of blocks of a scan.
const MIN_BLOCKS: u64 = 32_768;

/// An event with its position in the chain: block, transaction and log.
pub(super) type Placed = ((u64, u32, u32), Found);

/// Events of the blocks visited so far.
#[derive(Debug)]
pub(crate) struct Scan {
    first: u64,
    end: BlockNumHash,
    /// First byte of the block hashes that are visited next.
    next: u16,
    sent: Vec<Placed>,
    handled: Vec<Placed>,
}

impl Scan {
    /// Starts a scan. Returns `None` if the index lacks only few blocks, or the store cannot be
    /// scanned.
    pub(crate) fn begin(
        index: &MessageIndex,
        chain: &ChainReader,
    ) -> Result<Option<Self>, ChainError> {
        let end = chain.head().header.number.saturating_sub(LEFT);
        let first = index.head().map_or(chain.first_number(), |head| head + 1);
        if end < first.saturating_add(MIN_BLOCKS) {
            return Ok(None);
        }
        Self::of(first, end, chain)
    }

    pub(super) fn of(
        first: u64,
        end: u64,
        chain: &ChainReader,
    ) -> Result<Option<Self>, ChainError> {
        let Some(hash) = chain.canonical_hash(end)? else { return Ok(None) };
        let end = BlockNumHash { number: end, hash };
        let mut scan = Self { first, end, next: 0, sent: Vec::new(), handled: Vec::new() };
        Ok(scan.visit(chain)?.then_some(scan))
    }

    /// Visits the next blocks. Returns `true` after the last ones.
    pub(crate) fn advance(&mut self, chain: &ChainReader) -> Result<bool, ChainError> {
        self.visit(chain)?;
        Ok(self.next > u16::from(u8::MAX))
    }

    /// Visits the next blocks. Returns `false` if the store cannot be scanned.
    fn visit(&mut self, chain: &ChainReader) -> Result<bool, ChainError> {
        let Ok(prefix) = u8::try_from(self.next) else { return Ok(true) };
        let input = BloomInput::Raw(L2_MESSENGER.as_slice());
        let mut failed = None;
        let can_scan = chain.store().scan_blocks(prefix, input, &mut |block| {
            if failed.is_none() {
                failed = self.take(chain, block).err();
            }
        })?;
        self.next += 1;
        failed.map_or(Ok(can_scan), Err)
    }

    fn take(&mut self, chain: &ChainReader, block: &Block) -> Result<(), ChainError> {
        let number = block.header.number;
        let is_asked = (self.first..=self.end.number).contains(&number);
        if !is_asked || chain.canonical_hash(number)? != Some(block.hash) {
            return Ok(());
        }
        for (position, found) in (0..).zip(events(block)) {
            match found.event {
                Event::Sent(sent) => {
                    push(&mut self.sent, ((number, sent.transaction, position), found));
                }
                Event::Handled(handled) => {
                    push(&mut self.handled, ((number, handled.transaction, position), found));
                }
            }
        }
        Ok(())
    }

    /// Returns the number of the first block, and the last block.
    pub(super) const fn blocks(&self) -> (u64, BlockNumHash) {
        (self.first, self.end)
    }

    /// Returns the events in the order of the chain.
    pub(super) fn into_events(self) -> impl Iterator<Item = Placed> {
        let mut all = self.sent;
        all.extend(self.handled);
        all.sort_unstable_by_key(|(place, _)| *place);
        // A block that was written during the scan may be visited twice.
        all.dedup_by_key(|(place, _)| *place);
        all.into_iter()
    }
}

/// Adds an event, and drops the oldest ones beyond the index's limit.
fn push(events: &mut Vec<Placed>, event: Placed) {
    events.push(event);
    if events.len() > 2 * with_reserve(MAX_EVENTS) {
        let dropped = events.len() - with_reserve(MAX_EVENTS);
        events.select_nth_unstable_by_key(dropped, |(place, _)| *place);
        events.drain(..dropped);
    }
}
