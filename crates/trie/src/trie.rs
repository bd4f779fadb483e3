//! The arena of loaded nodes, and walks in it.

use crate::{
    NodeBytes, NodePath, NodeSource, TrieError,
    node::{
        Child, ChildItem, Decoded, Node, NodeId, Reference, Slot, branch_item, child_item, decode,
    },
};
use alloc::{vec, vec::Vec};
use alloy_primitives::{B256, b256};
use nybbles::Nibbles;

/// Root of the empty trie: Keccak-256 of the RLP of an empty string.
pub const EMPTY_ROOT: B256 =
    b256!("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421");

/// A sparse Merkle-Patricia trie with 32-byte keys.
///
/// Keys are used unchanged: callers that need a secure trie must hash their keys first.
#[derive(Debug, Clone)]
pub struct Trie<B> {
    pub(crate) slots: Vec<Slot<B>>,
    pub(crate) root: Option<NodeId>,
    /// Keccak-256 of the address whose storage this is, for sources that index nodes by path.
    owner: Option<B256>,
}

impl<B> Default for Trie<B> {
    fn default() -> Self {
        Self { slots: Vec::new(), root: None, owner: None }
    }
}

impl<B: NodeBytes> Trie<B> {
    /// Creates the account trie with this root, without loading a node.
    pub fn new(root: B256) -> Self {
        if root == EMPTY_ROOT {
            return Self::default();
        }
        let reference = Some(Reference::hash(root));
        let slots = vec![Slot { node: Node::Unloaded, reference }];
        Self { slots, root: Some(NodeId(0)), owner: None }
    }

    /// Creates the storage trie with this root for the account `owner`, the Keccak-256 of its
    /// address.
    pub fn storage(owner: B256, root: B256) -> Self {
        Self { owner: Some(owner), ..Self::new(root) }
    }

    /// Returns the account whose storage this is, if it is a storage trie.
    pub const fn owner(&self) -> Option<B256> {
        self.owner
    }

    /// Returns `true` if the trie is empty.
    pub const fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// Returns the value of `key`, or `None` if the trie proves its absence.
    pub fn get<S>(&mut self, source: &S, key: &B256) -> Result<Option<&[u8]>, TrieError>
    where
        S: NodeSource<Bytes = B> + ?Sized,
    {
        let nibbles = Nibbles::unpack_array(&key.0);
        let Some(leaf) = self.find(source, &nibbles, |_, _| {})? else {
            return Ok(None);
        };
        match &self.slots[leaf.0 as usize].node {
            Node::Leaf { value, .. } => Ok(Some(value.as_slice())),
            _ => unreachable!("find returns leaves"),
        }
    }

    /// Walks to the leaf of `key`, and passes each node on the path to `visit`, with the number of
    /// nibbles above it.
    pub(crate) fn find<S>(
        &mut self,
        source: &S,
        key: &Nibbles,
        mut visit: impl FnMut(NodeId, usize),
    ) -> Result<Option<NodeId>, TrieError>
    where
        S: NodeSource<Bytes = B> + ?Sized,
    {
        let Some(mut id) = self.root else { return Ok(None) };
        let mut depth = 0;
        let mut below_extension = false;
        // Each iteration consumes at least one nibble, since `decode` rejects empty extensions, so
        // the loop ends after at most 64 iterations.
        loop {
            self.load(source, id, || key.slice(..depth))?;
            let slot = &self.slots[id.0 as usize];
            // An extension may only lead to a branch. This is checked here, because `decode` sees
            // one node at a time.
            if below_extension && !matches!(slot.node, Node::Branch { .. }) {
                return Err(TrieError::Malformed {
                    path: key.slice(..depth),
                    reason: "child of an extension is not a branch",
                });
            }
            visit(id, depth);
            match &slot.node {
                Node::Leaf { key: rest, .. } => {
                    return Ok((*rest == key.slice(depth..)).then_some(id));
                }
                Node::Extension { key: shared, child } => {
                    if !key.slice(depth..).starts_with(shared) {
                        return Ok(None);
                    }
                    depth += shared.len();
                    id = *child;
                    below_extension = true;
                }
                Node::Branch { .. } => {
                    let index = key.get_unchecked(depth);
                    depth += 1;
                    match self.child(id, index, || key.slice(..depth))? {
                        Some(child) => id = child,
                        None => return Ok(None),
                    }
                    below_extension = false;
                }
                Node::Unloaded => unreachable!("the node has just been loaded"),
            }
        }
    }

    /// Loads node `id` at `path` if it is not loaded.
    pub(crate) fn load<S>(
        &mut self,
        source: &S,
        id: NodeId,
        path: impl Fn() -> Nibbles,
    ) -> Result<(), TrieError>
    where
        S: NodeSource<Bytes = B> + ?Sized,
    {
        let slot = &self.slots[id.0 as usize];
        let (Node::Unloaded, Some(hash)) =
            (&slot.node, slot.reference.as_ref().and_then(Reference::as_hash))
        else {
            return Ok(());
        };
        let path = path();
        let place = NodePath { owner: self.owner.as_ref(), nibbles: &path };
        let bytes = source.node(place, &hash)?.ok_or(TrieError::MissingNode { path, hash })?;
        // A node of less than 32 bytes must be embedded. If it were referred to by hash, a trie
        // would have two encodings. Only a root may be that short.
        if bytes.as_ref().len() < 32 && !path.is_empty() {
            let reason = "shorter than the hash that refers to it";
            return Err(TrieError::Malformed { path, reason });
        }
        self.slots[id.0 as usize].node = self.parse(bytes, &path)?;
        Ok(())
    }

    /// Returns child `index` of branch `id`, which may be unloaded. `path` leads to the child.
    pub(crate) fn child(
        &mut self,
        id: NodeId,
        index: u8,
        path: impl Fn() -> Nibbles,
    ) -> Result<Option<NodeId>, TrieError> {
        let Node::Branch { bytes, children } = &self.slots[id.0 as usize].node else {
            unreachable!("only branches have numbered children");
        };
        match (children[usize::from(index)], bytes) {
            (Child::IN_BYTES, Some(bytes)) => {
                let range = branch_item(bytes.as_ref(), usize::from(index));
                let item = child_item(bytes, range);
                let child = self.adopt(item, &path())?;
                self.set_child(id, index, Child(child.0));
                Ok(Some(child))
            }
            (Child::EMPTY | Child::IN_BYTES, _) => Ok(None),
            (Child(child), _) => Ok(Some(NodeId(child))),
        }
    }

    /// Adds the node of a child item to the arena, unloaded if the item is a hash.
    fn adopt(&mut self, item: ChildItem<B>, path: &Nibbles) -> Result<NodeId, TrieError> {
        let (node, reference) = match item {
            ChildItem::Hash(hash) => (Node::Unloaded, Reference::hash(hash)),
            ChildItem::Embedded(bytes) => {
                let reference = Reference::embedded(bytes.as_ref());
                (self.parse(bytes, path)?, reference)
            }
        };
        Ok(self.push(node, Some(reference)))
    }

    /// Decodes a node. Nested embedded extensions make this recursive, but the limit of 32 bytes
    /// per embedded node bounds the depth.
    fn parse(&mut self, bytes: B, path: &Nibbles) -> Result<Node<B>, TrieError> {
        Ok(match decode(&bytes, path)? {
            Decoded::Leaf { key, value } => Node::Leaf { key, value },
            Decoded::Branch { children } => Node::Branch { bytes: Some(bytes), children },
            Decoded::Extension { key, child } => {
                let child = self.adopt(child_item(&bytes, child), &path.join(&key))?;
                Node::Extension { key, child }
            }
        })
    }

    pub(crate) fn push(&mut self, node: Node<B>, reference: Option<Reference>) -> NodeId {
        let id = u32::try_from(self.slots.len()).ok().filter(|id| *id < Child::IN_BYTES.0);
        let id = id.expect("an arena of 2^32 nodes fits no memory");
        // Grows by 1/8, because a vector that doubles wastes a third of its memory on average.
        if self.slots.len() == self.slots.capacity() {
            self.slots.reserve_exact(self.slots.len() / 8 + 2);
        }
        self.slots.push(Slot { node, reference });
        NodeId(id)
    }

    pub(crate) fn set_child(&mut self, branch: NodeId, index: u8, child: Child) {
        if let Node::Branch { children, .. } = &mut self.slots[branch.0 as usize].node {
            children[usize::from(index)] = child;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arena_grows_by_eighths() {
        let mut trie = Trie::<&[u8]>::new(B256::repeat_byte(1));
        let mut capacities = Vec::new();
        for _ in 0..100 {
            trie.push(Node::Unloaded, None);
            capacities.push(trie.slots.capacity());
        }
        capacities.dedup();
        assert_eq!(
            capacities,
            [3, 5, 7, 9, 12, 15, 18, 22, 26, 31, 36, 42, 49, 57, 66, 76, 87, 99, 113]
        );
    }
}
