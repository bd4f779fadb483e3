//! Frame of a record in the log: a head with checksums, the body, an end mark.
//!
//! ```text
//! length of the body    u32
//! CRC-32 of the body    u32
//! CRC-32 of the head    u32   over segment, offset (u64 each), length and body's CRC
//! body
//! end mark              4 bytes, none of them zero
//! ```
//!
//! The head's checksum covers the position of the record, so a record that was copied to another
//! position is invalid.

use crate::{DiskError, Position};
use std::{
    io::{self, Read},
    ops::Range,
    path::Path,
};

/// Maximum length of a record's body: far more than the largest block with its witness.
pub(crate) const MAX_BODY: u64 = 256 << 20;

/// Length in bytes of the smallest part of a file that reaches the disk on its own.
const SECTOR: u64 = 512;

const HEAD: usize = 12;
pub(crate) const END: [u8; 4] = [0xe5, 0x9b, 0x37, 0xd1];

/// Length of a record without its body.
pub(crate) const OVERHEAD: u64 = (HEAD + END.len()) as u64;

/// Returns the head of a record with this body at `position`.
pub(crate) fn head(position: Position, body: &[u8]) -> Result<[u8; HEAD], DiskError> {
    let length = u32::try_from(body.len())
        .ok()
        .filter(|length| u64::from(*length) <= MAX_BODY)
        .ok_or(DiskError::TooLong { got: body.len() as u64, limit: MAX_BODY })?;
    let body_sum = crc32fast::hash(body);
    let mut head = [0; HEAD];
    head[..4].copy_from_slice(&length.to_be_bytes());
    head[4..8].copy_from_slice(&body_sum.to_be_bytes());
    head[8..].copy_from_slice(&head_sum(position, length, body_sum).to_be_bytes());
    Ok(head)
}

pub(crate) fn head_sum(position: Position, length: u32, body_sum: u32) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&position.segment.to_be_bytes());
    sum.update(&position.offset.to_be_bytes());
    sum.update(&length.to_be_bytes());
    sum.update(&body_sum.to_be_bytes());
    sum.finalize()
}

/// Content of a segment at some offset.
#[derive(Debug)]
pub(crate) enum Found {
    /// A record.
    Record(Vec<u8>),
    /// The end of the file.
    End,
    /// A record that was never completed, and so never acknowledged.
    Torn {
        /// Length of the complete record, as far as known.
        needs: u64,
    },
}

/// Reads the content at `position` of a segment of `length` bytes. `file` must be at that position;
/// after a record, it is at the end of the record.
///
/// A record is torn if the file ends before it does, or if all its bytes from some offset on are
/// zero, as in a file that was extended before its bytes were written. Any other violation is an
/// error; [`is_unsynced`] returns whether a power loss explains it.
pub(crate) fn read_frame(
    file: &mut impl Read,
    path: &Path,
    length: u64,
    position: Position,
) -> Result<Found, DiskError> {
    let fault = || DiskError::io("read", path);
    let offset = position.offset;
    let left = length.saturating_sub(offset);
    if left == 0 {
        return Ok(Found::End);
    }
    if left < OVERHEAD {
        return Ok(Found::Torn { needs: OVERHEAD });
    }
    let mut head = [0; HEAD];
    file.read_exact(&mut head).map_err(fault())?;
    let (body_length, body_sum, expected) = (field(&head, 0), field(&head, 4), field(&head, 8));
    let got = head_sum(position, body_length, body_sum);
    if got != expected {
        if is_zero(file).map_err(fault())? {
            return Ok(Found::Torn { needs: OVERHEAD });
        }
        return Err(DiskError::Checksum { path: path.into(), offset, part: "head", got, expected });
    }
    let body_length = u64::from(body_length);
    if body_length > MAX_BODY {
        return Err(DiskError::TooLong { got: body_length, limit: MAX_BODY });
    }
    let needs = body_length + OVERHEAD;
    if left < needs {
        return Ok(Found::Torn { needs });
    }
    // The file has at least this many bytes left, which bounds the allocation.
    let mut body = vec![0; usize::try_from(body_length).unwrap_or(usize::MAX)];
    file.read_exact(&mut body).map_err(fault())?;
    let mut end = [0; END.len()];
    file.read_exact(&mut end).map_err(fault())?;
    let got = crc32fast::hash(&body);
    // The write may have stopped within the end mark.
    let written = END.iter().zip(&end).take_while(|(one, other)| one == other).count();
    let rest_is_zero = written < END.len() && end[written..].iter().all(|byte| *byte == 0);
    if rest_is_zero && is_zero(file).map_err(fault())? {
        return Ok(Found::Torn { needs });
    }
    if got != body_sum {
        let expected = body_sum;
        return Err(DiskError::Checksum { path: path.into(), offset, part: "body", got, expected });
    }
    if end != END {
        let (got, expected) = (u32::from_be_bytes(end), u32::from_be_bytes(END));
        return Err(DiskError::EndMark { path: path.into(), offset, got, expected });
    }
    Ok(Found::Record(body))
}

/// Returns `true` if a power loss before the record at `position` was synced explains that it is
/// invalid. `rest` has the bytes from there to the end of the file.
///
/// Without a sync, sectors reach the disk in any order, and the others are zero. So a sector of the
/// record must be zero, and no record may follow it, because each one is synced before the next one
/// is written. A single flipped bit is always damage, even if the record contains a zero sector.
pub(crate) fn is_unsynced(rest: &[u8], position: Position) -> bool {
    let Some(head) = rest.first_chunk::<HEAD>() else { return true };
    if !is_head(head, position) {
        let lost = Sectors { record: rest, offset: position.offset };
        let is_flipped = (0..HEAD).filter(|at| !lost.is_zero(*at)).any(|at| {
            (0..8).any(|bit| {
                let mut flipped = *head;
                flipped[at] ^= 1 << bit;
                is_head(&flipped, position)
            })
        });
        return (0..HEAD).any(|at| lost.is_zero(at))
            && !is_flipped
            && next_record(rest, position).is_none();
    }
    let [length, body_sum] = [0, 4].map(|at| field(head, at));
    let end = usize::try_from(u64::from(length) + OVERHEAD).unwrap_or(usize::MAX);
    let Some((record, after)) = rest.split_at_checked(end) else { return true };
    let lost = Sectors { record, offset: position.offset };
    let (body, mark) = (HEAD..end - END.len(), end - END.len()..end);
    let difference = crc32fast::hash(&record[body.clone()]) ^ body_sum;
    let flipped = flipped_byte(difference, body.len()).map(|at| HEAD + at);
    after.iter().all(|byte| *byte == 0)
        && lost.any_from(HEAD)
        && mark.zip(END).all(|(at, byte)| record[at] == byte || lost.is_zero(at))
        && flipped.is_none_or(|at| lost.is_zero(at))
}

/// A record divided at the sectors of its file.
struct Sectors<'r> {
    record: &'r [u8],
    /// Offset of the record in the file.
    offset: u64,
}

impl Sectors<'_> {
    /// Returns the part of the record in the sector with byte `at` of the record.
    fn around(&self, at: usize) -> Range<usize> {
        // Both differences are at most the length of a sector.
        let before = (self.offset + at as u64) % SECTOR;
        let start = at.saturating_sub(before as usize);
        let end = at.saturating_add((SECTOR - before) as usize).min(self.record.len());
        start..end
    }

    /// Returns `true` if all bytes of the record in the sector with byte `at` are zero.
    fn is_zero(&self, at: usize) -> bool {
        self.record[self.around(at)].iter().all(|byte| *byte == 0)
    }

    /// Returns `true` if the sector with byte `at`, or a later one, is zero.
    fn any_from(&self, mut at: usize) -> bool {
        while at < self.record.len() {
            if self.is_zero(at) {
                return true;
            }
            at = self.around(at).end;
        }
        false
    }
}

/// Returns the byte of a body of this length in which a single flipped bit changes the CRC-32 by
/// `difference`.
fn flipped_byte(difference: u32, length: usize) -> Option<usize> {
    // Effects of the bits of a byte; each byte after it divides them further.
    let mut effects = [0, 1, 2, 3, 4, 5, 6, 7].map(|bit| divided(1 << bit));
    (0..length).rev().find(|_| {
        let is_found = effects.contains(&difference);
        effects = effects.map(divided);
        is_found
    })
}

/// Returns the CRC-32 register after another byte of zero.
fn divided(register: u32) -> u32 {
    const POLYNOMIAL: u32 = 0xedb8_8320;
    (0..8).fold(register, |crc, _| (crc >> 1) ^ (POLYNOMIAL & (crc & 1).wrapping_neg()))
}

/// Returns the bodies of all intact records of a file starting at `offset`, skipping corrupted
/// bytes between them.
pub(crate) fn find_records(file: &[u8], offset: u64) -> Vec<Vec<u8>> {
    let (mut found, mut at) = (Vec::new(), usize::try_from(offset).unwrap_or(usize::MAX));
    while let Some(rest) = file.get(at..)
        && let Some((skipped, body)) = next_record(rest, Position { segment: 0, offset: at as u64 })
    {
        at += skipped + HEAD + body.len() + END.len();
        found.push(body);
    }
    found
}

/// Returns the first intact record in the bytes of a file from `position` to its end, and the
/// number of bytes before it.
fn next_record(bytes: &[u8], position: Position) -> Option<(usize, Vec<u8>)> {
    let length = position.offset + bytes.len() as u64;
    (0..bytes.len()).find_map(|at| {
        let position = Position { offset: position.offset + at as u64, ..position };
        let (mut rest, head) = (&bytes[at..], bytes[at..].first_chunk()?);
        if !is_head(head, position) {
            return None;
        }
        match read_frame(&mut rest, Path::new(""), length, position) {
            Ok(Found::Record(body)) => Some((at, body)),
            _ => None,
        }
    })
}

/// Returns `true` if this is the intact head of a record at `position`.
fn is_head(head: &[u8; HEAD], position: Position) -> bool {
    head_sum(position, field(head, 0), field(head, 4)) == field(head, 8)
}

const fn field(head: &[u8; HEAD], at: usize) -> u32 {
    u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]])
}

/// Returns `true` if the rest of a file consists of zeros.
fn is_zero(file: &mut impl Read) -> io::Result<bool> {
    let mut chunk = [0; 8_192];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(true),
            length if chunk[..length].iter().any(|byte| *byte != 0) => return Ok(false),
            _ => {}
        }
    }
}
