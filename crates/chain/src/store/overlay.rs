//! A store on top of another one.

use crate::store::{
    Block, Changes, MemoryStore, Preimages, Store, StoreError, StoredNodes, TransactionLocation,
};
use alloy_primitives::{B256, Bytes};
use codec::OwnedWitness;
use revm::bytecode::Bytecode;
use std::sync::Arc;
use trie::NodePath;

/// A store in memory that falls back to another store for reads and never writes to it, for pending
/// blocks and simulations.
#[derive(Debug)]
pub struct Overlay {
    below: Arc<dyn Store>,
    own: MemoryStore,
}

impl Overlay {
    /// Creates an overlay without additions on top of another store.
    pub fn new(below: Arc<dyn Store>) -> Self {
        Self { below, own: MemoryStore::default() }
    }

    /// Returns the number from which the overlay determines the canonical blocks, if it has any of
    /// its own.
    fn own_from(&self) -> Option<u64> {
        self.own.canonical_from()
    }
}

impl Store for Overlay {
    fn node(&self, path: NodePath<'_>, hash: &B256) -> Result<Option<Bytes>, StoreError> {
        match self.own.node(path, hash)? {
            None => self.below.node(path, hash),
            found => Ok(found),
        }
    }

    fn code(&self, hash: &B256) -> Result<Option<Bytecode>, StoreError> {
        match self.own.code(hash)? {
            None => self.below.code(hash),
            found => Ok(found),
        }
    }

    fn block(&self, hash: &B256) -> Result<Option<Arc<Block>>, StoreError> {
        match self.own.block(hash)? {
            None => self.below.block(hash),
            found => Ok(found),
        }
    }

    fn first_number(&self) -> Result<Option<u64>, StoreError> {
        let (own, below) = (self.own.first_number()?, self.below.first_number()?);
        Ok(match (own, below) {
            (Some(own), Some(below)) => Some(own.min(below)),
            (own, below) => own.or(below),
        })
    }

    fn canonical_hash(&self, number: u64) -> Result<Option<B256>, StoreError> {
        match self.own_from() {
            Some(from) if number >= from => self.own.canonical_hash(number),
            _ => self.below.canonical_hash(number),
        }
    }

    fn transaction(&self, hash: &B256) -> Result<Option<TransactionLocation>, StoreError> {
        if let Some(own) = self.own.transaction(hash)? {
            return Ok(Some(own));
        }
        let Some(location) = self.below.transaction(hash)? else { return Ok(None) };
        // The location is invalid if the overlay has replaced the block or dropped its body.
        let from = self.own_from();
        let block = self.block(&location.block)?.filter(|block| {
            from.is_none_or(|from| block.header.number < from)
                && location.index < block.transactions.len()
        });
        Ok(block.map(|_| location))
    }

    fn preimages(&self) -> Result<Preimages, StoreError> {
        let mut preimages = self.below.preimages()?;
        for (address, slots) in self.own.preimages()? {
            preimages.entry(address).or_default().extend(slots);
        }
        Ok(preimages)
    }

    fn witness(&self, block: &B256) -> Result<Option<OwnedWitness>, StoreError> {
        self.below.witness(block)
    }

    fn everything(&self) -> Result<StoredNodes, StoreError> {
        let mut all = self.below.everything()?;
        let own = self.own.everything()?;
        all.nodes.extend(own.nodes);
        all.codes.extend(own.codes);
        Ok(all)
    }

    fn commit(&self, changes: Changes) -> Result<(), StoreError> {
        if let Some(change) = &changes.canonical
            && self.own_from().is_none_or(|from| change.from < from)
            && self.below.first_number()?.is_some_and(|first| first < change.from)
            && self.below.canonical_hash(change.from - 1)?.is_none()
        {
            return Err(StoreError::gap());
        }
        self.own.commit(changes)
    }
}
