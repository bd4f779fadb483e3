//! SSZ lists as views of their encoding, and the checks that make them safe to read.

use crate::DecodeError;
use alloc::vec::Vec;
use alloy_primitives::Bytes;
use core::fmt;

/// Bytes of an SSZ offset.
pub const OFFSET: usize = 4;

/// Copies `N` bytes at `at`.
///
/// # Panics
///
/// If the slice is too short; callers check the length of the fixed part first.
pub fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[at..at + N]);
    array
}

/// Reads a little-endian `u64` at `at`; panics like [`array_at`].
pub fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, at))
}

/// Reads an SSZ offset at `at`; panics like [`array_at`].
pub fn offset_at(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(array_at(bytes, at)) as usize
}

/// Checks that the variable fields of a container, whose offsets are at `positions`, cover the
/// bytes after its fixed part without gaps or overlaps, and returns them.
pub fn variable_fields<'a, const N: usize>(
    what: &'static str,
    bytes: &'a [u8],
    fixed: usize,
    positions: [usize; N],
) -> Result<[&'a [u8]; N], DecodeError> {
    let len = bytes.len();
    if len < fixed {
        return Err(DecodeError::TooShort { what, got: len, expected: fixed });
    }
    let mut starts = [0; N];
    let mut previous = fixed;
    for (index, position) in positions.into_iter().enumerate() {
        let got = offset_at(bytes, position);
        // Canonical SSZ has no gap after the fixed part; no hash would cover the bytes of a gap.
        if index == 0 && got != fixed {
            return Err(DecodeError::FirstOffset { what, got, expected: fixed });
        }
        // Ascending offsets mean that fields never overlap, so each byte is read, and paid for,
        // once.
        if got < previous {
            return Err(DecodeError::OffsetOrder { what, index, got, previous });
        }
        if got > len {
            return Err(DecodeError::OffsetBeyondEnd { what, index, got, len });
        }
        starts[index] = got;
        previous = got;
    }
    let mut fields = [&[][..]; N];
    for index in 0..N {
        // The last field extends to the end, so no byte is left outside a field.
        let end = if index + 1 < N { starts[index + 1] } else { len };
        fields[index] = &bytes[starts[index]..end];
    }
    Ok(fields)
}

/// A list of byte strings: transactions, trie nodes, codes or headers.
///
/// A decoded list is the SSZ encoding itself, with its offsets already checked. For encoding, a
/// list can also refer to slices or [`Bytes`] elsewhere.
#[derive(Clone, Copy)]
pub struct ByteLists<'a>(Repr<'a>);

#[derive(Clone, Copy)]
enum Repr<'a> {
    Ssz(&'a [u8]),
    Slices(&'a [&'a [u8]]),
    Bytes(&'a [Bytes]),
}

impl<'a> ByteLists<'a> {
    /// The empty list.
    pub const EMPTY: Self = Self(Repr::Ssz(&[]));

    /// Checks an SSZ list of byte lists: canonical first offset, offsets in order and within
    /// bounds, at most `max_items` of at most `max_len` bytes each.
    pub fn decode(
        what: &'static str,
        bytes: &'a [u8],
        max_items: usize,
        max_len: usize,
    ) -> Result<Self, DecodeError> {
        if bytes.is_empty() {
            return Ok(Self::EMPTY);
        }
        let len = bytes.len();
        if len < OFFSET {
            return Err(DecodeError::TooShort { what, got: len, expected: OFFSET });
        }
        let first = offset_at(bytes, 0);
        // The first offset implies the number of elements, so the length of the bytes bounds that
        // number.
        if first == 0 || !first.is_multiple_of(OFFSET) || first > len {
            return Err(DecodeError::ListOffset { what, got: first, len });
        }
        let items = first / OFFSET;
        // The count is checked before the loop, which bounds the loop for lists that the
        // specification limits.
        if items > max_items {
            return Err(DecodeError::TooMany { what, got: items, limit: max_items });
        }
        let mut previous = first;
        // All offsets are checked once here, so that `get` can slice without further checks.
        for index in 0..items {
            let end = if index + 1 < items { offset_at(bytes, (index + 1) * OFFSET) } else { len };
            if end < previous {
                return Err(DecodeError::OffsetOrder {
                    what,
                    index: index + 1,
                    got: end,
                    previous,
                });
            }
            if end > len {
                return Err(DecodeError::OffsetBeyondEnd { what, index: index + 1, got: end, len });
            }
            if end - previous > max_len {
                return Err(DecodeError::TooLong {
                    what,
                    index,
                    got: end - previous,
                    limit: max_len,
                });
            }
            previous = end;
        }
        Ok(Self(Repr::Ssz(bytes)))
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        match self.0 {
            Repr::Ssz([]) => 0,
            Repr::Ssz(bytes) => offset_at(bytes, 0) / OFFSET,
            Repr::Slices(slices) => slices.len(),
            Repr::Bytes(items) => items.len(),
        }
    }

    /// Returns `true` if the list has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns element `index`, or `None` if the list is not that long.
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        let len = self.len();
        if index >= len {
            return None;
        }
        Some(match self.0 {
            Repr::Ssz(bytes) => {
                let start = offset_at(bytes, index * OFFSET);
                let end = if index + 1 < len {
                    offset_at(bytes, (index + 1) * OFFSET)
                } else {
                    bytes.len()
                };
                &bytes[start..end]
            }
            Repr::Slices(slices) => slices[index],
            Repr::Bytes(items) => &items[index],
        })
    }

    /// Returns the last element.
    pub fn last(&self) -> Option<&'a [u8]> {
        self.len().checked_sub(1).and_then(|index| self.get(index))
    }

    /// Returns the elements in order.
    pub fn iter(self) -> impl ExactSizeIterator<Item = &'a [u8]> + DoubleEndedIterator {
        (0..self.len()).map(move |index| self.get(index).unwrap_or_default())
    }

    /// Bytes of all elements together, without offsets.
    pub fn total_bytes(&self) -> usize {
        match self.0 {
            Repr::Ssz(bytes) => bytes.len() - self.len() * OFFSET,
            Repr::Slices(slices) => slices.iter().map(|slice| slice.len()).sum(),
            Repr::Bytes(items) => items.iter().map(|item| item.len()).sum(),
        }
    }

    /// Bytes of the SSZ encoding.
    pub fn encoded_len(&self) -> usize {
        self.total_bytes() + self.len() * OFFSET
    }
}

impl<'a> From<&'a [&'a [u8]]> for ByteLists<'a> {
    fn from(slices: &'a [&'a [u8]]) -> Self {
        Self(Repr::Slices(slices))
    }
}

impl<'a> From<&'a [Bytes]> for ByteLists<'a> {
    fn from(items: &'a [Bytes]) -> Self {
        Self(Repr::Bytes(items))
    }
}

impl<'a> From<&'a Vec<Bytes>> for ByteLists<'a> {
    fn from(items: &'a Vec<Bytes>) -> Self {
        Self(Repr::Bytes(items))
    }
}

impl PartialEq for ByteLists<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for ByteLists<'_> {}

impl fmt::Debug for ByteLists<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ByteLists({} items, {} bytes)", self.len(), self.total_bytes())
    }
}

/// A list of fixed-size records of `N` bytes each: withdrawals, requests, hashes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Records<'a, const N: usize>(&'a [[u8; N]]);

impl<'a, const N: usize> Records<'a, N> {
    /// The empty list.
    pub const EMPTY: Self = Self(&[]);

    /// Creates a list over existing records.
    pub const fn new(records: &'a [[u8; N]]) -> Self {
        Self(records)
    }

    /// Creates the list of the records in `bytes`; an error if their length is not a multiple of
    /// `N`.
    pub const fn from_bytes(what: &'static str, bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let (records, rest) = bytes.as_chunks::<N>();
        if !rest.is_empty() {
            return Err(DecodeError::PartialRecord { what, got: bytes.len(), record: N });
        }
        Ok(Self(records))
    }

    /// Number of records.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns `true` if the list has no records.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the records in order.
    pub fn iter(self) -> impl ExactSizeIterator<Item = &'a [u8; N]> {
        self.0.iter()
    }

    /// Returns the bytes of all records.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0.as_flattened()
    }
}

impl<const N: usize> fmt::Debug for Records<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Records({} of {N} bytes)", self.len())
    }
}
