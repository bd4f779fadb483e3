//! L1 blocks as input of derivation.

use crate::L1Cost;
use alloy_primitives::{Address, B256, Bytes, Log, Sealed};
use codec::SignedExecuteTx;
use std::sync::Arc;

/// Fields of an L1 header that derivation and a node use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct L1Header {
    /// Block number.
    pub number: u64,
    /// Hash of the header.
    pub hash: B256,
    /// Hash of the parent.
    pub parent: B256,
    /// Block timestamp, in seconds.
    pub timestamp: u64,
    /// Base fee per gas, in wei.
    pub base_fee: u64,
}

/// A transaction of an L1 block with its logs.
#[derive(Debug, Clone)]
pub struct L1Transaction {
    /// Transaction hash.
    pub hash: B256,
    /// Called contract; `None` for a creation.
    pub to: Option<Address>,
    /// Calldata.
    pub input: Bytes,
    /// Versioned hashes of the blobs.
    pub blob_hashes: Vec<B256>,
    /// The signed transaction if it has type `0x05`, which contains the witness of the inputs in
    /// its calldata.
    pub execute: Option<Arc<Sealed<SignedExecuteTx>>>,
    /// All logs of the transaction, in order.
    pub logs: Vec<Log>,
    /// Gas used and prices paid.
    pub cost: L1Cost,
}
