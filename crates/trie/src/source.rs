//! Sources of trie nodes.

use crate::{NodeBytes, SourceError};
use alloc::{sync::Arc, vec::Vec};
use alloy_primitives::B256;
use hashbrown::HashTable;
use nybbles::Nibbles;

/// Position of a node, for stores that index nodes by path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodePath<'p> {
    /// Keccak-256 of the address whose storage trie it is in; `None` for the account trie.
    pub owner: Option<&'p B256>,
    /// Nibbles from the root of that trie to the node.
    pub nibbles: &'p Nibbles,
}

/// A source of nodes by hash and position.
pub trait NodeSource {
    /// Type in which the source returns a node.
    type Bytes: NodeBytes;

    /// Returns the node at `path` whose Keccak-256 is `hash`, or `None` if the source does not have
    /// it.
    ///
    /// The trie trusts the source for the hash and does not compute it again.
    ///
    /// # Errors
    ///
    /// [`SourceError`] if the source cannot be read.
    fn node(&self, path: NodePath<'_>, hash: &B256) -> Result<Option<Self::Bytes>, SourceError>;
}

impl<S: NodeSource + ?Sized> NodeSource for &S {
    type Bytes = S::Bytes;

    fn node(&self, path: NodePath<'_>, hash: &B256) -> Result<Option<Self::Bytes>, SourceError> {
        (**self).node(path, hash)
    }
}

/// An index from hashes to positions, over digests that were computed elsewhere.
///
/// The table is keyed with a random number from the operating system, if there is one. An attacker
/// can choose some bits of the hashes by trial, but without the key cannot make them collide in one
/// bucket. The key does not affect the results.
///
/// Digests are not copied into one list, because a malicious input can contain millions of nodes of
/// a few bytes each.
#[derive(Debug)]
pub struct NodeIndex {
    digests: Parts,
    positions: HashTable<u32>,
    key: u64,
}

/// Digests in parts of equal length, a power of two, except for the last one: each comparison
/// divides a position by this length.
#[derive(Debug)]
struct Parts {
    parts: Vec<Arc<[B256]>>,
    /// Logarithm of that length.
    shift: u32,
}

impl Parts {
    fn get(&self, position: u32) -> &B256 {
        let (position, mask) = (position as usize, (1 << self.shift) - 1);
        &self.parts[position >> self.shift][position & mask]
    }
}

impl NodeIndex {
    /// Indexes digests by their position. Of equal digests, the first one is found.
    ///
    /// All parts except the last must have the same length, a power of two. Without an operating
    /// system the key is fixed, and hostile digests take quadratic time.
    pub fn new(parts: Vec<Arc<[B256]>>) -> Self {
        #[cfg(feature = "std")]
        let key = core::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0_u8);
        #[cfg(not(feature = "std"))]
        let key = 0;
        let shift = parts.first().map_or(1, |part| part.len()).next_power_of_two().trailing_zeros();
        debug_assert!(parts.iter().rev().skip(1).all(|part| part.len() == 1 << shift));
        let count = parts.iter().map(|part| part.len()).sum();
        let digests = Parts { parts, shift };
        // Sized by the number of existing digests, not by a declared number.
        let mut positions = HashTable::with_capacity(count);
        for (position, digest) in (0_u32..).zip(digests.parts.iter().flat_map(|part| &**part)) {
            let entry = positions.entry(
                bucket(key, digest),
                |other: &u32| digests.get(*other) == digest,
                |other: &u32| bucket(key, digests.get(*other)),
            );
            entry.or_insert(position);
        }
        Self { digests, positions, key }
    }

    /// Returns the position of the digest equal to `hash`.
    pub fn position(&self, hash: &B256) -> Option<usize> {
        self.positions
            .find(bucket(self.key, hash), |position| self.digests.get(*position) == hash)
            .map(|position| *position as usize)
    }

    /// Returns the digest at a position.
    pub fn digest(&self, position: usize) -> Option<&B256> {
        let Parts { parts, shift } = &self.digests;
        parts.get(position >> shift)?.get(position & ((1 << shift) - 1))
    }

    /// Returns the digests in their order.
    pub fn digests(&self) -> impl Iterator<Item = &B256> {
        self.digests.parts.iter().flat_map(|part| &**part)
    }
}

/// Returns the keyed bucket number: the digest's first eight bytes, mixed by a folded
/// multiplication.
fn bucket(key: u64, digest: &B256) -> u64 {
    let prefix = digest.0.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    // The prefix alone would suffice for honest digests. The key makes bucket numbers unpredictable
    // to an attacker who chooses digests.
    let product = u128::from(prefix ^ key) * u128::from(0x9e37_79b9_7f4a_7c15_u64 ^ (key << 1));
    #[allow(clippy::cast_possible_truncation, reason = "folding the halves is the point")]
    let folded = (product as u64) ^ ((product >> 64) as u64);
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_of_similar_digests_differ_in_all_bits() {
        for key in [0, 1, 0x0123_4567_89ab_cdef, u64::MAX] {
            for shift in (0..=56).step_by(8) {
                let mut ones = [0; 64];
                for number in 0..256_u64 {
                    let mut digest = B256::ZERO;
                    digest[..8].copy_from_slice(&(number << shift).to_le_bytes());
                    let bucket = bucket(key, &digest);
                    for (bit, ones) in ones.iter_mut().enumerate() {
                        *ones += bucket >> bit & 1;
                    }
                }
                for (bit, ones) in ones.into_iter().enumerate() {
                    assert!((64..=192).contains(&ones), "{ones} of 256, bit {bit}, key {key:#x}");
                }
            }
        }
    }
}
