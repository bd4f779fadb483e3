//! Encoding of records and values as a sequence of fields.
//!
//! Integers are big-endian; byte strings and lists begin with their length as a `u32`. Lengths are
//! checked against the remaining bytes before anything is allocated, so a corrupted record cannot
//! exhaust memory.

use crate::DiskError;
use alloy_primitives::Bytes;

/// Writes fields.
#[derive(Debug, Default)]
pub struct Writer(
    /// The bytes written so far.
    pub Vec<u8>,
);

impl Writer {
    /// Appends bytes without a length.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Appends one byte.
    pub fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    /// Appends a 64-bit integer.
    pub fn word(&mut self, word: u64) {
        self.raw(&word.to_be_bytes());
    }

    /// Appends the number of bytes or items that follow.
    pub fn length(&mut self, length: usize) {
        // Never saturates in practice, because the limit on the length of a record is lower.
        self.raw(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    }

    /// Appends bytes, prefixed with their length.
    pub fn string(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.raw(bytes);
    }

    /// Appends items, prefixed with their number.
    pub fn list<T>(
        &mut self,
        items: impl IntoIterator<Item = T, IntoIter: ExactSizeIterator>,
        mut put: impl FnMut(&mut Self, T),
    ) {
        let items = items.into_iter();
        self.length(items.len());
        for item in items {
            put(self, item);
        }
    }

    /// Appends a flag for the presence of an item, and the item.
    pub fn option<T>(&mut self, item: Option<T>, put: impl FnOnce(&mut Self, T)) {
        self.byte(u8::from(item.is_some()));
        if let Some(item) = item {
            put(self, item);
        }
    }
}

/// Reader of fields, which it returns as slices of the same bytes.
#[derive(Debug)]
pub struct Reader<'b> {
    what: &'static str,
    bytes: &'b Bytes,
    at: usize,
}

impl<'b> Reader<'b> {
    /// Starts to read; `what` names the bytes in errors.
    pub const fn new(what: &'static str, bytes: &'b Bytes) -> Self {
        Self { what, bytes, at: 0 }
    }

    fn error(&self, reason: &str) -> DiskError {
        let (at, length) = (self.at, self.bytes.len());
        DiskError::malformed(self.what, format!("{reason} at byte {at} of {length}"))
    }

    fn take(&mut self, length: usize) -> Result<core::ops::Range<usize>, DiskError> {
        let range = self.at..self.at.saturating_add(length);
        if range.end > self.bytes.len() {
            return Err(self.error("unexpected end"));
        }
        self.at = range.end;
        Ok(range)
    }

    /// Reads `N` raw bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DiskError> {
        let range = self.take(N)?;
        let mut array = [0; N];
        array.copy_from_slice(&self.bytes[range]);
        Ok(array)
    }

    /// Reads one byte.
    pub fn byte(&mut self) -> Result<u8, DiskError> {
        Ok(self.array::<1>()?[0])
    }

    /// Reads a boolean.
    pub fn flag(&mut self) -> Result<bool, DiskError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.error("flag is neither 0 nor 1")),
        }
    }

    /// Reads a 64-bit integer.
    pub fn word(&mut self) -> Result<u64, DiskError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    fn length(&mut self) -> Result<usize, DiskError> {
        Ok(u32::from_be_bytes(self.array()?) as usize)
    }

    /// Reads bytes that are prefixed with their length.
    pub fn string(&mut self) -> Result<Bytes, DiskError> {
        let length = self.length()?;
        let range = self.take(length)?;
        Ok(self.bytes.slice(range))
    }

    /// Reads a list of items, each of at least one byte.
    pub fn list<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, DiskError>,
    ) -> Result<Vec<T>, DiskError> {
        let length = self.length()?;
        if length > self.bytes.len() - self.at {
            return Err(self.error("list has more items than bytes left"));
        }
        // Not preallocated: the list grows as items are read.
        let mut items = Vec::new();
        for _ in 0..length {
            items.push(read(self)?);
        }
        Ok(items)
    }

    /// Reads an optional item.
    pub fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, DiskError>,
    ) -> Result<Option<T>, DiskError> {
        if self.flag()? { read(self).map(Some) } else { Ok(None) }
    }

    /// Returns `true` if no bytes are left.
    pub(crate) fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// Checks that no bytes are left over.
    pub fn end(self) -> Result<(), DiskError> {
        if self.is_at_end() { Ok(()) } else { Err(self.error("trailing bytes")) }
    }
}
