//! Pseudorandom numbers that are the same in every run.

use alloy_primitives::B256;
use core::ops::Range;

/// Seeded pseudorandom generator (SplitMix64) with the same results on every machine.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Creates a generator with this seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Creates a generator seeded with the first eight bytes of a hash.
    pub fn from_hash(hash: &B256) -> Self {
        let [seed, ..] = hash.as_chunks().0 else { unreachable!("a hash has 32 bytes") };
        Self(u64::from_le_bytes(*seed))
    }

    /// Returns the next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number below `bound`, or zero if `bound` is zero.
    pub const fn below(&mut self, bound: u64) -> u64 {
        let next = self.next();
        if bound == 0 { 0 } else { next % bound }
    }

    /// Returns an index below `length`, or zero if `length` is zero.
    pub const fn index(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    /// Returns a number in a range, or its start if the range is empty.
    pub fn in_range(&mut self, range: Range<usize>) -> usize {
        range.start + self.index(range.len())
    }

    /// Returns `true` with probability 1/`n`.
    pub const fn one_in(&mut self, n: usize) -> bool {
        self.index(n) == 0
    }

    /// Returns one of the items.
    ///
    /// # Panics
    ///
    /// If there are no items.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.index(items.len())]
    }

    /// Returns a byte.
    pub const fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    /// Returns a nonzero byte, i.e. a mask that flips at least one bit.
    pub const fn mask(&mut self) -> u8 {
        (self.next() % 255) as u8 + 1
    }

    /// Returns `length` bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.byte()).collect()
    }

    /// Flips one bit, unless there are no bytes.
    pub fn flip(&mut self, bytes: &mut [u8]) {
        let at = self.index(bytes.len());
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << self.below(8);
        }
    }

    /// Returns all indices below `length` if there are at most `maximum`. Otherwise returns `maximum` of
    /// them, one from each of `maximum` ranges of equal length.
    pub fn sample(&mut self, length: usize, maximum: usize) -> Vec<usize> {
        if length <= maximum {
            return (0..length).collect();
        }
        let stretch = |part: usize| part * length / maximum..(part + 1) * length / maximum;
        (0..maximum).map(|part| self.in_range(stretch(part))).collect()
    }

    /// Shuffles the items (Fisher–Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for index in (1..items.len()).rev() {
            items.swap(index, self.index(index + 1));
        }
    }
}
