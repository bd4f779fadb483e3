//! Proofs: the nodes on the way to a key.

use crate::{NodeSource, Trie, TrieError};
use alloy_primitives::B256;
use std::cell::RefCell;

/// Remembers nodes in the order in which they are read: from the root down.
struct Path<'s, S: NodeSource> {
    source: &'s S,
    nodes: RefCell<Vec<S::Bytes>>,
}

impl<S: NodeSource> NodeSource for Path<'_, S> {
    type Bytes = S::Bytes;

    fn node(&self, hash: &B256) -> Option<S::Bytes> {
        let node = self.source.node(hash)?;
        self.nodes.borrow_mut().push(node.clone());
        Some(node)
    }
}

/// The nodes from the root to `key`, or to where it turns out to be absent, as `eth_getProof`
/// returns them: embedded nodes stand inside their parents, the proof of an empty trie is empty.
pub fn prove<S: NodeSource>(
    source: &S,
    root: B256,
    key: &B256,
) -> Result<Vec<S::Bytes>, TrieError> {
    let path = Path { source, nodes: RefCell::default() };
    Trie::new(root).get(&path, key)?;
    Ok(path.nodes.into_inner())
}
