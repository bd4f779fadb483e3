//! Index of logs: the bloom filters of canonical blocks, by bit.
//!
//! A section has the bloom filters of [`SECTION`] successive blocks as a matrix with a row for each
//! bit. An address or topic sets three bits, so three rows contain the blocks that may have a log
//! with it, without reading thousands of blocks.

use crate::store::StoreError;
use alloy_primitives::{B256, Bloom, BloomInput};
use core::fmt;

/// Number of blocks in a section.
pub const SECTION: u64 = 4_096;
/// Length of a row in bytes: one bit for each block.
pub const ROW: usize = SECTION as usize / 8;
/// Number of rows: the bits of a bloom filter.
const ROWS: usize = 2_048;

/// One bit of the bloom filters of a section's blocks. The first block is the lowest bit of the
/// first byte.
pub type BloomRow = [u8; ROW];

/// Storage of the index, which can be rebuilt from the blocks at any time.
pub trait LogIndex: fmt::Debug + Send + Sync {
    /// Returns rows of a section; `None` if it was not [written](Self::write), is corrupted, or had
    /// another block than `last` as its last one.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot read.
    fn read(
        &self,
        section: u64,
        last: &B256,
        bits: &[u16],
    ) -> Result<Option<Vec<BloomRow>>, StoreError>;

    /// Stores a section whose last block has the hash `last`, replacing an older one. If the write
    /// fails, the store logs the error, and the section is not readable: a full disk must not make
    /// queries fail.
    fn write(&self, section: u64, last: &B256, blooms: &BloomSection);
}

/// The bloom filters of a section's blocks.
#[derive(Debug)]
pub struct BloomSection(Vec<BloomRow>);

impl Default for BloomSection {
    fn default() -> Self {
        Self(vec![[0; ROW]; ROWS])
    }
}

impl BloomSection {
    /// Adds the bloom filter of the block at this position of the section.
    ///
    /// # Panics
    ///
    /// If the position is not below [`SECTION`].
    pub fn insert(&mut self, position: usize, bloom: &Bloom) {
        for bit in bits_of(bloom) {
            self.0[usize::from(bit)][position / 8] |= 1 << (position % 8);
        }
    }

    /// Returns a row.
    ///
    /// # Panics
    ///
    /// If the bit is not below 2,048.
    pub fn row(&self, bit: u16) -> &BloomRow {
        &self.0[usize::from(bit)]
    }

    /// Returns the rows in which a bit is set, by the bit of the bloom filters.
    pub fn rows(&self) -> impl Iterator<Item = (u16, &BloomRow)> {
        (0..).zip(&self.0).filter(|(_, row)| row.iter().any(|byte| *byte != 0))
    }
}

/// A condition on the bloom filter of a block: it contains an item of each group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BloomQuery(Vec<Vec<Vec<u16>>>);

impl BloomQuery {
    /// Creates a query from groups of addresses or topics. An empty group matches every block.
    pub fn new<'i>(groups: impl IntoIterator<Item = Vec<&'i [u8]>>) -> Self {
        let bits = |item| {
            let mut bloom = Bloom::ZERO;
            bloom.accrue(BloomInput::Raw(item));
            bits_of(&bloom).collect()
        };
        let groups = groups.into_iter().filter(|group| !group.is_empty());
        Self(groups.map(|group| group.into_iter().map(bits).collect()).collect())
    }

    /// Returns `true` if every block matches.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the bits of all items, ascending.
    pub fn bits(&self) -> Vec<u16> {
        let mut bits: Vec<_> = self.0.iter().flatten().flatten().copied().collect();
        bits.sort_unstable();
        bits.dedup();
        bits
    }

    /// Returns the blocks that match, as a row. `row` returns the row of one of the
    /// [bits](Self::bits).
    pub fn matches<'r>(&self, row: impl Fn(u16) -> &'r BloomRow) -> BloomRow {
        let mut found = [0xff; ROW];
        for group in &self.0 {
            let mut any = [0; ROW];
            for item in group {
                let mut all = [0xff; ROW];
                for bit in item {
                    all.iter_mut().zip(row(*bit)).for_each(|(all, byte)| *all &= byte);
                }
                any.iter_mut().zip(all).for_each(|(any, byte)| *any |= byte);
            }
            found.iter_mut().zip(any).for_each(|(found, byte)| *found &= byte);
        }
        found
    }
}

/// Returns the positions of the bits that are set in a bloom filter.
fn bits_of(bloom: &Bloom) -> impl Iterator<Item = u16> {
    let is_set = |bit: &u16| bloom.0[usize::from(bit / 8)] >> (bit % 8) & 1 == 1;
    (0..ROWS as u16).filter(is_set)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{Address, keccak256};

    fn item(number: u64) -> B256 {
        keccak256(number.to_be_bytes())
    }

    #[test]
    fn rows_agree_with_bloom_filters() {
        let (mut section, mut blooms) = (BloomSection::default(), Vec::new());
        for position in 0..SECTION {
            let mut bloom = Bloom::ZERO;
            for number in 0..position % 7 {
                bloom.accrue(BloomInput::Raw(item(position % 100 + number).as_slice()));
            }
            section.insert(position as usize, &bloom);
            blooms.push(bloom);
        }
        let has = |bloom: &Bloom, number| bloom.contains_input(BloomInput::Raw(&item(number)[..]));
        let numbers: [&[&[u64]]; 4] = [&[&[3]], &[&[3, 70]], &[&[5], &[6, 90], &[]], &[&[1_000]]];
        for groups in numbers {
            let items: Vec<Vec<_>> = groups
                .iter()
                .map(|group| group.iter().map(|value| item(*value)).collect())
                .collect();
            let query = BloomQuery::new(
                items.iter().map(|group| group.iter().map(|value| value.as_slice()).collect()),
            );
            let found = query.matches(|bit| section.row(bit));
            for (position, bloom) in blooms.iter().enumerate() {
                let expected = groups
                    .iter()
                    .all(|group| group.is_empty() || group.iter().any(|value| has(bloom, *value)));
                assert_eq!(found[position / 8] >> (position % 8) & 1 == 1, expected, "{position}");
            }
        }
        assert!(section.rows().all(|(bit, row)| row == section.row(bit)));
    }

    #[test]
    fn query_without_items_matches_every_block() {
        let query = BloomQuery::new([vec![], vec![]]);
        assert!(query.is_empty() && query.bits().is_empty());
        assert_eq!(query.matches(|_| unreachable!("it has no bits")), [0xff; ROW]);
        let address = Address::repeat_byte(1);
        let query = BloomQuery::new([vec![address.as_slice()]]);
        assert!(!query.is_empty() && (1..=3).contains(&query.bits().len()));
    }
}
