//! Errors of submitting transactions to L1.

use crate::{l1::L1Error, lease::LeaseError, signer::SignerError};
use alloy_primitives::{Address, U256};
use disk::DiskError;
use std::{io, path::PathBuf};

/// Reason why a transaction was not sent to L1, or was rejected by its pool.
#[derive(Debug, thiserror::Error)]
pub enum SubmitterError {
    /// L1 does not respond, or rejects the transaction.
    #[error(transparent)]
    L1(#[from] L1Error),
    /// L1 rejects a blob transaction.
    #[error("L1 rejected a blob transaction, posting its blocks as calldata: {0}")]
    BlobsRefused(String),
    /// The account that advances the rollup has too little ETH.
    #[error("{account} has {balance} wei on L1, but the next transaction may cost {cost}")]
    Funds {
        /// The account.
        account: Address,
        /// Its balance in wei.
        balance: U256,
        /// Maximum cost in wei.
        cost: U256,
    },
    /// The daily spending limit is reached.
    #[error("{spent} wei were spent on L1 in a day, but the limit is {limit}")]
    SpendingLimit {
        /// Wei spent within a day.
        spent: u128,
        /// The limit in wei.
        limit: u128,
    },
    /// The file of spending on L1 cannot be used.
    #[error("cannot use {}: {source}", path.display())]
    Spending {
        /// Path of the file.
        path: PathBuf,
        /// Reason.
        source: DiskError,
    },
    /// The cost of a transaction cannot be recorded, so the transaction is not sent.
    #[error("L1 transaction not sent, failed to record its cost: {0}")]
    SpendingNotKept(DiskError),
    /// The next transaction exceeds the L1 node's limit on fees.
    #[error(
        "a transaction with {gas} gas at {price} wei costs more than {cap} wei, the fee cap of the L1 node: raise its --rpc.txfeecap, and --l1-tx-fee-cap-gwei"
    )]
    TxFeeCap {
        /// Gas limit of the transaction.
        gas: u64,
        /// Minimum price per gas with which L1 would include it, in wei.
        price: u128,
        /// The fee cap in wei.
        cap: u128,
    },
    /// The key returned no valid signature.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// This node may not post: it has lost the lease, or etcd does not respond.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// The operating system cannot create a thread.
    #[error("failed to create a thread: {0}")]
    NoThread(io::Error),
}
