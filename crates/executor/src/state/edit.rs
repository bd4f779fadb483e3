//! Changes to a state outside of transactions: overrides of a simulation, cheat methods of a
//! devnet.

use super::BlockState;
use crate::{ReadError, StateSource};
use alloc::vec::Vec;
use alloy_primitives::{Address, U256};
use revm::{Database, state::AccountInfo};

/// A new account, without code.
fn absent() -> AccountInfo {
    AccountInfo { code: None, ..AccountInfo::default() }
}

impl<S: StateSource> BlockState<'_, S> {
    /// Changes an account, creating it if it does not exist. An account that did not exist before
    /// and is still empty is removed again (EIP-161). If `change` sets code, it must also set the
    /// code hash.
    pub fn change_account(
        &mut self,
        address: Address,
        change: impl FnOnce(&mut AccountInfo),
    ) -> Result<(), ReadError> {
        let id = self.account_id(address)?;
        let account = &mut self.accounts[id];
        let info = account.now.get_or_insert_with(absent);
        change(info);
        if let Some(code) = info.code.take() {
            self.created_codes.insert(info.code_hash, code);
        }
        if account.before.is_none() && account.slots.is_empty() && account.is_empty() {
            account.now = None;
        }
        Ok(())
    }

    /// Sets a storage slot of an account.
    pub fn set_slot(&mut self, address: Address, key: U256, value: U256) -> Result<(), ReadError> {
        let id = self.account_id(address)?;
        // Load the slot first, because changes are detected against its value before the block.
        self.storage(address, key)?;
        let account = &mut self.accounts[id];
        account.now.get_or_insert_with(absent);
        account.set_slot(key, value);
        Ok(())
    }

    /// Returns the changed accounts and slots by address and key; the trie contains only their
    /// hashes.
    pub fn changed(&self) -> Vec<(Address, Vec<U256>)> {
        self.accounts
            .iter()
            .filter_map(|account| {
                let slots = account.slots.iter().filter(|(_, slot)| slot.is_changed());
                let slots: Vec<U256> = slots.map(|(key, _)| *key).collect();
                let other = account.now.as_ref().map(|now| (now.nonce, now.balance, now.code_hash));
                let before = account.before.map(|was| (was.nonce, was.balance, was.code_hash));
                (!slots.is_empty() || other != before).then_some((account.address, slots))
            })
            .collect()
    }
}
