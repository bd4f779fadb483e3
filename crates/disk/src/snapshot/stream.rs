//! Checksummed stream of a snapshot.

use super::{END, SnapshotError};
use alloy_primitives::{B256, Bytes, keccak256};
use std::io::{self, Read, Write};

/// Maximum length of a node or code, in bytes.
const MAX_RECORD: u32 = 1 << 20;

/// A stream that counts its records and computes a checksum over its bytes.
pub(super) struct Summed<S> {
    pub(super) stream: S,
    sum: crc32fast::Hasher,
    pub(super) records: u64,
}

impl<S> Summed<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, sum: crc32fast::Hasher::new(), records: 0 }
    }

    pub(super) fn sum(&self) -> u32 {
        self.sum.clone().finalize()
    }
}

impl<W: Write> Summed<W> {
    pub(super) fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sum.update(bytes);
        self.stream.write_all(bytes)
    }

    pub(super) fn put_record(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        if length > MAX_RECORD {
            return Err(SnapshotError::TooLong { what: "record", got: length, limit: MAX_RECORD });
        }
        self.put(&length.to_be_bytes())?;
        self.put(bytes)?;
        self.records += 1;
        Ok(())
    }
}

impl<R: Read> Summed<R> {
    pub(super) fn take(
        &mut self,
        bytes: &mut [u8],
        what: &'static str,
    ) -> Result<(), SnapshotError> {
        self.stream.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => SnapshotError::Truncated(what),
            _ => error.into(),
        })?;
        self.sum.update(bytes);
        Ok(())
    }

    pub(super) fn take_u32(&mut self, what: &'static str) -> Result<u32, SnapshotError> {
        let mut bytes = [0; 4];
        self.take(&mut bytes, what)?;
        Ok(u32::from_be_bytes(bytes))
    }

    pub(super) fn take_bytes(
        &mut self,
        what: &'static str,
        length: u32,
        limit: u32,
    ) -> Result<Vec<u8>, SnapshotError> {
        if length > limit {
            return Err(SnapshotError::TooLong { what, got: length, limit });
        }
        let mut bytes = vec![0; length as usize];
        self.take(&mut bytes, what)?;
        Ok(bytes)
    }

    pub(super) fn take_record(
        &mut self,
        what: &'static str,
        hash: B256,
    ) -> Result<Bytes, SnapshotError> {
        let length = self.take_u32(what)?;
        if length == END {
            return Err(SnapshotError::Superfluous("fewer nodes and codes than the state"));
        }
        let bytes = self.take_bytes(what, length, MAX_RECORD)?;
        let got = keccak256(&bytes);
        if got != hash {
            return Err(SnapshotError::Hash { what, got, expected: hash });
        }
        self.records += 1;
        Ok(bytes.into())
    }

    /// Reads the end of the file after the last record.
    pub(super) fn finish(&mut self) -> Result<(), SnapshotError> {
        if self.take_u32("its end")? != END {
            return Err(SnapshotError::Superfluous("more nodes and codes than the state"));
        }
        let mut count = [0; 8];
        self.take(&mut count, "its end")?;
        if u64::from_be_bytes(count) != self.records {
            return Err(SnapshotError::Superfluous("a different number of records than declared"));
        }
        let got = self.sum();
        let expected = self.take_u32("its end")?;
        if got != expected {
            return Err(SnapshotError::Checksum { what: "content", got, expected });
        }
        match self.stream.read(&mut [0])? {
            0 => Ok(()),
            _ => Err(SnapshotError::Superfluous("trailing bytes")),
        }
    }
}
