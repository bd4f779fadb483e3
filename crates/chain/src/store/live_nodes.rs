//! Trie nodes and codes that a set of states references.

use crate::store::{Visitor, walk};
use alloy_primitives::{
    B256, Bytes,
    map::{B256Map, B256Set},
};
use alloy_rlp::Decodable;
use alloy_trie::TrieAccount;
use trie::{Nibbles, NodePath, NodeSource, SourceError, TrieError};

/// Hashes of the nodes and codes that are reachable from some state roots.
#[derive(Debug, Default)]
pub(crate) struct LiveNodes {
    pub(crate) nodes: B256Set,
    pub(crate) codes: B256Set,
    /// Storage tries still to be walked: owner and root.
    storage: Vec<(B256, B256)>,
}

/// Nodes by hash.
struct Nodes<'n>(&'n B256Map<Bytes>);

impl NodeSource for Nodes<'_> {
    type Bytes = Bytes;

    fn node(&self, _: NodePath<'_>, hash: &B256) -> Result<Option<Bytes>, SourceError> {
        Ok(self.0.get(hash).cloned())
    }
}

impl LiveNodes {
    /// Collects the nodes and codes reachable from these state roots. A node that is not in `nodes`
    /// is held by the store below this one or by another chain, and is skipped.
    pub(crate) fn from(roots: &[B256], nodes: &B256Map<Bytes>) -> Self {
        let mut reachable = Self::default();
        let source = Nodes(nodes);
        for root in roots {
            // The walk cannot fail, because the store contains only nodes that this process encoded
            // or checked on import.
            let walked = walk(&source, None, *root, &mut Accounts(&mut reachable));
            debug_assert!(walked.is_ok(), "{walked:?}");
        }
        while let Some((owner, root)) = reachable.storage.pop() {
            let walked = walk(&source, Some(&owner), root, &mut Slots(&mut reachable));
            debug_assert!(walked.is_ok(), "{walked:?}");
        }
        reachable
    }
}

struct Accounts<'r>(&'r mut LiveNodes);

impl Visitor<Bytes> for Accounts<'_> {
    fn node(&mut self, hash: &B256, _: &Bytes) -> bool {
        self.0.nodes.insert(*hash)
    }

    fn value(&mut self, key: &B256, mut value: &[u8]) {
        if let Ok(account) = TrieAccount::decode(&mut value) {
            self.0.codes.insert(account.code_hash);
            self.0.storage.push((*key, account.storage_root));
        }
    }

    fn missing(&mut self, _: Nibbles, _: B256) -> Result<(), TrieError> {
        Ok(())
    }
}

struct Slots<'r>(&'r mut LiveNodes);

impl Visitor<Bytes> for Slots<'_> {
    fn node(&mut self, hash: &B256, _: &Bytes) -> bool {
        self.0.nodes.insert(*hash)
    }

    fn value(&mut self, _: &B256, _: &[u8]) {}

    fn missing(&mut self, _: Nibbles, _: B256) -> Result<(), TrieError> {
        Ok(())
    }
}
