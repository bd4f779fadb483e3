//! Changes to a state outside of transactions: overrides of a simulation, cheats of a devnet.

use alloy_primitives::{Address, Bytes, KECCAK256_EMPTY, U256, keccak256, map::AddressMap};
use executor::{BlockState, ReadError, StateSource};
use revm::{
    Database as _, DatabaseCommit as _,
    bytecode::Bytecode,
    state::{Account, AccountInfo},
};

/// Changes of accounts that no transaction makes. Slots are set by [`BlockState::set_slot`].
pub trait EditState {
    /// Sets the balance of an account, in wei.
    fn set_balance(&mut self, address: Address, balance: U256) -> Result<(), ReadError>;

    /// Sets the nonce of an account.
    fn set_nonce(&mut self, address: Address, nonce: u64) -> Result<(), ReadError>;

    /// Sets the code of an account; empty code removes the present code.
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
            // Bytes that begin like a delegation (EIP-7702) but are not one count as plain code.
            account.code = Some(
                Bytecode::new_raw_checked(code.clone())
                    .unwrap_or_else(|_| Bytecode::new_legacy(code)),
            );
        })
    }

    fn clear_storage(&mut self, address: Address) -> Result<(), ReadError> {
        // An account that does not exist has no storage.
        if let Some(info) = self.basic(address)? {
            // A created account begins without storage.
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
