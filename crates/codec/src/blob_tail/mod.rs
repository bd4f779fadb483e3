//! An EXECUTE input that is split between calldata and blobs: its head, with the fields that a
//! contract reads in place, is in calldata; its tail is in blobs.
//!
//! The calldata is the head of the input and a trailer of eight bytes: length of the tail (4 bytes,
//! big-endian), position of its first blob among those of the transaction, number of its blobs, and
//! [`MAGIC`]. The input of a block is head ‖ tail.
//!
//! The head of a batch is everything up to the requests, followed by the first [`REQUEST_HEAD`]
//! bytes of each request, one after another. The tail is the rest, in order. The offsets of the
//! requests, at the start of the head, determine the position of each part of the head, so no other
//! field repeats it.
//!
//! Each tail starts in a new blob and uses as few blobs as possible. A blob has 31 bytes in each of
//! its field elements, after a zero byte; the unused end of the last blob is zero.

mod write;

pub use write::{cut, to_blobs};

use core::ops::Range;
use wire::{
    SchemaId, StatelessBatch,
    layout::{REQUEST_IN_CALLDATA, payload, request},
    list::{OFFSET, offset_at},
};

/// Length of a blob in bytes.
pub const BLOB_LEN: usize = ELEMENT * 4_096;
/// Maximum number of tail bytes in one blob.
pub const BLOB_CAPACITY: usize = (ELEMENT - 1) * 4_096;
/// Number of bytes of each request that are in the head: up to the end of the fixed part of the
/// longest payload, so that a contract finds the fields of a block at fixed offsets, independent of
/// the tail.
// One length for all forks: the layout of the head then does not depend on the schema id.
pub const REQUEST_HEAD: usize = request::FIXED + payload::FIXED_V4;
/// Minimum number of bytes of a head.
pub const MIN_HEAD: usize = REQUEST_IN_CALLDATA + REQUEST_HEAD;
/// Last two bytes of a trailer.
// They distinguish a trailer from the end of a plain input that was sent to this address by
// mistake.
pub const MAGIC: [u8; 2] = [0xb1, 0x0b];

/// Bytes of a field element.
const ELEMENT: usize = 32;

/// Reasons for which an input cannot be assembled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BlobTailError {
    /// The calldata is too short for a head and a trailer.
    #[error("{got} bytes, expected at least {expected}: a head and a trailer")]
    TooShort {
        /// Bytes present.
        got: usize,
        /// Minimum number of bytes.
        expected: usize,
    },
    /// The calldata does not end with [`MAGIC`].
    #[error("the trailer ends in {got:02x?}, expected {MAGIC:02x?}")]
    Magic {
        /// The last two bytes.
        got: [u8; 2],
    },
    /// The number of blobs does not match the length of the tail.
    #[error("{got} blobs for a tail of {tail} bytes, expected {expected}")]
    Count {
        /// Bytes of the tail.
        tail: u32,
        /// Blobs that the trailer names.
        got: u8,
        /// Number of blobs that a tail of this length needs.
        expected: usize,
    },
    /// A trailer without blobs names a first blob.
    #[error("a trailer without blobs has first blob {got}, expected 0")]
    First {
        /// Position of the first blob.
        got: u8,
    },
    /// The first offset in the head of a batch does not belong to a list with 1 to
    /// [`StatelessBatch::MAX_BLOCKS`] blocks.
    #[error(
        "the first request of the batch starts at {got} of their list, expected a multiple of 4 from 4 to {limit}"
    )]
    Blocks {
        /// The first offset.
        got: usize,
        /// The first offset of a list with the maximum number of blocks.
        limit: usize,
    },
    /// The head of a batch with this number of blocks has the wrong length.
    #[error("{got} bytes in the head of a batch of {blocks} blocks, expected {expected}")]
    HeadLength {
        /// Number of blocks in the batch.
        blocks: usize,
        /// Bytes present.
        got: usize,
        /// Length of the head of a batch with this number of blocks.
        expected: usize,
    },
    /// A request of a batch begins before the head's part of the previous request ends, or too late
    /// to end within the input.
    #[error(
        "request {index} of the batch starts at {got} of their list, expected {minimum} to {maximum}"
    )]
    RequestOutOfPlace {
        /// Index of the request.
        index: usize,
        /// Offset of the request.
        got: usize,
        /// The smallest valid offset.
        minimum: usize,
        /// The largest valid offset.
        maximum: usize,
    },
    /// A blob has the wrong length.
    #[error("blob {blob} of the tail: {got} bytes, expected {BLOB_LEN}")]
    BlobLength {
        /// Position of the blob in the tail.
        blob: usize,
        /// Bytes present.
        got: usize,
    },
    /// The first byte of a field element is not zero.
    #[error(
        "blob {blob} of the tail, field element {element}: the first byte is {got}, expected 0"
    )]
    Element {
        /// Position of the blob among those of the tail.
        blob: usize,
        /// The field element.
        element: usize,
        /// First byte of the field element.
        got: u8,
    },
    /// The last blob has nonzero bytes after the tail.
    #[error("the last blob has nonzero bytes after the tail of {tail} bytes")]
    Padding {
        /// Bytes of the tail.
        tail: u32,
    },
}

/// The trailer of the calldata: length and blobs of the tail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trailer {
    tail: u32,
    first: u8,
    count: u8,
}

impl Trailer {
    /// Length of a trailer in bytes.
    pub const LEN: usize = 8;

    /// Returns the trailer of a tail of `tail` bytes whose first blob is blob `first` of the
    /// transaction; `None` if the tail needs more blobs than a trailer can name.
    pub fn new(tail: usize, first: u8) -> Option<Self> {
        let count = u8::try_from(blobs_for(tail)).ok()?;
        // A tail without blobs has no first blob: zero is the only encoding of it, so that calldata
        // is canonical.
        let first = if count == 0 { 0 } else { first };
        Some(Self { tail: u32::try_from(tail).ok()?, first, count })
    }

    /// Splits calldata into head and trailer.
    ///
    /// # Errors
    ///
    /// [`BlobTailError`] if the calldata is not a head of at least [`MIN_HEAD`] bytes and a
    /// canonical trailer.
    pub fn split(calldata: &[u8]) -> Result<(&[u8], Self), BlobTailError> {
        let (head, trailer) = calldata
            .split_last_chunk::<{ Self::LEN }>()
            .filter(|(head, _)| head.len() >= MIN_HEAD)
            .ok_or(BlobTailError::TooShort {
                got: calldata.len(),
                expected: MIN_HEAD + Self::LEN,
            })?;
        let [a, b, c, d, first, count, magic @ ..] = *trailer;
        if magic != MAGIC {
            return Err(BlobTailError::Magic { got: magic });
        }
        let tail = u32::from_be_bytes([a, b, c, d]);
        // Exactly as many blobs as the length needs. With extra blobs, one input would have
        // multiple encodings with different prices.
        let expected = blobs_for(tail as usize);
        if usize::from(count) != expected {
            return Err(BlobTailError::Count { tail, got: count, expected });
        }
        // Likewise, an unused position must be zero so that it has one encoding.
        if count == 0 && first != 0 {
            return Err(BlobTailError::First { got: first });
        }
        Ok((head, Self { tail, first, count }))
    }

    /// Encodes the trailer.
    pub const fn encode(self) -> [u8; Self::LEN] {
        let [a, b, c, d] = self.tail.to_be_bytes();
        let [y, z] = MAGIC;
        [a, b, c, d, self.first, self.count, y, z]
    }

    /// Bytes of the tail.
    pub const fn tail_len(self) -> usize {
        self.tail as usize
    }

    /// Positions of the tail's blobs among the transaction's blobs.
    pub fn blobs(self) -> Range<usize> {
        usize::from(self.first)..usize::from(self.first) + usize::from(self.count)
    }

    /// Splits the head into parts, each with the number of tail bytes that follow it.
    ///
    /// # Errors
    ///
    /// [`BlobTailError`] if the head belongs to a batch but is not laid out as one, or if it places
    /// a request where neither its parts nor the tail can be.
    pub fn pieces(self, head: &[u8]) -> Result<Pieces<'_>, BlobTailError> {
        let Some(list) = list_of(head) else {
            return Ok(Pieces { trailer: self, parts: vec![(head, self.tail_len())] });
        };
        let blocks = blocks_of(list)?;
        let starts = REQUEST_IN_CALLDATA + blocks * OFFSET;
        // The number of blocks determines the length of the head, so every byte of it is read.
        let (got, expected) = (head.len(), starts + blocks * REQUEST_HEAD);
        if got != expected {
            return Err(BlobTailError::HeadLength { blocks, got, expected });
        }
        let (first, requests) = head.split_at(starts);
        let mut parts = vec![(first, 0)];
        parts.reserve_exact(blocks);
        // Offsets are relative to the list of requests; the list ends where head and tail together
        // end.
        let end = blocks * (OFFSET + REQUEST_HEAD) + self.tail_len();
        let mut minimum = blocks * OFFSET;
        for (index, request) in requests.chunks_exact(REQUEST_HEAD).enumerate() {
            let got = offset_at(list, index * OFFSET);
            // Each later request still needs its own head, which bounds this offset from above; the
            // subtraction cannot underflow because `end` counts one head for every block.
            let maximum = end - (blocks - index) * REQUEST_HEAD;
            if !(minimum..=maximum).contains(&got) {
                return Err(BlobTailError::RequestOutOfPlace { index, got, minimum, maximum });
            }
            // The gap before this request is tail that belongs to the request before it.
            if let Some((_, follows)) = parts.last_mut() {
                *follows = got - minimum;
            }
            minimum = got + REQUEST_HEAD;
            parts.push((request, end - minimum));
        }
        Ok(Pieces { trailer: self, parts })
    }

    /// Checks that the blobs are the canonical encoding of a tail of this length.
    fn check<B: AsRef<[u8]>>(self, blobs: &[B]) -> Result<(), BlobTailError> {
        let tail = self.tail;
        if blobs.len() != usize::from(self.count) {
            let got = u8::try_from(blobs.len()).unwrap_or(u8::MAX);
            return Err(BlobTailError::Count { tail, got, expected: self.count.into() });
        }
        // Counts down over all blobs: data comes first, and every byte after it is padding.
        let mut left = self.tail_len();
        for (at, blob) in blobs.iter().enumerate() {
            let blob = blob.as_ref();
            if blob.len() != BLOB_LEN {
                return Err(BlobTailError::BlobLength { blob: at, got: blob.len() });
            }
            for (element, bytes) in blob.chunks_exact(ELEMENT).enumerate() {
                let [first, data @ ..] = bytes else { continue };
                // A canonical field element is below the BLS modulus; a zero first byte guarantees
                // this and leaves one encoding.
                if *first != 0 {
                    return Err(BlobTailError::Element { blob: at, element, got: *first });
                }
                let used = data.len().min(left);
                left -= used;
                // The gas price does not cover bytes after the tail, so they are compared as one
                // slice and not byte by byte.
                if data[used..] != [0; ELEMENT - 1][used..] {
                    return Err(BlobTailError::Padding { tail });
                }
            }
        }
        Ok(())
    }
}

/// The parts of a head in their order, and how many bytes of the tail follow each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pieces<'a> {
    trailer: Trailer,
    parts: Vec<(&'a [u8], usize)>,
}

impl Pieces<'_> {
    /// Assembles the input from the parts and the blobs that [`Trailer::blobs`] names, in their
    /// order.
    ///
    /// # Errors
    ///
    /// [`BlobTailError`] if the blobs are not the canonical ones of a tail of this length.
    pub fn join<B: AsRef<[u8]>>(&self, blobs: &[B]) -> Result<Vec<u8>, BlobTailError> {
        let tail = self.trailer.tail_len();
        // The padding is checked first, so that a rejected input causes no allocation.
        self.trailer.check(blobs)?;
        let head: usize = self.parts.iter().map(|(part, _)| part.len()).sum();
        // Both lengths count bytes that are present in calldata and blobs, so a claimed length
        // cannot inflate the allocation.
        let mut input = Vec::with_capacity(head + tail);
        let mut at = 0;
        for (part, follows) in &self.parts {
            input.extend_from_slice(part);
            copy_tail(blobs, at..at + follows, &mut input);
            at += follows;
        }
        Ok(input)
    }
}

/// Appends a range of the tail that the blobs contain.
fn copy_tail<B: AsRef<[u8]>>(blobs: &[B], range: Range<usize>, out: &mut Vec<u8>) {
    let mut at = range.start;
    // Copies one field element at a time, because each begins with a zero byte.
    while at < range.end {
        let blob = blobs[at / BLOB_CAPACITY].as_ref();
        let (element, within) =
            (at % BLOB_CAPACITY / (ELEMENT - 1), at % BLOB_CAPACITY % (ELEMENT - 1));
        let length = (ELEMENT - 1 - within).min(range.end - at);
        let start = element * ELEMENT + 1 + within;
        out.extend_from_slice(&blob[start..start + length]);
        at += length;
    }
}

/// Returns the list of requests if these bytes begin a batch and are at least as long as a head.
fn list_of(head: &[u8]) -> Option<&[u8]> {
    SchemaId::of(head).ok()?.batch_fork()?;
    head.get(REQUEST_IN_CALLDATA..).filter(|list| list.len() >= REQUEST_HEAD)
}

/// Returns the number of blocks in the batch with this list.
fn blocks_of(list: &[u8]) -> Result<usize, BlobTailError> {
    // The first offset points to the end of the offsets, so it is four times the number of blocks.
    let (got, limit) = (offset_at(list, 0), StatelessBatch::MAX_BLOCKS * OFFSET);
    if got == 0 || got > limit || !got.is_multiple_of(OFFSET) {
        return Err(BlobTailError::Blocks { got, limit });
    }
    Ok(got / OFFSET)
}

/// Returns the number of blobs that hold a tail of this length.
pub const fn blobs_for(tail: usize) -> usize {
    tail.div_ceil(BLOB_CAPACITY)
}
