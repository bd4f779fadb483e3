//! Changes of a node's state, as values.

use crate::{
    Backlog, BlobStore, DropReason, Event, Forkchoice, MineRequest, Mining, NodeState, Observer,
    PoolJournal, PoolTransaction, Snapshot,
};
use alloy_primitives::{Address, B256};
use chain::{ChainError, RecoveredTransaction, State};
use core::fmt;
use std::sync::Arc;

/// A change of a node's state. It is a value, so that it can be logged, journaled and replayed:
/// every change of a node beside transactions and blocks goes through
/// [`Node::execute`](crate::Node::execute) as one of these.
///
/// What an owner may want of any node is here. A devnet has others of its own.
pub trait Command: fmt::Debug {
    /// Result of the change.
    type Output;

    /// Makes the change. No block is made meanwhile.
    fn apply(self, node: &mut NodeState) -> Self::Output;
}

/// Takes a transaction out of the pool.
#[derive(Debug, Clone, Copy)]
pub struct RemoveTransaction(pub B256);

impl Command for RemoveTransaction {
    type Output = Option<Arc<PoolTransaction>>;

    fn apply(self, node: &mut NodeState) -> Self::Output {
        node.pool.remove(&self.0)
    }
}

/// Takes a transaction out of the pool, if it is there, and remembers why it is in no block.
#[derive(Debug, Clone)]
pub struct DropTransaction {
    /// Hash of the transaction.
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

/// Takes all transactions of a sender out of the pool.
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

/// Changes when blocks are made; what held before.
#[derive(Debug, Clone, Copy)]
pub struct SetMining(pub Mining);

impl Command for SetMining {
    type Output = Mining;

    fn apply(self, node: &mut NodeState) -> Mining {
        std::mem::replace(&mut node.settings.mining, self.0)
    }
}

/// Changes who is told of blocks.
#[derive(Debug, Clone)]
pub struct SetObserver(pub Arc<dyn Observer>);

impl Command for SetObserver {
    type Output = ();

    fn apply(self, node: &mut NodeState) {
        node.observer = self.0;
    }
}

/// Changes where the blobs of transactions are found: those of the pool and of blocks of before are not.
#[derive(Debug)]
pub struct SetBlobStore(pub Arc<BlobStore>);

impl Command for SetBlobStore {
    type Output = ();

    fn apply(self, node: &mut NodeState) {
        node.blobs = self.0;
    }
}

/// Changes who keeps what the pool has taken.
#[derive(Debug, Clone)]
pub struct SetPoolJournal(pub Arc<dyn PoolJournal>);

impl Command for SetPoolJournal {
    type Output = ();

    fn apply(self, node: &mut NodeState) {
        node.pool_journal = self.0;
    }
}

/// Changes who gets the tips.
#[derive(Debug, Clone, Copy)]
pub struct SetCoinbase(pub Address);

impl Command for SetCoinbase {
    type Output = ();

    fn apply(self, node: &mut NodeState) {
        node.settings.coinbase = self.0;
    }
}

/// Opens the pool for transactions from outside, or closes it for a reason.
#[derive(Debug, Clone, Copy)]
pub struct SetClosed(pub Option<Backlog>);

impl Command for SetClosed {
    type Output = ();

    fn apply(self, node: &mut NodeState) {
        node.settings.closed = self.0;
    }
}

/// Changes what is suggested as the price of gas, in wei.
#[derive(Debug, Clone, Copy)]
pub struct SetGasPrice(pub u128);

impl Command for SetGasPrice {
    type Output = ();

    fn apply(self, node: &mut NodeState) {
        node.settings.gas_price = Some(self.0);
    }
}

/// Changes what the next block is to be.
#[derive(Debug, Clone)]
pub struct SetAttributes(pub MineRequest);

impl Command for SetAttributes {
    type Output = ();

    fn apply(self, node: &mut NodeState) {
        node.attributes = self.0;
    }
}

/// Says which blocks stay.
#[derive(Debug, Clone, Copy)]
pub struct SetForkchoice(pub Forkchoice);

impl Command for SetForkchoice {
    type Output = ();

    fn apply(self, node: &mut NodeState) {
        node.forkchoice = Some(self.0);
    }
}

/// Makes a known block the head; what stands in the blocks that come with it leaves the pool. What comes
/// back are the transactions of the blocks that gave way, in their order: they are not offered to the pool,
/// which would refuse those that need what stood before them.
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
        let transactions = removed.iter().rev().flat_map(|block| {
            let of_block = block.transactions.iter().zip(&block.senders);
            of_block.map(|(transaction, sender)| RecoveredTransaction {
                transaction: transaction.clone(),
                sender: *sender,
                signed: true,
            })
        });
        Ok(transactions.collect())
    }
}

/// Goes back to a moment.
#[derive(Debug, Clone)]
pub struct Restore(pub Snapshot);

impl Command for Restore {
    type Output = Result<(), ChainError>;

    fn apply(self, node: &mut NodeState) -> Self::Output {
        node.restore(&self.0)
    }
}

/// Goes back to the chain of a moment; the clock goes on from its head. What waits and the settings
/// stay.
#[derive(Debug, Clone)]
pub struct RestoreChain(pub Snapshot);

impl Command for RestoreChain {
    type Output = Result<(), ChainError>;

    fn apply(self, node: &mut NodeState) -> Self::Output {
        node.chain.restore(self.0.chain())?;
        node.clock.set(node.chain.head().header.timestamp);
        Ok(())
    }
}

/// Moves the clock that gives blocks their timestamps.
#[derive(Debug, Clone, Copy)]
pub enum SetClock {
    /// It now shows this time, in seconds.
    Now(u64),
    /// Forward by some seconds.
    Advance(i128),
    /// The next block has this timestamp, and the clock goes on from there.
    NextBlock(u64),
    /// Fixed number of seconds between blocks; `None` follows the time again.
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

/// Makes a state that behind its block, and the block the head; the clock goes on from there.
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
