//! A chain: its rules, its store, its head.

use crate::{
    Block, ExecutedBlock, ChainConfig, ChainError, TransactionLocation, State, Store,
    genesis::{genesis_header, put_alloc},
    index::Canonical,
    prune::Pruning,
};
use alloy_consensus::Header;
use alloy_genesis::Genesis;
use alloy_primitives::{Address, B256, Bytes, U256, map::B256Map};
use alloy_trie::EMPTY_ROOT_HASH;
use execute::Execute;
use revm::state::AccountInfo;
use stateless::{ForkBackend, StateError};
use std::sync::Arc;

/// An Ethereum chain in memory. A clone shares the store, which grows until somebody
/// [prunes](Chain::prune) it.
#[derive(Debug, Clone)]
pub struct Chain {
    config: Arc<ChainConfig>,
    store: Arc<Store>,
    head: Arc<Block>,
    pub(crate) canonical: Canonical,
    /// State roots behind blocks whose state somebody has changed.
    edited: B256Map<B256>,
    pub(crate) pruning: Pruning,
}

impl Chain {
    /// Starts a chain at `genesis`; of the genesis, the chain configuration is ignored in favour of
    /// `config`.
    pub fn new(genesis: &Genesis, config: ChainConfig) -> Self {
        let store = Store::default();
        let root = put_alloc(&store, genesis.alloc.iter());
        let header = genesis_header(genesis, root, &config.spec);
        Self::start(header, store, config)
    }

    /// Starts a chain at a header whose state is `alloc`.
    pub fn from_header(header: Header, genesis: &Genesis, config: ChainConfig) -> Self {
        let store = Store::default();
        put_alloc(&store, genesis.alloc.iter());
        Self::start(header, store, config)
    }

    fn start(header: Header, store: Store, config: ChainConfig) -> Self {
        Self::resume(config, store, Arc::new(Block::from_header(header)))
    }

    /// A chain whose blocks and states are in `store` already, with `head` as its head.
    ///
    /// The store has to hold the state of `head`, and as many of its ancestors as somebody will ask
    /// for: what is missing shows as [`ChainError::Store`] when it is read.
    pub fn resume(config: ChainConfig, store: Store, head: Arc<Block>) -> Self {
        let mut oldest = Arc::clone(&head);
        while let Some(parent) = store.block(&oldest.header.parent_hash) {
            oldest = parent;
        }
        store.put_block(Arc::clone(&head));
        let mut canonical = Canonical::new(&oldest);
        if oldest.hash != head.hash {
            canonical.move_to(&store, &head);
        }
        let (config, store) = (Arc::new(config), Arc::new(store));
        Self {
            config,
            store,
            head,
            canonical,
            edited: B256Map::default(),
            pruning: Pruning::default(),
        }
    }

    /// Continues another chain behind `header`, whose state is kept elsewhere.
    ///
    /// The chain keeps what it changes itself. Its state roots are roots of that: they prove
    /// nothing, and no block of it is [regular](Block::provable).
    pub fn forked(header: Header, fork_backend: Arc<dyn ForkBackend>, config: ChainConfig) -> Self {
        let mut chain = Self::start(header, Store::forked(fork_backend), config);
        chain.edited.insert(chain.head.hash, EMPTY_ROOT_HASH);
        chain
    }

    /// Continues a chain of which the state, in `store`, and the blocks are known: the canonical
    /// ones, ascending, the last one the head. Nothing is checked. `None` if there is no block.
    pub fn from_parts(
        blocks: impl IntoIterator<Item = Arc<Block>>,
        store: Store,
        config: ChainConfig,
    ) -> Option<Self> {
        let mut blocks = blocks.into_iter();
        let first = blocks.next()?;
        store.put_block(Arc::clone(&first));
        let canonical = Canonical::new(&first);
        let (config, store) = (Arc::new(config), Arc::new(store));
        let mut chain = Self {
            config,
            store,
            head: first,
            canonical,
            edited: B256Map::default(),
            pruning: Pruning::default(),
        };
        for block in blocks {
            chain.store.put_block(Arc::clone(&block));
            chain.move_head(&block);
        }
        Some(chain)
    }

    /// The chain's rules.
    pub fn config(&self) -> &ChainConfig {
        &self.config
    }

    /// Changes the chain's rules from the next block on.
    pub fn configure(&mut self, change: impl FnOnce(&mut ChainConfig)) {
        change(Arc::make_mut(&mut self.config));
    }

    /// Gives the chain another EXECUTE, or none, from the next block on.
    pub fn set_execute(&mut self, execute: Option<Arc<Execute>>) {
        self.configure(|config| config.execute = execute);
    }

    /// All that the chain keeps.
    pub const fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// The newest block.
    pub const fn head(&self) -> &Arc<Block> {
        &self.head
    }

    /// Makes a block part of the chain, and its head.
    pub fn append(&mut self, new: impl Into<ExecutedBlock>) -> Arc<Block> {
        let block = self.insert(new);
        self.move_head(&block);
        block
    }

    /// Makes a block part of the chain, and leaves the head where it is.
    pub fn insert(&mut self, new: impl Into<ExecutedBlock>) -> Arc<Block> {
        let ExecutedBlock { block, changes } = new.into();
        self.store.put(changes);
        let block = Arc::new(block);
        self.store.put_block(Arc::clone(&block));
        block
    }

    /// Makes a known block the head, and its branch canonical.
    pub fn set_head(&mut self, hash: &B256) -> Result<(), ChainError> {
        let block = self.block(hash)?;
        self.move_head(&block);
        Ok(())
    }

    fn move_head(&mut self, block: &Arc<Block>) {
        self.canonical.move_to(&self.store, block);
        self.head = Arc::clone(block);
        let merged = self.config.spec.pending_merge().filter(|_| block.header.difficulty.is_zero());
        if merged.is_some() && block.header.number > self.canonical.first() {
            let number = block.header.number;
            self.configure(|config| config.spec = config.spec.clone().merged_at(number));
        }
    }

    /// Hash of the canonical block with this number.
    pub fn canonical_hash(&self, number: u64) -> Option<B256> {
        self.canonical.hash(number)
    }

    /// The canonical block with this number.
    pub fn canonical_block(&self, number: u64) -> Option<Arc<Block>> {
        self.store.block(&self.canonical.hash(number)?)
    }

    /// Number of the oldest block.
    pub const fn first_number(&self) -> u64 {
        self.canonical.first()
    }

    /// Where a canonical transaction stands.
    pub fn transaction(&self, hash: &B256) -> Option<(Arc<Block>, usize)> {
        let TransactionLocation { block, index } = self.canonical.place(hash)?;
        Some((self.store.block(&block)?, index))
    }

    /// The state at the head.
    pub fn state(&self) -> State {
        self.state_after(&self.head)
    }

    /// The state after a block, with what somebody has changed behind it.
    pub fn state_after(&self, block: &Arc<Block>) -> State {
        let root = self.edited.get(&block.hash).copied().unwrap_or(block.header.state_root);
        State {
            config: Arc::clone(&self.config),
            store: Arc::clone(&self.store),
            block: Arc::clone(block),
            root,
        }
    }

    /// The state that a block was executed on; `None` for genesis.
    pub fn state_before(&self, block: &Block) -> Option<State> {
        let parent = self.store.block(&block.header.parent_hash)?;
        Some(State { root: block.pre_state_root, ..self.state_after(&parent) })
    }

    /// Makes `state` that behind its block, and the block the head.
    ///
    /// With a state of before, that undoes everything since; with one from [`State::edit`], it
    /// changes the state as no transaction can. Blocks on an edited state are not
    /// [regular](Block::provable).
    pub fn set_state(&mut self, state: &State) {
        let block = Arc::clone(&state.block);
        if self.store.block(&block.hash).is_none() {
            self.store.put_block(Arc::clone(&block));
        }
        if state.root == block.header.state_root {
            self.edited.remove(&block.hash);
        } else {
            self.edited.insert(block.hash, state.root);
        }
        if self.head.hash != block.hash {
            self.move_head(&block);
        }
    }

    /// The state after a block, of which the store holds all, has this root, whatever the header
    /// says.
    pub fn override_root(&mut self, block: B256, root: B256) {
        self.edited.insert(block, root);
    }

    /// Changes the state at the head as no transaction can.
    pub fn edit(
        &mut self,
        edit: impl FnOnce(&mut stateless::BlockState<'_, State>) -> Result<(), StateError>,
    ) -> Result<(), ChainError> {
        let state = self.state().edit(edit)?;
        self.set_state(&state);
        Ok(())
    }

    /// An account as it is at the head.
    pub fn account(&self, address: Address) -> Result<Option<AccountInfo>, ChainError> {
        self.state().account(address)
    }

    /// Balance of an account at the head, in wei.
    pub fn balance(&self, address: Address) -> Result<U256, ChainError> {
        self.state().balance(address)
    }

    /// Nonce of an account at the head.
    pub fn nonce(&self, address: Address) -> Result<u64, ChainError> {
        self.state().nonce(address)
    }

    /// A storage slot at the head.
    pub fn storage(&self, address: Address, slot: U256) -> Result<U256, ChainError> {
        self.state().storage(address, slot)
    }

    /// Code of an account at the head.
    pub fn code(&self, address: Address) -> Result<Bytes, ChainError> {
        self.state().code(address)
    }

    /// The block with this hash, canonical or not.
    pub fn block(&self, hash: &B256) -> Result<Arc<Block>, ChainError> {
        self.store.block(hash).ok_or(ChainError::UnknownBlock(*hash))
    }
}
