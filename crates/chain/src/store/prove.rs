//! Merkle proofs: the nodes on the path to a key.

use alloy_primitives::B256;
use std::cell::RefCell;
use trie::{NodePath, NodeSource, SourceError, Trie, TrieError};

/// A source that records nodes in the order in which they are read, from the root down.
struct Path<'s, S: NodeSource + ?Sized> {
    source: &'s S,
    nodes: RefCell<Vec<S::Bytes>>,
}

impl<S: NodeSource + ?Sized> NodeSource for Path<'_, S> {
    type Bytes = S::Bytes;

    fn node(&self, path: NodePath<'_>, hash: &B256) -> Result<Option<S::Bytes>, SourceError> {
        let node = self.source.node(path, hash)?;
        self.nodes.borrow_mut().extend(node.clone());
        Ok(node)
    }
}

/// A value, or `None` if the key is absent, with the nodes that prove it.
pub type Proven<B> = (Option<Vec<u8>>, Vec<B>);

/// Returns the value of `key` in a trie that has not loaded any nodes, and the nodes from its root
/// to the key, or to the node that proves its absence, as `eth_getProof` returns them: embedded
/// nodes are inside their parents, and the proof of an empty trie is empty.
pub fn prove<S: NodeSource + ?Sized>(
    source: &S,
    mut trie: Trie<S::Bytes>,
    key: &B256,
) -> Result<Proven<S::Bytes>, TrieError> {
    let path = Path { source, nodes: RefCell::default() };
    let value = trie.get(&path, key)?.map(<[u8]>::to_vec);
    Ok((value, path.nodes.into_inner()))
}
