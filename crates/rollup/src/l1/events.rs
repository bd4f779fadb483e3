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
    /// Timestamp of that block.
    pub l1_timestamp: u64,
}

/// A transaction that was submitted on L1.
#[derive(Debug, Clone)]
pub struct ForcedEntry {
    /// Number in the queue.
    pub index: u64,
    /// Entry in the queue.
    pub transaction: ForcedTransaction,
    /// The transaction in the form of an L2 block.
    pub raw: Bytes,
    /// Number of the L1 block.
    pub l1_block: u64,
}

/// An L2 block on L1.
#[derive(Debug, Clone)]
pub struct Advanced {
    /// Number of the L2 block.
    pub number: u64,
    /// Hash of the L2 block.
    pub hash: B256,
    /// Input of EXECUTE with the block, alone or in a batch; `None` if it ends in blobs and the
    /// node already has the block, so that no blobs were requested.
    pub input: Option<Bytes>,
    /// Number of the L1 block.
    pub l1_block: u64,
    /// Hash of the L1 transaction.
    pub transaction: B256,
    /// Number of the first L2 block that this transaction has added.
    pub first: u64,
    /// Number and hash of the last L2 block that this transaction has added.
    pub last: (u64, B256),
    /// Gas and prices of the transaction.
    pub cost: L1Cost,
}

/// Gas and prices of an L1 transaction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct L1Cost {
    /// Gas used, as proven by the receipts.
    pub gas: u64,
    /// Wei per gas, by the signed fields and the base fee of the L1 block.
    pub gas_price: u128,
    /// Blob gas.
    pub blob_gas: u64,
    /// Wei per blob gas; `None` if the L1 node did not report it. No header proves it.
    pub blob_gas_price: Option<u128>,
    /// `true` if the transaction has also paid for EXECUTE gas from an allowance. No header proves
    /// how much.
    pub is_partial: bool,
}

impl L1Cost {
    /// Total cost in wei; `None` without the blob price, and if the gas is only a part of it.
    pub fn total(&self) -> Option<U256> {
        if self.is_partial {
            return None;
        }
        let of = |gas: u64, price: u128| U256::from(gas) * U256::from(price);
        let blobs = match self.blob_gas {
            0 => U256::ZERO,
            gas => of(gas, self.blob_gas_price?),
        };
        Some(of(self.gas, self.gas_price) + blobs)
    }
}

/// An L2 block on L1, and its L1 transaction.
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
    /// Numbers of discharged forced transactions.
    pub(crate) discharged: Vec<u64>,
}
