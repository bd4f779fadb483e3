//! The state of a block in execution: its reads, its changes, and the resulting root.

mod account;
mod edit;
mod post;
mod reads;

use crate::{
    InsufficientGas, OnceCell, ReadError, StateError, SystemCode, UnderpricedWork, WorkMeter,
};
use account::AccountState;
pub(crate) use account::ZERO_CODE_HASH;
use alloc::{sync::Arc, vec::Vec};
use alloy_evm::{block::BalIndexedDatabase, eth::EthEvmContext};
use alloy_primitives::{
    Address, B256, KECCAK256_EMPTY,
    map::{AddressMap, B256Map},
};
pub use post::PostState;
pub use reads::ReadMark;
use revm::{
    Database, DatabaseCommit,
    bytecode::Bytecode,
    database_interface::bal::BalState,
    handler::instructions::EthInstructions,
    interpreter::interpreter::EthInterpreter,
    primitives::{StorageKey, StorageValue, hardfork::SpecId},
    state::{Account, AccountId, AccountInfo, bal::BlockAccessIndex},
};
use trie::{NodeSource, SourceError, Trie};

/// revm's instructions for one fork.
pub type Instructions<DB> = EthInstructions<EthInterpreter, EthEvmContext<DB>>;

/// Source of a block's state: trie nodes and codes by hash, block hashes by number.
pub trait StateSource {
    /// The trie nodes.
    type Nodes: NodeSource + ?Sized;

    /// Returns the source of trie nodes.
    fn nodes(&self) -> &Self::Nodes;

    /// Returns the code with this hash, ready to run; `None` if the source does not have it.
    ///
    /// # Errors
    ///
    /// [`SourceError`] if the source cannot be read.
    fn code(&self, hash: &B256) -> Result<Option<Bytecode>, SourceError>;

    /// Returns the hash of the ancestor with this number, if it is known. It is called only for
    /// numbers that BLOCKHASH can access.
    ///
    /// # Errors
    ///
    /// [`SourceError`] if the source cannot be read.
    fn block_hash(&self, number: u64) -> Result<Option<B256>, SourceError>;

    /// Wraps instructions of the EVM over this source, for a source that records more reads than
    /// revm makes; by default none.
    fn instrument<'x, 's>(
        instructions: &mut Instructions<&'x mut BlockState<'s, Self>>,
        spec: SpecId,
    ) where
        Self: Sized,
    {
        let _ = (instructions, spec);
    }

    /// Returns the backend for accounts and slots that the tries lack. A chain that forks a remote
    /// chain stores only its own changes: its roots commit to those and prove nothing else.
    fn fork_backend(&self) -> Option<&dyn ForkBackend> {
        None
    }
}

/// A remote state, for a chain that forks a remote chain.
pub trait ForkBackend: core::fmt::Debug + Send + Sync {
    /// Returns an account with its code.
    ///
    /// # Errors
    ///
    /// [`SourceError`] if it cannot be fetched; the same holds for all methods.
    fn account(&self, address: Address) -> Result<Option<AccountInfo>, SourceError>;

    /// Returns a storage slot.
    fn storage(&self, address: Address, slot: StorageKey) -> Result<StorageValue, SourceError>;

    /// Returns the hash of a block of the remote chain, if it has one with this number.
    fn block_hash(&self, number: u64) -> Result<Option<B256>, SourceError>;
}

/// The first failed read of a block. It is shared, because an executor may consume the state
/// without returning it.
pub(crate) type Failure = Arc<OnceCell<ReadError>>;

type Node<S> = <<S as StateSource>::Nodes as NodeSource>::Bytes;

/// revm's database over a [`StateSource`], for one block.
///
/// The state stores each touched account and slot with its value before the block and its current
/// value, so that nothing is looked up twice and the changes are known for the post-state root.
///
/// The first failed read is stored: some paths of the executor wrap errors in text, and a block
/// must not be accepted because one of them was overlooked. See [`Self::failure`].
pub struct BlockState<'s, S: StateSource> {
    source: &'s S,
    /// Root of the state before the block.
    root: B256,
    trie: Trie<Node<S>>,
    ids: AddressMap<u32>,
    accounts: Vec<AccountState<Node<S>>>,
    created_codes: B256Map<Bytecode>,
    /// Slots read since the current mark, if there is one.
    marked_slots: Option<Vec<(usize, StorageKey)>>,
    /// Nodes of intermediate roots, for the database that stores the final one.
    hashed_nodes: Vec<(B256, Vec<u8>)>,
    failure: Failure,
    /// Builder of the block access list (EIP-7928), if enabled.
    pub(crate) access_list: BalState,
    /// Code that is allowed at the system addresses; `None` if it is not checked.
    pub(crate) system_code: Option<SystemCode>,
    /// Meter of expensive work, if any.
    pub(crate) meter: Option<Arc<dyn WorkMeter>>,
    /// If set, the only accounts that are removed when they are touched and empty: since the merge,
    /// fee recipients and beneficiaries of SELFDESTRUCT.
    removable_empty: Option<Vec<Address>>,
}

impl<S: StateSource> core::fmt::Debug for BlockState<'_, S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("BlockState")
            .field("accounts", &self.accounts.len())
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

impl<'s, S: StateSource> BlockState<'s, S> {
    /// Creates the state with this root, without reading it.
    pub fn new(source: &'s S, root: B256) -> Self {
        Self {
            source,
            root,
            trie: Trie::new(root),
            ids: AddressMap::default(),
            accounts: Vec::new(),
            created_codes: B256Map::default(),
            marked_slots: None,
            hashed_nodes: Vec::new(),
            failure: Failure::default(),
            access_list: BalState::new(),
            system_code: None,
            meter: None,
            removable_empty: None,
        }
    }

    /// Enables the check of the code at the system addresses before a block calls it.
    #[must_use]
    pub const fn with_system_code(mut self, allowed: SystemCode) -> Self {
        self.system_code = Some(allowed);
        self
    }

    /// Keeps empty accounts from now on, touched or not, unless they are `beneficiary` or
    /// [noted](Self::note_beneficiary). Only a genesis has such accounts, and the rules since the
    /// merge no longer mention them (EIP-161 removed those that were touched).
    pub(crate) fn keep_empty_accounts_except(&mut self, beneficiary: Address) {
        self.removable_empty = Some(vec![beneficiary]);
    }

    /// Records the beneficiary of a SELFDESTRUCT.
    pub(crate) fn note_beneficiary(&mut self, beneficiary: Address) {
        if let Some(noted) = &mut self.removable_empty
            && !noted.contains(&beneficiary)
        {
            noted.push(beneficiary);
        }
    }

    /// Enables the block access list.
    #[must_use]
    pub fn with_access_list(mut self) -> Self {
        self.access_list = BalState::new().with_bal_builder();
        self
    }

    /// Returns the first failed read. If there is one, the block is not proven valid, even if the
    /// executor reports success.
    pub fn failure(&self) -> Option<&ReadError> {
        self.failure.get()
    }

    /// Returns a handle to [`Self::failure`] that outlives the state.
    pub(crate) fn failure_handle(&self) -> Failure {
        Arc::clone(&self.failure)
    }

    /// Returns an account in its current state, if the block has read it.
    pub fn known(&self, address: Address) -> Option<Option<AccountInfo>> {
        self.ids.get(&address).map(|id| self.accounts[*id as usize].seen_by_evm())
    }

    /// Reports work to the meter and returns `true` if the block may continue. Otherwise the state
    /// has failed.
    pub(crate) fn spend(&self, work: UnderpricedWork) -> bool {
        let paid = self.meter.as_ref().is_none_or(|meter| meter.spend(work));
        if !paid {
            let _: Result<(), _> = self.fail(SourceError::new(InsufficientGas));
        }
        paid
    }

    /// Returns an error after a failed read: the result of any further read is useless, and reading
    /// could cost gas or time.
    fn check_failure(&self) -> Result<(), ReadError> {
        self.failure.get().map_or(Ok(()), |failed| Err(failed.clone()))
    }

    fn fail<T>(&self, error: impl Into<ReadError>) -> Result<T, ReadError> {
        let error = error.into();
        self.failure.get_or_init(|| error.clone());
        Err(error)
    }

    /// Returns the index of an account among the touched ones, reading it from the trie the first
    /// time.
    fn account_id(&mut self, address: Address) -> Result<usize, ReadError> {
        if let Some(id) = self.ids.get(&address) {
            return Ok(*id as usize);
        }
        // Only accounts that were not read yet are rejected; earlier reads remain available.
        self.check_failure()?;
        match AccountState::read(&mut self.trie, self.source.nodes(), address) {
            Ok(mut account) => {
                if account.now.is_none()
                    && let Some(fork_backend) = self.source.fork_backend()
                {
                    match fork_backend.account(address) {
                        Ok(Some(info)) => self.adopt(&mut account, info),
                        Ok(None) => {}
                        Err(error) => return self.fail(error),
                    }
                }
                let id = self.accounts.len();
                // Grows by eighths, like the arenas of tries.
                if id == self.accounts.capacity() {
                    self.accounts.reserve_exact(id / 8 + 2);
                }
                self.accounts.push(account);
                // There are fewer than 2^32 accounts: each takes bytes of a witness or of memory.
                self.ids.insert(address, u32::try_from(id).unwrap_or(u32::MAX));
                Ok(id)
            }
            Err(error) => self.fail(error),
        }
    }

    /// Adopts an account of the fork backend.
    fn adopt(&mut self, account: &mut AccountState<Node<S>>, mut info: AccountInfo) {
        // The code of the remote account is stored here, because the local source does not have it.
        if let Some(code) = info.code.take().filter(|_| info.code_hash != KECCAK256_EMPTY) {
            self.created_codes.insert(info.code_hash, code);
        }
        account.now = Some(info);
        account.adopted = true;
    }

    fn slot(&mut self, id: usize, key: StorageKey) -> Result<StorageValue, ReadError> {
        self.check_failure()?;
        let account = &mut self.accounts[id];
        let known = account.slots.len();
        match account.slot(self.source.nodes(), self.source.fork_backend(), key) {
            Ok(value) => {
                // A mark must contain exactly the slots that were new, so that forgetting reads
                // leaves the others.
                if account.slots.len() > known
                    && let Some(slots) = &mut self.marked_slots
                {
                    slots.push((id, key));
                }
                Ok(value)
            }
            Err(error) => self.fail(error),
        }
    }

    fn commit_account(&mut self, address: Address, account: Account) {
        if !account.is_touched() {
            return;
        }
        // A touched account has been read. If that read failed, the block fails for that reason.
        let Ok(id) = self.account_id(address) else { return };
        let state = &mut self.accounts[id];
        // revm decides on EIP-6780 and created accounts; here a destroyed account simply loses
        // everything.
        if account.is_selfdestructed() {
            state.destroy();
            return;
        }
        // Storage of an earlier account at this address is removed before the first write of the
        // new one.
        if account.is_created() {
            state.wipe_storage();
        }
        if account.info.is_empty() && !account.is_created() {
            // EIP-161: touching an empty account removes it. Before Spurious Dragon, revm marks the
            // accounts that are kept as created.
            let removable = self.removable_empty.as_ref().is_none_or(|set| set.contains(&address));
            if removable || !state.is_empty() {
                state.destroy();
            }
            return;
        }
        let mut info = account.info;
        info.code_hash = state.true_code_hash(info.code_hash);
        if let Some(code) = info.code
            && info.code_hash != KECCAK256_EMPTY
            && state.now.as_ref().is_none_or(|now| now.code_hash != info.code_hash)
        {
            self.created_codes.insert(info.code_hash, code);
        }
        state.now = Some(AccountInfo { code: None, ..info });
        for (key, slot) in account.storage {
            // revm also lists slots that were only read.
            if slot.is_changed() {
                state.set_slot(key, slot.present_value);
            }
        }
    }
}

impl<S: StateSource> Database for BlockState<'_, S> {
    type Error = ReadError;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, ReadError> {
        let id = self.account_id(address)?;
        let account = self.accounts[id].seen_by_evm();
        Ok(account.map(|info| AccountInfo { account_id: AccountId::new(id), ..info }))
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, ReadError> {
        // Neither hash has code; `seen_by_evm` explains the zero.
        if hash == KECCAK256_EMPTY || hash.is_zero() {
            return Ok(Bytecode::default());
        }
        if hash == ZERO_CODE_HASH {
            return self.fail(StateError::MissingCode(B256::ZERO));
        }
        if let Some(code) = self.created_codes.get(&hash) {
            return Ok(code.clone());
        }
        match self.source.code(&hash) {
            Ok(Some(code)) => Ok(code),
            Ok(None) => self.fail(StateError::MissingCode(hash)),
            Err(error) => self.fail(error),
        }
    }

    fn storage(&mut self, address: Address, key: StorageKey) -> Result<StorageValue, ReadError> {
        let id = self.account_id(address)?;
        self.slot(id, key)
    }

    fn storage_by_account_id(
        &mut self,
        _address: Address,
        id: AccountId,
        key: StorageKey,
    ) -> Result<StorageValue, ReadError> {
        self.slot(id.get(), key)
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, ReadError> {
        match self.source.block_hash(number) {
            Ok(Some(hash)) => Ok(hash),
            Ok(None) => self.fail(StateError::MissingAncestor(number)),
            Err(error) => self.fail(error),
        }
    }
}

impl<S: StateSource> DatabaseCommit for BlockState<'_, S> {
    fn commit(&mut self, changes: AddressMap<Account>) {
        self.commit_iter(&mut changes.into_iter());
    }

    fn commit_iter(&mut self, changes: &mut dyn Iterator<Item = (Address, Account)>) {
        for (address, mut account) in changes {
            // The access list must not report the mark of `seen_by_evm` as a change of code.
            if self.access_list.bal_builder.is_some() {
                account::without_mark(&mut account);
            }
            self.access_list.commit_one(address, &account);
            self.commit_account(address, account);
        }
    }
}

impl<S: StateSource> BalIndexedDatabase for BlockState<'_, S> {
    fn set_bal_index(&mut self, index: u64) {
        self.access_list.bal_index = BlockAccessIndex::new(index);
    }

    fn bump_bal_index(&mut self) {
        self.access_list.bump_bal_index();
    }
}
