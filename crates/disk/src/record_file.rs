//! A file of records that can be downloaded again.

use crate::{
    DiskError, Position,
    frame::{END, Found, OVERHEAD, find_records, head, read_frame},
    log::LogFile,
};
use alloy_primitives::{B256, Bytes, hex};
use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{BufReader, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

const MAGIC: [u8; 8] = *b"ENSHREC\x01";
/// Magic, subject of the file, CRC-32 of both.
const FILE_HEAD: usize = 8 + 32 + 4;

/// An append-only file of records in the format of the block log.
///
/// The data can be downloaded again, so the file is synced only on [request](Self::sync), and it is
/// truncated to the last intact record if it is corrupted. After a loss of power, arbitrary bytes
/// may follow the records that were on disk.
#[derive(Debug)]
pub struct RecordFile {
    path: PathBuf,
    pub(crate) file: Box<dyn LogFile>,
    end: u64,
    /// Reason why nothing more can be appended.
    broken: Option<String>,
}

/// The end of a file that was truncated on opening.
#[derive(Debug)]
pub struct CutOff {
    /// Offset at which the file was truncated; 0 if it was emptied.
    pub offset: u64,
    /// Number of bytes removed.
    pub bytes: u64,
    /// Reason for truncating.
    pub reason: DiskError,
}

impl fmt::Display for CutOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offset, bytes, reason } = self;
        write!(f, "{bytes} bytes removed from offset {offset} on: {reason}")
    }
}

impl RecordFile {
    /// Opens or creates the file of `subject`, and passes its records to the callback with their
    /// positions, oldest first. The file is truncated before the first record that is corrupted or
    /// that the callback rejects; a file with another subject is emptied.
    ///
    /// # Errors
    ///
    /// [`DiskError::Io`]; the file is not truncated then.
    pub fn open(
        path: &Path,
        subject: B256,
        mut take: impl FnMut(u64, &Bytes) -> Result<(), DiskError>,
    ) -> Result<(Self, Option<CutOff>), DiskError> {
        let fault = |what| DiskError::io(what, path);
        let mut options = OpenOptions::new();
        let opened = options.read(true).write(true).create(true).truncate(false).open(path);
        let file = opened.map_err(fault("open"))?;
        let length = file.metadata().map_err(fault("open"))?.len();
        let mut reader = BufReader::with_capacity(1 << 20, &file);
        let mut found = Vec::new();
        let read = reader.by_ref().take(FILE_HEAD as u64).read_to_end(&mut found);
        read.map_err(fault("read"))?;
        let expected = file_head(subject);
        let mut position = Position { segment: 0, offset: 0 };
        let reason = if found == expected {
            position.offset = FILE_HEAD as u64;
            loop {
                let body = match read_frame(&mut reader, path, length, position) {
                    Ok(Found::Record(body)) => Bytes::from(body),
                    Ok(Found::End) => break None,
                    Ok(Found::Torn { needs: expected }) => {
                        let (offset, got) = (position.offset, length - position.offset);
                        break Some(DiskError::CutShort {
                            path: path.into(),
                            offset,
                            got,
                            expected,
                        });
                    }
                    Err(error @ DiskError::Io { .. }) => return Err(error),
                    Err(damage) => break Some(damage),
                };
                if let Err(refusal) = take(position.offset, &body) {
                    break Some(refusal);
                }
                position.offset += body.len() as u64 + OVERHEAD;
            }
        } else {
            (length > 0).then(|| foreign(path, &found, subject))
        };
        drop(reader);
        let mut opened =
            Self { path: path.into(), file: Box::new(file), end: position.offset, broken: None };
        if reason.is_some() {
            opened.cut_back(position.offset)?;
        }
        if opened.end == 0 {
            opened.write_at_end(&expected)?;
        }
        let (offset, bytes) = (position.offset, length.saturating_sub(position.offset));
        Ok((opened, reason.map(|reason| CutOff { offset, bytes, reason })))
    }

    /// Appends a record, and returns its position.
    ///
    /// # Errors
    ///
    /// [`DiskError::Io`] and [`DiskError::TooLong`]; the file is unchanged then.
    /// [`DiskError::Unusable`] if a failed write could not be undone; the file rejects all further
    /// records until it is reopened.
    pub fn append(&mut self, body: &[u8]) -> Result<u64, DiskError> {
        let offset = self.end;
        let head = head(Position { segment: 0, offset }, body)?;
        self.write_at_end(&[&head[..], body, &END].concat())?;
        Ok(offset)
    }

    /// Appends records with one write.
    ///
    /// # Errors
    ///
    /// Like [`Self::append`]; none of the records is added then.
    pub fn append_all<'b>(
        &mut self,
        bodies: impl IntoIterator<Item = &'b [u8]>,
    ) -> Result<(), DiskError> {
        let mut bytes = Vec::new();
        for body in bodies {
            let offset = self.end + bytes.len() as u64;
            bytes.extend_from_slice(&head(Position { segment: 0, offset }, body)?);
            bytes.extend_from_slice(body);
            bytes.extend_from_slice(&END);
        }
        if bytes.is_empty() { Ok(()) } else { self.write_at_end(&bytes) }
    }

    /// Syncs the records to the disk.
    ///
    /// # Errors
    ///
    /// [`DiskError::Io`]; the file rejects all further records then until it is reopened or
    /// [replaced](Self::replace). It is unknown which of the records are on the disk, and a later
    /// sync would not show it: after a failed one, the kernel counts the pages as written, so the
    /// next one can succeed without them. They could be written again, but the caller has the
    /// error, and its next record may depend on whether the last one counts.
    pub fn sync(&mut self) -> Result<(), DiskError> {
        self.file.sync().map_err(|error| {
            self.broken = Some(format!("cannot sync it: {error}"));
            DiskError::io("sync", &self.path)(error)
        })
    }

    /// Atomically replaces the file at `path` by a file with these records, after syncing it.
    ///
    /// # Errors
    ///
    /// [`DiskError`]; the old file is unchanged then.
    pub fn replace<'b>(
        path: &Path,
        subject: B256,
        bodies: impl IntoIterator<Item = &'b [u8]>,
    ) -> Result<Self, DiskError> {
        let fresh = path.with_extension("new");
        let file = File::create(&fresh).map_err(DiskError::io("create", &fresh))?;
        let mut file = Self { path: fresh.clone(), file: Box::new(file), end: 0, broken: None };
        file.write_at_end(&file_head(subject))?;
        file.append_all(bodies)?;
        file.file.sync().map_err(DiskError::io("sync", &fresh))?;
        fs::rename(&fresh, path).map_err(DiskError::io("rename", path))?;
        file.path = path.into();
        Ok(file)
    }

    /// Reads all records starting at `offset`.
    ///
    /// # Errors
    ///
    /// [`DiskError`] if one of them is corrupted.
    pub fn records_from(&self, offset: u64) -> Result<Vec<Bytes>, DiskError> {
        let fault = |what| DiskError::io(what, &self.path);
        let mut file = File::open(&self.path).map_err(fault("open"))?;
        file.seek(SeekFrom::Start(offset)).map_err(fault("read"))?;
        let mut reader = BufReader::with_capacity(1 << 20, file);
        let (mut position, mut records) = (Position { segment: 0, offset }, Vec::new());
        while position.offset < self.end {
            match read_frame(&mut reader, &self.path, self.end, position)? {
                Found::Record(body) => {
                    position.offset += body.len() as u64 + OVERHEAD;
                    records.push(Bytes::from(body));
                }
                Found::End => break,
                Found::Torn { needs: expected } => {
                    let (offset, got) = (position.offset, self.end - position.offset);
                    let path = self.path.clone();
                    return Err(DiskError::CutShort { path, offset, got, expected });
                }
            }
        }
        Ok(records)
    }

    /// Returns the offsets of the records in a file with records of exactly these lengths.
    pub fn offsets(lengths: impl IntoIterator<Item = usize>) -> impl Iterator<Item = u64> {
        lengths.into_iter().scan(FILE_HEAD as u64, |next, length| {
            let begin = *next;
            *next += length as u64 + OVERHEAD;
            Some(begin)
        })
    }

    /// Returns the length of the file in bytes.
    pub const fn length(&self) -> u64 {
        self.end
    }

    /// Returns the intact records after corrupted bytes of a file, starting at `offset`.
    pub fn salvage(content: &[u8], offset: u64) -> Vec<Bytes> {
        find_records(content, offset).into_iter().map(Bytes::from).collect()
    }

    /// Removes all records starting at `offset`.
    ///
    /// # Errors
    ///
    /// [`DiskError::Io`].
    pub fn cut_back(&mut self, offset: u64) -> Result<(), DiskError> {
        self.file.truncate(offset).map_err(DiskError::io("cut back", &self.path))?;
        self.end = offset;
        Ok(())
    }

    fn write_at_end(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        if let Some(reason) = &self.broken {
            return Err(DiskError::Unusable(reason.clone()));
        }
        if let Err(error) = self.file.write_at(self.end, bytes) {
            if let Err(error) = self.file.truncate(self.end) {
                self.broken = Some(format!("cannot undo it: {error}"));
            }
            return Err(DiskError::io("write", &self.path)(error));
        }
        self.end += bytes.len() as u64;
        Ok(())
    }
}

fn file_head(subject: B256) -> [u8; FILE_HEAD] {
    let mut head = [0; FILE_HEAD];
    head[..8].copy_from_slice(&MAGIC);
    head[8..40].copy_from_slice(subject.as_slice());
    let sum = crc32fast::hash(&head[..40]);
    head[40..].copy_from_slice(&sum.to_be_bytes());
    head
}

/// Returns the error for a file with an invalid head.
fn foreign(path: &Path, found: &[u8], subject: B256) -> DiskError {
    let path = path.into();
    let other = found.get(8..40).map(B256::from_slice);
    match other.filter(|other| found == file_head(*other)) {
        Some(got) => DiskError::OtherSubject { path, got, expected: subject },
        None => {
            let (got, expected) = (hex::encode(found), hex::encode(file_head(subject)));
            DiskError::NotALog { path, got, expected }
        }
    }
}

#[cfg(test)]
mod tests;
