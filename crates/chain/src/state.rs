//! The state after a block, for reads and execution.

use crate::store::{Block, Changes, ExecutedBlock, Overlay, Store};
use crate::{
    BlockAttributes, ChainConfig, ChainError, ancestors::Ancestors, header::base_fee_after,
};
use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, EMPTY_ROOT_HASH, Header, proofs};
use alloy_eips::eip7825::MAX_TX_GAS_LIMIT_OSAKA;
use alloy_evm::EvmEnv;
use alloy_hardforks::{EthereumHardfork, EthereumHardforks};
use alloy_primitives::{Address, B256, Bytes, U256};
use executor::{BlockState, Environment, EvmOverrides as _, ForkBackend, ReadError, StateSource};
use revm::{Database, bytecode::Bytecode, state::AccountInfo};
use stateless::next_excess_blob_gas;
use std::sync::Arc;
use trie::{Nibbles, NodePath, SourceError};

/// Maximum gas of a call, and of a transaction that enters the pool, on every chain. It bounds their
/// time and memory if blocks have no gas limit: memory costs a 512th of the square of its words, so
/// a frame can allocate 72 MB, and nested frames 600 MB together.
pub const MAX_EXECUTION_GAS: u64 = 10_000_000_000;

/// A state and the block to which it belongs. It is cheap to clone and independent of later changes
/// to the chain, so readers hold no lock.
#[derive(Debug, Clone)]
pub struct State {
    pub(crate) config: Arc<ChainConfig>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) fork_backend: Option<Arc<dyn ForkBackend>>,
    pub(crate) block: Arc<Block>,
    pub(crate) root: B256,
    /// Shared by all states after this block that are derived from one another.
    pub(crate) ancestors: Arc<Ancestors>,
}

impl State {
    /// Returns the parameters of the chain.
    pub fn config(&self) -> &ChainConfig {
        &self.config
    }

    /// Returns the block whose post-state this is.
    pub const fn block(&self) -> &Arc<Block> {
        &self.block
    }

    /// Returns the root of the state. It differs from the root in the block's header if the state
    /// was edited.
    pub const fn root(&self) -> B256 {
        self.root
    }

    /// Returns `true` if the store has the state. Blocks that were executed elsewhere may have
    /// none.
    pub fn is_here(&self) -> Result<bool, ChainError> {
        Ok(!self.block.is_foreign() || self.has_root()?)
    }

    /// Returns `false` if the state was pruned or never stored. The state of a fork of another
    /// chain is fetched from there.
    pub fn is_stored(&self) -> Result<bool, ChainError> {
        let is_trivial = self.fork_backend.is_some() || self.root == EMPTY_ROOT_HASH;
        Ok(is_trivial || self.has_root()?)
    }

    fn has_root(&self) -> Result<bool, ChainError> {
        let place = NodePath { owner: None, nibbles: &Nibbles::new() };
        Ok(self.store.node(place, &self.root)?.is_some())
    }

    /// Returns the store that contains the state.
    pub const fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Returns the same state over a private store, which isolates its changes from the chain.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self { store: Arc::new(Overlay::new(Arc::clone(&self.store))), ..self.clone() }
    }

    /// Returns the state after a child block that is not added to the chain, over a private store.
    pub fn after(&self, child: ExecutedBlock) -> Result<Self, ChainError> {
        self.detached().advance(child)
    }

    /// Commits a child block to the store of this state, which must already be
    /// [detached](Self::detached).
    pub fn advance(&self, child: ExecutedBlock) -> Result<Self, ChainError> {
        let ExecutedBlock { block, mut changes, .. } = child;
        let block = Arc::new(block);
        changes.blocks.push(Arc::clone(&block));
        self.store.commit(changes)?;
        let ancestors = Arc::default();
        Ok(Self { root: block.header.state_root, block, ancestors, ..self.clone() })
    }

    /// Returns the same state under other rules.
    #[must_use]
    pub fn with_config(&self, config: ChainConfig) -> Self {
        Self { config: Arc::new(config), ..self.clone() }
    }

    /// Returns the state with this root, which must be in the store, after the same block.
    #[must_use]
    pub fn with_root(&self, root: B256) -> Self {
        Self { root, ..self.clone() }
    }

    /// Returns `true` if a child block has a base fee (EIP-1559).
    pub fn has_base_fee(&self) -> bool {
        self.config.spec.is_london_active_at_block(self.block.header.number.saturating_add(1))
    }

    /// Returns the base fee of a child block, in wei; 0 if it has none.
    pub fn next_base_fee(&self) -> Result<u64, ChainError> {
        Ok(if self.has_base_fee() { base_fee_after(&self.block.header)? } else { 0 })
    }

    /// Returns the maximum gas of a transaction that is sent for a child block (EIP-7825). Since
    /// Amsterdam, the cap of the EIP limits only computation, as gas above it pays for new state
    /// (EIP-8037), so [`MAX_EXECUTION_GAS`] applies.
    pub fn transaction_gas_cap(&self) -> u64 {
        let header = &self.block.header;
        let fork = self.config.spec.hardfork_at(header.number + 1, header.timestamp);
        if fork >= EthereumHardfork::Osaka
            && fork < EthereumHardfork::Amsterdam
            && !self.config.limits.no_transaction_gas_cap
        {
            MAX_TX_GAS_LIMIT_OSAKA
        } else {
            MAX_EXECUTION_GAS
        }
    }

    /// Returns the environment for executing a child block.
    pub fn environment<'x>(&'x self, child: &'x Block) -> Environment<'x> {
        let Block { header, ommers, withdrawals, .. } = child;
        Environment { header, ommers, withdrawals, spec: &self.config.spec }
    }

    /// Opens the state for the EVM, without cached reads.
    pub fn open(&self) -> BlockState<'_, Self> {
        BlockState::new(self, self.root)
    }

    fn read<T>(
        &self,
        read: impl FnOnce(&mut BlockState<'_, Self>) -> Result<T, ReadError>,
    ) -> Result<T, ChainError> {
        Ok(read(&mut self.open())?)
    }

    /// Returns an account; `None` if it does not exist.
    pub fn account(&self, address: Address) -> Result<Option<AccountInfo>, ChainError> {
        self.read(|state| state.basic(address))
    }

    /// Returns the balance of an account, in wei.
    pub fn balance(&self, address: Address) -> Result<U256, ChainError> {
        Ok(self.account(address)?.map_or(U256::ZERO, |account| account.balance))
    }

    /// Returns the nonce of an account.
    pub fn nonce(&self, address: Address) -> Result<u64, ChainError> {
        Ok(self.account(address)?.map_or(0, |account| account.nonce))
    }

    /// Returns the value of a storage slot.
    pub fn storage(&self, address: Address, slot: U256) -> Result<U256, ChainError> {
        self.read(|state| state.storage(address, slot))
    }

    /// Returns an account's code.
    pub fn code(&self, address: Address) -> Result<Bytes, ChainError> {
        self.read(|state| match state.basic(address)? {
            Some(account) => Ok(state.code_by_hash(account.code_hash)?.original_bytes()),
            None => Ok(Bytes::new()),
        })
    }

    /// Returns the header of a child, with the fields known before execution.
    pub fn open_header(&self, attributes: &BlockAttributes) -> Result<Header, ChainError> {
        let parent = &self.block.header;
        let spec = &self.config.spec;
        let (number, timestamp) = (parent.number + 1, attributes.timestamp);
        let fork = spec.hardfork_at(number, timestamp);
        let since = |first: EthereumHardfork| fork >= first;
        let excess_blob_gas = spec
            .fork_at(timestamp)
            .zip(spec.blob_params_at(timestamp))
            .map(|(fork, params)| next_excess_blob_gas(parent, fork, &params))
            .transpose()?;
        let base_fee = base_fee_after(parent)?;
        Ok(Header {
            parent_hash: self.block.hash,
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            beneficiary: attributes.fee_recipient,
            number,
            gas_limit: next_gas_limit(parent.gas_limit, attributes.gas_limit),
            timestamp,
            extra_data: attributes.extra_data.clone(),
            mix_hash: attributes.prev_randao,
            base_fee_per_gas: since(EthereumHardfork::London).then_some(base_fee),
            withdrawals_root: since(EthereumHardfork::Shanghai)
                .then(|| proofs::calculate_withdrawals_root(&attributes.withdrawals)),
            excess_blob_gas,
            parent_beacon_block_root: since(EthereumHardfork::Cancun)
                .then_some(attributes.parent_beacon_block_root),
            slot_number: since(EthereumHardfork::Amsterdam).then_some(attributes.slot_number),
            ..Default::default()
        })
    }

    /// Returns the EVM of a call in `block`, without the checks that apply to transactions only.
    /// The caller installs precompiles ([`ChainConfig`]).
    pub fn call_env(&self, block: &Block) -> EvmEnv {
        let (spec, header) = (&self.config.spec, &block.header);
        let blob_params = spec.blob_params_at(header.timestamp);
        let mut env = EvmEnv::for_eth_block(header, spec, spec.chain_id(), blob_params);
        self.config.limits(&mut env.cfg_env);
        env.cfg_env.disable_nonce_check = true;
        env.cfg_env.disable_eip3607 = true;
        env.cfg_env.disable_block_gas_limit = true;
        env.cfg_env.disable_base_fee = true;
        env.cfg_env.tx_gas_limit_cap = Some(u64::MAX);
        env
    }

    /// Edits the state without a transaction. The result belongs to the same block, whose header
    /// does not commit to it.
    pub fn edit(
        &self,
        edit: impl FnOnce(&mut BlockState<'_, Self>) -> Result<(), ReadError>,
    ) -> Result<Self, ChainError> {
        let mut state = self.open();
        edit(&mut state)?;
        let mut changes = Changes { preimages: state.changed(), ..Changes::default() };
        let post = state.into_post_state(|node| changes.put_node(node))?;
        changes.codes = post.codes;
        changes.roots.push(post.root);
        self.store.commit(changes)?;
        Ok(Self { root: post.root, ..self.clone() })
    }
}

impl StateSource for State {
    type Nodes = dyn Store;

    fn nodes(&self) -> &Self::Nodes {
        &*self.store
    }

    fn code(&self, hash: &B256) -> Result<Option<Bytecode>, SourceError> {
        Ok(self.store.code(hash)?)
    }

    fn block_hash(&self, number: u64) -> Result<Option<B256>, SourceError> {
        if let Some(own) = self.ancestors.get(&*self.store, &self.block.header, number)? {
            return Ok(Some(own.hash));
        }
        self.fork_backend().map_or(Ok(None), |backend| backend.block_hash(number))
    }

    fn fork_backend(&self) -> Option<&dyn ForkBackend> {
        self.fork_backend.as_deref()
    }
}

/// Returns the gas limit of the next block, moved towards the target by at most the allowed change.
pub fn next_gas_limit(parent: u64, target: Option<u64>) -> u64 {
    let step = (parent / 1024).saturating_sub(1);
    let target = target.unwrap_or(parent).max(5_000);
    target.clamp(parent.saturating_sub(step), parent.saturating_add(step))
}
