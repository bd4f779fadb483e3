//! Commands that change the state of a node.

use crate::{
    Backlog, BlobStore, DropReason, Event, Forkchoice, MineRequest, Mining, NodeState, Observer,
    PoolJournal, PoolLimits, PoolTransaction, Snapshot,
};
use alloy_primitives::{Address, B256, map::B256Set};
use chain::{ChainError, RecoveredTransaction, State};
use core::fmt;
use std::sync::Arc;

/// A state change of a node, as a value that can be logged, journaled and replayed. All changes
/// except transactions and blocks go through [`Node::execute`](crate::Node::execute) as commands.
///
/// This module has the commands for every node; a devnet adds its own.
pub trait Command: fmt::Debug {
    /// Result of the change.
    type Output;

    /// Applies the change. No block is built at the same time.
    fn apply(self, node: &mut NodeState) -> Self::Output;
}

/// Removes a transaction from the pool.
#[derive(Debug, Clone, Copy)]
pub struct RemoveTransaction(pub B256);

impl Command for RemoveTransaction {
    type Output = Option<Arc<PoolTransaction>>;

    fn apply(self, node: &mut NodeState) -> Self::Output {
        node.pool.remove(&self.0)
    }
}

/// Removes a transaction from the pool, if it is there, and records the reason.
#[derive(Debug, Clone)]
pub struct DropTransaction {
    /// Transaction hash.
    pub hash: B256,
    /// Reason, for the sender.
    pub reason: String,
}

impl Command for DropTransaction {
    type Output = ();

    fn apply(self, node: &mut NodeState) {
        node.pool.drop_transaction(&self.hash, DropReason::Invalid(self.reason));
    }
}

/// Removes all transactions of a sender from the pool.
#[derive(Debug, Clone, Copy)]
pub struct RemoveSender(pub Address);

impl Command for RemoveSender {
    type Output = ();

    fn apply(self, node: &mut NodeState) {
        node.pool.remove_sender(self.0);
    }
}

/// Empties the pool.
#[derive(Debug, Clone, Copy)]
pub struct ClearPool;

impl Command for ClearPool {
    type Output = ();

    fn apply(self, node: &mut NodeState) {
        node.pool.clear();
    }
}

/// Changes the trigger of block production, and returns the previous one.
#[derive(Debug, Clone, Copy)]
pub struct SetMining(pub Mining);

impl Command for SetMining {
    type Output = Mining;

    fn apply(self, node: &mut NodeState) -> Mining {
        std::mem::replace(&mut node.settings.mining, self.0)
    }
}

/// Changes the observer of new blocks.
#[derive(Debug, Clone)]
pub struct SetObserver(pub Arc<dyn Observer>);

impl Command for SetObserver {
    type Output = ();

    fn apply(self, node: &mut NodeState) {
        node.observer = self.0;
    }
}

/// Changes the index of blobs. Blobs of the pool and of earlier blocks are not copied to it.
#[derive(Debug)]
pub struct SetBlobStore(pub Arc<BlobStore>);

impl Command for SetBlobStore {
    type Output = ();

    fn apply(self, node: &mut NodeState) {
        node.blobs = self.0;
    }
}

/// Changes the journal of the pool.
#[derive(Debug, Clone)]
pub struct SetPoolJournal(pub Arc<dyn PoolJournal>);

impl Command for SetPoolJournal {
    type Output = ();

    fn apply(self, node: &mut NodeState) {
        node.pool_journal = self.0;
    }
}

/// Changes the pool's limits, and returns the old ones. The pool keeps all its transactions, even
/// beyond the new limits.
#[derive(Debug, Clone)]
pub struct SetPoolLimits(pub PoolLimits);

impl Command for SetPoolLimits {
    type Output = PoolLimits;

    fn apply(self, node: &mut NodeState) -> PoolLimits {
        core::mem::replace(&mut node.settings.pool_limits, self.0)
    }
}

/// Sets the transactions of the pool that are in the signed prefix of the next block.
#[derive(Debug, Clone, Default)]
pub struct SetPreconfirmed(pub B256Set);

impl Command for SetPreconfirmed {
    type Output = ();

    fn apply(self, node: &mut NodeState) {
        node.pool.set_preconfirmed(self.0);
    }
}

/// Changes the recipient of the tips.
#[derive(Debug, Clone, Copy)]
pub struct SetCoinbase(pub Address);

impl Command for SetCoinbase {
    type Output = ();

    fn apply(self, node: &mut NodeState) {
        node.settings.coinbase = self.0;
    }
}

/// Opens the pool for external transactions, or closes it because of a backlog.
#[derive(Debug, Clone, Copy)]
pub struct SetClosed(pub Option<Backlog>);

impl Command for SetClosed {
    type Output = ();

    fn apply(self, node: &mut NodeState) {
        node.settings.closed = self.0;
    }
}

/// Changes the suggested gas price, in wei.
#[derive(Debug, Clone, Copy)]
pub struct SetGasPrice(pub u128);

impl Command for SetGasPrice {
    type Output = ();

    fn apply(self, node: &mut NodeState) {
        node.settings.gas_price = Some(self.0);
    }
}

/// Changes the attributes of the next block.
#[derive(Debug, Clone)]
pub struct SetAttributes(pub MineRequest);

impl Command for SetAttributes {
    type Output = ();

    fn apply(self, node: &mut NodeState) {
        node.attributes = self.0;
    }
}

/// Changes the safe and finalized blocks.
#[derive(Debug, Clone, Copy)]
pub struct SetForkchoice(pub Forkchoice);

impl Command for SetForkchoice {
    type Output = ();

    fn apply(self, node: &mut NodeState) {
        node.forkchoice = Some(self.0);
    }
}

/// Makes a known block the head and removes the transactions of the new canonical blocks from the
/// pool. Returns the transactions of the replaced blocks in their order. They are not returned to
/// the pool, which would reject those that depend on replaced blocks, such as a transaction that
/// spends a deposit.
#[derive(Debug, Clone, Copy)]
pub struct SetHead(pub B256);

impl Command for SetHead {
    type Output = Result<Vec<RecoveredTransaction>, ChainError>;

    fn apply(self, node: &mut NodeState) -> Self::Output {
        let before = Arc::clone(node.chain.head());
        node.chain.set_head(&self.0)?;
        let moved = Event::between(&node.chain, &before, node.chain.head());
        let Some(Event::Head { removed, added }) = moved else { return Ok(Vec::new()) };
        added.iter().for_each(|block| node.forget_pooled(block));
        let transactions =
            removed.iter().rev().flat_map(|block| RecoveredTransaction::of_block(block));
        Ok(transactions.collect())
    }
}

/// Restores a snapshot.
#[derive(Debug, Clone)]
pub struct Restore(pub Snapshot);

impl Command for Restore {
    type Output = Result<(), ChainError>;

    fn apply(self, node: &mut NodeState) -> Self::Output {
        node.restore(&self.0)
    }
}

/// Restores the chain of a snapshot, and the offset of its clock. Pool and settings are unchanged.
#[derive(Debug, Clone)]
pub struct RestoreChain(pub Snapshot);

impl Command for RestoreChain {
    type Output = Result<(), ChainError>;

    fn apply(self, node: &mut NodeState) -> Self::Output {
        node.chain.restore(self.0.chain())?;
        node.clock.restore(self.0.clock());
        Ok(())
    }
}

/// Changes the clock that provides block timestamps.
#[derive(Debug, Clone, Copy)]
pub enum SetClock {
    /// Sets the current time, as a Unix timestamp in seconds.
    Now(u64),
    /// Moves the clock forward by a number of seconds.
    Advance(i128),
    /// Sets the timestamp of the next block, from which the clock continues.
    NextBlock(u64),
    /// Sets a fixed number of seconds between blocks; `None` follows the time of day again.
    Interval(Option<u64>),
}

impl Command for SetClock {
    type Output = ();

    fn apply(self, node: &mut NodeState) {
        match self {
            Self::Now(time) => node.clock.set(time),
            Self::Advance(seconds) => node.clock.advance(seconds),
            Self::NextBlock(timestamp) => node.clock.set_next(timestamp),
            Self::Interval(seconds) => node.clock.set_interval(seconds),
        }
    }
}

/// Replaces the post-state of a block and makes the block the head. The clock continues from there.
#[derive(Debug, Clone)]
pub struct SetState(pub State);

impl Command for SetState {
    type Output = Result<(), ChainError>;

    fn apply(self, node: &mut NodeState) -> Self::Output {
        node.chain.set_state(&self.0)?;
        node.clock.set(self.0.block().header.timestamp);
        Ok(())
    }
}
