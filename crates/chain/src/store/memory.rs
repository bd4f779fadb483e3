//! The in-memory store.

use crate::store::{
    Block, Changes, Preimages, Store, StoreError, StoredNodes, TransactionLocation,
    canonical::Canonical, live_nodes::LiveNodes,
};
use alloy_primitives::{B256, Bytes, map::B256Map};
use parking_lot::RwLock;
use revm::bytecode::Bytecode;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use trie::NodePath;

/// Minimum number of new nodes between two prunings. Pruning also waits until the number of nodes
/// has doubled since the last pruning, so that its amortized cost per node is constant.
const SLACK: usize = 2_048;

/// Store in memory. Reads never fail; a commit fails only if it would leave a gap in the canonical
/// chain.
#[derive(Debug, Default)]
pub struct MemoryStore {
    contents: RwLock<Contents>,
    /// Number of nodes that the last pruning left.
    needed: AtomicUsize,
}

#[derive(Debug, Default)]
struct Contents {
    nodes: B256Map<Bytes>,
    codes: B256Map<Bytecode>,
    blocks: B256Map<Arc<Block>>,
    preimages: Preimages,
    canonical: Canonical,
}

impl MemoryStore {
    /// Returns the number of trie nodes in the store.
    pub fn node_count(&self) -> usize {
        self.contents.read().nodes.len()
    }

    /// Returns the number from which this store determines the canonical blocks; `None` if no head
    /// was ever set.
    pub(crate) fn canonical_from(&self) -> Option<u64> {
        self.contents.read().canonical.first()
    }
}

impl Store for MemoryStore {
    fn node(&self, _: NodePath<'_>, hash: &B256) -> Result<Option<Bytes>, StoreError> {
        Ok(self.contents.read().nodes.get(hash).cloned())
    }

    fn code(&self, hash: &B256) -> Result<Option<Bytecode>, StoreError> {
        Ok(self.contents.read().codes.get(hash).cloned())
    }

    fn block(&self, hash: &B256) -> Result<Option<Arc<Block>>, StoreError> {
        Ok(self.contents.read().blocks.get(hash).cloned())
    }

    fn first_number(&self) -> Result<Option<u64>, StoreError> {
        let contents = self.contents.read();
        Ok(contents.canonical.first().filter(|first| contents.canonical.hash(*first).is_some()))
    }

    fn canonical_hash(&self, number: u64) -> Result<Option<B256>, StoreError> {
        Ok(self.contents.read().canonical.hash(number))
    }

    fn transaction(&self, hash: &B256) -> Result<Option<TransactionLocation>, StoreError> {
        Ok(self.contents.read().canonical.transaction(hash))
    }

    fn preimages(&self) -> Result<Preimages, StoreError> {
        Ok(self.contents.read().preimages.clone())
    }

    fn everything(&self) -> Result<StoredNodes, StoreError> {
        let contents = self.contents.read();
        Ok(StoredNodes {
            nodes: contents.nodes.values().cloned().collect(),
            codes: contents.codes.values().map(Bytecode::original_bytes).collect(),
        })
    }

    fn commit(&self, changes: Changes) -> Result<(), StoreError> {
        let mut contents = self.contents.write();
        let Contents { nodes, codes, blocks, preimages, canonical } = &mut *contents;
        if changes.canonical.as_ref().is_some_and(|change| !canonical.accepts(change)) {
            return Err(StoreError::gap());
        }
        nodes.extend(changes.nodes);
        codes.extend(changes.codes);
        for (address, slots) in changes.preimages {
            preimages.entry(address).or_default().extend(slots);
        }
        // Before the blocks are inserted: the same commit may overwrite a block that leaves the
        // canonical chain.
        if let Some(change) = &changes.canonical {
            canonical.apply(change, |hash| blocks.get(hash).cloned());
        }
        for transaction in &changes.forgotten {
            canonical.forget(transaction);
        }
        // In an overlay, a new canonical block may be held only by the store below. The overlay
        // needs its own reference to remove the block's transactions when a reorg replaces it.
        for block in changes.canonical.into_iter().flat_map(|change| change.blocks) {
            blocks.entry(block.hash).or_insert(block);
        }
        blocks.extend(changes.blocks.into_iter().map(|block| (block.hash, block)));
        Ok(())
    }

    fn wants_pruning(&self) -> bool {
        self.node_count() >= 2 * self.needed.load(Ordering::Relaxed) + SLACK
    }

    fn retain(&self, roots: &[B256]) -> Result<(), StoreError> {
        let reachable = LiveNodes::from(roots, &self.contents.read().nodes);
        let mut contents = self.contents.write();
        contents.nodes.retain(|hash, _| reachable.nodes.contains(hash));
        contents.nodes.shrink_to_fit();
        contents.codes.retain(|hash, _| reachable.codes.contains(hash));
        self.needed.store(contents.nodes.len(), Ordering::Relaxed);
        Ok(())
    }
}
