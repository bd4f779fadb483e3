//! Undoing the reads of a transaction that is not included in the block.

use super::{BlockState, StateSource};
use alloc::vec::Vec;
use revm::primitives::StorageKey;
use trie::Trie;

/// A position in the reads of a block.
#[derive(Debug, Clone, Copy)]
pub struct ReadMark {
    accounts: usize,
    beneficiaries: usize,
}

impl<S: StateSource> BlockState<'_, S> {
    /// Marks the reads so far. Only one mark exists at a time.
    pub fn mark(&mut self) -> ReadMark {
        self.marked_slots.get_or_insert_default().clear();
        let beneficiaries = self.removable_empty.as_ref().map_or(0, Vec::len);
        ReadMark { accounts: self.accounts.len(), beneficiaries }
    }

    /// Forgets the reads since the mark, none of which may have been committed: later uses read
    /// from the source again. Changes since the mark are lost.
    ///
    /// Returns `false` if this is not possible: before Byzantium, intermediate roots have already
    /// written to the tries.
    pub fn forget_reads(&mut self, mark: ReadMark) -> bool {
        if let Some(noted) = &mut self.removable_empty {
            noted.truncate(mark.beneficiaries);
        }
        // An intermediate root has written to the tries, so they can no longer be unloaded.
        if !self.hashed_nodes.is_empty() {
            return false;
        }
        let slots: Vec<(usize, StorageKey)> =
            self.marked_slots.as_mut().map(core::mem::take).unwrap_or_default();
        // Slots of accounts that are removed entirely need not be removed one by one.
        for (id, key) in slots.into_iter().filter(|(id, _)| *id < mark.accounts) {
            let account = &mut self.accounts[id];
            if account.slots.remove(&key).is_some() {
                account.forget_nodes();
            }
        }
        if self.accounts.len() > mark.accounts {
            for account in self.accounts.drain(mark.accounts..) {
                self.ids.remove(&account.address);
            }
            // Nothing has been written to the account trie yet, so unloading it does not change it.
            self.trie = Trie::new(self.root);
        }
        true
    }
}
