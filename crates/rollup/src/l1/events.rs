//! Events of a rollup's contracts on L1.

use alloy_primitives::{B256, Bytes};
use contracts::{Message, bindings::IForcedInbox::ForcedTransaction};

/// A message that was sent on L1.
#[derive(Debug, Clone)]
pub struct SentMessage {
    /// The message.
    pub message: Message,
    /// Number of the L1 block.
    pub l1_block: u64,
    /// Time of that block.
    pub l1_timestamp: u64,
}

/// A transaction that was submitted on L1.
#[derive(Debug, Clone)]
pub struct ForcedEntry {
    /// Its number in the queue.
    pub index: u64,
    /// The queue's record of it.
    pub transaction: ForcedTransaction,
    /// The transaction as it stands in an L2 block.
    pub raw: Bytes,
    /// Number of the L1 block.
    pub l1_block: u64,
}

/// An L2 block that L1 has taken.
#[derive(Debug, Clone)]
pub struct Advanced {
    /// Number of the L2 block.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
    /// The input of EXECUTE that holds it, alone or in a batch; `None` if it ends in blobs and the block was
    /// known, so that no consensus client was asked for them.
    pub input: Option<Bytes>,
    /// Number of the L1 block.
    pub l1_block: u64,
    /// The L1 transaction.
    pub transaction: B256,
}

/// Events of one L1 block.
#[derive(Debug, Clone, Default)]
pub(crate) struct Events {
    pub(crate) messages: Vec<SentMessage>,
    pub(crate) forced: Vec<ForcedEntry>,
    pub(crate) advanced: Vec<Advanced>,
    /// Numbers of the forced transactions that are dealt with for good.
    pub(crate) discharged: Vec<u64>,
}
