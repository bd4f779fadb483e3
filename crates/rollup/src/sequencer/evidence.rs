//! Facts of blocks for the evidence in `advance`, computed once per block.
//!
//! The evidence that L1 requires changes with L1's time and head, so it is composed at each
//! sealing, planning and posting. The facts depend only on a block and the state after it, and
//! never change: the self-check at sealing computes them, and the batcher reuses them.

use crate::{l2::contracts::relayed_after, sequencer::anchor::anchor_of};
use alloy_primitives::{Address, B256, Bytes, U256, map::B256Map};
use chain::{AccountProof, Block, ChainError, ChainReader};
use contracts::{Anchor, L2_MESSENGER};
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Facts of the blocks that are not on L1 yet. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct EvidenceBook(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    blocks: Mutex<B256Map<Arc<BlockFacts>>>,
    made: AtomicU64,
}

/// Facts of one block.
#[derive(Debug)]
pub(crate) struct BlockFacts {
    number: u64,
    /// Anchor in the block's header, if one of its transactions proves it.
    pub(crate) anchor: Option<Anchor>,
    /// Number of messages relayed after the block.
    pub(crate) relayed: u64,
    proofs: Mutex<BTreeMap<Address, Arc<AccountProof>>>,
    /// State of accounts after the block, on which forced transactions depend.
    accounts: Mutex<BTreeMap<Address, AccountFacts>>,
}

/// State of an account after a block.
#[derive(Debug, Clone)]
pub(crate) struct AccountFacts {
    pub(crate) nonce: u64,
    pub(crate) balance: U256,
    pub(crate) code: Bytes,
}

impl EvidenceBook {
    /// Returns the facts of a block of this chain.
    pub(crate) fn of(
        &self,
        chain: &ChainReader,
        block: &Arc<Block>,
    ) -> Result<Arc<BlockFacts>, ChainError> {
        // Held during the few state reads, so that two threads do not both compute the facts.
        let mut blocks = self.0.blocks.lock();
        if let Some(cached) = blocks.get(&block.hash) {
            return Ok(Arc::clone(cached));
        }
        let facts = Arc::new(BlockFacts {
            number: block.header.number,
            anchor: anchor_of(block),
            relayed: relayed_after(chain, block)?,
            proofs: Mutex::default(),
            accounts: Mutex::default(),
        });
        self.0.made.fetch_add(1, Ordering::Relaxed);
        blocks.insert(block.hash, Arc::clone(&facts));
        Ok(facts)
    }

    /// Returns the number of times that facts of a block were computed.
    pub(crate) fn computations(&self) -> u64 {
        self.0.made.load(Ordering::Relaxed)
    }

    /// Keeps the blocks for which `is_waiting` returns `true`. The others are on L1 or were
    /// replaced, so the backlog bounds the memory.
    pub(crate) fn retain(&self, is_waiting: impl Fn(u64, &B256) -> bool) {
        self.0.blocks.lock().retain(|hash, facts| is_waiting(facts.number, hash));
    }
}

impl BlockFacts {
    /// Returns the proof of an account after the block. The messenger's proof includes the slot
    /// with the number of relayed messages.
    pub(crate) fn proof(
        &self,
        chain: &ChainReader,
        block: &Block,
        account: Address,
    ) -> Result<Arc<AccountProof>, ChainError> {
        if let Some(cached) = self.proofs.lock().get(&account) {
            return Ok(Arc::clone(cached));
        }
        let slots = if account == L2_MESSENGER { &[U256::ZERO][..] } else { &[] };
        let proof = Arc::new(chain.prove(block, account, slots)?);
        // Two threads may both compute the proof, with the same result.
        self.proofs.lock().insert(account, Arc::clone(&proof));
        Ok(proof)
    }

    /// Returns the state of an account after the block.
    pub(crate) fn account(
        &self,
        chain: &ChainReader,
        block: &Arc<Block>,
        account: Address,
    ) -> Result<AccountFacts, ChainError> {
        if let Some(cached) = self.accounts.lock().get(&account) {
            return Ok(cached.clone());
        }
        let state = chain.state_after(block);
        let (nonce, balance) = (state.nonce(account)?, state.balance(account)?);
        let facts = AccountFacts { nonce, balance, code: state.code(account)? };
        self.accounts.lock().insert(account, facts.clone());
        Ok(facts)
    }
}
