//! The block log: a write-ahead log of all commits of a chain. Everything else on disk can be
//! rebuilt from it.
//!
//! A log is a directory of segments, which are files with consecutive numbers. Records are only
//! appended to the last segment, and are deleted by removing the oldest segments.

use crate::{
    DiskError, Position,
    frame::{END, Found, OVERHEAD, head, is_unsynced, read_frame},
};
use alloy_primitives::{B256, hex};
use core::fmt;
use std::{
    collections::VecDeque,
    fs::{self, File, OpenOptions},
    io::{self, BufReader, Read, Seek as _, SeekFrom, Write},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

const MAGIC: [u8; 8] = *b"ENSHLOG\x01";
/// Magic, hash of the chain's first block, number of the segment, CRC-32 of these.
const SEGMENT_HEAD: usize = 8 + 32 + 8 + 4;

impl Position {
    /// Returns the position of the first record of a segment.
    pub(crate) const fn start_of(segment: u64) -> Self {
        Self { segment, offset: SEGMENT_HEAD as u64 }
    }
}

/// An incomplete record at the end of the log, truncated on opening. The process or the machine
/// crashed while writing it, so the commit was never acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornTail {
    /// Position of the record.
    pub position: Position,
    /// Number of bytes that were cut off.
    pub bytes: u64,
}

/// A file that a segment is written to.
pub(crate) trait LogFile: fmt::Debug + Send {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    fn sync(&mut self) -> io::Result<()>;
    fn truncate(&mut self, length: u64) -> io::Result<()>;
}

impl LogFile for File {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        // This includes the length of the file.
        self.sync_data()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

/// The log, open for writing at its end.
#[derive(Debug)]
pub(crate) struct BlockLog {
    folder: PathBuf,
    genesis: B256,
    /// Length at which the log starts a new segment.
    segment_bytes: u64,
    first: u64,
    pub(crate) file: Box<dyn LogFile>,
    end: Position,
    /// Reason why nothing more can be appended.
    broken: Option<String>,
}

/// An opened log and its unapplied records.
#[derive(Debug)]
pub(crate) struct OpenedLog {
    pub(crate) log: BlockLog,
    /// Records starting at the requested position.
    pub(crate) records: VecDeque<Position>,
    pub(crate) torn: Option<TornTail>,
}

impl BlockLog {
    /// Opens the log in `folder`, or creates one. The records starting at `applied` are checked and
    /// listed; earlier records are checked when they are read. From `oldest` on, no segment
    /// may be missing; without it, from the oldest segment in the folder on.
    pub(crate) fn open(
        folder: &Path,
        genesis: B256,
        segment_bytes: u64,
        applied: Position,
        oldest: Option<u64>,
    ) -> Result<OpenedLog, DiskError> {
        fs::create_dir_all(folder).map_err(DiskError::io("create", folder))?;
        let mut numbers = segments(folder)?;
        if numbers.is_empty() && applied == Position::start_of(0) {
            create_segment(folder, genesis, 0)?;
            numbers.push(0);
        }
        let (first, last) = match (numbers.first(), numbers.last()) {
            (Some(first), Some(last)) => (*first, *last),
            _ => (u64::MAX, 0),
        };
        let oldest = oldest.unwrap_or(first).min(applied.segment);
        let missing = (oldest..=last)
            .find(|number| numbers.binary_search(number).is_err())
            .or((first > applied.segment || last < applied.segment).then_some(applied.segment));
        if let Some(segment) = missing {
            return Err(DiskError::MissingSegment { path: folder.into(), segment });
        }
        let mut records = VecDeque::new();
        let (mut torn, mut end) = (None, applied);
        for number in applied.segment..=last {
            let path = segment_path(folder, number);
            let (mut file, length) = open_segment(&path, genesis, number, number == last)?;
            let start = Position::start_of(number);
            let mut position = if number == applied.segment { applied } else { start };
            if position.offset > length {
                let log = Position { segment: number, offset: length };
                return Err(DiskError::LogLostBlocks { log, states: applied });
            }
            seek(&mut file, &path, position)?;
            loop {
                let found = read_frame(&mut file, &path, length, position);
                match if number == last { unless_unsynced(found, &path, position)? } else { found? }
                {
                    Found::Record(body) => {
                        records.push_back(position);
                        position.offset += body.len() as u64 + OVERHEAD;
                    }
                    Found::End => break,
                    Found::Torn { .. } if number == last => {
                        torn = Some(TornTail { position, bytes: length - position.offset });
                        break;
                    }
                    Found::Torn { needs: expected } => {
                        let (offset, got) = (position.offset, length - position.offset);
                        return Err(DiskError::CutShort { path, offset, got, expected });
                    }
                }
            }
            end = position;
        }
        let path = segment_path(folder, last);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .map_err(DiskError::io("open", &path))?;
        if torn.is_some() {
            file.set_len(end.offset).map_err(DiskError::io("cut off the torn end of", &path))?;
            file.sync_all().map_err(DiskError::io("sync", &path))?;
        } else if !records.is_empty() {
            // A killed process may not have synced the last record, which must be durable before
            // the state store has its changes.
            file.sync_data().map_err(DiskError::io("sync", &path))?;
        }
        let (folder, genesis, file) = (folder.to_owned(), genesis, Box::new(file));
        let log = Self { folder, genesis, segment_bytes, first, file, end, broken: None };
        Ok(OpenedLog { log, records, torn })
    }

    /// Checks that all records from the first block on are present and intact, without changing
    /// anything.
    pub(crate) fn check(folder: &Path, genesis: B256) -> Result<(), DiskError> {
        let numbers = segments(folder)?;
        let last = numbers.last().copied().unwrap_or_default();
        for number in 0..=last {
            if numbers.binary_search(&number).is_err() {
                return Err(DiskError::MissingSegment { path: folder.into(), segment: number });
            }
            let path = segment_path(folder, number);
            let mut file = File::open(&path).map_err(DiskError::io("read", &path))?;
            let length = file.metadata().map_err(DiskError::io("read", &path))?.len();
            if number == last && length <= SEGMENT_HEAD as u64 {
                return Ok(());
            }
            let mut head = Vec::new();
            let read = Read::by_ref(&mut file).take(SEGMENT_HEAD as u64).read_to_end(&mut head);
            read.map_err(DiskError::io("read", &path))?;
            check_head(&path, &head, genesis, number)?;
            let mut file = BufReader::with_capacity(1 << 20, file);
            let mut position = Position::start_of(number);
            loop {
                let found = read_frame(&mut file, &path, length, position);
                match if number == last { unless_unsynced(found, &path, position)? } else { found? }
                {
                    Found::Record(body) => position.offset += body.len() as u64 + OVERHEAD,
                    Found::Torn { needs: expected } if number != last => {
                        let (offset, got) = (position.offset, length - position.offset);
                        return Err(DiskError::CutShort { path, offset, got, expected });
                    }
                    Found::Torn { .. } | Found::End => break,
                }
            }
        }
        Ok(())
    }

    /// Appends a record durably, and returns its position.
    ///
    /// If this fails, the log is either unchanged or rejects all further records until it is
    /// reopened.
    pub(crate) fn append(&mut self, body: &[u8]) -> Result<Position, DiskError> {
        if let Some(reason) = &self.broken {
            return Err(DiskError::Unusable(reason.clone()));
        }
        let is_empty = self.end == Position::start_of(self.end.segment);
        if self.end.offset >= self.segment_bytes && !is_empty {
            self.start_segment()?;
        }
        let position = self.end;
        let head = head(position, body)?;
        let path = segment_path(&self.folder, position.segment);
        let mut end = position.offset;
        let written = [&head[..], body, &END].into_iter().try_for_each(|part| {
            self.file.write_at(end, part)?;
            end += part.len() as u64;
            Ok(())
        });
        if let Err(error) = written {
            if let Err(error) = self.file.truncate(position.offset) {
                self.broken = Some(format!("cannot undo it: {error}"));
            }
            return Err(DiskError::io("write", path)(error));
        }
        // After a failed sync, it is unknown which bytes are on disk, so no further record may be
        // appended.
        if let Err(error) = self.file.sync() {
            self.broken = Some(format!("cannot sync: {error}"));
            return Err(DiskError::io("sync", path)(error));
        }
        self.end.offset = end;
        Ok(position)
    }

    fn start_segment(&mut self) -> Result<(), DiskError> {
        let next = self.end.segment + 1;
        let file = create_segment(&self.folder, self.genesis, next)?;
        self.file = Box::new(file);
        self.end = Position::start_of(next);
        Ok(())
    }

    /// Returns the position of the next record, unless it begins a new segment.
    pub(crate) const fn end(&self) -> Position {
        self.end
    }

    /// Limits the length of segments.
    #[cfg(test)]
    pub(crate) const fn limit_segments(&mut self, bytes: u64) {
        self.segment_bytes = bytes;
    }

    /// Returns the number of the oldest segment.
    pub(crate) const fn first(&self) -> u64 {
        self.first
    }

    /// Removes whole segments that lie before `position`.
    pub(crate) fn remove_segments_before(&mut self, position: Position) -> Result<(), DiskError> {
        while self.first < position.segment.min(self.end.segment) {
            let path = segment_path(&self.folder, self.first);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(DiskError::io("remove", path)(error));
                }
                _ => self.first += 1,
            }
        }
        Ok(())
    }
}

/// Reads the record at `position`.
pub(crate) fn read_record(
    folder: &Path,
    genesis: B256,
    position: Position,
) -> Result<Vec<u8>, DiskError> {
    let path = segment_path(folder, position.segment);
    let (mut file, length) = open_segment(&path, genesis, position.segment, false)?;
    seek(&mut file, &path, position)?;
    let expected = match read_frame(&mut file, &path, length, position)? {
        Found::Record(body) => return Ok(body),
        Found::End => OVERHEAD,
        Found::Torn { needs } => needs,
    };
    let (offset, got) = (position.offset, length.saturating_sub(position.offset));
    Err(DiskError::CutShort { path, offset, got, expected })
}

/// Converts the error of an invalid record in the last segment to a torn record if a power loss
/// before the sync explains it.
fn unless_unsynced(
    found: Result<Found, DiskError>,
    path: &Path,
    position: Position,
) -> Result<Found, DiskError> {
    let Err(damage @ (DiskError::Checksum { .. } | DiskError::EndMark { .. })) = found else {
        return found;
    };
    let mut file = File::open(path).map_err(DiskError::io("read", path))?;
    seek(&mut file, path, position)?;
    let mut rest = Vec::new();
    file.read_to_end(&mut rest).map_err(DiskError::io("read", path))?;
    if is_unsynced(&rest, position) { Ok(Found::Torn { needs: OVERHEAD }) } else { Err(damage) }
}

fn seek(file: &mut File, path: &Path, position: Position) -> Result<(), DiskError> {
    let at = SeekFrom::Start(position.offset);
    file.seek(at).map(drop).map_err(DiskError::io("read", path))
}

fn segment_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:010}.log"))
}

/// Returns the numbers of the segments in a directory, ascending.
fn segments(folder: &Path) -> Result<Vec<u64>, DiskError> {
    let fault = || DiskError::io("list", folder);
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder).map_err(fault())? {
        let name = entry.map_err(fault())?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".log"));
        numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn segment_head(genesis: B256, number: u64) -> [u8; SEGMENT_HEAD] {
    let mut head = [0; SEGMENT_HEAD];
    head[..8].copy_from_slice(&MAGIC);
    head[8..40].copy_from_slice(genesis.as_slice());
    head[40..48].copy_from_slice(&number.to_be_bytes());
    let sum = crc32fast::hash(&head[..48]);
    head[48..].copy_from_slice(&sum.to_be_bytes());
    head
}

/// Creates a segment without records. A failure leaves no file behind.
fn create_segment(folder: &Path, genesis: B256, number: u64) -> Result<File, DiskError> {
    let path = segment_path(folder, number);
    let create = || {
        let mut options = OpenOptions::new();
        let mut file = options.read(true).write(true).create(true).truncate(true).open(&path)?;
        file.write_all(&segment_head(genesis, number))?;
        file.sync_all()?;
        // Syncs the directory, so that the file name is durable too.
        File::open(folder)?.sync_all()?;
        Ok(file)
    };
    create().map_err(|error| {
        // Otherwise, the partial file would be taken for a segment with a torn head.
        drop(fs::remove_file(&path));
        DiskError::io("create", &path)(error)
    })
}

/// Opens a segment for reading and checks its head. The head of the last segment may be torn,
/// because it is written before the first record; then the segment is created again.
fn open_segment(
    path: &Path,
    genesis: B256,
    number: u64,
    is_last: bool,
) -> Result<(File, u64), DiskError> {
    let fault = || DiskError::io("read", path);
    let open = || File::open(path).map_err(fault());
    let mut file = open()?;
    let mut length = file.metadata().map_err(fault())?.len();
    let mut head = Vec::new();
    Read::by_ref(&mut file).take(SEGMENT_HEAD as u64).read_to_end(&mut head).map_err(fault())?;
    let is_torn = head.len() < SEGMENT_HEAD || head.iter().all(|byte| *byte == 0);
    if is_last && is_torn && length <= SEGMENT_HEAD as u64 {
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        create_segment(folder, genesis, number)?;
        (file, length) = (open()?, SEGMENT_HEAD as u64);
        return Ok((file, length));
    }
    check_head(path, &head, genesis, number)?;
    Ok((file, length))
}

fn check_head(path: &Path, head: &[u8], genesis: B256, number: u64) -> Result<(), DiskError> {
    let expected = segment_head(genesis, number);
    if head == expected {
        return Ok(());
    }
    let other = head.get(8..40).map(B256::from_slice);
    if let Some(other) = other
        && head == segment_head(other, number)
    {
        let path = path.into();
        return Err(DiskError::OtherChain { path, got: other, expected: genesis });
    }
    let (got, expected) = (hex::encode(head), hex::encode(expected));
    Err(DiskError::NotALog { path: path.into(), got, expected })
}

/// Returns the hash of the chain's first block from the oldest segment in `folder`; `None` if there
/// is no log, or if it has no records.
pub(crate) fn first_block(folder: &Path) -> Result<Option<B256>, DiskError> {
    if !folder.exists() {
        return Ok(None);
    }
    let Some(first) = segments(folder)?.first().copied() else { return Ok(None) };
    let path = segment_path(folder, first);
    let file = File::open(&path).map_err(DiskError::io("read", &path))?;
    let mut head = Vec::new();
    let read = file.take(SEGMENT_HEAD as u64 + 1).read_to_end(&mut head);
    read.map_err(DiskError::io("read", &path))?;
    if head.len() <= SEGMENT_HEAD {
        return Ok(None);
    }
    let genesis = B256::from_slice(&head[8..40]);
    check_head(&path, &head[..SEGMENT_HEAD], genesis, first)?;
    Ok(Some(genesis))
}

#[cfg(test)]
mod tests;
