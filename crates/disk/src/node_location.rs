//! Locations of the nodes of a commit.
//!
//! A commit lists its nodes by hash. The new nodes of a state are the upper part of its tries, so a
//! walk from the root through new nodes only visits each of them at its location.

use crate::DiskError;
use alloy_primitives::{B256, Bytes, map::B256Map};
use alloy_rlp::Decodable;
use alloy_trie::TrieAccount;
use chain::store::{Changes, Visitor, walk};
use core::cell::RefCell;
use trie::{Nibbles, NodePath, NodeSource, SourceError, Trie, TrieError};

/// A node with its location.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    pub(crate) owner: Option<B256>,
    pub(crate) path: Nibbles,
    pub(crate) hash: B256,
    pub(crate) node: Bytes,
}

impl Placed {
    pub(crate) const fn place(&self) -> NodePath<'_> {
        NodePath { owner: self.owner.as_ref(), nibbles: &self.path }
    }
}

/// New nodes by hash, with the number of times each was passed in: a trie emits each of its nodes
/// once.
struct New<'c> {
    nodes: B256Map<(&'c Bytes, usize)>,
    /// Nodes that the walk has visited.
    met: RefCell<Vec<Placed>>,
}

impl NodeSource for New<'_> {
    type Bytes = Bytes;

    fn node(&self, path: NodePath<'_>, hash: &B256) -> Result<Option<Bytes>, SourceError> {
        let Some((node, _)) = self.nodes.get(hash) else { return Ok(None) };
        self.met.borrow_mut().push(Placed {
            owner: path.owner.copied(),
            path: *path.nibbles,
            hash: *hash,
            node: (*node).clone(),
        });
        Ok(Some((*node).clone()))
    }
}

/// Collects the accounts whose storage root is a new node.
#[derive(Default)]
struct Storages<'n> {
    nodes: Option<&'n B256Map<(&'n Bytes, usize)>>,
    found: B256Map<Vec<B256>>,
}

impl Visitor<Bytes> for Storages<'_> {
    fn node(&mut self, _: &B256, _: &Bytes) -> bool {
        true
    }

    fn value(&mut self, key: &B256, mut value: &[u8]) {
        if let (Some(nodes), Ok(account)) = (self.nodes, TrieAccount::decode(&mut value))
            && nodes.contains_key(&account.storage_root)
        {
            self.found.entry(account.storage_root).or_default().push(*key);
        }
    }

    fn missing(&mut self, _: Nibbles, _: B256) -> Result<(), TrieError> {
        Ok(())
    }
}

/// Returns the nodes of a commit with their locations. `parent` reads the state on which the block
/// was executed.
pub(crate) fn place_nodes<S>(changes: &Changes, parent: &S) -> Result<Vec<Placed>, DiskError>
where
    S: NodeSource<Bytes = Bytes> + ?Sized,
{
    let mut nodes = B256Map::<(&Bytes, usize)>::default();
    for (hash, node) in &changes.nodes {
        nodes.entry(*hash).or_insert((node, 0)).1 += 1;
    }
    let new = New { nodes, met: RefCell::default() };
    let malformed = |error: TrieError| DiskError::malformed("node of a commit", error);
    let of_blocks =
        changes.blocks.iter().map(|block| (block.header.state_root, Some(block.pre_state_root)));
    let roots = changes.roots.iter().map(|root| (*root, None));
    for (root, before) in of_blocks.chain(roots) {
        let mut storages = Storages { nodes: Some(&new.nodes), found: B256Map::default() };
        walk(&new, None, root, &mut storages).map_err(malformed)?;
        for (root, mut owners) in storages.found {
            // Accounts that already had this storage root are found as well once another account
            // gets the same root. Walking their tries too would make a block with one new trie as
            // expensive as a block with thousands.
            let emitted = new.nodes.get(&root).map_or(0, |(_, count)| *count);
            if owners.len() > emitted
                && let Some(before) = before
            {
                let mut state = Trie::<Bytes>::new(before);
                let mut changed = Vec::new();
                for owner in owners {
                    let old_root = match state.get(parent, &owner) {
                        Ok(account) => account
                            .and_then(|mut account| TrieAccount::decode(&mut account).ok())
                            .map(|account| account.storage_root),
                        // This store does not have the parent state, so the owner may have had any
                        // root.
                        Err(TrieError::MissingNode { .. }) => None,
                        Err(error) => return Err(malformed(error)),
                    };
                    if old_root != Some(root) {
                        changed.push(owner);
                    }
                }
                owners = changed;
            }
            for owner in owners {
                let mut nothing = Storages::default();
                walk(&new, Some(&owner), root, &mut nothing).map_err(malformed)?;
            }
        }
    }
    Ok(new.met.into_inner())
}

#[cfg(test)]
mod tests;
