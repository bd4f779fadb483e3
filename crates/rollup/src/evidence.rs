//! Facts of blocks that evidence for `advance` is made of, each found once.
//!
//! What L1 asks to be shown changes with its time and with the blocks that it takes, so evidence is composed for each
//! seal, each plan and each posting. The facts in it are functions of a block and the state after it, and never change:
//! the self-check at sealing finds them, and the batcher composes from the same ones.

use crate::{RollupError, anchor::anchor_of, l2_syncer::relayed_after};
use alloy_primitives::{Address, B256, Bytes, U256, map::B256Map};
use chain::{AccountProof, Block, ChainReader};
use contracts::{Anchor, L2_MESSENGER};
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Facts of the blocks that L1 does not have yet. Copies share them.
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
    /// The anchor that the block proves, if it is the one that it carries.
    pub(crate) anchor: Option<Anchor>,
    /// Number of messages that are relayed after it.
    pub(crate) relayed: u64,
    proofs: Mutex<BTreeMap<Address, Arc<AccountProof>>>,
    /// Accounts after the block, as far as forced transactions depend on them.
    accounts: Mutex<BTreeMap<Address, AccountFacts>>,
}

/// An account after a block.
#[derive(Debug, Clone)]
pub(crate) struct AccountFacts {
    pub(crate) nonce: u64,
    pub(crate) balance: U256,
    pub(crate) code: Bytes,
}

impl EvidenceBook {
    /// The facts of a block of this chain.
    pub(crate) fn of(
        &self,
        chain: &ChainReader,
        block: &Arc<Block>,
    ) -> Result<Arc<BlockFacts>, RollupError> {
        // The lock is held while the facts are found, a few reads of the state, so that two threads do not both look.
        let mut blocks = self.0.blocks.lock();
        if let Some(known) = blocks.get(&block.hash) {
            return Ok(Arc::clone(known));
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

    /// Number of times that the facts of a block were found.
    pub(crate) fn made(&self) -> u64 {
        self.0.made.load(Ordering::Relaxed)
    }

    /// Forgets all blocks but those for which this holds, by number and hash: L1 has the others, or they gave way, so
    /// that memory is bounded by what waits.
    pub(crate) fn retain(&self, is_waiting: impl Fn(u64, &B256) -> bool) {
        self.0.blocks.lock().retain(|hash, facts| is_waiting(facts.number, hash));
    }
}

impl BlockFacts {
    /// Proof of an account after the block; of the messenger, with the slot that counts what is relayed.
    pub(crate) fn proof(
        &self,
        chain: &ChainReader,
        block: &Block,
        account: Address,
    ) -> Result<Arc<AccountProof>, RollupError> {
        if let Some(known) = self.proofs.lock().get(&account) {
            return Ok(Arc::clone(known));
        }
        let slots = if account == L2_MESSENGER { &[U256::ZERO][..] } else { &[] };
        let proof = Arc::new(chain.prove(block, account, slots)?);
        // Two threads may both have made it; the result is the same.
        self.proofs.lock().insert(account, Arc::clone(&proof));
        Ok(proof)
    }

    /// An account after the block.
    pub(crate) fn account(
        &self,
        chain: &ChainReader,
        block: &Arc<Block>,
        account: Address,
    ) -> Result<AccountFacts, RollupError> {
        if let Some(known) = self.accounts.lock().get(&account) {
            return Ok(known.clone());
        }
        let state = chain.state_after(block);
        let (nonce, balance) = (state.nonce(account)?, state.balance(account)?);
        let facts = AccountFacts { nonce, balance, code: state.code(account)? };
        self.accounts.lock().insert(account, facts.clone());
        Ok(facts)
    }
}
