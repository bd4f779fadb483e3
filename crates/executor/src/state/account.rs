//! An account in a block, before the block and currently, with its storage.

use super::ForkBackend;
use crate::{ReadError, StateError};
use alloc::{vec, vec::Vec};
use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256, map::HashMap};
use alloy_trie::TrieAccount;
use keccak::{keccak256, keccak256_batch_by};
use revm::{
    primitives::{StorageKey, StorageValue},
    state::{Account, AccountInfo},
};
use trie::{EMPTY_ROOT, NodeBytes, NodeSource, Trie};

/// Substitute for a code hash of zero, which the EVM interprets as "no code": no code has that
/// hash, and an account with it is not empty. No block creates such an account, but a genesis may.
///
/// No known code has this hash. If a genesis contains it, the account cannot be called, and
/// [reading](AccountState::read) it fails.
pub(crate) const ZERO_CODE_HASH: B256 = B256::repeat_byte(0xff);

/// Removes the mark that [`AccountState::seen_by_evm`] puts on an account with storage but without
/// nonce and code: losing the mark is not a change of code.
pub(super) fn without_mark(account: &mut Account) {
    if !account.original_info().code_hash.is_zero() {
        return;
    }
    account.original_info_mut().code_hash = KECCAK256_EMPTY;
    if account.info.code_hash.is_zero() {
        account.info.code_hash = KECCAK256_EMPTY;
    }
}

/// A storage slot that the block touched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    /// Value before the block, or since the storage was wiped.
    pub(super) before: StorageValue,
    /// Current value.
    pub(super) now: StorageValue,
}

impl Slot {
    pub(super) fn is_changed(&self) -> bool {
        self.before != self.now
    }
}

/// An account that the block touched.
#[derive(Debug)]
pub(super) struct AccountState<B> {
    pub(super) address: Address,
    /// Account in the trie, before the block.
    pub(super) before: Option<TrieAccount>,
    /// Account after the transactions so far, without its code.
    pub(super) now: Option<AccountInfo>,
    /// Storage before the block, or empty since it was wiped.
    pub(super) trie: Trie<B>,
    pub(super) slots: HashMap<StorageKey, Slot>,
    /// `true` if the account was adopted from the fork backend.
    pub(super) adopted: bool,
    /// `true` if its storage was wiped, so that neither the trie nor the fork backend applies any
    /// more.
    wiped: bool,
}

impl<B: NodeBytes> AccountState<B> {
    /// Reads the account from the account trie.
    pub(super) fn read<N>(
        trie: &mut Trie<B>,
        nodes: &N,
        address: Address,
    ) -> Result<Self, ReadError>
    where
        N: NodeSource<Bytes = B> + ?Sized,
    {
        let place = keccak256(address.as_slice());
        let before = trie
            .get(nodes, &place)
            .map_err(|error| {
                ReadError::of_trie(error, |source| StateError::Account { address, source })
            })?
            .map(alloy_rlp::decode_exact::<TrieAccount>)
            .transpose()
            .map_err(|reason| StateError::MalformedAccount { address, reason })?;
        // Interpreted as a code hash of zero, it would change the account.
        if before.is_some_and(|account| account.code_hash == ZERO_CODE_HASH) {
            return Err(StateError::MissingCode(ZERO_CODE_HASH).into());
        }
        let now = before.map(|account| AccountInfo {
            balance: account.balance,
            nonce: account.nonce,
            code_hash: account.code_hash,
            account_id: None,
            code: None,
        });
        let root = before.map_or(EMPTY_ROOT, |account| account.storage_root);
        let (trie, slots) = (Trie::storage(place, root), HashMap::default());
        Ok(Self { address, before, now, trie, slots, adopted: false, wiped: false })
    }

    /// Returns Keccak-256 of the address: its path in the trie.
    pub(super) fn place(&self) -> B256 {
        self.trie.owner().unwrap_or_else(|| unreachable!("its trie is a storage trie"))
    }

    /// Returns the account as the EVM sees it.
    ///
    /// A contract cannot be created at an address with storage (EIP-7610), but revm checks only
    /// nonce and code. An account that only has storage therefore gets a code hash other than that
    /// of empty code. The EVM still treats it as an account without code, except for EXTCODEHASH,
    /// which the block's EVM corrects.
    pub(super) fn seen_by_evm(&self) -> Option<AccountInfo> {
        let mut info = self.now.clone()?;
        if info.code_hash.is_zero() {
            info.code_hash = ZERO_CODE_HASH;
        } else if info.nonce == 0 && info.code_hash == KECCAK256_EMPTY && !self.trie.is_empty() {
            info.code_hash = B256::ZERO;
        }
        Some(info)
    }

    /// Returns the real code hash for the one that the EVM sees.
    pub(super) fn true_code_hash(&self, hash: B256) -> B256 {
        if hash == ZERO_CODE_HASH {
            B256::ZERO
        } else if hash.is_zero() {
            KECCAK256_EMPTY
        } else {
            hash
        }
    }

    /// Returns `true` if the account exists and has no nonce, no balance and no code (EIP-161).
    pub(super) fn is_empty(&self) -> bool {
        self.now.as_ref().is_some_and(|now| {
            now.nonce == 0 && now.balance.is_zero() && now.code_hash == KECCAK256_EMPTY
        })
    }

    /// Returns the current value of a slot.
    pub(super) fn slot<N>(
        &mut self,
        nodes: &N,
        fork_backend: Option<&dyn ForkBackend>,
        key: StorageKey,
    ) -> Result<StorageValue, ReadError>
    where
        N: NodeSource<Bytes = B> + ?Sized,
    {
        if let Some(slot) = self.slots.get(&key) {
            return Ok(slot.now);
        }
        let address = self.address;
        let place = keccak256(&key.to_be_bytes::<32>());
        let value = self
            .trie
            .get(nodes, &place)
            .map_err(|error| {
                ReadError::of_trie(error, |source| StateError::Storage {
                    address,
                    slot: key,
                    source,
                })
            })?
            .map(alloy_rlp::decode_exact::<U256>)
            .transpose()
            .map_err(|reason| StateError::MalformedSlot { address, slot: key, reason })?;
        let value = match (value, fork_backend) {
            (Some(value), _) => value,
            // A wiped storage must not fall back to the backend, which still has the old values.
            (None, Some(fork_backend)) if !self.wiped => fork_backend.storage(address, key)?,
            (None, _) => StorageValue::ZERO,
        };
        self.slots.insert(key, Slot { before: value, now: value });
        Ok(value)
    }

    /// Sets a slot. A slot that was never read belongs to an account with empty storage.
    pub(super) fn set_slot(&mut self, key: StorageKey, value: StorageValue) {
        self.slots
            .entry(key)
            // revm reads every slot before it writes it, except in a new account, whose storage is
            // empty.
            .or_insert(Slot { before: U256::ZERO, now: U256::ZERO })
            .now = value;
    }

    /// Unloads its trie, to which nothing has been written yet. Nodes are read again when needed.
    pub(super) fn forget_nodes(&mut self) {
        // The trie of a wiped account is empty and must stay so.
        if !self.wiped {
            let root = self.before.map_or(EMPTY_ROOT, |account| account.storage_root);
            self.trie = Trie::storage(self.place(), root);
        }
    }

    /// Removes all storage, including that of the pre-state.
    pub(super) fn wipe_storage(&mut self) {
        self.trie = Trie::storage(self.place(), EMPTY_ROOT);
        self.slots.clear();
        self.wiped = true;
    }

    /// Removes the account and its storage.
    pub(super) fn destroy(&mut self) {
        self.now = None;
        self.wipe_storage();
    }

    /// Makes the current values, which have been written to the tries, the values before the block.
    pub(super) fn settle(&mut self) {
        self.before = self.after(self.trie.root().unwrap_or_default());
        for slot in self.slots.values_mut() {
            slot.before = slot.now;
        }
    }

    /// Returns the account as it must be in the trie, given its storage root.
    pub(super) fn after(&self, storage_root: B256) -> Option<TrieAccount> {
        self.now.as_ref().map(|now| TrieAccount {
            nonce: now.nonce,
            balance: now.balance,
            storage_root,
            code_hash: now.code_hash,
        })
    }

    /// Writes the changed slots to the storage trie.
    pub(super) fn write_slots<N: NodeSource<Bytes = B> + ?Sized>(
        &mut self,
        nodes: &N,
        keep_zeros: bool,
    ) -> Result<(), ReadError> {
        // A removed account loses its storage trie, so its slots need not be written.
        if self.now.is_none() {
            return Ok(());
        }
        let address = self.address;
        let broken = |slot, error| {
            ReadError::of_trie(error, |source| StateError::Storage { address, slot, source })
        };
        let changed = self.slots.iter().filter(|(_, slot)| slot.is_changed());
        let (keys, values): (Vec<_>, Vec<_>) =
            changed.map(|(key, slot)| (key.to_be_bytes::<32>(), (*key, slot.now))).unzip();
        let mut places = vec![B256::ZERO; keys.len()];
        keccak256_batch_by(|index| &keys[index], &mut places);
        let mut changed: Vec<_> = places.into_iter().zip(values).collect();
        // In the order of the trie, so that the reported one of multiple missing nodes is always
        // the same.
        changed.sort_unstable();
        let (removed, set): (Vec<_>, Vec<_>) =
            changed.into_iter().partition(|(_, (_, now))| now.is_zero() && !keep_zeros);
        for (place, (key, now)) in set {
            let value = alloy_rlp::encode_fixed_size(&now);
            self.trie.insert(nodes, &place, &value).map_err(|error| broken(key, error))?;
        }
        for (place, (key, _)) in removed {
            self.trie.remove(nodes, &place).map_err(|error| broken(key, error))?;
        }
        Ok(())
    }
}
