//! Hashes of the ancestors that a block under execution accesses.

use crate::store::{Store, StoreError};
use alloy_consensus::Header;
use alloy_primitives::B256;
use alloy_rlp::Encodable as _;
use parking_lot::Mutex;
use std::collections::VecDeque;

/// Length of the offset of an item in an SSZ list, in bytes.
pub const LIST_OFFSET: usize = 4;
/// Number of ancestors that are kept: as many as BLOCKHASH can access in one block.
const WINDOW: usize = 256;

/// An ancestor of a block under execution.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ancestor {
    pub(crate) number: u64,
    pub(crate) hash: B256,
    /// Length of the headers from this one up to the parent's, without the latter, as items of an
    /// SSZ list, in bytes.
    pub(crate) header_bytes: usize,
}

/// The ancestors of a child of one block, read from the store when they are first accessed.
///
/// BLOCKHASH costs 20 gas, so a transaction must not be able to make it read the store each time.
#[derive(Debug, Default)]
pub(crate) struct Ancestors(Mutex<Walk>);

/// A walk from the parent along its own branch.
#[derive(Debug, Default)]
struct Walk {
    /// The last ancestors that were read, in descending order of their numbers.
    known: VecDeque<Ancestor>,
    /// Hash of the next ancestor; `None` if the store does not have it.
    next: Option<B256>,
}

impl Ancestors {
    /// Returns the ancestor with this number of a child of `parent`, which must be the same block
    /// in all calls.
    pub(crate) fn get(
        &self,
        store: &dyn Store,
        parent: &Header,
        number: u64,
    ) -> Result<Option<Ancestor>, StoreError> {
        if number > parent.number {
            return Ok(None);
        }
        let mut walk = self.0.lock();
        // A call with another block number can access ancestors beyond the window.
        if walk.known.front().is_none_or(|newest| newest.number < number) {
            *walk = Walk::from(parent);
        }
        while walk.known.back().is_some_and(|oldest| oldest.number > number) {
            if !walk.step(store)? {
                return Ok(None);
            }
        }
        let found = walk.known.binary_search_by(|ancestor| number.cmp(&ancestor.number));
        Ok(found.ok().and_then(|at| walk.known.get(at)).copied())
    }
}

impl Walk {
    fn from(parent: &Header) -> Self {
        let first = Ancestor { number: parent.number, hash: parent.hash_slow(), header_bytes: 0 };
        Self { known: [first].into(), next: Some(parent.parent_hash) }
    }

    /// Reads the next ancestor. Returns `false` if the store does not have it.
    fn step(&mut self, store: &dyn Store) -> Result<bool, StoreError> {
        let Some(hash) = self.next else { return Ok(false) };
        let Some(block) = store.block(&hash)? else {
            self.next = None;
            return Ok(false);
        };
        let after = self.known.back().map_or(0, |newer| newer.header_bytes);
        let header_bytes = after + block.header.length() + LIST_OFFSET;
        if self.known.len() == WINDOW {
            self.known.pop_front();
        }
        self.known.push_back(Ancestor { number: block.header.number, hash, header_bytes });
        self.next = Some(block.header.parent_hash);
        Ok(true)
    }
}
