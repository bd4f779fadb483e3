//! A chain: its rules, its store, its head.

use crate::{
    Block, ChainError, NewBlock, Store,
    genesis::{genesis_header, put_alloc},
    record::Reading,
};
use alloy_consensus::Header;
use alloy_evm::precompiles::PrecompilesMap;
use alloy_genesis::Genesis;
use alloy_primitives::{Address, B256, Bytes, U256};
use execute::Execute;
use revm::{Database, state::AccountInfo};
use stateless::{BlockState, ChainSpec, ExecutedBlock, Options, SystemCode};
use std::sync::Arc;

/// What makes a chain this chain.
#[derive(Debug, Clone)]
pub struct ChainConfig {
    /// Its id and forks.
    pub spec: ChainSpec,
    /// EXECUTE, if the chain is an L1 (or a lower layer) that has it.
    pub execute: Option<Arc<Execute>>,
    /// What may stand at the system addresses. A chain of one's own keeps the canonical code;
    /// official fixtures do not always.
    pub system_code: SystemCode,
}

impl ChainConfig {
    /// A chain by these rules, without EXECUTE.
    pub const fn new(spec: ChainSpec) -> Self {
        Self { spec, execute: None, system_code: SystemCode::Canonical }
    }

    /// The same chain with EXECUTE.
    #[must_use]
    pub fn with_execute(mut self, execute: Execute) -> Self {
        self.execute = Some(Arc::new(execute));
        self
    }

    /// Adds what this chain has beyond its fork to the precompiles of an EVM.
    pub(crate) fn install(&self, precompiles: &mut PrecompilesMap) {
        if let Some(execute) = &self.execute {
            execute.install(precompiles);
        }
    }

    pub(crate) fn options<'o>(&self, install: &'o dyn Fn(&mut PrecompilesMap)) -> Options<'o> {
        Options { system_code: self.system_code, precompiles: install, ..Options::default() }
    }
}

/// An Ethereum chain in memory.
#[derive(Debug, Clone)]
pub struct Chain {
    config: ChainConfig,
    store: Store,
    head: Arc<Block>,
}

impl Chain {
    /// Starts a chain at `genesis`; of the genesis, the chain configuration is ignored in favour of
    /// `config`.
    pub fn new(genesis: &Genesis, config: ChainConfig) -> Self {
        let mut store = Store::default();
        let root = put_alloc(&mut store, genesis.alloc.iter());
        let header = genesis_header(genesis, root, &config.spec);
        Self::start(header, store, config)
    }

    /// Starts a chain at a header whose state is `alloc`.
    pub fn from_header(header: Header, genesis: &Genesis, config: ChainConfig) -> Self {
        let mut store = Store::default();
        put_alloc(&mut store, genesis.alloc.iter());
        Self::start(header, store, config)
    }

    fn start(header: Header, mut store: Store, config: ChainConfig) -> Self {
        let head = Arc::new(bare(header));
        store.put_block(Arc::clone(&head));
        Self { config, store, head }
    }

    /// Continues a chain of which the state, in `store`, and the headers are known: `headers` of the
    /// canonical blocks, ascending, the last one the head's. Nothing is checked, and what stands in
    /// the blocks besides their headers is not known. `None` if there is no header.
    pub fn resume(
        headers: impl IntoIterator<Item = Header>,
        mut store: Store,
        config: ChainConfig,
    ) -> Option<Self> {
        let mut head = None;
        for header in headers {
            let block = Arc::new(bare(header));
            store.put_block(Arc::clone(&block));
            head = Some(block);
        }
        head.map(|head| Self { config, store, head })
    }

    /// The chain's rules.
    pub const fn config(&self) -> &ChainConfig {
        &self.config
    }

    /// Gives the chain another EXECUTE, or none, from the next block on.
    pub fn set_execute(&mut self, execute: Option<Arc<Execute>>) {
        self.config.execute = execute;
    }

    /// All that the chain keeps.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// The newest block.
    pub const fn head(&self) -> &Arc<Block> {
        &self.head
    }

    /// Makes a block part of the chain, and its head.
    pub fn append(&mut self, new: NewBlock) -> Arc<Block> {
        for (hash, node) in new.nodes {
            self.store.put_node(hash, node);
        }
        for (hash, code) in new.codes {
            self.store.put_bytecode(hash, code);
        }
        self.head = Arc::new(new.block);
        self.store.put_block(Arc::clone(&self.head));
        Arc::clone(&self.head)
    }

    /// Runs `read` on the state after `block`.
    pub(crate) fn read<T>(
        &self,
        block: &Block,
        read: impl FnOnce(&mut BlockState<'_, Reading<'_>>) -> Result<T, stateless::StateError>,
    ) -> Result<T, ChainError> {
        let source = Reading { store: &self.store, parent: &block.header };
        let mut state = BlockState::new(&source, block.header.state_root);
        read(&mut state).map_err(ChainError::Store)
    }

    /// An account as it is at the head.
    pub fn account(&self, address: Address) -> Result<Option<AccountInfo>, ChainError> {
        self.read(&self.head, |state| state.basic(address))
    }

    /// Balance of an account at the head, in wei.
    pub fn balance(&self, address: Address) -> Result<U256, ChainError> {
        Ok(self.account(address)?.map_or(U256::ZERO, |account| account.balance))
    }

    /// Nonce of an account at the head.
    pub fn nonce(&self, address: Address) -> Result<u64, ChainError> {
        Ok(self.account(address)?.map_or(0, |account| account.nonce))
    }

    /// A storage slot at the head.
    pub fn storage(&self, address: Address, slot: U256) -> Result<U256, ChainError> {
        self.read(&self.head, |state| state.storage(address, slot))
    }

    /// Code of an account at the head.
    pub fn code(&self, address: Address) -> Result<Bytes, ChainError> {
        self.read(&self.head, |state| match state.basic(address)? {
            Some(account) => Ok(state.code_by_hash(account.code_hash)?.original_bytes()),
            None => Ok(Bytes::new()),
        })
    }

    /// The block with this hash.
    pub fn block(&self, hash: &B256) -> Result<&Arc<Block>, ChainError> {
        self.store.block(hash).ok_or(ChainError::UnknownBlock(*hash))
    }
}

/// A block of which nothing but the header is known, or has ever been.
fn bare(header: Header) -> Block {
    Block {
        hash: header.hash_slow(),
        header,
        transactions: Vec::new(),
        senders: Vec::new(),
        withdrawals: Vec::new(),
        executed: ExecutedBlock::default(),
    }
}
