//! State edits outside of transactions: overrides of a simulation, cheat methods of a devnet.

use alloy_primitives::{Address, Bytes, KECCAK256_EMPTY, U256, keccak256, map::AddressMap};
use executor::{BlockState, ReadError, StateSource};
use revm::{
    Database as _, DatabaseCommit as _,
    bytecode::Bytecode,
    state::{Account, AccountInfo},
};

/// Edits of accounts outside of transactions. [`BlockState::set_slot`] sets slots.
pub trait EditState {
    /// Sets the balance of an account, in wei.
    fn set_balance(&mut self, address: Address, balance: U256) -> Result<(), ReadError>;

    /// Sets the nonce of an account.
    fn set_nonce(&mut self, address: Address, nonce: u64) -> Result<(), ReadError>;

    /// Sets an account's code; empty code removes it.
    fn set_code(&mut self, address: Address, code: Bytes) -> Result<(), ReadError>;

    /// Removes all storage of an account.
    fn clear_storage(&mut self, address: Address) -> Result<(), ReadError>;

    /// Removes an account with its code and storage.
    fn remove_account(&mut self, address: Address) -> Result<(), ReadError>;
}

impl<S: StateSource> EditState for BlockState<'_, S> {
    fn set_balance(&mut self, address: Address, balance: U256) -> Result<(), ReadError> {
        self.change_account(address, |account| account.balance = balance)
    }

    fn set_nonce(&mut self, address: Address, nonce: u64) -> Result<(), ReadError> {
        self.change_account(address, |account| account.nonce = nonce)
    }

    fn set_code(&mut self, address: Address, code: Bytes) -> Result<(), ReadError> {
        self.change_account(address, |account| {
            if code.is_empty() {
                account.code_hash = KECCAK256_EMPTY;
                return;
            }
            account.code_hash = keccak256(&code);
            // Bytes with the prefix of a delegation (EIP-7702) that are not one are legacy code.
            account.code = Some(
                Bytecode::new_raw_checked(code.clone())
                    .unwrap_or_else(|_| Bytecode::new_legacy(code)),
            );
        })
    }

    fn clear_storage(&mut self, address: Address) -> Result<(), ReadError> {
        // An account that does not exist has no storage.
        if let Some(info) = self.basic(address)? {
            // An account that is marked as created has empty storage.
            let mut account = Account::from(info);
            account.mark_created();
            put(self, address, account);
        }
        Ok(())
    }

    fn remove_account(&mut self, address: Address) -> Result<(), ReadError> {
        self.basic(address)?;
        let mut account = Account::from(AccountInfo::default());
        account.mark_selfdestruct();
        put(self, address, account);
        Ok(())
    }
}

fn put<S: StateSource>(state: &mut BlockState<'_, S>, address: Address, mut account: Account) {
    account.mark_touch();
    state.commit(AddressMap::from_iter([(address, account)]));
}
