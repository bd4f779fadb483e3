//! The index of logs in a file.

use crate::{DiskError, SlotFile};
use alloy_primitives::B256;
use chain::store::{BloomRow, BloomSection, LogIndex, ROW, StoreError};
use parking_lot::Mutex;
use std::path::Path;

/// Number of slots of a section: one for each bit of a bloom filter, and the marker.
const SLOTS: u64 = 2_049;
/// Position of a section's marker. It is the last slot, so that a truncated file has no marker.
const MARKER: u64 = SLOTS - 1;
/// Length of a slot's record: the hash of the section's last block, and a row.
const RECORD: usize = 32 + ROW;

/// A [`SlotFile`] with a row of a section in each slot, and a marker that is written last and
/// records which rows have any bits set. All other rows are not written, so the file is sparse.
#[derive(Debug)]
pub(crate) struct LogIndexFile(
    /// Locked while a section is read or written, so that no read finds rows of two writes.
    Mutex<SlotFile<RECORD>>,
);

impl LogIndexFile {
    pub(crate) fn open(path: &Path) -> Result<Self, DiskError> {
        // The slots contain block hashes, so the file needs no identifier of its chain.
        Ok(Self(Mutex::new(SlotFile::open(path, B256::ZERO)?)))
    }

    fn rows(
        &self,
        section: u64,
        last: &B256,
        bits: &[u16],
    ) -> Result<Option<Vec<BloomRow>>, DiskError> {
        let Some(first) = section.checked_mul(SLOTS) else { return Ok(None) };
        let file = self.0.lock();
        // `None` if the slot was not written, or for another block at the section's end.
        let row = |slot| -> Result<Option<BloomRow>, DiskError> {
            let Some(record) = file.get(first + slot)? else { return Ok(None) };
            let (hash, row) = record.split_at(32);
            Ok((hash == last.as_slice()).then(|| row.try_into().unwrap_or([0; ROW])))
        };
        let read = || -> Result<Option<Vec<BloomRow>>, DiskError> {
            let Some(written) = row(MARKER)? else { return Ok(None) };
            let is_written = |bit: u16| written[usize::from(bit / 8)] >> (bit % 8) & 1 == 1;
            let rows = bits.iter().map(|bit| match is_written(*bit) {
                true => row((*bit).into()),
                false => Ok(Some([0; ROW])),
            });
            rows.collect()
        };
        match read() {
            // Corrupted: the section is indexed again.
            Err(DiskError::Malformed { .. }) => Ok(None),
            result => result,
        }
    }

    fn replace(&self, section: u64, last: &B256, blooms: &BloomSection) -> Result<(), DiskError> {
        let limit = u64::MAX / SLOTS;
        let first = section.checked_mul(SLOTS);
        let first = first.ok_or(DiskError::TooLong { got: section, limit })?;
        let file = self.0.lock();
        let put = |slot, hash: &B256, row: &BloomRow| {
            let mut record = [0; RECORD];
            record[..32].copy_from_slice(hash.as_slice());
            record[32..].copy_from_slice(row);
            file.put(first + slot, &record)
        };
        // A crash between the rows must leave the section without a marker. No block has this hash.
        put(MARKER, &B256::ZERO, &[0; ROW])?;
        file.sync()?;
        let mut written = [0; ROW];
        for (bit, row) in blooms.rows() {
            written[usize::from(bit / 8)] |= 1 << (bit % 8);
            put(bit.into(), last, row)?;
        }
        file.sync()?;
        put(MARKER, last, &written)?;
        file.sync()
    }
}

impl LogIndex for LogIndexFile {
    fn read(
        &self,
        section: u64,
        last: &B256,
        bits: &[u16],
    ) -> Result<Option<Vec<BloomRow>>, StoreError> {
        self.rows(section, last, bits).map_err(|error| error.during("read the index of logs"))
    }

    fn write(&self, section: u64, last: &B256, blooms: &BloomSection) {
        if let Err(error) = self.replace(section, last, blooms) {
            tracing::warn!(%error, section, "failed to write the index of logs");
        }
    }
}
