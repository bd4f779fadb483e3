//! The state of a block in execution: what it read, what it changed, and the root that results.

mod account;
mod edit;
mod post;
mod reads;

use crate::{DearWork, ReadError, StateError, SystemCode, Unpaid, WorkMeter};
use account::AccountState;
pub(crate) use account::{ZERO_CODE_HASH, unguessable};
use alloy_evm::block::BalIndexedDatabase;
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
    primitives::{StorageKey, StorageValue},
    state::{Account, AccountId, AccountInfo, bal::BlockAccessIndex},
};
use std::sync::{Arc, OnceLock};
use trie::{NodeSource, SourceError, Trie};

/// What stands behind a block's state: trie nodes and codes by hash, block hashes by number.
pub trait StateSource {
    /// The trie nodes.
    type Nodes: NodeSource + ?Sized;

    /// Trie nodes by hash.
    fn nodes(&self) -> &Self::Nodes;

    /// The code with this hash, ready to run; `None` if the source does not hold it.
    ///
    /// # Errors
    ///
    /// [`SourceError`] if the source cannot tell.
    fn code(&self, hash: &B256) -> Result<Option<Bytecode>, SourceError>;

    /// Hash of the ancestor with this number, if it is known; the caller asks only within the reach
    /// of BLOCKHASH.
    ///
    /// # Errors
    ///
    /// [`SourceError`] if the source cannot tell.
    fn block_hash(&self, number: u64) -> Result<Option<B256>, SourceError>;

    /// Whether what is read of it makes a witness. The EVM then reads what the specification would,
    /// so that whoever verifies by it finds all that it needs.
    fn is_recorded(&self) -> bool {
        false
    }

    /// Where to look for what the tries do not hold. A chain that continues another one keeps only
    /// what it has changed itself: its roots are roots of that, and prove nothing.
    fn fork_backend(&self) -> Option<&dyn ForkBackend> {
        None
    }
}

/// A state that is kept elsewhere, for a chain that continues another.
pub trait ForkBackend: core::fmt::Debug + Send + Sync {
    /// An account, with its code.
    ///
    /// # Errors
    ///
    /// [`SourceError`] if it cannot be had; so for all methods.
    fn account(&self, address: Address) -> Result<Option<AccountInfo>, SourceError>;

    /// A storage slot.
    fn storage(&self, address: Address, slot: StorageKey) -> Result<StorageValue, SourceError>;

    /// Hash of a block of the other chain, if it has one with this number.
    fn block_hash(&self, number: u64) -> Result<Option<B256>, SourceError>;
}

/// Where the first failed read of a block is kept: at hand even after the state has gone into an
/// executor that does not give it back.
pub(crate) type Failure = Arc<OnceLock<ReadError>>;

type Node<S> = <<S as StateSource>::Nodes as NodeSource>::Bytes;

/// revm's database over a [`StateSource`], for one block.
///
/// It keeps each account and slot that the block touches as it was and as it is, so that nothing is
/// looked up twice and the changes are at hand for the post-state root.
///
/// The first read that fails is kept: the executor wraps errors in text on some of its ways, and a
/// block must not pass because one of them was overlooked. See [`Self::failure`].
pub struct BlockState<'s, S: StateSource> {
    source: &'s S,
    /// Root of the state before the block.
    root: B256,
    trie: Trie<Node<S>>,
    ids: AddressMap<u32>,
    accounts: Vec<AccountState<Node<S>>>,
    created_codes: B256Map<Bytecode>,
    /// Slots that were read since the last mark, if there is one.
    marked_slots: Option<Vec<(usize, StorageKey)>>,
    /// Nodes of roots in the middle of the block, for the database that keeps the last.
    hashed_nodes: Vec<(B256, Vec<u8>)>,
    failure: Failure,
    /// Builds the block access list (EIP-7928) when asked to.
    pub(crate) access_list: BalState,
    /// What may stand at the system addresses; `None` if nobody asks.
    pub(crate) system_code: Option<SystemCode>,
    /// Who is told of dear work; `None` if nobody asks.
    pub(crate) meter: Option<Arc<dyn WorkMeter>>,
    /// From the merge on, the only accounts that go if they are touched and empty: who is paid fees,
    /// and who is left the balance of what destroys itself.
    empty_may_go: Option<Vec<Address>>,
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
    /// The state with this root, of which nothing is read yet.
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
            empty_may_go: None,
        }
    }

    /// Also holds the code at the system addresses, at the calls of a block, to what is allowed.
    #[must_use]
    pub const fn with_system_code(mut self, allowed: SystemCode) -> Self {
        self.system_code = Some(allowed);
        self
    }

    /// Whether what is read makes a witness.
    pub(crate) fn is_recorded(&self) -> bool {
        self.source.is_recorded()
    }

    /// From now on an empty account stays, touched or not, unless it is `beneficiary` or
    /// [noted](Self::note_beneficiary). Only a genesis has such accounts; the rules of the merge and
    /// later no longer speak of them (EIP-161 removed what was touched).
    pub(crate) fn keep_empty_accounts_but(&mut self, beneficiary: Address) {
        self.empty_may_go = Some(vec![beneficiary]);
    }

    /// Notes who is left the balance of an account that destroys itself.
    pub(crate) fn note_beneficiary(&mut self, beneficiary: Address) {
        if let Some(noted) = &mut self.empty_may_go
            && !noted.contains(&beneficiary)
        {
            noted.push(beneficiary);
        }
    }

    /// Also builds the block access list.
    #[must_use]
    pub fn with_access_list(mut self) -> Self {
        self.access_list = BalState::new().with_bal_builder();
        self
    }

    /// The first read that failed, if any did. The block is then not shown to be valid, whatever
    /// the executor says.
    pub fn failure(&self) -> Option<&ReadError> {
        self.failure.get()
    }

    /// As [`Self::failure`], to be asked when the state itself is gone.
    pub(crate) fn failure_handle(&self) -> Failure {
        Arc::clone(&self.failure)
    }

    /// An account as the block has it so far, if it has looked at it.
    pub fn known(&self, address: Address) -> Option<Option<AccountInfo>> {
        self.ids.get(&address).map(|id| self.accounts[*id as usize].seen_by_evm())
    }

    /// Tells the meter of work; whether the block may go on. If not, it has failed.
    pub(crate) fn spend(&self, work: DearWork) -> bool {
        let paid = self.meter.as_ref().is_none_or(|meter| meter.spend(work));
        if !paid {
            let _: Result<(), _> = self.fail(SourceError::new(Unpaid));
        }
        paid
    }

    /// Fails once a read has failed: whatever else the EVM asks for then, nobody needs, and nobody may have to pay.
    fn go_on(&self) -> Result<(), ReadError> {
        self.failure.get().map_or(Ok(()), |failed| Err(failed.clone()))
    }

    fn fail<T>(&self, error: impl Into<ReadError>) -> Result<T, ReadError> {
        let error = error.into();
        self.failure.get_or_init(|| error.clone());
        Err(error)
    }

    /// Position of an account among those touched, reading it from the trie at first.
    fn account_id(&mut self, address: Address) -> Result<usize, ReadError> {
        if let Some(id) = self.ids.get(&address) {
            return Ok(*id as usize);
        }
        self.go_on()?;
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
                self.accounts.push(account);
                // Fewer accounts than 2^32: each took bytes of a witness or of memory.
                self.ids.insert(address, u32::try_from(id).unwrap_or(u32::MAX));
                Ok(id)
            }
            Err(error) => self.fail(error),
        }
    }

    /// Takes over an account that is kept elsewhere.
    fn adopt(&mut self, account: &mut AccountState<Node<S>>, mut info: AccountInfo) {
        if let Some(code) = info.code.take().filter(|_| info.code_hash != KECCAK256_EMPTY) {
            self.created_codes.insert(info.code_hash, code);
        }
        account.now = Some(info);
        account.adopted = true;
    }

    fn slot(&mut self, id: usize, key: StorageKey) -> Result<StorageValue, ReadError> {
        self.go_on()?;
        let account = &mut self.accounts[id];
        let known = account.slots.len();
        match account.slot(self.source.nodes(), self.source.fork_backend(), key) {
            Ok(value) => {
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
        // A touched account has been read; were it not, the block fails for that reason.
        let Ok(id) = self.account_id(address) else { return };
        let state = &mut self.accounts[id];
        if account.is_selfdestructed() {
            state.destroy();
            return;
        }
        if account.is_created() {
            state.wipe_storage();
        }
        if account.info.is_empty() && !account.is_created() {
            // EIP-161: touching an empty account removes it. Before Spurious Dragon revm marks
            // those that stay as created.
            let may_go = self.empty_may_go.as_ref().is_none_or(|noted| noted.contains(&address));
            if may_go || !state.is_empty() {
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
        let seen = self.accounts[id].seen_by_evm();
        Ok(seen.map(|info| AccountInfo { account_id: AccountId::new(id), ..info }))
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, ReadError> {
        if hash == KECCAK256_EMPTY || hash.is_zero() {
            return Ok(Bytecode::default());
        }
        if hash == *ZERO_CODE_HASH {
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
