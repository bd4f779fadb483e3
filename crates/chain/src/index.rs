//! Which blocks are canonical, and where their transactions stand.

use crate::{Block, Store};
use alloy_primitives::{B256, map::B256Map};

/// Where a transaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactionLocation {
    /// Hash of its block.
    pub block: B256,
    /// Position in the block.
    pub index: usize,
}

/// The canonical chain by number, and its transactions by hash.
#[derive(Debug, Clone, Default)]
pub(crate) struct Canonical {
    /// Number of the oldest block.
    first: u64,
    hashes: Vec<B256>,
    transactions: B256Map<TransactionLocation>,
}

impl Canonical {
    pub(crate) fn new(first: &Block) -> Self {
        let mut canonical = Self { first: first.header.number, ..Self::default() };
        canonical.push(first);
        canonical
    }

    pub(crate) const fn first(&self) -> u64 {
        self.first
    }

    pub(crate) fn hash(&self, number: u64) -> Option<B256> {
        let index = number.checked_sub(self.first)?;
        self.hashes.get(usize::try_from(index).ok()?).copied()
    }

    pub(crate) fn place(&self, transaction: &B256) -> Option<TransactionLocation> {
        self.transactions.get(transaction).copied()
    }

    fn push(&mut self, block: &Block) {
        for (index, transaction) in block.transactions.iter().enumerate() {
            self.transactions.insert(*transaction.hash(), TransactionLocation { block: block.hash, index });
        }
        self.hashes.push(block.hash);
    }

    fn pop(&mut self, store: &Store) {
        if let Some(block) = self.hashes.pop().and_then(|hash| store.block(&hash)) {
            self.forget(&block);
        }
    }

    /// Forgets where the transactions of a block stand.
    pub(crate) fn forget(&mut self, block: &Block) {
        for transaction in &block.transactions {
            // One that stands in an older block as well is found nowhere then; a chain of signed
            // transactions has no such.
            if self.place(transaction.hash()).is_some_and(|place| place.block == block.hash) {
                self.transactions.remove(transaction.hash());
            }
        }
    }

    /// Makes the branch that ends in `head` canonical.
    pub(crate) fn move_to(&mut self, store: &Store, head: &Block) {
        let number = head.header.number;
        if self.hash(number.wrapping_sub(1)) == Some(head.header.parent_hash)
            && self.first + self.hashes.len() as u64 == number
        {
            self.push(head);
            return;
        }
        let mut branch = Vec::new();
        let mut next = Some(head.hash);
        while let Some(block) = next.and_then(|hash| store.block(&hash)) {
            if self.hash(block.header.number) == Some(block.hash) {
                let keep = block.header.number - self.first + 1;
                while self.hashes.len() as u64 > keep {
                    self.pop(store);
                }
                break;
            }
            next = (block.header.number > self.first).then_some(block.header.parent_hash);
            branch.push(block);
        }
        if branch.last().is_some_and(|block| self.hash(block.header.number).is_some()) {
            // Nothing in common: the branch replaces all, from where it begins.
            let from = branch.last().map_or(0, |block| block.header.number);
            while self.first + self.hashes.len() as u64 > from {
                self.pop(store);
            }
        }
        for block in branch.iter().rev() {
            self.push(block);
        }
    }
}
