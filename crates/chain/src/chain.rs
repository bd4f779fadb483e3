//! A chain with its rules, its store and its head.

use crate::store::{Block, CanonicalChange, Changes, ExecutedBlock, MemoryStore, Overlay, Store};
use crate::{
    ChainConfig, ChainError, ChainReader, State,
    config::pending_merge,
    genesis::{genesis_header, put_alloc},
    import::RecoveredBlock,
};
use alloy_consensus::Header;
use alloy_genesis::Genesis;
use alloy_primitives::B256;
use alloy_rlp::Header as RlpHeader;
use alloy_trie::EMPTY_ROOT_HASH;
use codec::RawBlock;
use core::ops::Deref;
use executor::{BlockState, ForkBackend, ReadError};
use std::sync::Arc;
use wire::DecodeError;

/// Minimum number of states retained below the head, so that a reader of the latest state can
/// finish before that state is pruned, even while blocks are built.
const LEAST_STATES: u64 = 16;

/// An Ethereum chain over a store. Nothing else may write to the store. Dereferences to
/// [`ChainReader`] for reads.
///
/// A failed operation leaves the chain unchanged, because each change is a single commit to the
/// store and the head is updated afterwards.
#[derive(Debug)]
pub struct Chain {
    reader: ChainReader,
    /// Number of the first block that may still have its body.
    bodies: u64,
}

impl Deref for Chain {
    type Target = ChainReader;

    fn deref(&self) -> &ChainReader {
        &self.reader
    }
}

impl Chain {
    /// Starts a chain in memory at `genesis`. The chain configuration of `genesis` is ignored in
    /// favour of `config`.
    pub fn new(genesis: &Genesis, config: ChainConfig) -> Result<Self, ChainError> {
        Self::with_store(genesis, config, Arc::new(MemoryStore::default()))
    }

    /// Creates the chain in an empty store.
    pub fn with_store(
        genesis: &Genesis,
        config: ChainConfig,
        store: Arc<dyn Store>,
    ) -> Result<Self, ChainError> {
        let mut changes = Changes::default();
        let root = put_alloc(&mut changes, genesis.alloc.iter());
        let header = genesis_header(genesis, root, &config.spec);
        Self::start(header, changes, config, store)
    }

    /// Starts a chain in memory at a header whose state is the alloc of `genesis`.
    pub fn from_header(
        header: Header,
        genesis: &Genesis,
        config: ChainConfig,
    ) -> Result<Self, ChainError> {
        let mut changes = Changes::default();
        put_alloc(&mut changes, genesis.alloc.iter());
        Self::start(header, changes, config, Arc::new(MemoryStore::default()))
    }

    fn start(
        header: Header,
        mut changes: Changes,
        config: ChainConfig,
        store: Arc<dyn Store>,
    ) -> Result<Self, ChainError> {
        let head = Arc::new(Block::from_header(header));
        let from = head.header.number;
        changes.blocks.push(Arc::clone(&head));
        changes.canonical = Some(CanonicalChange { from, blocks: vec![Arc::clone(&head)] });
        store.commit(changes)?;
        Ok(Self::at(head, from, config, store))
    }

    /// Opens a chain that `store` contains from block number `first` to `head`.
    pub fn at(head: Arc<Block>, first: u64, config: ChainConfig, store: Arc<dyn Store>) -> Self {
        let reader = ChainReader {
            config: Arc::new(config),
            store,
            fork_backend: None,
            head,
            first,
            roots: Arc::default(),
        };
        Self { reader, bodies: 0 }
    }

    /// Resumes a chain whose blocks and states are already in `store`, with `head` as its head.
    ///
    /// The store must contain the state of `head`, and the ancestors that will be read: a missing
    /// one is reported only when it is read.
    pub fn resume(
        config: ChainConfig,
        store: Arc<dyn Store>,
        head: Arc<Block>,
    ) -> Result<Self, ChainError> {
        let (hash, mut parent) = (head.hash, head.header.parent_hash);
        let mut blocks = vec![head];
        while let Some(block) = store.block(&parent)? {
            parent = block.header.parent_hash;
            blocks.push(block);
        }
        blocks.reverse();
        Self::from_parts(blocks, store, config)?.ok_or(ChainError::UnknownBlock(hash))
    }

    /// Forks another chain after `header`; the state of that block is read through `backend`.
    ///
    /// The chain stores only its own changes, and its state roots commit only to these. None of its
    /// blocks is therefore [provable](Block::provable).
    pub fn forked(
        header: Header,
        backend: Arc<dyn ForkBackend>,
        config: ChainConfig,
    ) -> Result<Self, ChainError> {
        let store = Arc::new(MemoryStore::default());
        let mut chain = Self::start(header, Changes::default(), config, store)?;
        chain.reader.fork_backend = Some(backend);
        let head = chain.head().hash;
        chain.override_root(head, EMPTY_ROOT_HASH);
        Ok(chain)
    }

    /// Creates a chain from its canonical `blocks`, ascending up to the head, and its state in
    /// `store`. Nothing is checked. Returns `None` if there is no block.
    pub fn from_parts(
        blocks: impl IntoIterator<Item = Arc<Block>>,
        store: Arc<dyn Store>,
        config: ChainConfig,
    ) -> Result<Option<Self>, ChainError> {
        let blocks: Vec<_> = blocks.into_iter().collect();
        let (Some(first), Some(head)) = (blocks.first(), blocks.last().map(Arc::clone)) else {
            return Ok(None);
        };
        let from = first.header.number;
        store.commit(Changes {
            blocks: blocks.clone(),
            canonical: Some(CanonicalChange { from, blocks }),
            ..Changes::default()
        })?;
        Ok(Some(Self::at(head, from, config, store)))
    }

    /// Returns the chain for readers.
    pub const fn reader(&self) -> &ChainReader {
        &self.reader
    }

    /// Returns a copy of the chain over a private store: blocks appended to it do not affect this
    /// chain.
    #[must_use]
    pub fn detached(&self) -> Self {
        let store = Arc::new(Overlay::new(Arc::clone(&self.store)));
        Self { reader: ChainReader { store, ..self.reader.clone() }, bodies: self.bodies }
    }

    /// Changes the chain's rules starting with the next block.
    pub fn configure(&mut self, change: impl FnOnce(&mut ChainConfig)) {
        change(Arc::make_mut(&mut self.reader.config));
    }

    /// Adds a block to the chain, and makes it the head.
    pub fn append(&mut self, new: ExecutedBlock) -> Result<Arc<Block>, ChainError> {
        let (block, mut changes) = new.into_changes();
        let block = Arc::new(block);
        changes.canonical = self.canonical_change(&block)?;
        changes.blocks.push(Arc::clone(&block));
        self.store.commit(changes)?;
        // A block that is built again has the state that results from its execution, without edits
        // that were made after it on an abandoned branch.
        if self.roots.contains_key(&block.hash) {
            Arc::make_mut(&mut self.reader.roots).remove(&block.hash);
        }
        self.moved_to(&block);
        Ok(block)
    }

    /// Adds a block to the chain without changing the head.
    pub fn insert(&mut self, new: ExecutedBlock) -> Result<Arc<Block>, ChainError> {
        let (block, mut changes) = new.into_changes();
        let block = Arc::new(block);
        changes.blocks.push(Arc::clone(&block));
        self.store.commit(changes)?;
        Ok(block)
    }

    /// Executes a block on the state of its parent, and checks all claims of its header.
    ///
    /// The parent may be any known block. [`Self::append`] adds the block to the chain.
    pub fn import(&self, raw: &RawBlock) -> Result<ExecutedBlock, ChainError> {
        RecoveredBlock::on(self, raw, &[], None)?.execute_recorded()
    }

    /// Imports a block of any fork without recording a witness.
    pub fn import_with_ommers(
        &self,
        raw: &RawBlock,
        ommers: &[Header],
    ) -> Result<ExecutedBlock, ChainError> {
        RecoveredBlock::on(self, raw, ommers, None)?.execute_on_parent()
    }

    /// Executes a block from the block log again. The senders are read from the log, because
    /// recovering them is slow; a wrong sender would result in a different state root.
    pub fn execute_again(&self, block: &Block) -> Result<Changes, ChainError> {
        let raw = block.to_raw();
        let recovered = RecoveredBlock::on(self, &raw, &block.ommers, Some(&block.senders))?;
        Ok(recovered.execute_on_parent()?.changes)
    }

    /// Imports consecutive blocks in RLP, the format of `geth export`, and makes the last one the
    /// head. Returns their number.
    ///
    /// Blocks before the first invalid one are kept.
    pub fn import_rlp(&mut self, mut rlp: &[u8]) -> Result<usize, ChainError> {
        let mut count = 0;
        while !rlp.is_empty() {
            let malformed = |source| ChainError::Malformed { index: count, source };
            let mut rest = rlp;
            let length = RlpHeader::decode(&mut rest)
                .map(|header| rlp.len() - rest.len() + header.payload_length)
                .map_err(|reason| malformed(DecodeError::Rlp { what: "chain", reason }))?;
            let (block, rest) = rlp.split_at_checked(length).ok_or_else(|| {
                let reason = alloy_rlp::Error::InputTooShort;
                malformed(DecodeError::Rlp { what: "chain", reason })
            })?;
            let (raw, ommers) = RawBlock::decode_with_ommers(block).map_err(malformed)?;
            // Exports of a whole chain start with genesis.
            if self.find_block(&raw.hash)?.is_none() {
                let built = self.import_with_ommers(&raw, &ommers)?;
                self.append(built)?;
                count += 1;
            }
            rlp = rest;
        }
        Ok(count)
    }

    /// Makes a known block the head, and its branch canonical.
    pub fn set_head(&mut self, hash: &B256) -> Result<(), ChainError> {
        let block = self.block(hash)?;
        self.move_head(&block, Changes::default())
    }

    fn move_head(&mut self, block: &Arc<Block>, mut changes: Changes) -> Result<(), ChainError> {
        changes.canonical = self.canonical_change(block)?;
        self.store.commit(changes)?;
        self.moved_to(block);
        Ok(())
    }

    /// Returns the change that makes the branch up to `head` canonical.
    fn canonical_change(&self, head: &Arc<Block>) -> Result<Option<CanonicalChange>, ChainError> {
        let mut branch = vec![Arc::clone(head)];
        let (mut number, mut parent) = (head.header.number, head.header.parent_hash);
        if self.canonical_hash(number)? == Some(head.hash) {
            branch.clear();
            number += 1;
        } else {
            // Walk down to the common ancestor, or to the first block if the branch has none and
            // replaces the whole canonical chain.
            while let Some(below) = number.checked_sub(1).filter(|below| *below >= self.first)
                && self.canonical_hash(below)? != Some(parent)
                && let Some(block) = self.find_block(&parent)?
            {
                number = below;
                parent = block.header.parent_hash;
                branch.push(block);
            }
            branch.reverse();
        }
        let moves = !branch.is_empty() || number <= self.head.header.number;
        Ok(moves.then_some(CanonicalChange { from: number, blocks: branch }))
    }

    /// Sets the head to a block that is already in the store.
    pub fn moved_to(&mut self, block: &Arc<Block>) {
        self.reader.head = Arc::clone(block);
        self.reader.first = self.first.min(block.header.number);
        let merged = pending_merge(&self.config.spec).filter(|_| block.header.difficulty.is_zero());
        if merged.is_some() && block.header.number > self.first {
            let number = block.header.number;
            self.configure(|config| config.spec = config.spec.clone().merged_at(number));
        }
    }

    /// Writes data that would otherwise be recomputed when the chain is opened, and closes the
    /// chain. Dropping a chain does the same, but reports no error.
    pub fn close(self) -> Result<(), ChainError> {
        Ok(self.store().flush()?)
    }

    /// Makes `state` the state after its block, and the block the head.
    ///
    /// With an earlier state, this undoes everything since; with one from [`State::edit`], it
    /// changes the state without a transaction. Blocks on an edited state are not
    /// [provable](Block::provable).
    pub fn set_state(&mut self, state: &State) -> Result<(), ChainError> {
        let block = Arc::clone(&state.block);
        let mut changes = Changes::default();
        if self.find_block(&block.hash)?.is_none() {
            changes.blocks.push(Arc::clone(&block));
        }
        if self.head.hash != block.hash {
            self.move_head(&block, changes)?;
        } else if !changes.blocks.is_empty() {
            self.store.commit(changes)?;
        }
        let roots = Arc::make_mut(&mut self.reader.roots);
        if state.root == block.header.state_root {
            roots.remove(&block.hash);
        } else {
            roots.insert(block.hash, state.root);
        }
        Ok(())
    }

    /// Restores the chain to the time at which the reader `then` was created: its head, and the
    /// state edits after each of its blocks. The rules are unchanged.
    pub fn restore(&mut self, then: &ChainReader) -> Result<(), ChainError> {
        self.set_state(&then.state())?;
        self.reader.roots = Arc::clone(&then.roots);
        Ok(())
    }

    /// Sets the root of the state after a block, regardless of its header. The store must contain
    /// the whole state.
    pub fn override_root(&mut self, block: B256, root: B256) {
        Arc::make_mut(&mut self.reader.roots).insert(block, root);
    }

    /// Edits the state at the head without a transaction.
    pub fn edit(
        &mut self,
        edit: impl FnOnce(&mut BlockState<'_, State>) -> Result<(), ReadError>,
    ) -> Result<(), ChainError> {
        let state = self.state().edit(edit)?;
        self.set_state(&state)
    }

    /// Prunes the states of blocks more than `states` below the head, except those with the roots
    /// `also`; blocks are kept. The writer must call this after each block; nothing is pruned until
    /// enough data has accumulated.
    pub fn prune(
        &mut self,
        states: u64,
        also: impl IntoIterator<Item = B256>,
    ) -> Result<(), ChainError> {
        if !self.store.wants_pruning() {
            return Ok(());
        }
        let head = self.head.header.number;
        let oldest = head.saturating_sub(states.max(LEAST_STATES)).max(self.first);
        let mut roots: Vec<B256> = also.into_iter().collect();
        for number in oldest..=head {
            if let Some(block) = self.canonical_block(number)? {
                roots.extend([self.state_after(&block).root(), block.pre_state_root]);
            }
        }
        Ok(self.store.retain(&roots)?)
    }

    /// Drops transactions and receipts of all canonical blocks except the latest `blocks`,
    /// including the head; headers are kept. The caller must call this after each block. Returns
    /// the hashes of the dropped transactions.
    pub fn forget_bodies(&mut self, blocks: u64) -> Result<Vec<B256>, ChainError> {
        let bound = (self.head.header.number + 1).saturating_sub(blocks.max(1));
        let mut changes = Changes::default();
        for number in self.bodies.max(self.first)..bound {
            let block = self.canonical_block(number)?;
            let Some(block) = block.filter(|block| !block.transactions.is_empty()) else {
                continue;
            };
            let hashes = block.transactions.iter().map(|transaction| *transaction.hash());
            changes.forgotten.extend(hashes);
            changes.blocks.push(Arc::new(block.without_body()));
        }
        let forgotten = changes.forgotten.clone();
        if !forgotten.is_empty() {
            self.store.commit(changes)?;
        }
        // The bound decreases in a reorg to a lower head. The new blocks above it have their
        // bodies.
        self.bodies = bound;
        Ok(forgotten)
    }
}
