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
    path::Path,
};

/// Maximum length of a record's body: far more than the largest block with its witness.
pub(crate) const MAX_BODY: u64 = 256 << 20;

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
/// error, because it means that a complete record was changed.
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
    let field =
        |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let (body_length, body_sum, expected) = (field(0), field(4), field(8));
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

/// Returns the bodies of all intact records of a file starting at `offset`, skipping corrupted
/// bytes between them.
pub(crate) fn find_records(file: &[u8], offset: u64) -> Vec<Vec<u8>> {
    let (mut found, mut at) = (Vec::new(), usize::try_from(offset).unwrap_or(usize::MAX));
    let field = |at: usize| {
        let bytes = file.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        u32::from_be_bytes(bytes.unwrap_or_default())
    };
    while at.saturating_add(HEAD + END.len()) <= file.len() {
        let position = Position { segment: 0, offset: at as u64 };
        if head_sum(position, field(at), field(at + 4)) == field(at + 8)
            && let Ok(Found::Record(body)) =
                read_frame(&mut &file[at..], Path::new(""), file.len() as u64, position)
        {
            at += HEAD + body.len() + END.len();
            found.push(body);
        } else {
            at += 1;
        }
    }
    found
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
