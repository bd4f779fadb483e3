//! Reproducible choices.

use core::ops::Range;

/// SplitMix64: small, seeded, the same everywhere.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not zero.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        assert!(end > 0, "there is nothing to choose from");
        (self.next() % end as u64) as usize
    }

    pub(crate) fn in_range(&mut self, range: Range<usize>) -> usize {
        range.start + self.below(range.len())
    }

    /// True once in `n` times.
    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// A byte that is not zero: a mask that flips something.
    pub(crate) const fn mask(&mut self) -> u8 {
        (self.next() % 255) as u8 + 1
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }

    /// All indices below `len` if these are at most `most`; else `most` of them, evenly spread, each
    /// chosen at random within its stretch.
    pub(crate) fn sample(&mut self, len: usize, most: usize) -> Vec<usize> {
        if len <= most {
            return (0..len).collect();
        }
        (0..most).map(|part| self.in_range(part * len / most..(part + 1) * len / most)).collect()
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for index in (1..items.len()).rev() {
            items.swap(index, self.below(index + 1));
        }
    }
}
