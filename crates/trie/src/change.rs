//! Insertion and removal of values.

use crate::{
    NodeBytes, NodeSource, Trie, TrieError,
    node::{Child, Node, NodeId, Value},
};
use alloc::vec::Vec;
use alloy_primitives::B256;
use nybbles::Nibbles;

impl<B: NodeBytes> Trie<B> {
    /// Sets the value of `key`. The value must not be empty.
    ///
    /// On error, the trie is unchanged.
    pub fn insert<S>(&mut self, source: &S, key: &B256, value: &[u8]) -> Result<(), TrieError>
    where
        S: NodeSource<Bytes = B> + ?Sized,
    {
        debug_assert!(!value.is_empty(), "an empty value is a removal");
        let value = Value::Set(value.into());
        let key = Nibbles::unpack_array(&key.0);
        let mut path = Vec::new();
        // All nodes are loaded here, before the first change, so that the trie is unchanged if the
        // source fails.
        let found = self.find(source, &key, |id, depth| path.push((id, depth)))?;
        // Every ancestor of the change gets a new hash. A missing reference marks it for rehashing.
        for (id, _) in &path {
            self.slots[id.0 as usize].reference = None;
        }
        let Some(&(last, depth)) = path.last() else {
            self.root = Some(self.push(Node::Leaf { key, value }, None));
            return Ok(());
        };
        if let Some(leaf) = found {
            if let Node::Leaf { value: old, .. } = &mut self.slots[leaf.0 as usize].node {
                *old = value;
            }
            return Ok(());
        }
        // The path of the key diverges at `last`; `rest` determines where the new leaf is attached.
        let rest = key.slice(depth..);
        match core::mem::replace(&mut self.slots[last.0 as usize].node, Node::Unloaded) {
            // The branch has an empty slot at this nibble, otherwise `find` would have followed it.
            branch @ Node::Branch { .. } => {
                self.slots[last.0 as usize].node = branch;
                let leaf = self.push(Node::Leaf { key: rest.slice(1..), value }, None);
                self.set_child(last, rest.get_unchecked(0), Child(leaf.0));
            }
            Node::Leaf { key: old, value: old_value } => {
                // Both keys have the same length and differ, so neither is a prefix of the other.
                let shared = old.common_prefix_length(&rest);
                let sibling = Node::Leaf { key: old.slice(shared + 1..), value: old_value };
                let sibling = self.push(sibling, None);
                self.split(last, shared, (old.get_unchecked(shared), sibling), &rest, value);
            }
            Node::Extension { key: old, child } => {
                let shared = old.common_prefix_length(&rest);
                let below = old.slice(shared + 1..);
                // An extension without nibbles is not a valid node, so the child takes its place.
                let sibling = if below.is_empty() {
                    child
                } else {
                    self.push(Node::Extension { key: below, child }, None)
                };
                self.split(last, shared, (old.get_unchecked(shared), sibling), &rest, value);
            }
            Node::Unloaded => unreachable!("find loads what it visits"),
        }
        Ok(())
    }

    /// Replaces node `at` by a branch below the first `shared` nibbles of `rest`. The children of
    /// the branch are the old node and a new leaf.
    fn split(
        &mut self,
        at: NodeId,
        shared: usize,
        (index, sibling): (u8, NodeId),
        rest: &Nibbles,
        value: Value<B>,
    ) {
        let leaf = self.push(Node::Leaf { key: rest.slice(shared + 1..), value }, None);
        let mut children = [Child::EMPTY; 16];
        children[usize::from(index)] = Child(sibling.0);
        children[usize::from(rest.get_unchecked(shared))] = Child(leaf.0);
        let branch = Node::Branch { bytes: None, children };
        // The branch takes the slot of the old node, so that the parent's reference stays valid.
        self.slots[at.0 as usize].node = if shared == 0 {
            branch
        } else {
            let child = self.push(branch, None);
            Node::Extension { key: rest.slice(..shared), child }
        };
    }

    /// Removes `key` and returns `true` if it was present.
    ///
    /// On error, the trie is unchanged. If the removal leaves a branch with a single child, that
    /// child is read in order to merge the two.
    pub fn remove<S>(&mut self, source: &S, key: &B256) -> Result<bool, TrieError>
    where
        S: NodeSource<Bytes = B> + ?Sized,
    {
        let key = Nibbles::unpack_array(&key.0);
        let mut path = Vec::new();
        if self.find(source, &key, |id, depth| path.push((id, depth)))?.is_none() {
            return Ok(false);
        }
        // The last entry is the leaf itself. Its parent is a branch, or the leaf is the root.
        path.pop();
        let Some(&(branch, depth)) = path.last() else {
            self.root = None;
            return Ok(true);
        };
        let index = key.get_unchecked(depth);
        // A branch with one child is not canonical. The remaining child is read before anything
        // changes, because reading may fail.
        let remaining = self.only_other_child(branch, index);
        let remaining = match remaining {
            None => None,
            Some(other) => {
                let mut path = key.slice(..depth);
                path.push(other);
                let child = self
                    .child(branch, other, || path)?
                    .unwrap_or_else(|| unreachable!("the other child is there"));
                self.load(source, child, || path)?;
                Some((other, child))
            }
        };
        // Nothing can fail after this point, so ancestors can be marked as changed.
        for (id, _) in &path {
            self.slots[id.0 as usize].reference = None;
        }
        self.set_child(branch, index, Child::EMPTY);
        if let Some((other, child)) = remaining {
            path.pop();
            self.collapse(branch, other, child, path.last().map(|(id, _)| *id));
        }
        Ok(true)
    }

    /// Returns the index of the only child of `branch` besides `index`; `None` if there are
    /// multiple.
    fn only_other_child(&self, branch: NodeId, index: u8) -> Option<u8> {
        let Node::Branch { children, .. } = &self.slots[branch.0 as usize].node else {
            unreachable!("a leaf below another node is below a branch");
        };
        let mut others = (0_u8..)
            .zip(children)
            .filter(|(other, child)| *other != index && **child != Child::EMPTY)
            .map(|(other, _)| other);
        let first = others.next();
        if others.next().is_some() { None } else { first }
    }

    /// Merges a branch with its only remaining child, and with the extension above it.
    fn collapse(&mut self, branch: NodeId, index: u8, child: NodeId, above: Option<NodeId>) {
        let mut prefix = Nibbles::new();
        let mut place = branch;
        // Two consecutive extensions are not canonical either, so an extension above is merged too.
        if let Some(above) = above
            && let Node::Extension { key, .. } = &self.slots[above.0 as usize].node
        {
            prefix = *key;
            place = above;
        }
        prefix.push(index);
        let merged = match &self.slots[child.0 as usize].node {
            Node::Leaf { key, value } => Node::Leaf { key: prefix.join(key), value: value.clone() },
            Node::Extension { key, child } => {
                Node::Extension { key: prefix.join(key), child: *child }
            }
            Node::Branch { .. } => Node::Extension { key: prefix, child },
            Node::Unloaded => unreachable!("the remaining child has been loaded"),
        };
        self.slots[place.0 as usize].node = merged;
    }

    /// Applies changes in the order that reads the fewest nodes: insertions first, then removals.
    ///
    /// On error, some of the changes have been applied, and the trie root is meaningless.
    pub fn apply<'v, S, I>(&mut self, source: &S, changes: I) -> Result<(), TrieError>
    where
        S: NodeSource<Bytes = B> + ?Sized,
        I: Iterator<Item = (B256, Option<&'v [u8]>)> + Clone,
    {
        // A removal collapses a branch, and therefore reads a sibling, only if no insertion adds a
        // child to that branch. Witnesses contain exactly the siblings that this order reads.
        for (key, value) in changes.clone() {
            if let Some(value) = value {
                self.insert(source, &key, value)?;
            }
        }
        for (key, value) in changes {
            if value.is_none() {
                self.remove(source, &key)?;
            }
        }
        Ok(())
    }
}
