//! Read access to a chain.

use crate::store::{
    Block, BloomQuery, BloomSection, LogIndex, SECTION, Store, TransactionLocation,
};
use crate::{ChainConfig, ChainError, State};
use alloy_primitives::{Address, B256, Bytes, U256, map::B256Map};
use codec::OwnedWitness;
use executor::ForkBackend;
use revm::state::AccountInfo;
use std::{collections::BTreeMap, sync::Arc};

/// The blocks and states of a chain at the time when the reader was created
/// ([`Chain::reader`](crate::Chain::reader)). It is cheap to clone and holds no lock.
///
/// The canonical chain is looked up in the store, which changes as the chain advances: numbers
/// above the reader's head have no block here, and after a reorg, numbers below it refer to the new
/// blocks.
#[derive(Debug, Clone)]
pub struct ChainReader {
    pub(crate) config: Arc<ChainConfig>,
    pub(crate) store: Arc<dyn Store>,
    /// Source of the remaining state, if the chain is a fork of another one.
    pub(crate) fork_backend: Option<Arc<dyn ForkBackend>>,
    pub(crate) head: Arc<Block>,
    /// Number of the oldest canonical block.
    pub(crate) first: u64,
    /// State roots after blocks whose state differs from the root in their header.
    pub(crate) roots: Arc<B256Map<B256>>,
}

impl ChainReader {
    /// Returns the parameters of the chain.
    pub fn config(&self) -> &ChainConfig {
        &self.config
    }

    /// Returns the store of the chain.
    pub const fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Returns `true` if the chain is a fork of another one, whose states are fetched remotely.
    pub const fn is_forked(&self) -> bool {
        self.fork_backend.is_some()
    }

    /// Returns the latest block.
    pub const fn head(&self) -> &Arc<Block> {
        &self.head
    }

    /// Returns the number of the oldest block.
    pub const fn first_number(&self) -> u64 {
        self.first
    }

    /// Returns the hash of the canonical block with this number.
    pub fn canonical_hash(&self, number: u64) -> Result<Option<B256>, ChainError> {
        if number > self.head.header.number {
            return Ok(None);
        }
        Ok(self.store.canonical_hash(number)?)
    }

    /// Returns the canonical block with this number.
    pub fn canonical_block(&self, number: u64) -> Result<Option<Arc<Block>>, ChainError> {
        let Some(hash) = self.canonical_hash(number)? else { return Ok(None) };
        Ok(self.store.block(&hash)?)
    }

    /// Returns the numbers of the canonical blocks of a section that may have logs of this query,
    /// ascending; `None` if the section is not [indexed](Self::index_logs).
    pub fn log_candidates(
        &self,
        section: u64,
        query: &BloomQuery,
    ) -> Result<Option<Vec<u64>>, ChainError> {
        let Some((index, start, last)) = self.section(section)? else { return Ok(None) };
        let bits = query.bits();
        let Some(rows) = index.read(section, &last, &bits)? else { return Ok(None) };
        let rows: BTreeMap<_, _> = bits.into_iter().zip(rows).collect();
        let found = query.matches(|bit| &rows[&bit]);
        let is_found = |at: &u64| found[*at as usize / 8] >> (at % 8) & 1 == 1;
        Ok(Some((0..SECTION).filter(is_found).map(|at| start + at).collect()))
    }

    /// Indexes the logs of a section, which reads all of its blocks. Does nothing if the store has
    /// no index, if the chain does not have all of the blocks, if a reorganisation changes them
    /// meanwhile, or once `is_over` returns `true`, which is called before each block.
    pub fn index_logs(
        &self,
        section: u64,
        mut is_over: impl FnMut() -> bool,
    ) -> Result<(), ChainError> {
        let Some((index, start, last)) = self.section(section)? else { return Ok(()) };
        let (mut blooms, mut parent) = (BloomSection::default(), None);
        for position in 0..SECTION {
            if is_over() {
                return Ok(());
            }
            let Some(block) = self.canonical_block(start + position)? else { return Ok(()) };
            if parent.is_some_and(|parent| parent != block.header.parent_hash) {
                return Ok(());
            }
            blooms.insert(position as usize, &block.header.logs_bloom);
            parent = Some(block.hash);
        }
        if parent == Some(last) {
            index.write(section, &last, &blooms);
        }
        Ok(())
    }

    /// Returns the store's index, the first number of a section, and the hash of its last block, if
    /// the chain has all of its blocks.
    fn section(&self, section: u64) -> Result<Option<(&dyn LogIndex, u64, B256)>, ChainError> {
        let (Some(index), Some(start)) = (self.store.log_index(), section.checked_mul(SECTION))
        else {
            return Ok(None);
        };
        if start < self.first {
            return Ok(None);
        }
        Ok(self.canonical_hash(start + (SECTION - 1))?.map(|last| (index, start, last)))
    }

    /// Returns the block of a canonical transaction and its position there.
    pub fn transaction(&self, hash: &B256) -> Result<Option<(Arc<Block>, usize)>, ChainError> {
        let Some(TransactionLocation { block, index }) = self.store.transaction(hash)? else {
            return Ok(None);
        };
        Ok(self.store.block(&block)?.map(|block| (block, index)))
    }

    /// Returns the witness that was recorded when the block was added to the chain, if the store
    /// still has it. [`witness_of`](crate::witness_of) records it again.
    pub fn witness(&self, block: &B256) -> Result<Option<OwnedWitness>, ChainError> {
        Ok(self.store.witness(block)?)
    }

    /// Returns the block with this hash, canonical or not, if it is known.
    pub fn find_block(&self, hash: &B256) -> Result<Option<Arc<Block>>, ChainError> {
        Ok(self.store.block(hash)?)
    }

    /// Returns the block with this hash, canonical or not, or an error if it is unknown.
    pub fn block(&self, hash: &B256) -> Result<Arc<Block>, ChainError> {
        self.find_block(hash)?.ok_or(ChainError::UnknownBlock(*hash))
    }

    /// Returns the state at the head.
    pub fn state(&self) -> State {
        self.state_after(&self.head)
    }

    /// Returns the state after a block, including edits made after it.
    pub fn state_after(&self, block: &Arc<Block>) -> State {
        let root = self.roots.get(&block.hash).copied().unwrap_or(block.header.state_root);
        State {
            config: Arc::clone(&self.config),
            store: Arc::clone(&self.store),
            fork_backend: self.fork_backend.clone(),
            block: Arc::clone(block),
            root,
            ancestors: Arc::default(),
        }
    }

    /// Returns the state on which a block was executed; `None` for genesis.
    pub fn state_before(&self, block: &Block) -> Result<Option<State>, ChainError> {
        let Some(parent) = self.find_block(&block.header.parent_hash)? else { return Ok(None) };
        let state = self.state_after(&parent).with_root(block.pre_state_root);
        if state.is_here()? {
            Ok(Some(state))
        } else {
            Err(ChainError::NotLoaded(parent.header.number))
        }
    }

    /// Returns an account at the head.
    pub fn account(&self, address: Address) -> Result<Option<AccountInfo>, ChainError> {
        self.state().account(address)
    }

    /// Returns the balance of an account at the head, in wei.
    pub fn balance(&self, address: Address) -> Result<U256, ChainError> {
        self.state().balance(address)
    }

    /// Returns the nonce of an account at the head.
    pub fn nonce(&self, address: Address) -> Result<u64, ChainError> {
        self.state().nonce(address)
    }

    /// Returns the value of a storage slot at the head.
    pub fn storage(&self, address: Address, slot: U256) -> Result<U256, ChainError> {
        self.state().storage(address, slot)
    }

    /// Returns the code of an account at the head.
    pub fn code(&self, address: Address) -> Result<Bytes, ChainError> {
        self.state().code(address)
    }
}
