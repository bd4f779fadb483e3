//! File of the message index, so that a restart does not read all blocks again.
//!
//! Each record contains the events of successive blocks, and starts where the previous one ends. A
//! reorg truncates the file. A killed node loses the newest blocks, and a corrupted file those from
//! the corrupted record on; the index reads them again.

use super::{Handled, Handling, SentToL1};
use crate::parties::Parties;
use alloy_eips::BlockNumHash;
use alloy_primitives::{B256, Bytes};
use disk::{DiskError, Reader, RecordFile, Writer};
use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
};

/// Number of blocks per record. A restart reads fewer than these again.
pub(super) const BLOCKS: u64 = 256;
/// Maximum number of remembered records. After a deeper reorg the file is emptied.
const MAX_ENDS: usize = 8_192;
/// Length in bytes from which the file is compacted, if it is also twice as long as its content.
const MIN_COMPACTED: u64 = 8 << 20;
/// Upper bounds of the length of an event, and of a record without its events, in bytes.
const EVENT_BYTES: u64 = 24;
const RECORD_BYTES: u64 = 160;
/// First byte of a record.
const VERSION: u8 = 2;
const WHAT: &str = "record of the message index";

/// Events of successive blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Events {
    /// Hash of the last block of the previous record; zero in the first record.
    pub(super) after: B256,
    /// The last block.
    pub(super) end: BlockNumHash,
    /// Index of the first message to L1 among them.
    pub(super) first: u64,
    pub(super) sent: Vec<SentToL1>,
    /// Handlings with the indexes of the messages from L1.
    pub(super) handled: Vec<(u64, Handled)>,
}

#[derive(Debug)]
pub(super) struct IndexFile {
    path: PathBuf,
    subject: B256,
    file: RecordFile,
    /// Offset and last block of the newest [`MAX_ENDS`] records.
    ends: VecDeque<(u64, BlockNumHash)>,
}

impl IndexFile {
    /// Opens or creates the file of the chain whose first block has the hash `subject`, and passes
    /// its records to the callback. The file is truncated at the first record that is corrupted,
    /// does not follow its predecessor, or is rejected.
    pub(super) fn open(
        path: &Path,
        subject: B256,
        mut take: impl FnMut(Events) -> Result<(), DiskError>,
    ) -> Result<Self, DiskError> {
        let mut ends = VecDeque::new();
        let (file, cut) = RecordFile::open(path, subject, |offset, record| {
            let events = Events::decode(record)?;
            let last = ends.back().map(|(_, end): &(u64, BlockNumHash)| *end);
            if !events.follows(last) {
                let (got, after) = (events.end.number, events.after);
                let reason = format!("block {got} is after {after}, expected after {last:?}");
                return Err(DiskError::malformed(WHAT, reason));
            }
            let end = events.end;
            take(events)?;
            remember(&mut ends, offset, end);
            Ok(())
        })?;
        if let Some(cut) = cut {
            tracing::warn!(
                path = %path.display(),
                %cut,
                "message index truncated, indexing the blocks again"
            );
        }
        Ok(Self { path: path.to_owned(), subject, file, ends })
    }

    /// Returns the last blocks of the records, ascending.
    pub(super) fn ends(&self) -> impl DoubleEndedIterator<Item = BlockNumHash> + '_ {
        self.ends.iter().map(|(_, end)| *end)
    }

    /// Returns the last block of the newest record.
    pub(super) fn end(&self) -> Option<BlockNumHash> {
        self.ends().next_back()
    }

    pub(super) fn append(&mut self, events: &Events) -> Result<(), DiskError> {
        let offset = self.file.append(&events.encode())?;
        remember(&mut self.ends, offset, events.end);
        Ok(())
    }

    /// Removes the records that end after a block, or all for `None`.
    pub(super) fn cut_back(&mut self, common: Option<u64>) -> Result<(), DiskError> {
        let mut cut = None;
        while let Some((offset, end)) = self.ends.back()
            && common.is_none_or(|common| end.number > common)
        {
            cut = Some(*offset);
            self.ends.pop_back();
        }
        match cut {
            // Records beyond `MAX_ENDS` may also end after it.
            Some(_) if self.ends.is_empty() => self.replace(&[]),
            Some(offset) => self.file.cut_back(offset),
            None => Ok(()),
        }
    }

    /// Returns `true` if the file is long, and at least half of it is no longer needed for this
    /// number of events.
    pub(super) fn is_wasteful(&self, events: usize) -> bool {
        let content = events as u64 * EVENT_BYTES + self.ends.len() as u64 * RECORD_BYTES;
        self.file.length() > MIN_COMPACTED + 2 * content
    }

    pub(super) fn replace(&mut self, records: &[Events]) -> Result<(), DiskError> {
        let bodies: Vec<_> = records.iter().map(Events::encode).collect();
        let replaced =
            RecordFile::replace(&self.path, self.subject, bodies.iter().map(|body| &body[..]))?;
        self.file = replaced;
        let offsets = RecordFile::offsets(bodies.iter().map(Vec::len));
        self.ends = offsets.zip(records.iter().map(|events| events.end)).collect();
        Ok(())
    }
}

fn remember(ends: &mut VecDeque<(u64, BlockNumHash)>, offset: u64, end: BlockNumHash) {
    ends.push_back((offset, end));
    if ends.len() > MAX_ENDS {
        ends.pop_front();
    }
}

impl Events {
    fn follows(&self, last: Option<BlockNumHash>) -> bool {
        match last {
            Some(last) => last.hash == self.after && last.number < self.end.number,
            None => self.after.is_zero(),
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.byte(VERSION);
        out.raw(self.after.as_slice());
        out.word(self.end.number);
        out.raw(self.end.hash.as_slice());
        out.word(self.first);
        out.list(&self.sent, |out, sent| {
            out.word(sent.block);
            out.raw(&sent.transaction.to_be_bytes());
            sent.parties.put(out);
        });
        out.list(&self.handled, |out, (index, handled)| {
            out.word(*index);
            out.byte(handled.how as u8);
            out.word(handled.block);
            out.raw(&handled.transaction.to_be_bytes());
        });
        out.0
    }

    fn decode(record: &Bytes) -> Result<Self, DiskError> {
        let mut from = Reader::new(WHAT, record);
        match from.byte()? {
            VERSION => {}
            got => {
                let reason = format!("version {got}, expected {VERSION}");
                return Err(DiskError::malformed(WHAT, reason));
            }
        }
        let after = from.array()?.into();
        let end = BlockNumHash::new(from.word()?, from.array()?.into());
        let first = from.word()?;
        let sent = from.list(|from| {
            Ok(SentToL1 {
                block: from.word()?,
                transaction: u32::from_be_bytes(from.array()?),
                parties: Parties::read(from)?,
            })
        })?;
        let handled = from.list(|from| {
            let index = from.word()?;
            let how = match from.byte()? {
                0 => Handling::Delivered,
                1 => Handling::Failed,
                2 => Handling::Parked,
                3 => Handling::Refunded,
                got => return Err(DiskError::malformed(WHAT, format!("handling {got}"))),
            };
            let (block, transaction) = (from.word()?, u32::from_be_bytes(from.array()?));
            Ok((index, Handled { how, block, transaction }))
        })?;
        from.end()?;
        Ok(Self { after, end, first, sent, handled })
    }
}
