//! A file of records of fixed size, indexed by number.

use crate::DiskError;
use alloy_primitives::B256;
use std::{
    fs::{File, OpenOptions},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

const SUM: usize = 4;

/// A file with one slot for each number, for records that are written in any order and read one by
/// one. It has no index in memory, and opening it reads nothing.
///
/// A slot is the CRC-32 of subject, number and record, followed by the record. A slot of zeros was
/// never written. A slot that is corrupted or has another subject is an error, and does not affect
/// other slots.
#[derive(Debug)]
pub struct SlotFile<const N: usize> {
    path: PathBuf,
    file: File,
    subject: B256,
}

impl<const N: usize> SlotFile<N> {
    /// Opens or creates the file of `subject`.
    ///
    /// # Errors
    ///
    /// [`DiskError::Io`].
    pub fn open(path: &Path, subject: B256) -> Result<Self, DiskError> {
        let mut options = OpenOptions::new();
        let opened = options.read(true).write(true).create(true).truncate(false).open(path);
        let file = opened.map_err(DiskError::io("open", path))?;
        Ok(Self { path: path.to_owned(), file, subject })
    }

    /// Writes the record with this number. It is durable once [`Self::sync`] returns.
    ///
    /// # Errors
    ///
    /// [`DiskError::Io`]; [`DiskError::TooLong`] if the offset of the slot overflows.
    pub fn put(&self, number: u64, record: &[u8; N]) -> Result<(), DiskError> {
        let slot = [&self.sum(number, record).to_be_bytes()[..], record].concat();
        let offset = Self::offset(number)?;
        self.file.write_all_at(&slot, offset).map_err(DiskError::io("write", &self.path))
    }

    /// Returns the record with this number, if it was written.
    ///
    /// # Errors
    ///
    /// [`DiskError::Io`]; [`DiskError::Malformed`] for a corrupted slot.
    pub fn get(&self, number: u64) -> Result<Option<[u8; N]>, DiskError> {
        let (mut slot, mut read) = (vec![0; SUM + N], 0);
        let Ok(offset) = Self::offset(number) else { return Ok(None) };
        while read < slot.len() {
            let got = self.file.read_at(&mut slot[read..], offset + read as u64);
            match got.map_err(DiskError::io("read", &self.path))? {
                0 => break,
                got => read += got,
            }
        }
        // The slot is beyond the end of the file, or in a hole.
        if slot.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let (sum, record) = slot.split_at(SUM);
        let mut whole = [0; N];
        whole.copy_from_slice(record);
        let expected = self.sum(number, &whole).to_be_bytes();
        if sum != expected {
            let path = self.path.display();
            let reason = format!("{path}: checksum {sum:02x?}, expected {expected:02x?}");
            return Err(DiskError::malformed("slot", reason));
        }
        Ok(Some(whole))
    }

    /// Makes all written records durable.
    ///
    /// # Errors
    ///
    /// [`DiskError::Io`].
    pub fn sync(&self) -> Result<(), DiskError> {
        self.file.sync_data().map_err(DiskError::io("sync", &self.path))
    }

    const fn offset(number: u64) -> Result<u64, DiskError> {
        let limit = i64::MAX as u64 / (SUM + N) as u64 - 1;
        if number > limit {
            return Err(DiskError::TooLong { got: number, limit });
        }
        Ok(number * (SUM + N) as u64)
    }

    fn sum(&self, number: u64, record: &[u8; N]) -> u32 {
        let mut sum = crc32fast::Hasher::new();
        sum.update(self.subject.as_slice());
        sum.update(&number.to_be_bytes());
        sum.update(record);
        sum.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const SUBJECT: B256 = B256::repeat_byte(1);

    fn open(path: &Path, subject: B256) -> SlotFile<8> {
        SlotFile::open(path, subject).unwrap()
    }

    #[test]
    fn records_are_found_by_number_after_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("slots");
        let file = open(&path, SUBJECT);
        for (number, record) in [(7, [7; 8]), (100_000, [9; 8]), (0, [0; 8]), (7, [8; 8])] {
            file.put(number, &record).unwrap();
        }
        file.sync().unwrap();
        let again = open(&path, SUBJECT);
        for (number, record) in [(0, [0; 8]), (7, [8; 8]), (100_000, [9; 8])] {
            assert_eq!(again.get(number).unwrap(), Some(record), "{number}");
        }
        for number in [1, 8, 99_999, 100_001, u64::MAX] {
            assert_eq!(again.get(number).unwrap(), None, "{number}");
        }
        assert!(matches!(again.put(u64::MAX, &[1; 8]), Err(DiskError::TooLong { .. })));
        // Opened with the subject of another rollup.
        assert!(open(&path, B256::ZERO).get(7).is_err());
    }

    #[test]
    fn flipped_bits_are_detected_and_truncation_tolerated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("slots");
        let file = open(&path, SUBJECT);
        for number in 0..3 {
            file.put(number, &[number as u8 + 1; 8]).unwrap();
        }
        let whole = fs::read(&path).unwrap();
        for bit in 0..8 * whole.len() {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, flipped).unwrap();
            let at = (bit / 8 / 12) as u64;
            let file = open(&path, SUBJECT);
            assert!(file.get(at).is_err(), "bit {bit}");
            let other = (at + 1) % 3;
            assert_eq!(file.get(other).unwrap(), Some([other as u8 + 1; 8]), "bit {bit}");
        }
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let file = open(&path, SUBJECT);
            for number in 0..3 {
                let record = [number as u8 + 1; 8];
                match file.get(number) {
                    Ok(Some(got)) => {
                        assert_eq!((got, length / 12 > number as usize), (record, true));
                    }
                    Ok(None) => assert!(length <= 12 * number as usize, "{length}"),
                    Err(_) => assert_eq!(length / 12, number as usize, "{length}"),
                }
            }
        }
    }
}
