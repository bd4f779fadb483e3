//! Events of a rollup's contracts on L1.

use alloy_eips::BlockNumHash;
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
    /// Hash of the L1 transaction.
    pub l1_transaction: B256,
}

/// A message to L1 that was claimed or refunded on L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimedMessage {
    /// Index of the message.
    pub index: u64,
    /// `true` if its target rejected it and its value was paid out.
    pub is_refunded: bool,
    /// Number of the L1 block.
    pub l1_block: u64,
    /// Hash of the L1 transaction.
    pub l1_transaction: B256,
}

/// A forced transaction that was discharged on L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForcedDischarge {
    /// Index in the queue.
    pub index: u64,
    /// An `IRollup.Outcome`.
    pub outcome: u8,
}

/// A forced transaction that was submitted on L1.
#[derive(Debug, Clone)]
pub struct ForcedEntry {
    /// Index in the queue.
    pub index: u64,
    /// Entry in the queue.
    pub transaction: ForcedTransaction,
    /// The signed transaction, encoded as in an L2 block.
    pub raw: Bytes,
    /// Number of the L1 block.
    pub l1_block: u64,
    /// Hash of the L1 transaction.
    pub l1_transaction: B256,
}

/// An L2 block on L1, and its L1 transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostedBlock {
    /// Number of the L2 block.
    pub number: u64,
    /// Hash of the L2 block.
    pub hash: B256,
    /// Number of the L1 block.
    pub l1_block: u64,
    /// Hash of the L1 transaction.
    pub transaction: B256,
    /// Number of the first L2 block that the L1 transaction has added.
    pub first: u64,
    /// Number and hash of the last L2 block that the L1 transaction has added.
    pub last: BlockNumHash,
    /// Gas and prices of the transaction.
    pub cost: L1Cost,
    /// EXECUTE input with the block, alone or in a batch. `None` if the node already had the block,
    /// in which case the input was not requested, and in lists that must not keep inputs in memory.
    pub input: Option<Bytes>,
}

impl PostedBlock {
    /// Returns number and hash of the block.
    pub const fn num_hash(&self) -> BlockNumHash {
        BlockNumHash::new(self.number, self.hash)
    }

    /// Returns the block without its input.
    #[must_use]
    pub fn without_input(self) -> Self {
        Self { input: None, ..self }
    }
}

/// Gas and prices of an L1 transaction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct L1Cost {
    /// Gas used, verified by the receipts root.
    pub gas: u64,
    /// Wei per gas, from the signed fields and the base fee of the L1 block.
    pub gas_price: u128,
    /// Blob gas used.
    pub blob_gas: u64,
    /// Wei per blob gas; `None` if the L1 node did not report it. Unverified.
    pub blob_gas_price: Option<u128>,
    /// `true` if the transaction has also paid for EXECUTE gas from an allowance. The header does
    /// not prove the amount.
    pub is_partial: bool,
}

impl L1Cost {
    /// Returns the total cost in wei; `None` if the blob price is unknown, or an allowance has paid
    /// a part.
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

/// Events of one L1 block.
#[derive(Debug, Clone, Default)]
pub struct Events {
    /// Messages to the L2, in the order in which they were sent.
    pub messages: Vec<SentMessage>,
    /// Submitted forced transactions, in the order of the queue.
    pub forced: Vec<ForcedEntry>,
    /// L2 blocks, in the order in which they were added.
    pub advanced: Vec<PostedBlock>,
    /// Discharged forced transactions.
    pub discharged: Vec<ForcedDischarge>,
    /// Messages to L1 that were claimed or refunded.
    pub claimed: Vec<ClaimedMessage>,
    /// Ends of the pauses of the message queue that begin in the block, and zero for a pause that
    /// ends early.
    pub pauses: Vec<u64>,
}
