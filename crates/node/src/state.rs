//! State of a node, and its snapshots.

use crate::{
    AdmissionContext, BlobStore, Clock, DropReason, HeaderPolicy, MineRequest, Observer, Pool,
    PoolJournal, PoolTransaction, Rejected, Settings, Sidecar,
};
use alloy_consensus::{Header, Transaction as _};
use alloy_primitives::{
    Address, B256,
    map::{AddressSet, B256Map},
};
use chain::{Block, BlockAttributes, Chain, ChainError, ChainReader, Rejection, State};
use parking_lot::Mutex;
use std::sync::{Arc, Weak};

/// State of a node.
#[derive(Debug)]
pub struct NodeState {
    /// The chain.
    pub chain: Chain,
    /// Transaction pool.
    pub pool: Pool,
    /// Clock for block timestamps.
    pub clock: Clock,
    /// Settings of the node.
    pub settings: Settings,
    /// Attributes of the next block that do not come from clock and pool.
    pub attributes: MineRequest,
    /// Safe and finalized blocks, as set by [commands](crate::Command); `None` derives them from
    /// the depth.
    pub forkchoice: Option<Forkchoice>,
    /// Policy for headers.
    pub header_policy: Arc<dyn HeaderPolicy>,
    /// Journal of the pool's transactions.
    pub(crate) pool_journal: Arc<dyn PoolJournal>,
    /// Observer of new blocks.
    pub(crate) observer: Arc<dyn Observer>,
    /// States of snapshots, which are not pruned.
    pub(crate) pins: Mutex<Vec<Weak<State>>>,
    /// Blobs of transactions in blocks, by hash of the transaction.
    pub sidecars: B256Map<Arc<Sidecar>>,
    /// Index of the blobs of the pool and of blocks, by versioned hash.
    pub blobs: Arc<BlobStore>,
    /// Number of executed commands. Results derived before the last one may be stale.
    pub(crate) commands: u64,
}

/// Safe and finalized blocks, as reported by a consensus client or derived from L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Forkchoice {
    /// Number of the latest block that only an L1 reorg can remove.
    pub safe: u64,
    /// Number of the latest block that no reorg can remove.
    pub finalized: u64,
}

/// A snapshot that the node can restore.
#[derive(Debug, Clone)]
pub struct Snapshot {
    chain: ChainReader,
    /// State at the head, which is not pruned while the snapshot exists.
    state: Arc<State>,
    pool: Pool,
    clock: Clock,
    settings: Settings,
}

impl Snapshot {
    /// Returns the chain at the time of the snapshot.
    pub const fn chain(&self) -> &ChainReader {
        &self.chain
    }

    /// Returns the clock at the time of the snapshot.
    pub(crate) const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Returns the state at the time of the snapshot.
    pub fn state(&self) -> &State {
        &self.state
    }
}

impl NodeState {
    /// Takes a snapshot. This is cheap, because states are shared.
    pub fn snapshot(&self) -> Snapshot {
        let state = Arc::new(self.chain.state());
        if self.settings.history.is_some() {
            self.pins.lock().push(Arc::downgrade(&state));
        }
        Snapshot {
            chain: self.chain.reader().clone(),
            state,
            pool: self.pool.clone(),
            clock: self.clock.clone(),
            settings: self.settings.clone(),
        }
    }

    /// Restores a snapshot: chain, state, pool, clock and settings.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<(), ChainError> {
        self.chain.restore(&snapshot.chain)?;
        self.pool = snapshot.pool.clone();
        self.clock = snapshot.clock.clone();
        self.settings = snapshot.settings.clone();
        Ok(())
    }

    /// Returns the state after a block, or an error if it was never stored or has been pruned.
    pub fn state_after(&self, block: &Arc<Block>) -> Result<State, ChainError> {
        let (number, head) = (block.header.number, self.chain.head().header.number);
        match self.settings.history {
            Some(states) if number.saturating_add(states) < head => Err(ChainError::Pruned(number)),
            _ => {
                let state = self.chain.state_after(block);
                if state.is_here()? { Ok(state) } else { Err(ChainError::NotLoaded(number)) }
            }
        }
    }

    /// Prunes states and transactions beyond the settings' limits.
    pub(crate) fn prune(&mut self) -> Result<(), ChainError> {
        if let Some(blocks) = self.settings.bodies {
            for transaction in self.chain.forget_bodies(blocks)? {
                self.sidecars.remove(&transaction);
            }
        }
        let Some(states) = self.settings.history else { return Ok(()) };
        let pins = self.pins.get_mut();
        pins.retain(|pin| pin.strong_count() > 0);
        let pinned: Vec<_> = pins.iter().filter_map(Weak::upgrade).collect();
        self.chain.prune(states, pinned.iter().map(|state| state.root()))
    }

    /// Returns the header of the next block, with the fields known before execution.
    pub fn next_header(&self, attributes: &BlockAttributes) -> Result<Header, ChainError> {
        let mut header = self.chain.state().open_header(attributes)?;
        self.header_policy.apply(&mut header);
        Ok(header)
    }

    /// Returns the base fee of the next block, in wei.
    pub fn next_base_fee(&self) -> u64 {
        let header = self.pending_header();
        header.ok().and_then(|header| header.base_fee_per_gas).unwrap_or_default()
    }

    /// Returns the gas limit of the next block.
    pub fn next_gas_limit(&self) -> u64 {
        let head = self.chain.head().header.gas_limit;
        self.pending_header().map_or(head, |header| header.gas_limit)
    }

    pub(crate) fn pending_header(&self) -> Result<Header, ChainError> {
        let timestamp = self.clock.peek(self.chain.head().header.timestamp);
        self.next_header(&BlockAttributes { timestamp, ..BlockAttributes::default() })
    }

    /// Removes the transactions of a block from the pool, and others with the same nonces.
    pub(crate) fn forget_pooled(&mut self, block: &Block) {
        for (transaction, sender) in block.transactions.iter().zip(&block.senders) {
            if let Some(mined) = self.pool.remove(transaction.hash())
                && let Some(sidecar) = &mined.sidecar
            {
                self.sidecars.insert(*transaction.hash(), Arc::clone(sidecar));
            }
            self.pool.forget_below(*sender, transaction.nonce().saturating_add(1));
        }
    }

    /// Drops transactions of changed accounts that the new head has invalidated.
    pub(crate) fn settle_pool(&mut self, changed: &[Address]) {
        if let Err(error) = self.try_settle_pool(changed) {
            tracing::warn!(%error, "failed to read sender accounts of pending transactions");
        }
    }

    fn try_settle_pool(&mut self, changed: &[Address]) -> Result<(), ChainError> {
        let (state, limits) = (self.chain.state(), &self.settings.pool_limits);
        for address in changed {
            if self.pool.count_of(*address) == 0 {
                continue;
            }
            let account = state.account(*address)?.unwrap_or_default();
            self.pool.settle(*address, account.nonce, account.balance, limits);
        }
        self.pool.expire_gapped(self.chain.head().header.number, limits);
        Ok(())
    }

    /// Returns the version of the inputs of a transaction check. The result is valid while the
    /// version is unchanged.
    pub(crate) fn checked_at(&self) -> (B256, u64) {
        (self.chain.head().hash, self.commands)
    }

    /// Adds a checked transaction to the pool, and returns it with its number in the journal.
    pub(crate) fn admit(
        &mut self,
        new: PoolTransaction,
        context: &AdmissionContext,
    ) -> Result<(Arc<PoolTransaction>, u64), Rejected> {
        let (bump, limits) = (self.settings.replacement_bump, &self.settings.pool_limits);
        let added = self.pool.add(new, context, bump, limits)?;
        let noted = self.pool_journal.note(&added);
        if let Some(sidecar) = &added.sidecar {
            self.blobs.insert(sidecar);
        }
        Ok((added, noted))
    }

    /// Drops transactions that no block can include, and deprioritizes the senders of those that
    /// the builder executed without including them.
    pub(crate) fn settle_rejected(
        &mut self,
        rejected: &[(B256, Rejection)],
        in_vain: &AddressSet,
        block: u64,
    ) {
        for (hash, reason) in rejected {
            if reason.is_final() && self.pool.get(hash).is_some() {
                self.pool.drop_transaction(hash, DropReason::Invalid(reason.to_string()));
            }
        }
        in_vain.iter().for_each(|sender| self.pool.set_back(*sender, block));
    }
}
