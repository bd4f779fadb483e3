//! The interface between a chain and its storage.

use crate::store::{Block, Changes, LogIndex, StoreError, TransactionLocation};
use alloy_primitives::{Address, B256, BloomInput, Bytes, U256};
use codec::OwnedWitness;
use core::fmt;
use revm::bytecode::Bytecode;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use trie::{NodePath, NodeSource, SourceError};

/// Addresses and their slots, unhashed: a trie contains only the hashes of both.
pub type Preimages = BTreeMap<Address, BTreeSet<U256>>;

/// Storage of a chain.
///
/// Nodes, codes and blocks are looked up by hash, so additions to a store do not affect readers;
/// only the canonical chain changes. The caller ensures that there is one writer at a time.
///
/// # Errors
///
/// [`StoreError`] if the store cannot read or write. No part of a failed
/// [`commit`](Self::commit) may be visible.
pub trait Store: fmt::Debug + Send + Sync {
    /// Returns the trie node at `path` whose Keccak-256 is `hash`.
    fn node(&self, path: NodePath<'_>, hash: &B256) -> Result<Option<Bytes>, StoreError>;

    /// Returns the code with this hash, analysed for execution.
    fn code(&self, hash: &B256) -> Result<Option<Bytecode>, StoreError>;

    /// Returns the block with this hash, canonical or not.
    fn block(&self, hash: &B256) -> Result<Option<Arc<Block>>, StoreError>;

    /// Returns the number of the oldest canonical block, if there is any.
    fn first_number(&self) -> Result<Option<u64>, StoreError>;

    /// Returns the hash of the canonical block with this number.
    fn canonical_hash(&self, number: u64) -> Result<Option<B256>, StoreError>;

    /// Returns the location of a transaction in the canonical chain.
    fn transaction(&self, hash: &B256) -> Result<Option<TransactionLocation>, StoreError>;

    /// Returns the index of logs, if the store has one. Without it, a log query reads every block
    /// of its range.
    fn log_index(&self) -> Option<&dyn LogIndex> {
        None
    }

    /// Visits the blocks whose hashes begin with this byte and whose bloom filters contain `input`,
    /// canonical or not, in no order; a block that is being written may be visited twice. Returns
    /// `false` if the store cannot do this without a look-up for each block.
    fn scan_blocks(
        &self,
        prefix: u8,
        input: BloomInput<'_>,
        visit: &mut dyn FnMut(&Block),
    ) -> Result<bool, StoreError> {
        let _ = (prefix, input, visit);
        Ok(false)
    }

    /// Returns the accounts and slots that locally built blocks and state edits have changed. Those
    /// of imported blocks are not included.
    fn preimages(&self) -> Result<Preimages, StoreError>;

    /// Returns a block's witness, if it was [committed](Changes::witness) and is still stored.
    fn witness(&self, block: &B256) -> Result<Option<OwnedWitness>, StoreError> {
        let _ = block;
        Ok(None)
    }

    /// Returns all trie nodes and codes of every stored state, which are a sufficient witness for
    /// any block on these states.
    fn everything(&self) -> Result<StoredNodes, StoreError>;

    /// Applies `changes` atomically.
    fn commit(&self, changes: Changes) -> Result<(), StoreError>;

    /// Writes pending data to durable storage. Committed data is durable without it; flushed data
    /// need not be recomputed when the store is opened.
    fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Returns a message for the operator if the store was found corrupted, with the cause and how
    /// it is repaired.
    fn report(&self) -> Option<String> {
        None
    }

    /// Returns `true` if enough data has accumulated for a call of [`Self::retain`].
    fn wants_pruning(&self) -> bool {
        false
    }

    /// Deletes the nodes and codes that no state with one of these roots references. No commit may
    /// run at the same time. Does nothing in a store that prunes on its own.
    fn retain(&self, roots: &[B256]) -> Result<(), StoreError> {
        let _ = roots;
        Ok(())
    }
}

/// Nodes and codes of many states.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredNodes {
    /// RLP of the trie nodes.
    pub nodes: Vec<Bytes>,
    /// The codes.
    pub codes: Vec<Bytes>,
}

impl NodeSource for dyn Store + '_ {
    type Bytes = Bytes;

    fn node(&self, path: NodePath<'_>, hash: &B256) -> Result<Option<Bytes>, SourceError> {
        Ok(Self::node(self, path, hash)?)
    }
}
