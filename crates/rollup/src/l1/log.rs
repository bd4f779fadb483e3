//! The file of L1's history, from which a node goes on when it starts again.
//!
//! It has one record for each L1 block, in their order: the header's fields that are kept, and the rollup's events.
//! Inputs of L2 blocks are not in it, since the chain on disk has them; and L1 is asked anew for its final block.
//! Records that no reorganisation reaches any more are replaced by a checkpoint at the beginning of the file, so that
//! the file has what is open and not what ever was.

use crate::{
    RollupError,
    l1::{
        L1Header,
        events::Events,
        saved::{Saved, decode, encode},
    },
};
use alloy_primitives::{Address, B256, keccak256};
use alloy_sol_types::SolValue as _;
use contracts::Deployment;
use disk::{DiskError, RecordFile};
use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
};

/// Bytes before the remembered headers' records from which on the file is compacted, if they are also twice as many as
/// those of these records.
const COMPACT_FROM: u64 = 1 << 20;

/// The file, open at its end.
#[derive(Debug)]
pub(super) struct L1Log {
    path: PathBuf,
    subject: B256,
    file: RecordFile,
    /// Offsets of the records of the remembered headers.
    begins: VecDeque<u64>,
    /// Length of the file from which on it is compacted again.
    retry_from: u64,
}

impl L1Log {
    /// Identity of the deployment that a log is about.
    pub(super) fn subject(it: &Deployment) -> B256 {
        let contracts: [Address; 3] = [it.rollup, it.message_queue, it.forced];
        keccak256((it.l1_chain_id, it.l1_block, contracts, it.genesis_hash).abi_encode())
    }

    /// Opens the file of a [subject](Self::subject), or starts one, and hands over what is in it, record by record;
    /// `take` returns the number of headers that are remembered then. What is damaged or refused is cut off, with all
    /// behind it.
    pub(super) fn open(
        path: &Path,
        subject: B256,
        mut take: impl FnMut(Saved) -> Result<usize, DiskError>,
    ) -> Result<Self, RollupError> {
        let mut begins = VecDeque::new();
        let (file, cut) = RecordFile::open(path, subject, |begin, body| {
            let remembered = take(decode(body)?)?;
            begins.push_back(begin);
            let surplus = begins.len().saturating_sub(remembered);
            begins.drain(..surplus);
            Ok(())
        })?;
        if let Some(cut) = cut {
            tracing::warn!(
                path = %path.display(),
                offset = cut.offset,
                bytes = cut.bytes,
                reason = %cut.reason,
                "L1 history file truncated, reading the rest from L1 again"
            );
        }
        let path = path.to_owned();
        Ok(Self { path, subject, file, begins, retry_from: 0 })
    }

    /// Adds a block.
    pub(super) fn append(&mut self, header: &L1Header, events: &Events) -> Result<(), RollupError> {
        let begin = self.file.append(&encode(header, events))?;
        self.begins.push_back(begin);
        Ok(())
    }

    /// Keeps so many of the remembered headers' records, the oldest ones, and removes the rest.
    pub(super) fn keep(&mut self, count: usize) -> Result<(), RollupError> {
        if let Some(begin) = self.begins.get(count) {
            self.file.cut_back(*begin)?;
            self.begins.truncate(count);
        }
        Ok(())
    }

    /// Drops the offsets of this many of the oldest remembered headers. Their records stay in the file.
    pub(super) fn forget_oldest(&mut self, count: usize) {
        self.begins.drain(..count.min(self.begins.len()));
        self.begins.shrink_to(2 * self.begins.len());
    }

    /// Removes all records.
    pub(super) fn clear(&mut self) -> Result<(), RollupError> {
        self.begins.clear();
        self.file = RecordFile::replace(&self.path, self.subject, [])?;
        Ok(())
    }

    /// Bytes of the file.
    pub(super) const fn length(&self) -> u64 {
        self.file.length()
    }

    /// Returns `true` if most of the file is records that no reorganisation reaches.
    pub(super) fn wants_checkpoint(&self) -> bool {
        let needed = self.needed();
        self.length() - needed > COMPACT_FROM.max(2 * needed) && self.length() >= self.retry_from
    }

    /// Bytes of the remembered headers' records.
    pub(super) fn needed(&self) -> u64 {
        self.begins.front().map_or(0, |first| self.length() - first)
    }

    /// Puts a checkpoint, which is the state at the oldest remembered header, in the place of its record and of all
    /// before it.
    pub(super) fn compact(&mut self, checkpoint: &[u8]) -> Result<(), RollupError> {
        self.retry_from = self.length() + self.length() / 2;
        let Some(first) = self.begins.front() else { return Ok(()) };
        let kept = self.file.records_from(*first)?;
        let bodies = kept.iter().skip(1).map(|body| &body[..]);
        let bodies: Vec<_> = core::iter::once(checkpoint).chain(bodies).collect();
        let lengths: Vec<_> = bodies.iter().map(|body| body.len()).collect();
        let before = self.length();
        self.file = RecordFile::replace(&self.path, self.subject, bodies)?;
        self.begins = RecordFile::offsets(lengths).collect();
        // What is open may be much: the work is in proportion to what is added.
        self.retry_from = 2 * self.length();
        tracing::info!(before, after = self.length(), "compacted L1 history file");
        Ok(())
    }
}
