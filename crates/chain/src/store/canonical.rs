//! The canonical blocks, and the locations of their transactions.

use crate::store::{Block, CanonicalChange};
use alloy_primitives::{B256, map::B256Map};
use std::sync::Arc;

/// Location of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactionLocation {
    /// Hash of its block.
    pub block: B256,
    /// Position in the block.
    pub index: usize,
}

/// The canonical chain by number, and its transactions by hash.
#[derive(Debug, Default)]
pub(crate) struct Canonical {
    /// Number of the oldest block; `None` until the chain has moved for the first time.
    first: Option<u64>,
    hashes: Vec<B256>,
    transactions: B256Map<TransactionLocation>,
}

impl Canonical {
    /// Returns the number of the first block of this canonical chain.
    pub(crate) const fn first(&self) -> Option<u64> {
        self.first
    }

    /// Returns the number of the latest block plus one.
    fn end(&self) -> Option<u64> {
        Some(self.first? + self.hashes.len() as u64)
    }

    /// Returns `true` if the change leaves no gap in the block numbers.
    pub(crate) fn accepts(&self, change: &CanonicalChange) -> bool {
        let numbers = change.blocks.iter().map(|block| block.header.number);
        self.end().is_none_or(|end| change.from <= end)
            && numbers.eq((change.from..).take(change.blocks.len()))
    }

    pub(crate) fn hash(&self, number: u64) -> Option<B256> {
        let index = number.checked_sub(self.first?)?;
        self.hashes.get(usize::try_from(index).ok()?).copied()
    }

    pub(crate) fn transaction(&self, hash: &B256) -> Option<TransactionLocation> {
        self.transactions.get(hash).copied()
    }

    /// Applies a change; `block` looks up the blocks that are replaced.
    pub(crate) fn apply(
        &mut self,
        change: &CanonicalChange,
        block: impl Fn(&B256) -> Option<Arc<Block>>,
    ) {
        while let Some(last) = self.hashes.last()
            && self.end() > Some(change.from)
        {
            if let Some(block) = block(last) {
                self.forget_block(&block);
            }
            self.hashes.pop();
        }
        if self.hashes.is_empty() {
            self.first = Some(change.from);
        }
        for block in &change.blocks {
            for (index, transaction) in block.transactions.iter().enumerate() {
                let location = TransactionLocation { block: block.hash, index };
                self.transactions.insert(*transaction.hash(), location);
            }
            self.hashes.push(block.hash);
        }
    }

    /// Removes the location of a transaction.
    pub(crate) fn forget(&mut self, transaction: &B256) {
        self.transactions.remove(transaction);
    }

    fn forget_block(&mut self, block: &Block) {
        for transaction in &block.transactions {
            // A transaction that an older block contains too is then not found at all. Signed
            // transactions cannot occur twice in a chain.
            if self.transaction(transaction.hash()).is_some_and(|at| at.block == block.hash) {
                self.transactions.remove(transaction.hash());
            }
        }
    }
}
