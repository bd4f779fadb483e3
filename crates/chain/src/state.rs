//! The state after a block, for reading and for executing on.

use crate::{
    Block, ExecutedBlock, ChainConfig, ChainError, Store, header::base_fee_after, record::Recording,
};
use alloy_consensus::Header;
use alloy_eips::eip7825::MAX_TX_GAS_LIMIT_OSAKA;
use alloy_hardforks::EthereumHardfork;
use alloy_primitives::{Address, B256, Bytes, U256};
use revm::{Database, bytecode::Bytecode, state::AccountInfo};
use stateless::{BlockExecution, BlockState, ForkBackend, Environment, StateError, StateSource};
use std::sync::Arc;
use wire::OwnedWitness;

/// A state and the block that it belongs to. It is cheap to clone and stays what it is whatever the
/// chain does, so that whoever reads it holds no lock.
#[derive(Debug, Clone)]
pub struct State {
    pub(crate) config: Arc<ChainConfig>,
    pub(crate) store: Arc<Store>,
    pub(crate) block: Arc<Block>,
    pub(crate) root: B256,
}

impl State {
    /// The rules of its chain.
    pub fn config(&self) -> &ChainConfig {
        &self.config
    }

    /// The block after which this is the state.
    pub const fn block(&self) -> &Arc<Block> {
        &self.block
    }

    /// Root of the state. It is not the one in the block's header if somebody changed the state
    /// behind the block.
    pub const fn root(&self) -> B256 {
        self.root
    }

    /// The store behind it.
    pub const fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// The same state over a store of its own, into which changes go that nobody else is to see.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self { store: Arc::new(Store::above(Arc::clone(&self.store))), ..self.clone() }
    }

    /// The state after a child of its block that is not to become part of the chain: over a store
    /// of its own.
    #[must_use]
    pub fn after(&self, child: ExecutedBlock) -> Self {
        let ExecutedBlock { block, changes } = child;
        let store = Store::above(Arc::clone(&self.store));
        store.put(changes);
        let block = Arc::new(block);
        store.put_block(Arc::clone(&block));
        let root = block.header.state_root;
        Self { config: Arc::clone(&self.config), store: Arc::new(store), block, root }
    }

    /// As [`Self::after`], into the store of this state itself: for one that is
    /// [detached](Self::detached) already.
    #[must_use]
    pub fn advance(&self, child: ExecutedBlock) -> Self {
        let ExecutedBlock { block, changes } = child;
        self.store.put(changes);
        let block = Arc::new(block);
        self.store.put_block(Arc::clone(&block));
        Self { root: block.header.state_root, block, ..self.clone() }
    }

    /// The same state by other rules.
    #[must_use]
    pub fn with_config(&self, config: ChainConfig) -> Self {
        Self { config: Arc::new(config), ..self.clone() }
    }

    /// The state with this root, which its store holds, behind the same block.
    #[must_use]
    pub fn with_root(&self, root: B256) -> Self {
        Self { root, ..self.clone() }
    }

    /// Base fee of a child of its block, in wei.
    pub fn next_base_fee(&self) -> Result<u64, ChainError> {
        Ok(base_fee_after(&self.block.header)?)
    }

    /// Most gas that a transaction in a child of its block may have (EIP-7825).
    pub fn transaction_gas_cap(&self) -> u64 {
        let header = &self.block.header;
        let fork = self.config.spec.hardfork_at(header.number + 1, header.timestamp);
        if fork >= EthereumHardfork::Osaka && !self.config.limits.no_transaction_gas_cap {
            MAX_TX_GAS_LIMIT_OSAKA
        } else {
            u64::MAX
        }
    }

    /// Executes a child of its block once more, for what it reads: a canonical witness, the least
    /// that a verifier needs.
    pub fn witness_of(&self, child: &Block) -> Result<OwnedWitness, ChainError> {
        let recording = Recording::new(self);
        let mut state = BlockState::new(&recording, self.root);
        if child.header.slot_number.is_some() {
            state = state.with_access_list();
        }
        self.config.with_evm_overrides(|evm| -> Result<(), ChainError> {
            let mut execution = BlockExecution::begin(&mut state, self.environment(child), &evm)?;
            for (transaction, sender) in child.transactions.iter().zip(&child.senders) {
                execution.transact(transaction, *sender)?;
            }
            execution.finish()?;
            Ok(())
        })?;
        state.into_post_state(|_| {}).map_err(ChainError::Store)?;
        Ok(recording.into_witness())
    }

    /// A child of its block, to be executed.
    pub fn environment<'x>(&'x self, child: &'x Block) -> Environment<'x> {
        let Block { header, ommers, withdrawals, .. } = child;
        Environment { header, ommers, withdrawals, spec: &self.config.spec }
    }

    /// The state for the EVM, of which nothing is read yet.
    pub fn open(&self) -> BlockState<'_, Self> {
        BlockState::new(self, self.root)
    }

    fn read<T>(
        &self,
        read: impl FnOnce(&mut BlockState<'_, Self>) -> Result<T, StateError>,
    ) -> Result<T, ChainError> {
        read(&mut self.open()).map_err(ChainError::Store)
    }

    /// An account.
    pub fn account(&self, address: Address) -> Result<Option<AccountInfo>, ChainError> {
        self.read(|state| state.basic(address))
    }

    /// Balance of an account, in wei.
    pub fn balance(&self, address: Address) -> Result<U256, ChainError> {
        Ok(self.account(address)?.map_or(U256::ZERO, |account| account.balance))
    }

    /// Nonce of an account.
    pub fn nonce(&self, address: Address) -> Result<u64, ChainError> {
        Ok(self.account(address)?.map_or(0, |account| account.nonce))
    }

    /// A storage slot.
    pub fn storage(&self, address: Address, slot: U256) -> Result<U256, ChainError> {
        self.read(|state| state.storage(address, slot))
    }

    /// Code of an account.
    pub fn code(&self, address: Address) -> Result<Bytes, ChainError> {
        self.read(|state| match state.basic(address)? {
            Some(account) => Ok(state.code_by_hash(account.code_hash)?.original_bytes()),
            None => Ok(Bytes::new()),
        })
    }

    /// Changes the state as no transaction does. The result belongs to the same block, whose header
    /// does not commit to it.
    pub fn edit(
        &self,
        edit: impl FnOnce(&mut BlockState<'_, Self>) -> Result<(), StateError>,
    ) -> Result<Self, ChainError> {
        let mut state = self.open();
        edit(&mut state).map_err(ChainError::Store)?;
        let mut changes = crate::Changes { preimages: state.changed(), ..Default::default() };
        let post =
            state.into_post_state(|node| changes.put_node(node)).map_err(ChainError::Store)?;
        changes.codes = post.codes;
        self.store.put(changes);
        Ok(Self { root: post.root, ..self.clone() })
    }
}

impl StateSource for State {
    type Nodes = Store;

    fn nodes(&self) -> &Store {
        &self.store
    }

    fn code(&self, hash: &B256) -> Option<Bytecode> {
        self.store.code(hash)
    }

    fn block_hash(&self, number: u64) -> Option<B256> {
        let own = ancestor_hash(&self.store, &self.block.header, number);
        own.or_else(|| self.store.fork_backend()?.block_hash(number))
    }

    fn fork_backend(&self) -> Option<&dyn ForkBackend> {
        self.store.fork_backend()
    }
}

/// Hash of the ancestor of a child of `parent` with this number, along its own branch.
pub(crate) fn ancestor_hash(store: &Store, parent: &Header, number: u64) -> Option<B256> {
    if number > parent.number {
        return None;
    }
    if number == parent.number {
        return Some(parent.hash_slow());
    }
    let mut hash = parent.parent_hash;
    loop {
        let ancestor = store.block(&hash)?;
        if ancestor.header.number == number {
            return Some(ancestor.hash);
        }
        hash = ancestor.header.parent_hash;
    }
}
