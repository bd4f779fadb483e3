//! Extraction of one block's state from a store with the states of many blocks.

use crate::ForgeError;
use alloy_primitives::{B256, Bytes, KECCAK256_EMPTY};
use alloy_trie::TrieAccount;
use chain::ChainError;
use chain::store::{Store, Visitor, walk};
use std::collections::BTreeMap;
use trie::TrieError;

/// The nodes and codes of a state, ordered by hash.
#[derive(Debug, Default)]
pub(super) struct WholeState {
    nodes: BTreeMap<B256, Bytes>,
    codes: BTreeMap<B256, Bytes>,
    /// Values of the trie that is being walked, by key.
    values: Vec<(B256, Vec<u8>)>,
}

impl WholeState {
    /// Collects the state with this root; `None` if the store lacks a part of it, or if a part is
    /// corrupted.
    pub(super) fn collect(store: &dyn Store, root: B256) -> Result<Option<Self>, ForgeError> {
        let mut whole = Self::default();
        if !whole.walk(store, None, root)? {
            return Ok(None);
        }
        for (owner, account) in std::mem::take(&mut whole.values) {
            let Ok(account) = alloy_rlp::decode_exact::<TrieAccount>(&account) else {
                return Ok(None);
            };
            if !whole.walk(store, Some(&owner), account.storage_root)? {
                return Ok(None);
            }
            if account.code_hash != KECCAK256_EMPTY {
                let Some(code) = store.code(&account.code_hash)? else { return Ok(None) };
                whole.codes.insert(account.code_hash, code.original_bytes());
            }
        }
        Ok(Some(whole))
    }

    pub(super) fn into_parts(self) -> (Vec<Bytes>, Vec<Bytes>) {
        (self.nodes.into_values().collect(), self.codes.into_values().collect())
    }

    /// Collects the nodes of a trie, and returns `true` if all were present.
    fn walk(
        &mut self,
        store: &dyn Store,
        owner: Option<&B256>,
        root: B256,
    ) -> Result<bool, ForgeError> {
        self.values.clear();
        match walk(store, owner, root, self) {
            Ok(()) => Ok(true),
            Err(TrieError::Source(error)) => Err(ChainError::from(error).into()),
            Err(_) => Ok(false),
        }
    }
}

impl Visitor<Bytes> for WholeState {
    fn node(&mut self, hash: &B256, node: &Bytes) -> bool {
        self.nodes.insert(*hash, node.clone());
        true
    }

    fn value(&mut self, key: &B256, value: &[u8]) {
        self.values.push((*key, value.to_vec()));
    }
}
