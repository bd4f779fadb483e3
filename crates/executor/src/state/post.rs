//! Root of the state after a block, computed from its changes.

use super::{BlockState, Node, StateSource};
use crate::{ReadError, StateError};
use alloc::vec::Vec;
use alloy_primitives::B256;
use alloy_trie::TrieAccount;
use revm::bytecode::Bytecode;
use trie::{NewNode, Trie, hash_tries};

/// Root and codes of the state after a block.
#[derive(Debug)]
pub struct PostState {
    /// Root of the account trie.
    pub root: B256,
    /// Codes that the block created, by hash.
    pub codes: Vec<(B256, Bytecode)>,
}

impl<S: StateSource> BlockState<'_, S> {
    /// Applies all changes to the tries and computes the state root.
    ///
    /// `sink` receives each new trie node, to be stored in a database. Storage is written before
    /// accounts, because an account contains its storage root. In each trie, removals come last, so
    /// that only siblings are read that a minimal witness contains.
    pub fn into_post_state(
        mut self,
        mut sink: impl FnMut(NewNode<'_>),
    ) -> Result<PostState, ReadError> {
        for (hash, node) in core::mem::take(&mut self.hashed_nodes) {
            sink((hash, &node));
        }
        let root = self.hash(&mut sink)?;
        Ok(PostState { root, codes: self.created_codes.into_iter().collect() })
    }

    /// Returns the current state root in the middle of a block, which receipts contain before
    /// Byzantium.
    pub(crate) fn root_so_far(&mut self) -> Result<B256, ReadError> {
        let mut hashed = core::mem::take(&mut self.hashed_nodes);
        let root = self.hash(&mut |(hash, node)| hashed.push((hash, node.to_vec())))?;
        self.hashed_nodes = hashed;
        for account in &mut self.accounts {
            account.settle();
        }
        Ok(root)
    }

    fn hash(&mut self, sink: &mut impl FnMut(NewNode<'_>)) -> Result<B256, ReadError> {
        // A state with a failed read has unknown values, and therefore no root.
        if let Some(failure) = self.failure() {
            return Err(failure.clone());
        }
        let nodes = self.source.nodes();
        // With a fork backend, record even the removal of an account, or its next read would reach
        // the backend.
        let continues = self.source.fork_backend().is_some();
        for account in &mut self.accounts {
            account.write_slots(nodes, continues)?;
        }
        // All storage tries are hashed together, so that the lanes of the hash function are filled
        // across accounts.
        let mut storage: Vec<&mut Trie<Node<S>>> =
            self.accounts.iter_mut().map(|account| &mut account.trie).collect();
        hash_tries(&mut storage, &mut *sink);

        let mut encoded = Vec::with_capacity(128);
        let mut removed = Vec::new();
        for account in &self.accounts {
            let storage_root = account.trie.root().unwrap_or_default();
            let mut after = account.after(storage_root);
            // A removed account is stored as an empty one, so that it is not read from the backend
            // again.
            if continues && after.is_none() && (account.adopted || account.before.is_some()) {
                after = Some(TrieAccount::default());
            }
            if after == account.before {
                continue;
            }
            let Some(after) = after else {
                removed.push(account);
                continue;
            };
            encoded.clear();
            alloy_rlp::Encodable::encode(&after, &mut encoded);
            let address = account.address;
            self.trie.insert(nodes, &account.place(), &encoded).map_err(|error| {
                ReadError::of_trie(error, |source| StateError::Account { address, source })
            })?;
        }
        for account in removed {
            let address = account.address;
            self.trie.remove(nodes, &account.place()).map_err(|error| {
                ReadError::of_trie(error, |source| StateError::Account { address, source })
            })?;
        }
        hash_tries(&mut [&mut self.trie], sink);
        Ok(self.trie.root().unwrap_or_default())
    }
}
