//! An input of EXECUTE that lies in blobs, but for what a contract reads of it in place.
//!
//! The calldata is the head of the input and a trailer of eight bytes: length of the tail (4 bytes, big
//! endian), position of its first blob among those of the transaction, number of its blobs, and
//! [`MAGIC`]. The input of a block is head ‖ tail.
//!
//! Of a batch the head is everything up to the requests, and behind it the first [`REQUEST_HEAD`] bytes of
//! each request, one after another; the tail is all the rest, in its order. Where each part of the head goes
//! follows from the offsets of the requests, which the head begins with, so nothing else says it.
//!
//! Each tail begins a blob of its own and takes no more blobs than it needs. A blob holds 31 bytes in each of
//! its field elements, behind a byte that is zero; what the tail leaves of the last blob is zero.

use crate::{
    SchemaId, StatelessBatch,
    layout::{REQUEST_IN_CALLDATA, payload, request},
    list::{OFFSET, offset_at},
};
use core::ops::Range;

/// Bytes of a blob.
pub const BLOB_LEN: usize = ELEMENT * 4_096;
/// Bytes of a tail that one blob holds.
pub const BLOB_CAPACITY: usize = (ELEMENT - 1) * 4_096;
/// Bytes of a request that are in the head: up to the end of the fixed part of the longest payload, so that
/// whoever reads fields of a block in place finds them whatever the tail is.
pub const REQUEST_HEAD: usize = request::FIXED + payload::FIXED_V4;
/// Bytes of a head at least.
pub const MIN_HEAD: usize = REQUEST_IN_CALLDATA + REQUEST_HEAD;
/// What a trailer ends with.
pub const MAGIC: [u8; 2] = [0xb1, 0x0b];

/// Bytes of a field element.
const ELEMENT: usize = 32;

/// Why an input cannot be put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BlobTailError {
    /// There is no room for a head and a trailer.
    #[error("{got} bytes, expected at least {expected}: a head and a trailer")]
    TooShort {
        /// Bytes present.
        got: usize,
        /// The fewest.
        expected: usize,
    },
    /// The calldata does not end as a trailer does.
    #[error("the trailer ends in {got:02x?}, expected {MAGIC:02x?}")]
    Magic {
        /// The last two bytes.
        got: [u8; 2],
    },
    /// A tail of this length takes another number of blobs.
    #[error("{got} blobs for a tail of {tail} bytes, expected {expected}")]
    Count {
        /// Bytes of the tail.
        tail: u32,
        /// Blobs that the trailer names.
        got: u8,
        /// Blobs that it takes.
        expected: usize,
    },
    /// A trailer without blobs names a first one.
    #[error("the first of no blobs is number {got}, expected 0")]
    First {
        /// Its position.
        got: u8,
    },
    /// The head of a batch does not begin as one with blocks does.
    #[error(
        "the first request of the batch starts at {got} of their list, expected 4 to {limit}, by fours"
    )]
    Blocks {
        /// The first offset.
        got: usize,
        /// That of as many blocks as there may be.
        limit: usize,
    },
    /// The head of a batch of so many blocks has another length.
    #[error("{got} bytes in the head of a batch of {blocks} blocks, expected {expected}")]
    HeadLength {
        /// How many blocks it has.
        blocks: usize,
        /// Bytes present.
        got: usize,
        /// Bytes that it takes.
        expected: usize,
    },
    /// A request of a batch begins before what the head has of the one before it ends, or too late to end
    /// within the input.
    #[error(
        "request {index} of the batch starts at {got} of their list, expected {minimum} to {maximum}"
    )]
    RequestOutOfPlace {
        /// Its position.
        index: usize,
        /// Its offset.
        got: usize,
        /// The least that it could be.
        minimum: usize,
        /// The most.
        maximum: usize,
    },
    /// A blob does not have the length of one.
    #[error("blob {blob} of the tail: {got} bytes, expected {BLOB_LEN}")]
    BlobLength {
        /// Its position among those of the tail.
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
        /// Its first byte.
        got: u8,
    },
    /// Behind the tail stands something.
    #[error("behind the tail of {tail} bytes the last blob is not zero")]
    Padding {
        /// Bytes of the tail.
        tail: u32,
    },
}

/// What the calldata says of the tail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trailer {
    tail: u32,
    first: u8,
    count: u8,
}

impl Trailer {
    /// Its length.
    pub const LEN: usize = 8;

    /// The trailer of a tail of this length whose first blob is this one of the transaction; `None` for
    /// a tail that is longer than a transaction can have blobs.
    pub fn new(tail: usize, first: u8) -> Option<Self> {
        let count = u8::try_from(blobs_for(tail)).ok()?;
        let first = if count == 0 { 0 } else { first };
        Some(Self { tail: u32::try_from(tail).ok()?, first, count })
    }

    /// Head and trailer of a call.
    ///
    /// # Errors
    ///
    /// [`BlobTailError`] if the calldata is not a head of at least [`MIN_HEAD`] bytes and a canonical
    /// trailer.
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
        let expected = blobs_for(tail as usize);
        if usize::from(count) != expected {
            return Err(BlobTailError::Count { tail, got: count, expected });
        }
        if count == 0 && first != 0 {
            return Err(BlobTailError::First { got: first });
        }
        Ok((head, Self { tail, first, count }))
    }

    /// As it stands behind a head.
    pub const fn encode(self) -> [u8; Self::LEN] {
        let [a, b, c, d] = self.tail.to_be_bytes();
        let [y, z] = MAGIC;
        [a, b, c, d, self.first, self.count, y, z]
    }

    /// Bytes of the tail.
    pub const fn tail_len(self) -> usize {
        self.tail as usize
    }

    /// Positions of its blobs among those of the transaction.
    pub fn blobs(self) -> Range<usize> {
        usize::from(self.first)..usize::from(self.first) + usize::from(self.count)
    }

    /// What of the tail follows each part of this head.
    ///
    /// # Errors
    ///
    /// [`BlobTailError`] if it is the head of a batch, and not laid out as one, or if it says of the requests
    /// that they are where its parts and the tail cannot be.
    pub fn pieces(self, head: &[u8]) -> Result<Pieces<'_>, BlobTailError> {
        let Some(list) = list_of(head) else {
            return Ok(Pieces { trailer: self, parts: vec![(head, self.tail_len())] });
        };
        let blocks = blocks_of(list)?;
        let starts = REQUEST_IN_CALLDATA + blocks * OFFSET;
        let (got, expected) = (head.len(), starts + blocks * REQUEST_HEAD);
        if got != expected {
            return Err(BlobTailError::HeadLength { blocks, got, expected });
        }
        let (first, requests) = head.split_at(starts);
        let mut parts = vec![(first, 0)];
        parts.reserve_exact(blocks);
        let end = blocks * (OFFSET + REQUEST_HEAD) + self.tail_len();
        let mut minimum = blocks * OFFSET;
        for (index, request) in requests.chunks_exact(REQUEST_HEAD).enumerate() {
            let got = offset_at(list, index * OFFSET);
            let maximum = end - (blocks - index) * REQUEST_HEAD;
            if !(minimum..=maximum).contains(&got) {
                return Err(BlobTailError::RequestOutOfPlace { index, got, minimum, maximum });
            }
            if let Some((_, follows)) = parts.last_mut() {
                *follows = got - minimum;
            }
            minimum = got + REQUEST_HEAD;
            parts.push((request, end - minimum));
        }
        Ok(Pieces { trailer: self, parts })
    }

    /// Whether these are blobs as [`to_blobs`] makes them.
    fn check<B: AsRef<[u8]>>(self, blobs: &[B]) -> Result<(), BlobTailError> {
        let tail = self.tail;
        if blobs.len() != usize::from(self.count) {
            let got = u8::try_from(blobs.len()).unwrap_or(u8::MAX);
            return Err(BlobTailError::Count { tail, got, expected: self.count.into() });
        }
        let mut left = self.tail_len();
        for (at, blob) in blobs.iter().enumerate() {
            let blob = blob.as_ref();
            if blob.len() != BLOB_LEN {
                return Err(BlobTailError::BlobLength { blob: at, got: blob.len() });
            }
            for (element, bytes) in blob.chunks_exact(ELEMENT).enumerate() {
                let [first, data @ ..] = bytes else { continue };
                if *first != 0 {
                    return Err(BlobTailError::Element { blob: at, element, got: *first });
                }
                let used = data.len().min(left);
                left -= used;
                // Nobody pays for what stands behind a tail, so it is compared at once, not byte by byte.
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
    /// The input that they and these blobs are, which are those that [`Trailer::blobs`] names, in their order.
    ///
    /// # Errors
    ///
    /// [`BlobTailError`] if the blobs are not as [`to_blobs`] makes them of a tail of this length.
    pub fn join<B: AsRef<[u8]>>(&self, blobs: &[B]) -> Result<Vec<u8>, BlobTailError> {
        let tail = self.trailer.tail_len();
        self.trailer.check(blobs)?;
        let head: usize = self.parts.iter().map(|(part, _)| part.len()).sum();
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

/// Appends these bytes of the tail that lies in these blobs.
fn copy_tail<B: AsRef<[u8]>>(blobs: &[B], range: Range<usize>, out: &mut Vec<u8>) {
    let mut at = range.start;
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

/// What the list of requests begins with, if these bytes begin a batch and are as long as a head at least.
fn list_of(head: &[u8]) -> Option<&[u8]> {
    SchemaId::of(head).ok()?.batch_fork()?;
    head.get(REQUEST_IN_CALLDATA..).filter(|list| list.len() >= REQUEST_HEAD)
}

/// How many blocks the batch with this list has.
fn blocks_of(list: &[u8]) -> Result<usize, BlobTailError> {
    let (got, limit) = (offset_at(list, 0), StatelessBatch::MAX_BLOCKS * OFFSET);
    if got == 0 || got > limit || !got.is_multiple_of(OFFSET) {
        return Err(BlobTailError::Blocks { got, limit });
    }
    Ok(got / OFFSET)
}

/// Head and tail of an input, with as little in the head as may be there; `None` if it is too short for a head,
/// or of a batch whose requests are not where they can be.
pub fn cut(input: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let Some(list) = list_of(input) else {
        let (head, tail) = input.split_at_checked(MIN_HEAD)?;
        return Some((head.to_vec(), tail.to_vec()));
    };
    let blocks = blocks_of(list).ok()?;
    let mut head = Vec::with_capacity(REQUEST_IN_CALLDATA + blocks * (OFFSET + REQUEST_HEAD));
    let mut tail = Vec::with_capacity(input.len());
    let starts = REQUEST_IN_CALLDATA + blocks * OFFSET;
    head.extend_from_slice(input.get(..starts)?);
    let mut at = starts;
    for index in 0..blocks {
        let start = REQUEST_IN_CALLDATA + offset_at(list, index * OFFSET);
        tail.extend_from_slice(input.get(at..start)?);
        at = start + REQUEST_HEAD;
        head.extend_from_slice(input.get(start..at)?);
    }
    tail.extend_from_slice(input.get(at..)?);
    Some((head, tail))
}

/// How many blobs hold a tail of this length.
pub const fn blobs_for(tail: usize) -> usize {
    tail.div_ceil(BLOB_CAPACITY)
}

/// The blobs that hold a tail.
pub fn to_blobs(tail: &[u8]) -> Vec<Vec<u8>> {
    let blob = |data: &[u8]| {
        let mut blob = vec![0; BLOB_LEN];
        for (element, data) in blob.chunks_exact_mut(ELEMENT).zip(data.chunks(ELEMENT - 1)) {
            element[1..=data.len()].copy_from_slice(data);
        }
        blob
    };
    tail.chunks(BLOB_CAPACITY).map(blob).collect()
}
