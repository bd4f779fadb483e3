//! Root computation: changed nodes are encoded and hashed from the deepest level upwards, in
//! batches.

use crate::{
    EMPTY_ROOT, NodeBytes, Trie,
    encode::encode,
    node::{Child, Node, NodeId, Reference},
};
use alloc::vec::Vec;
use alloy_primitives::B256;
use keccak::keccak256_batch_by;

/// A node that was hashed: its hash and its RLP.
pub type NewNode<'a> = (B256, &'a [u8]);

/// Nodes per batch: enough to fill all SIMD lanes, few enough to fit into the cache.
const BATCH: usize = 64;

/// A changed node: its depth below the root in nodes, its trie, and its index there.
#[derive(Clone, Copy)]
struct Changed {
    level: u8,
    trie: u32,
    node: NodeId,
}

/// Hashes all changed nodes of many tries together, and passes each node that a database must store
/// to `sink`. Afterwards [`Trie::root`] returns a root.
pub fn hash_tries<B: NodeBytes>(tries: &mut [&mut Trie<B>], mut sink: impl FnMut(NewNode<'_>)) {
    let mut changed = Vec::new();
    for (trie, index) in tries.iter().zip(0..) {
        trie.collect_changed(index, &mut changed);
    }
    // Deepest level first: the children of a node are hashed in an earlier batch than the node. A
    // batch therefore never contains nodes of two levels.
    changed.sort_unstable_by_key(|node| core::cmp::Reverse(node.level));
    let mut encodings = Vec::new();
    let mut ranges = Vec::with_capacity(BATCH);
    let mut digests = [B256::ZERO; BATCH];
    for level in changed.chunk_by(|a, b| a.level == b.level) {
        for batch in level.chunks(BATCH) {
            encodings.clear();
            ranges.clear();
            for changed in batch {
                let start = encodings.len();
                encode(&tries[changed.trie as usize].slots, changed.node, &mut encodings);
                ranges.push(start..encodings.len());
            }
            let encoding = |index: usize| &encodings[ranges[index].clone()];
            keccak256_batch_by(encoding, &mut digests[..batch.len()]);
            for (index, (changed, hash)) in batch.iter().zip(&digests).enumerate() {
                let encoding = encoding(index);
                let trie = &mut *tries[changed.trie as usize];
                // The root is always referred to by hash, even if its encoding is shorter than a
                // hash.
                let embedded = encoding.len() < 32 && trie.root != Some(changed.node);
                let slot = &mut trie.slots[changed.node.0 as usize];
                slot.reference = Some(if embedded {
                    Reference::embedded(encoding)
                } else {
                    sink((*hash, encoding));
                    Reference::hash(*hash)
                });
            }
        }
    }
}

impl<B: NodeBytes> Trie<B> {
    /// Returns the root if all changes have been hashed ([`hash_tries`], [`Self::hash`]).
    ///
    /// `None` while unhashed changes remain.
    pub fn root(&self) -> Option<B256> {
        match self.root {
            None => Some(EMPTY_ROOT),
            Some(root) => {
                self.slots[root.0 as usize].reference.as_ref().and_then(Reference::as_hash)
            }
        }
    }

    /// Hashes the changes in this trie only and returns its root.
    pub fn hash(&mut self) -> B256 {
        hash_tries(&mut [self], |_| {});
        self.root().unwrap_or_else(|| unreachable!("the root has just been hashed"))
    }

    fn collect_changed(&self, trie: u32, changed: &mut Vec<Changed>) {
        let is_changed = |id: NodeId| self.slots[id.0 as usize].reference.is_none();
        // All ancestors of a changed node are changed, so the search can skip every unchanged
        // subtree. It uses an explicit stack instead of recursion.
        let mut pending: Vec<_> =
            self.root.filter(|root| is_changed(*root)).map(|root| (root, 0)).into_iter().collect();
        while let Some((node, level)) = pending.pop() {
            changed.push(Changed { level, trie, node });
            let mut descend = |child: NodeId| {
                if is_changed(child) {
                    pending.push((child, level + 1));
                }
            };
            match &self.slots[node.0 as usize].node {
                Node::Extension { child, .. } => descend(*child),
                Node::Branch { children, .. } => {
                    for child in children {
                        if !matches!(*child, Child::EMPTY | Child::IN_BYTES) {
                            descend(NodeId(child.0));
                        }
                    }
                }
                Node::Leaf { .. } | Node::Unloaded => {}
            }
        }
    }
}
