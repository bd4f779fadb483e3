//! Events of a rollup's contracts on L1.

use alloy_primitives::{B256, Bytes, U256};
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
    /// Number of the first L2 block that this transaction has added.
    pub first: u64,
    /// Number and hash of the last one.
    pub last: (u64, B256),
    /// Price of the transaction.
    pub cost: L1Cost,
}

/// Gas and prices of an L1 transaction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct L1Cost {
    /// Gas that it used, as the receipts of its block prove.
    pub gas: u64,
    /// Wei that it paid for each of that, by its signed fields and the base fee of its block.
    pub gas_price: u128,
    /// Gas of its blobs.
    pub blob_gas: u64,
    /// Wei that it paid for each of that; `None` if the L1 node did not say. No header proves it.
    pub blob_gas_price: Option<u128>,
}

impl L1Cost {
    /// Wei that the transaction cost in all; `None` if the price of its blobs is not known.
    pub fn total(&self) -> Option<U256> {
        let of = |gas: u64, price: u128| U256::from(gas) * U256::from(price);
        let blobs = match self.blob_gas {
            0 => U256::ZERO,
            gas => of(gas, self.blob_gas_price?),
        };
        Some(of(self.gas, self.gas_price) + blobs)
    }
}

/// An L2 block that L1 has taken, and the L1 transaction that brought it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PostedBlock {
    pub(crate) number: u64,
    pub(crate) hash: B256,
    pub(crate) l1_block: u64,
    pub(crate) transaction: B256,
    pub(crate) first: u64,
    pub(crate) last: (u64, B256),
    pub(crate) cost: L1Cost,
}

impl From<&Advanced> for PostedBlock {
    fn from(advanced: &Advanced) -> Self {
        let &Advanced { number, hash, l1_block, transaction, first, last, cost, .. } = advanced;
        Self { number, hash, l1_block, transaction, first, last, cost }
    }
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
