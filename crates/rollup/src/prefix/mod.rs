//! Signed prefixes: promises of the sequencer about the next block.
//!
//! Each prefix is a complete block. The [`PrefixSigner`] writes it to the [`journal`] before it
//! signs, and signs nothing that contradicts an earlier signature. With a lease, all holders also
//! share a journal in etcd ([`shared`]). The [`PrefixBook`] contains the prefix that the node
//! serves to others.

mod book;
mod client;
mod condition;
mod error;
mod journal;
mod shared;
mod signer;

pub(crate) use book::{PrefixBook, PublishedPrefix};
pub(crate) use client::PrefixClient;
pub(crate) use condition::{L1Condition, anchor_number, condition};
pub use error::{NotPreconfirming, PrefixError};
pub(crate) use journal::Recorded;
pub(crate) use shared::Records;
pub(crate) use signer::PrefixSigner;

use crate::l2::contracts::proven_anchor;
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes};
use alloy_rlp::Encodable as _;
use chain::Block;
use contracts::Anchor;
use preconf::{HeaderError, HeaderSummary, Preconfirmation, Promised};
use wire::SchemaId;

/// A prefix before it is signed.
#[derive(Debug, Clone)]
pub(crate) struct Prefix {
    pub(crate) promised: Promised,
    /// RLP of the header.
    pub(crate) header: Bytes,
    /// EIP-2718 encodings of the transactions.
    pub(crate) transactions: Vec<Bytes>,
}

impl Prefix {
    /// Creates the prefix that consists of all transactions of `block`.
    ///
    /// # Errors
    ///
    /// [`HeaderError`] if the contracts would reject its header.
    pub(crate) fn of(
        block: &Block,
        rollup: Address,
        schema: SchemaId,
        is_sealed: bool,
        condition: L1Condition,
    ) -> Result<Self, HeaderError> {
        let mut header = Vec::new();
        block.header.encode(&mut header);
        let message = Preconfirmation {
            rollup,
            block_hash: block.hash,
            schema,
            is_sealed,
            l1_block: condition.number,
            l1_hash: condition.hash,
        };
        let transactions = block.transactions.iter();
        let anchor = proven_anchor(&block.header, transactions.clone());
        let transactions = transactions.map(|tx| tx.encoded_2718().into()).collect();
        Self::new(message, header.into(), transactions, anchor.as_ref())
    }

    /// Creates a prefix from a message, its header and transactions, and the anchor that they
    /// prove.
    pub(crate) fn new(
        message: Preconfirmation,
        header: Bytes,
        transactions: Vec<Bytes>,
        anchor: Option<&Anchor>,
    ) -> Result<Self, HeaderError> {
        let summary = HeaderSummary::read(&header)?;
        let hashes: Vec<B256> = transactions.iter().map(alloy_primitives::keccak256).collect();
        let anchor =
            anchor.map_or((0, B256::ZERO), |anchor| (anchor.l1_block_number, anchor.l1_block_hash));
        let promised = Promised { message, header: summary, transactions: hashes, anchor };
        Ok(Self { promised, header, transactions })
    }

    /// Prepends the transactions of a shorter prefix of the same block.
    fn prepend(&mut self, shorter: &Self) {
        self.transactions.splice(0..0, shorter.transactions.iter().cloned());
        let promised = &shorter.promised;
        self.promised.transactions.splice(0..0, promised.transactions.iter().copied());
        if promised.anchor.0 > 0 {
            self.promised.anchor = promised.anchor;
        }
    }
}
