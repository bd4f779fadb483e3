//! The interface between a chain and its storage.

use crate::{Block, Changes, StoreError, TransactionLocation};
use alloy_primitives::{Address, B256, Bytes, U256};
use codec::OwnedWitness;
use core::fmt;
use revm::bytecode::Bytecode;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use trie::{NodePath, NodeSource, SourceError};

/// Accounts and their slots by name: a trie knows only hashes of both.
pub type Preimages = BTreeMap<Address, BTreeSet<U256>>;

/// Storage of a chain.
///
/// Nodes, codes and blocks are found by hash, so additions to a store do not affect readers; only
/// the canonical chain moves. The caller ensures that there is one writer at a time.
///
/// # Errors
///
/// [`StoreError`] if the store cannot tell or cannot keep; of a [`commit`](Self::commit) that
/// failed, nothing may be visible.
pub trait Store: fmt::Debug + Send + Sync {
    /// The trie node at `path` whose Keccak-256 is `hash`.
    fn node(&self, path: NodePath<'_>, hash: &B256) -> Result<Option<Bytes>, StoreError>;

    /// The code with this hash, ready to run.
    fn code(&self, hash: &B256) -> Result<Option<Bytecode>, StoreError>;

    /// The block with this hash, canonical or not.
    fn block(&self, hash: &B256) -> Result<Option<Arc<Block>>, StoreError>;

    /// Number of the oldest canonical block, if there is any.
    fn first_number(&self) -> Result<Option<u64>, StoreError>;

    /// Hash of the canonical block with this number.
    fn canonical_hash(&self, number: u64) -> Result<Option<B256>, StoreError>;

    /// Returns the location of a transaction in the canonical chain.
    fn transaction(&self, hash: &B256) -> Result<Option<TransactionLocation>, StoreError>;

    /// Accounts and slots that any block built here, or any edit, has changed. Those of imported
    /// blocks are not among them.
    fn preimages(&self) -> Result<Preimages, StoreError>;

    /// Returns the witness of a block, if it was [passed](Changes::witness) and is kept.
    fn witness(&self, block: &B256) -> Result<Option<OwnedWitness>, StoreError> {
        let _ = block;
        Ok(None)
    }

    /// All trie nodes and codes, of every state that is kept: the witness that is never too small.
    fn everything(&self) -> Result<StoredNodes, StoreError>;

    /// Keeps all of `changes`, or nothing of them.
    fn commit(&self, changes: Changes) -> Result<(), StoreError>;

    /// Writes pending data to durable storage. Committed data is durable without it; flushed data
    /// need not be recomputed when the store is opened.
    fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Report for the operator: damage of the store that was found and its repair, if there was
    /// any.
    fn report(&self) -> Option<String> {
        None
    }

    /// Returns `true` if enough data has accumulated for [`Self::retain`] to be worth its time.
    fn wants_pruning(&self) -> bool {
        false
    }

    /// Deletes the nodes and codes that none of the states with these roots needs. No commit may
    /// run meanwhile. A store that prunes by itself does nothing here.
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
