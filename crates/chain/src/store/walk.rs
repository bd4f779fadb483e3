//! Traversal of all nodes and values below a root.

use alloy_primitives::B256;
use trie::{
    Child, ChildItem, Decoded, EMPTY_ROOT, Nibbles, NodePath, NodeSource, TrieError, branch_item,
    child_item, decode,
};

/// Receiver of the nodes and values of a [`walk`].
pub trait Visitor<B> {
    /// Receives a node that has a hash of its own, before its children. Returns `true` to visit
    /// them.
    fn node(&mut self, hash: &B256, node: &B) -> bool;

    /// Receives a value and its whole key.
    fn value(&mut self, key: &B256, value: &[u8]);

    /// Receives a node that the source does not hold. By default, this ends the walk.
    ///
    /// # Errors
    ///
    /// An error ends the walk; `Ok` skips everything below the node.
    fn missing(&mut self, path: Nibbles, hash: B256) -> Result<(), TrieError> {
        Err(TrieError::MissingNode { path, hash })
    }
}

/// Visits all nodes and values below `root`: each node before its children, and values in ascending
/// order of their keys. Memory use is bounded by one path.
///
/// `owner` is the Keccak-256 of the address whose storage trie it is; `None` for the account trie.
///
/// # Errors
///
/// [`TrieError`] if a node is malformed or cannot be read, or the error of the visitor for a
/// missing node.
pub fn walk<S>(
    source: &S,
    owner: Option<&B256>,
    root: B256,
    visitor: &mut impl Visitor<S::Bytes>,
) -> Result<(), TrieError>
where
    S: NodeSource + ?Sized,
{
    if root == EMPTY_ROOT {
        return Ok(());
    }
    // An explicit stack instead of recursion. It has at most 16 entries for each of 64 levels, for
    // any bytes of the source.
    let mut open = vec![(Nibbles::new(), ChildItem::Hash(root))];
    while let Some((path, item)) = open.pop() {
        let bytes = match item {
            ChildItem::Embedded(bytes) => bytes,
            ChildItem::Hash(hash) => {
                match source.node(NodePath { owner, nibbles: &path }, &hash)? {
                    Some(bytes) if visitor.node(&hash, &bytes) => bytes,
                    Some(_) => continue,
                    None => {
                        visitor.missing(path, hash)?;
                        continue;
                    }
                }
            }
        };
        match decode(&bytes, &path)? {
            Decoded::Leaf { key, value } => {
                let key = B256::from_slice(&path.join(&key).pack());
                visitor.value(&key, value.as_slice());
            }
            Decoded::Extension { key, child } => {
                open.push((path.join(&key), child_item(&bytes, child)));
            }
            Decoded::Branch { children } => {
                // Pushed in reverse, so that the smallest key is popped first.
                for (index, child) in (0_u8..16).zip(children).rev() {
                    if child == Child::IN_BYTES {
                        let mut path = path;
                        path.push(index);
                        let range = branch_item(bytes.as_ref(), usize::from(index));
                        open.push((path, child_item(&bytes, range)));
                    }
                }
            }
        }
    }
    Ok(())
}
