//! A store with injected failures.

use alloy_primitives::{B256, Bytes};
use enshrine_chain::store::{
    Block, Changes, MemoryStore, Preimages, Store, StoreError, StoredNodes, TransactionLocation,
};
use revm::bytecode::Bytecode;
use std::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicUsize, Ordering},
};
use trie::NodePath;

/// An in-memory store in which one operation, read or write, can be made to fail. It fails only
/// once, so that an ignored error shows up as a success.
#[derive(Debug, Default)]
pub(crate) struct FailingStore {
    below: MemoryStore,
    plan: Mutex<Plan>,
    block_reads: AtomicUsize,
}

#[derive(Debug, Default)]
struct Plan {
    /// Number of operations that still succeed; `None` for all.
    left: Option<usize>,
    injected: Option<StoreError>,
}

impl FailingStore {
    /// Lets the next `operations` succeed, and the one after them fail.
    pub(crate) fn fail_after(&self, operations: usize) {
        *self.plan() = Plan { left: Some(operations), injected: None };
    }

    /// Lets all operations succeed again, and returns the injected error if it occurred.
    pub(crate) fn heal(&self) -> Option<StoreError> {
        core::mem::take(&mut *self.plan()).injected
    }

    /// Returns the number of reads of blocks since the last call.
    pub(crate) fn take_block_reads(&self) -> usize {
        self.block_reads.swap(0, Ordering::Relaxed)
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().expect("no test panics while holding it")
    }

    fn operation(&self, name: &'static str) -> Result<(), StoreError> {
        let mut plan = self.plan();
        match plan.left {
            Some(0) => {
                let error = StoreError::new(name, "injected fault");
                *plan = Plan { left: None, injected: Some(error.clone()) };
                Err(error)
            }
            left => {
                plan.left = left.map(|left| left - 1);
                Ok(())
            }
        }
    }
}

impl Store for FailingStore {
    fn node(&self, path: NodePath<'_>, hash: &B256) -> Result<Option<Bytes>, StoreError> {
        self.operation("read a node")?;
        self.below.node(path, hash)
    }

    fn code(&self, hash: &B256) -> Result<Option<Bytecode>, StoreError> {
        self.operation("read a code")?;
        self.below.code(hash)
    }

    fn block(&self, hash: &B256) -> Result<Option<Arc<Block>>, StoreError> {
        self.operation("read a block")?;
        self.block_reads.fetch_add(1, Ordering::Relaxed);
        self.below.block(hash)
    }

    fn first_number(&self) -> Result<Option<u64>, StoreError> {
        self.operation("read the first number")?;
        self.below.first_number()
    }

    fn canonical_hash(&self, number: u64) -> Result<Option<B256>, StoreError> {
        self.operation("read a canonical hash")?;
        self.below.canonical_hash(number)
    }

    fn transaction(&self, hash: &B256) -> Result<Option<TransactionLocation>, StoreError> {
        self.operation("read a location")?;
        self.below.transaction(hash)
    }

    fn preimages(&self) -> Result<Preimages, StoreError> {
        self.operation("read preimages")?;
        self.below.preimages()
    }

    fn everything(&self) -> Result<StoredNodes, StoreError> {
        self.operation("read all nodes")?;
        self.below.everything()
    }

    fn commit(&self, changes: Changes) -> Result<(), StoreError> {
        self.operation("commit")?;
        self.below.commit(changes)
    }

    fn wants_pruning(&self) -> bool {
        true
    }

    fn retain(&self, roots: &[B256]) -> Result<(), StoreError> {
        self.operation("prune")?;
        self.below.retain(roots)
    }
}
