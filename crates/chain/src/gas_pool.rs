//! Remaining resources of a block for transactions.

use crate::State;
use crate::store::Transaction;
use alloy_consensus::{Header, Transaction as _};
use alloy_eips::{Typed2718 as _, eip2718::Encodable2718, eip4895::Withdrawal};
use alloy_rlp::Encodable as _;
use executor::Invalid;
use stateless::RlpSize;
use wire::ProtocolFork;

/// Reason why an offered transaction was not included in a block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The transaction does not fit into the block; it may fit into a later one.
    #[error("it does not fit into the block: {0}")]
    BlockFull(Invalid),
    /// The transaction was executed, but its reads do not fit into the block; they may fit into a
    /// later one.
    #[error("its reads do not fit into the block: {0}")]
    Unfit(Invalid),
    /// The transaction is invalid at this position.
    #[error(transparent)]
    Invalid(Invalid),
    /// The EXECUTE input for the transaction exceeds the L1 limits, even alone in a block.
    #[error("too large for L1: {0}")]
    TooLarge(Invalid),
    /// The transaction pays too little for its bytes in the input.
    #[error("underpaid: {0}")]
    Underpaid(Invalid),
}

impl Rejection {
    /// Returns the error of a verifier for a block that includes the transaction.
    pub fn into_invalid(self) -> Invalid {
        match self {
            Self::BlockFull(reason)
            | Self::Unfit(reason)
            | Self::Invalid(reason)
            | Self::TooLarge(reason)
            | Self::Underpaid(reason) => reason,
        }
    }

    /// Returns `true` if no later block can include the transaction either.
    pub const fn is_final(&self) -> bool {
        !matches!(self, Self::BlockFull(_) | Self::Unfit(_))
    }
}

/// Upper bound for the length of the header fields that are unknown before execution (roots, hashes
/// and amounts) and of the list prefixes, in bytes.
const HEADER_GROWTH: usize = 512;

/// Remaining resources of a block besides gas, since revm does not enforce all limits of a block.
/// Distinguishes a transaction that does not fit into the rest of the block from one that does not
/// fit into an empty block.
pub(crate) struct GasPool {
    gas_limit: u64,
    blob_gas: u64,
    max_blob_gas: u64,
    /// Remaining bytes of RLP (EIP-7934).
    bytes: usize,
    max_bytes: usize,
}

impl GasPool {
    pub(crate) fn new(state: &State, header: &Header, withdrawals: &[Withdrawal]) -> Self {
        let spec = &state.config.spec;
        let limited =
            spec.fork_at(header.timestamp).is_some_and(|fork| fork >= ProtocolFork::Osaka);
        Self {
            gas_limit: header.gas_limit,
            blob_gas: 0,
            max_blob_gas: spec
                .blob_params_at(header.timestamp)
                .map_or(0, |params| params.max_blob_gas_per_block()),
            bytes: RlpSize::of(header.length(), core::iter::empty(), withdrawals) + HEADER_GROWTH,
            max_bytes: if limited { RlpSize::LIMIT } else { usize::MAX },
        }
    }

    /// Checks that the block can include a transaction. `shortage` is the remaining gas, if it is
    /// too little.
    pub(crate) fn check(
        &self,
        index: usize,
        transaction: &Transaction,
        shortage: Option<u64>,
    ) -> Result<(), Rejection> {
        let invalid = |reason| Invalid::Transaction { index, reason };
        let with_this = self.blob_gas + transaction.blob_gas_used().unwrap_or_default();
        let max = self.max_blob_gas;
        if with_this > max {
            let reason = format!("{with_this} blob gas with it, a block has {max}");
            return Err(Rejection::BlockFull(invalid(reason)));
        }
        let limit = transaction.gas_limit();
        // The executor rejects a transaction that no block with this gas limit can include.
        if let Some(left) = shortage.filter(|_| limit <= self.gas_limit) {
            let reason = format!("its gas limit is {limit}, the block has {left} left");
            return Err(Rejection::BlockFull(invalid(reason)));
        }
        let (bytes, max) = (encoded_length(transaction), self.max_bytes);
        if self.bytes.saturating_add(bytes) > max {
            let all = self.bytes.saturating_add(bytes);
            let reason = invalid(format!("{all} bytes with it, a block has {max}"));
            // If it does not even fit into a block without other transactions, no block can include
            // it.
            let alone = HEADER_GROWTH.saturating_add(bytes) > max;
            return Err(if alone {
                Rejection::Invalid(reason)
            } else {
                Rejection::BlockFull(reason)
            });
        }
        Ok(())
    }

    pub(crate) fn take(&mut self, transaction: &Transaction) {
        self.blob_gas += transaction.blob_gas_used().unwrap_or_default();
        self.bytes += encoded_length(transaction);
    }
}

/// Returns the length of a transaction in the RLP of a block, where a typed one is wrapped in a
/// string.
fn encoded_length(transaction: &Transaction) -> usize {
    let length = transaction.encode_2718_len();
    if transaction.is_legacy() { length } else { length + alloy_rlp::length_of_length(length) }
}
