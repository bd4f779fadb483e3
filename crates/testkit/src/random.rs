//! Numbers that look random and are the same in every run.

use alloy_primitives::B256;
use core::ops::Range;

/// Reproducible choices (SplitMix64): small, seeded, the same on every machine.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Choices that follow from a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Choices that follow from the first eight bytes of a hash.
    pub fn from_hash(hash: &B256) -> Self {
        let [seed, ..] = hash.as_chunks().0 else { unreachable!("a hash has 32 bytes") };
        Self(u64::from_le_bytes(*seed))
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; zero if that is zero.
    pub const fn below(&mut self, bound: u64) -> u64 {
        let next = self.next();
        if bound == 0 { 0 } else { next % bound }
    }

    /// An index into something of a length; zero if that is zero.
    pub const fn index(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    /// A number of a range; its start if the range is empty.
    pub fn in_range(&mut self, range: Range<usize>) -> usize {
        range.start + self.index(range.len())
    }

    /// `true` once in `n` times.
    pub const fn one_in(&mut self, n: usize) -> bool {
        self.index(n) == 0
    }

    /// Returns one of the items.
    ///
    /// # Panics
    ///
    /// If there are none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.index(items.len())]
    }

    /// A byte.
    pub const fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    /// A byte that is not zero: a mask that flips at least one bit.
    pub const fn mask(&mut self) -> u8 {
        (self.next() % 255) as u8 + 1
    }

    /// Bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.byte()).collect()
    }

    /// Flips one bit of one byte, if there is one.
    pub fn flip(&mut self, bytes: &mut [u8]) {
        let at = self.index(bytes.len());
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << self.below(8);
        }
    }

    /// All indices below `length` if these are at most `most`; else `most` of them, evenly spread,
    /// each chosen within its stretch.
    pub fn sample(&mut self, length: usize, most: usize) -> Vec<usize> {
        if length <= most {
            return (0..length).collect();
        }
        let stretch = |part: usize| part * length / most..(part + 1) * length / most;
        (0..most).map(|part| self.in_range(stretch(part))).collect()
    }

    /// Puts the items into another order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for index in (1..items.len()).rev() {
            items.swap(index, self.index(index + 1));
        }
    }
}
