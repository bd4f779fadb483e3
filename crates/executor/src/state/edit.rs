//! Changes to a state outside of transactions: overrides of a simulation, cheats of a devnet.

use super::BlockState;
use crate::{ReadError, StateSource};
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, keccak256};
use revm::{Database, bytecode::Bytecode, state::AccountInfo};

impl<S: StateSource> BlockState<'_, S> {
    /// Returns an account, creating it if it does not exist. Its code is found by hash.
    fn present(&mut self, id: usize) -> &mut AccountInfo {
        let absent = || AccountInfo { code: None, ..AccountInfo::default() };
        self.accounts[id].now.get_or_insert_with(absent)
    }

    /// Removes an account that did not exist before and is still empty (EIP-161).
    fn unless_empty(&mut self, id: usize) {
        let account = &mut self.accounts[id];
        if account.before.is_none() && account.slots.is_empty() && account.is_empty() {
            account.now = None;
        }
    }

    /// Sets the balance of an account, in wei.
    pub fn set_balance(&mut self, address: Address, balance: U256) -> Result<(), ReadError> {
        let id = self.account_id(address)?;
        self.present(id).balance = balance;
        self.unless_empty(id);
        Ok(())
    }

    /// Sets the nonce of an account.
    pub fn set_nonce(&mut self, address: Address, nonce: u64) -> Result<(), ReadError> {
        let id = self.account_id(address)?;
        self.present(id).nonce = nonce;
        self.unless_empty(id);
        Ok(())
    }

    /// Sets the code of an account; empty code removes the present code.
    pub fn set_code(&mut self, address: Address, code: Bytes) -> Result<(), ReadError> {
        let id = self.account_id(address)?;
        let hash = if code.is_empty() { KECCAK256_EMPTY } else { keccak256(&code) };
        self.present(id).code_hash = hash;
        self.unless_empty(id);
        if hash != KECCAK256_EMPTY {
            // Bytes that begin like a delegation (EIP-7702) but are not one count as plain code.
            let bytecode = Bytecode::new_raw_checked(code.clone())
                .unwrap_or_else(|_| Bytecode::new_legacy(code));
            self.created_codes.insert(hash, bytecode);
        }
        Ok(())
    }

    /// Sets a storage slot of an account.
    pub fn set_slot(&mut self, address: Address, key: U256, value: U256) -> Result<(), ReadError> {
        let id = self.account_id(address)?;
        // Read first: a slot needs its value before the block to count as changed.
        self.storage(address, key)?;
        self.present(id);
        self.accounts[id].set_slot(key, value);
        Ok(())
    }

    /// Removes all storage of an account.
    pub fn clear_storage(&mut self, address: Address) -> Result<(), ReadError> {
        let id = self.account_id(address)?;
        self.accounts[id].wipe_storage();
        Ok(())
    }

    /// Removes an account with its code and storage.
    pub fn remove_account(&mut self, address: Address) -> Result<(), ReadError> {
        let id = self.account_id(address)?;
        self.accounts[id].destroy();
        Ok(())
    }

    /// Returns the changed accounts and slots by address and key: a trie knows only their hashes.
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

    /// Returns the root of an account's storage before the block.
    pub fn storage_root(&mut self, address: Address) -> Result<B256, ReadError> {
        let id = self.account_id(address)?;
        let before = self.accounts[id].before;
        Ok(before.map_or(alloy_trie::EMPTY_ROOT_HASH, |account| account.storage_root))
    }
}
