//! Filling an empty store with the state of a block.

use crate::{DiskError, DiskStore, repair::SNAPSHOT, state::node_key, value::node_value};
use alloy_primitives::{B256, Bytes};
use chain::store::StoreError;
use std::fs::{self, File};
use trie::{Nibbles, NodePath};

/// A trie node and its position.
#[derive(Debug, Clone)]
pub struct PlacedNode {
    /// Keccak-256 of the address whose storage trie it is in; `None` for the account trie.
    pub owner: Option<B256>,
    /// Nibbles from the root of that trie to the node.
    pub path: Nibbles,
    /// Keccak-256 of the node.
    pub hash: B256,
    /// RLP of the node.
    pub node: Bytes,
}

impl DiskStore {
    /// Marks an empty store as the start of a chain from a snapshot, because its log will not
    /// contain the initial state.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store has a chain, or if the mark cannot be written.
    pub fn begin_restore(&self) -> Result<(), StoreError> {
        let begin = || {
            self.check_empty()?;
            let path = self.folder().join(SNAPSHOT);
            let fault = || DiskError::io("write", &path);
            fs::write(&path, []).map_err(fault())?;
            File::open(self.folder()).and_then(|folder| folder.sync_all()).map_err(fault())
        };
        begin().map_err(|error| error.during("begin to restore a state"))
    }

    /// Adds nodes and codes of the state of the first block, which has this number. The caller has
    /// verified them.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store has a chain, or if the data cannot be written.
    pub fn restore(
        &self,
        number: u64,
        nodes: &[PlacedNode],
        codes: &[(B256, Bytes)],
    ) -> Result<(), StoreError> {
        let add = || {
            self.check_empty()?;
            let state = self.state();
            let mut batch = state.batch();
            for PlacedNode { owner, path, hash, node } in nodes {
                let place = NodePath { owner: owner.as_ref(), nibbles: path };
                batch.insert(&state.nodes, node_key(place, hash), node_value(number, node));
            }
            for (hash, code) in codes {
                batch.insert(&state.codes, hash.as_slice(), &code[..]);
            }
            state.commit(batch)
        };
        add().map_err(|error| error.during("restore a state"))
    }
}
