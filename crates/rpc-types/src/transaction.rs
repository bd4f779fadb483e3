//! Responses of `rollup_transactionStatus` and `rollup_blockCost`.

#[cfg(feature = "schema")]
use crate::schema;
use crate::{BlockNumHash, OptionalQuantity, Quantity};
use alloy_primitives::{B256, Bytes, U256};
use serde::{Deserialize, Serialize};

/// State of a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "status")]
pub enum TransactionStatus {
    /// Waiting in the pool of this node, or deferred after its block was replaced.
    Pending,
    /// In a signed prefix of the next block.
    Preconfirmed {
        /// Number of the block, and hash of the header that the sequencer has signed.
        block: BlockNumHash,
        /// Index of the transaction in the block.
        #[serde(with = "Quantity")]
        index: u64,
        /// L1 block on which the promise depends; zero for none.
        #[serde(with = "Quantity")]
        l1_block: u64,
        /// RLP of the header.
        #[cfg_attr(feature = "schema", schemars(with = "schema::Data"))]
        header: Bytes,
        /// Signature of the message, 65 bytes.
        #[cfg_attr(feature = "schema", schemars(with = "schema::Data"))]
        signature: Bytes,
    },
    /// In a block that is not on L1 yet.
    Included {
        /// The L2 block.
        block: BlockNumHash,
    },
    /// In a block whose L1 transaction was sent by this node and is not on L1 yet.
    Submitted {
        /// The L2 block.
        block: BlockNumHash,
        /// The first L1 transaction of this node that L1 has not included yet. A later one may
        /// contain the block.
        #[cfg_attr(feature = "schema", schemars(with = "Option<schema::Hash>"))]
        l1_transaction_hash: Option<B256>,
    },
    /// In a block on L1.
    Posted {
        /// The L2 block.
        block: BlockNumHash,
        /// `true` if the L1 block is final.
        finalized: bool,
        /// The L1 transaction that posted the block, and this transaction's share of its cost.
        #[serde(flatten)]
        l1: Option<L1Fields>,
    },
    /// Removed from the pool without being included.
    Dropped {
        /// Reason why it was dropped.
        reason: String,
    },
}

/// Fields about L1, of an L2 block or one of its transactions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct L1Fields {
    /// Hash of the L1 transaction.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Hash"))]
    pub l1_transaction_hash: B256,
    /// Number of its L1 block.
    #[serde(with = "Quantity")]
    pub l1_block_number: u64,
    /// Gas that it has used.
    #[serde(with = "Quantity")]
    pub l1_gas_used: u64,
    /// Price that it has paid, in wei per gas.
    #[serde(with = "Quantity")]
    pub l1_gas_price: u128,
    /// Blob gas that it has used.
    #[serde(with = "Quantity")]
    pub l1_blob_gas_used: u64,
    /// Price that it has paid, in wei per blob gas, if it is known.
    #[serde(with = "OptionalQuantity")]
    pub l1_blob_gas_price: Option<u128>,
    /// Share of the L1 transaction's cost in wei, if it is known.
    #[cfg_attr(feature = "schema", schemars(with = "Option<Quantity>"))]
    pub l1_cost: Option<U256>,
}

/// L1 transaction of an L2 block, the block's share of its cost, and the data from which the share
/// is computed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct BlockCost {
    /// The L1 transaction and the block's share.
    #[serde(flatten)]
    pub fields: L1Fields,
    /// Number of the first L2 block of the L1 transaction.
    #[serde(with = "Quantity")]
    pub first_block: u64,
    /// Number of the last L2 block of the L1 transaction.
    #[serde(with = "Quantity")]
    pub last_block: u64,
    /// Cost of the L1 transaction in wei, if it is known.
    #[cfg_attr(feature = "schema", schemars(with = "Option<Quantity>"))]
    pub transaction_cost: Option<U256>,
}
