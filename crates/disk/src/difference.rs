//! The difference between two states.

use alloy_primitives::{
    B256, Bytes,
    map::{Entry, HashMap},
};
use alloy_rlp::Decodable;
use alloy_trie::{EMPTY_ROOT_HASH, TrieAccount, nodes::TrieNode};
use chain::store::{Visitor, walk};
use core::cell::RefCell;
use trie::{Nibbles, NodePath, NodeSource, SourceError, Trie, TrieError};

/// Owner, path and hash of a node. Different states can have different nodes at one path.
pub(crate) type Place = (Option<B256>, Nibbles, B256);

/// Calls `visit` for each node of the state `old` that the state `new` does not have at the same
/// location. Nodes of `old` that have been deleted already are skipped, with everything that is
/// reachable only through them.
pub(crate) fn only_in_old<S>(
    source: &S,
    old: B256,
    new: B256,
    mut visit: impl FnMut(Place),
) -> Result<(), TrieError>
where
    S: NodeSource<Bytes = Bytes> + ?Sized,
{
    let mut accounts =
        Old { source, new: OtherTrie::new(source, None, new), seen: RefCell::default() };
    let mut storages = Vec::new();
    let mut collect = Accounts(&mut storages);
    walk(&accounts, None, old, &mut collect)?;
    accounts.show(None, &mut visit);
    let mut state = Trie::<Bytes>::new(new);
    for (owner, root) in storages {
        let account = state.get(source, &owner)?;
        let now = account
            .and_then(|mut account| TrieAccount::decode(&mut account).ok())
            .map_or(EMPTY_ROOT_HASH, |account| account.storage_root);
        if root == now {
            continue;
        }
        let along = OtherTrie::new(source, Some(owner), now);
        let mut slots = Old { source, new: along, seen: RefCell::default() };
        walk(&slots, Some(&owner), root, &mut Accounts(&mut Vec::new()))?;
        slots.show(Some(owner), &mut visit);
    }
    Ok(())
}

/// A trie of the old state, without the nodes that it shares with the new one.
struct Old<'s, S: ?Sized> {
    source: &'s S,
    new: OtherTrie<'s, S>,
    seen: RefCell<Vec<(Nibbles, B256)>>,
}

impl<S: NodeSource<Bytes = Bytes> + ?Sized> Old<'_, S> {
    fn show(&mut self, owner: Option<B256>, visit: &mut impl FnMut(Place)) {
        for (path, hash) in self.seen.take() {
            visit((owner, path, hash));
        }
    }
}

impl<S: NodeSource<Bytes = Bytes> + ?Sized> NodeSource for Old<'_, S> {
    type Bytes = Bytes;

    fn node(&self, path: NodePath<'_>, hash: &B256) -> Result<Option<Bytes>, SourceError> {
        if self.new.has(path.nibbles, hash)? {
            return Ok(None);
        }
        let node = self.source.node(path, hash)?;
        if node.is_some() {
            self.seen.borrow_mut().push((*path.nibbles, *hash));
        }
        Ok(node)
    }
}

/// Collects the accounts with storage during a walk. A walk over slots collects nothing.
struct Accounts<'f>(&'f mut Vec<(B256, B256)>);

impl Visitor<Bytes> for Accounts<'_> {
    fn node(&mut self, _: &B256, _: &Bytes) -> bool {
        true
    }

    fn value(&mut self, key: &B256, mut value: &[u8]) {
        if let Ok(account) = TrieAccount::decode(&mut value)
            && account.storage_root != EMPTY_ROOT_HASH
        {
            self.0.push((*key, account.storage_root));
        }
    }

    fn missing(&mut self, _: Nibbles, _: B256) -> Result<(), TrieError> {
        Ok(())
    }
}

/// A trie that is read along the paths of another trie.
struct OtherTrie<'s, S: ?Sized> {
    source: &'s S,
    owner: Option<B256>,
    root: B256,
    /// Nodes by their location.
    nodes: RefCell<HashMap<Nibbles, TrieNode>>,
}

impl<'s, S: NodeSource<Bytes = Bytes> + ?Sized> OtherTrie<'s, S> {
    fn new(source: &'s S, owner: Option<B256>, root: B256) -> Self {
        Self { source, owner, root, nodes: RefCell::default() }
    }

    /// Returns `true` if the trie refers to `hash` at `path`; an error if the trie lacks a node on
    /// the way.
    fn has(&self, path: &Nibbles, hash: &B256) -> Result<bool, SourceError> {
        let (mut at, mut refers) = (Nibbles::new(), self.root);
        let mut nodes = self.nodes.borrow_mut();
        if self.root == EMPTY_ROOT_HASH {
            return Ok(false);
        }
        loop {
            if at.len() == path.len() {
                return Ok(refers == *hash);
            }
            let node = match nodes.entry(at) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => unknown.insert(self.read(&at, &refers)?),
            };
            let child = match node {
                TrieNode::Branch(branch) => {
                    let index = path.get_unchecked(at.len());
                    at.push(index);
                    let branch = branch.as_ref();
                    let mut children = branch.children();
                    children.find(|(at, _)| *at == index).and_then(|(_, child)| child.cloned())
                }
                TrieNode::Extension(extension) => {
                    let rest = path.slice(at.len()..);
                    if !rest.starts_with(&extension.key) {
                        return Ok(false);
                    }
                    at = at.join(&extension.key);
                    Some(extension.child.clone())
                }
                TrieNode::Leaf(_) | TrieNode::EmptyRoot => None,
            };
            // A node embedded in its parent is not referenced by hash, and neither are its
            // descendants.
            match child.and_then(|child| child.as_hash()) {
                Some(hash) => refers = hash,
                None => return Ok(false),
            }
        }
    }

    fn read(&self, path: &Nibbles, hash: &B256) -> Result<TrieNode, SourceError> {
        let place = NodePath { owner: self.owner.as_ref(), nibbles: path };
        let missing = || TrieError::MissingNode { path: *path, hash: *hash };
        let node = self.source.node(place, hash)?.ok_or_else(|| SourceError::new(missing()))?;
        TrieNode::decode(&mut &node[..]).map_err(SourceError::new)
    }
}
