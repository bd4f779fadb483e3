//! An input of EXECUTE whose end lies in blobs.
//!
//! The calldata is the head of the input and a trailer of eight bytes: length of the tail (4 bytes, big
//! endian), position of its first blob among those of the transaction, number of its blobs, and
//! [`MAGIC`]. The input is head ‖ tail. Each tail begins a blob of its own and takes no more blobs than
//! it needs. A blob holds 31 bytes in each of its field elements, behind a byte that is zero; what the
//! tail leaves of the last blob is zero.

use crate::layout::{input, payload, request};
use core::ops::Range;

/// Bytes of a blob.
pub const BLOB_LEN: usize = ELEMENT * 4_096;
/// Bytes of a tail that one blob holds.
pub const BLOB_CAPACITY: usize = (ELEMENT - 1) * 4_096;
/// Bytes of a head at least: up to the end of the fixed part of the longest payload, so that whoever
/// reads fields of an input in place finds them whatever the tail is.
pub const MIN_HEAD: usize =
    crate::SchemaId::LEN + input::FIXED + request::FIXED + payload::FIXED_V4;
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

    /// The input that begins with `head` and ends in these blobs, which are those that [`Self::blobs`]
    /// names, in their order.
    ///
    /// # Errors
    ///
    /// [`BlobTailError`] if they are not as [`to_blobs`] makes them of a tail of this length.
    pub fn join<B: AsRef<[u8]>>(self, head: &[u8], blobs: &[B]) -> Result<Vec<u8>, BlobTailError> {
        if blobs.len() != usize::from(self.count) {
            let (tail, expected) = (self.tail, usize::from(self.count));
            let got = u8::try_from(blobs.len()).unwrap_or(u8::MAX);
            return Err(BlobTailError::Count { tail, got, expected });
        }
        let mut input = Vec::with_capacity(head.len() + self.tail_len());
        input.extend_from_slice(head);
        let end = head.len() + self.tail_len();
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
                let (data, padding) = data.split_at(data.len().min(end - input.len()));
                input.extend_from_slice(data);
                if padding.iter().any(|byte| *byte != 0) {
                    return Err(BlobTailError::Padding { tail: self.tail });
                }
            }
        }
        Ok(input)
    }
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
