//! File of L1's history, from which a node continues after a restart.
//!
//! The file has one record for each L1 block, in order: the header's fields, and the rollup's
//! events. Inputs of L2 blocks are not in it, since the chain on disk has the blocks; the finalized
//! L1 block is requested again. A checkpoint at the beginning of the file replaces records that no
//! reorg can reach, so that only open entries take space.

use crate::{
    L1Error,
    l1::{
        Events, L1Header,
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

/// Length in bytes of the records that no reorg can reach, from which the file is compacted if they
/// are also twice as long as the others.
const COMPACT_FROM: u64 = 1 << 20;

#[derive(Debug)]
pub(super) struct L1Log {
    path: PathBuf,
    subject: B256,
    file: RecordFile,
    /// Offsets of the records of the remembered headers.
    begins: VecDeque<u64>,
    /// Length of the file at which it is compacted again.
    retry_from: u64,
}

impl L1Log {
    /// Returns the hash that identifies a log's deployment.
    pub(super) fn subject(deployment: &Deployment) -> B256 {
        let contracts: [Address; 3] =
            [deployment.rollup, deployment.message_queue, deployment.forced];
        keccak256(
            (deployment.l1_chain_id, deployment.l1_block, contracts, deployment.genesis_hash)
                .abi_encode(),
        )
    }

    /// Opens or creates the file of a [subject](Self::subject), and passes its records to `take`,
    /// which returns the number of remembered headers. The file is truncated at the first record
    /// that is corrupted or rejected by `take`.
    pub(super) fn open(
        path: &Path,
        subject: B256,
        mut take: impl FnMut(Saved) -> Result<usize, DiskError>,
    ) -> Result<Self, L1Error> {
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
                %cut,
                "L1 history file truncated, reading the rest from L1 again"
            );
        }
        let path = path.to_owned();
        Ok(Self { path, subject, file, begins, retry_from: 0 })
    }

    pub(super) fn append(&mut self, header: &L1Header, events: &Events) -> Result<(), L1Error> {
        let begin = self.file.append(&encode(header, events))?;
        self.begins.push_back(begin);
        Ok(())
    }

    /// Keeps the oldest `count` records of the remembered headers, and removes the rest.
    pub(super) fn keep(&mut self, count: usize) -> Result<(), L1Error> {
        if let Some(begin) = self.begins.get(count) {
            self.file.cut_back(*begin)?;
            self.begins.truncate(count);
        }
        Ok(())
    }

    /// Drops the offsets of the oldest `count` headers. Their records stay in the file.
    pub(super) fn forget_oldest(&mut self, count: usize) {
        self.begins.drain(..count.min(self.begins.len()));
        self.begins.shrink_to(2 * self.begins.len());
    }

    pub(super) fn clear(&mut self) -> Result<(), L1Error> {
        self.file = RecordFile::replace(&self.path, self.subject, [])?;
        // Last, as the offsets are still those of the file if it could not be replaced.
        self.begins.clear();
        Ok(())
    }

    pub(super) const fn length(&self) -> u64 {
        self.file.length()
    }

    /// Returns `true` if most of the file consists of records that no reorg can reach.
    pub(super) fn wants_checkpoint(&self) -> bool {
        let needed = self.needed();
        self.length() - needed > COMPACT_FROM.max(2 * needed) && self.length() >= self.retry_from
    }

    /// Returns the length of the records of the remembered headers, in bytes.
    pub(super) fn needed(&self) -> u64 {
        self.begins.front().map_or(0, |first| self.length() - first)
    }

    /// Replaces the records up to that of the oldest remembered header by a checkpoint of the state
    /// at that header.
    pub(super) fn compact(&mut self, checkpoint: &[u8]) -> Result<(), L1Error> {
        self.retry_from = self.length() + self.length() / 2;
        let Some(first) = self.begins.front() else { return Ok(()) };
        let records = self.file.records_from(*first)?;
        let bodies = records.iter().skip(1).map(|body| &body[..]);
        let bodies: Vec<_> = core::iter::once(checkpoint).chain(bodies).collect();
        let lengths: Vec<_> = bodies.iter().map(|body| body.len()).collect();
        let before = self.length();
        self.file = RecordFile::replace(&self.path, self.subject, bodies)?;
        self.begins = RecordFile::offsets(lengths).collect();
        // Open entries may take much space. Only a file that has doubled is compacted again, so the
        // work is proportional to the added records.
        self.retry_from = 2 * self.length();
        tracing::info!(before, after = self.length(), "compacted L1 history file");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batcher::tests::header;
    use std::fs;

    #[test]
    fn failed_clear_leaves_log_usable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("l1.log");
        let mut log = L1Log::open(&path, B256::ZERO, |_| Ok(usize::MAX)).unwrap();
        let empty = log.length();
        log.append(&header(1), &Events::default()).unwrap();
        let first = log.length();
        log.append(&header(2), &Events::default()).unwrap();
        // The new file cannot be created.
        let blocked = path.with_extension("new");
        fs::create_dir(&blocked).unwrap();
        log.clear().unwrap_err();
        log.keep(1).unwrap();
        assert_eq!(log.length(), first);
        fs::remove_dir(&blocked).unwrap();
        log.clear().unwrap();
        assert_eq!((log.length(), log.needed()), (empty, 0));
    }
}
