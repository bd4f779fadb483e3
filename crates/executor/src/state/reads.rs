//! Taking back what was read for a transaction that does not become part of the block.

use super::{BlockState, StateSource};
use revm::primitives::StorageKey;
use trie::Trie;

/// How much a block has read up to some moment.
#[derive(Debug, Clone, Copy)]
pub struct ReadMark {
    accounts: usize,
    beneficiaries: usize,
}

impl<S: StateSource> BlockState<'_, S> {
    /// Marks how much has been read so far. There is one mark at a time.
    pub fn mark(&mut self) -> ReadMark {
        self.marked_slots.get_or_insert_default().clear();
        let beneficiaries = self.empty_may_go.as_ref().map_or(0, Vec::len);
        ReadMark { accounts: self.accounts.len(), beneficiaries }
    }

    /// Forgets what was read since the mark, and nothing of which was committed: whoever needs it reads
    /// it from the source again. What has been changed since is lost with it.
    ///
    /// Returns whether it could: where roots are made in the middle of a block, before Byzantium, what
    /// has been read stays.
    pub fn forget_reads(&mut self, mark: ReadMark) -> bool {
        if let Some(noted) = &mut self.empty_may_go {
            noted.truncate(mark.beneficiaries);
        }
        if !self.hashed_nodes.is_empty() {
            return false;
        }
        let slots: Vec<(usize, StorageKey)> =
            self.marked_slots.as_mut().map(core::mem::take).unwrap_or_default();
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
            self.trie = Trie::new(self.root);
        }
        true
    }
}
