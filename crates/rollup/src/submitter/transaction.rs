//! L1 transactions that post blocks.

use crate::{Signer, SubmitterError};
use alloy_consensus::{Signed, TxEip1559, TxEip4844, TxEip4844WithSidecar, TxEnvelope};
use alloy_eips::{
    BlockNumHash, eip2718::Encodable2718 as _, eip7594::BlobTransactionSidecarVariant,
};
use alloy_primitives::{Address, B256, Bytes};
use chain::Block;
use contracts::advance_plan::BLOB_GAS;
use std::sync::Arc;

/// Fee bump of a replacement, in percent. Pools require 10 %; 3 more cover their rounding.
const BUMP_PERCENT: u128 = 13;
/// Fee bump of a blob transaction, in percent. Geth's blob pool requires twice the fees, since it
/// has to validate the blobs again.
const BLOB_BUMP_PERCENT: u128 = 100;

/// Blocks to post in one L1 transaction.
#[derive(Debug, Clone)]
pub struct TxCandidate {
    /// Numbers and hashes of the blocks.
    pub blocks: Vec<BlockNumHash>,
    /// Timestamp of the last block, in seconds: the contract rejects blocks with a future
    /// timestamp.
    pub timestamp: u64,
    /// Calldata and blobs with the blocks.
    pub data: TxData,
    /// Gas limit of the transaction; `None` to estimate it with `eth_estimateGas`.
    pub gas_limit: Option<u64>,
    /// Gas added to the estimate, in case the next L1 block is the first of another fork.
    pub for_fork: u64,
    /// `true` if `eth_call` can simulate the transaction, i.e. it has no blobs and no ancestors
    /// that are not on L1.
    pub can_simulate: bool,
    /// `true` if no transaction may be sent after this one until L1 has included it: the evidence
    /// of the next one depends on the L1 time at which this one is included.
    pub goes_alone: bool,
    /// Hash of the evidence, without proofs of inclusion; `None` if unknown.
    pub evidence: Option<B256>,
}

impl TxCandidate {
    /// Creates a candidate whose gas must be estimated, and which is not simulated.
    pub fn new(blocks: &[Arc<Block>], data: TxData) -> Self {
        Self {
            blocks: blocks.iter().map(|block| block.num_hash()).collect(),
            timestamp: blocks.last().map_or(0, |last| last.header.timestamp),
            data,
            gas_limit: None,
            for_fork: 0,
            can_simulate: false,
            goes_alone: false,
            evidence: None,
        }
    }
}

/// Calldata and blobs of a transaction.
#[derive(Debug, Clone)]
pub struct TxData {
    /// Calldata of `advance`.
    pub input: Bytes,
    /// Blobs of a blob transaction.
    pub blobs: Option<Blobs>,
}

/// The blobs of a transaction.
#[derive(Debug, Clone)]
pub struct Blobs {
    /// Blobs with commitments, and with proofs in the format of L1's fork.
    pub sidecar: Arc<BlobTransactionSidecarVariant>,
    /// Gas limit of the transaction, computed locally: L1 cannot estimate the gas of a transaction
    /// whose blobs it does not have.
    pub gas_limit: u64,
    /// Current blob base fee, in wei per blob gas.
    pub price: u128,
}

impl TxData {
    /// Returns the blob gas of the transaction (EIP-4844).
    fn blob_gas(&self) -> u64 {
        let count = self.blobs.as_ref().map_or(0, |blobs| blobs.sidecar.blobs().len());
        count as u64 * BLOB_GAS
    }

    /// Returns the minimum fee bump of a replacement, in percent.
    pub(super) const fn bump(&self) -> u128 {
        if self.blobs.is_some() { BLOB_BUMP_PERCENT } else { BUMP_PERCENT }
    }
}

/// Fee caps in wei: `max_fee_per_gas`, `max_priority_fee_per_gas` and `max_fee_per_blob_gas`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fees {
    pub(super) max: u128,
    pub(super) tip: u128,
    pub(super) blob: u128,
}

impl Fees {
    /// Returns the caps raised by a percentage.
    pub(super) fn bumped(self, percent: u128) -> Self {
        let bumped = |fee: u128| fee.saturating_add(fee.saturating_mul(percent) / 100 + 1);
        Self { max: bumped(self.max), tip: bumped(self.tip), blob: bumped(self.blob) }
    }

    /// Returns the maximum cost of a transaction, in wei.
    pub(super) fn cost(self, gas_limit: u64, data: &TxData) -> u128 {
        let blobs = u128::from(data.blob_gas()).saturating_mul(self.blob);
        u128::from(gas_limit).saturating_mul(self.max).saturating_add(blobs)
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Unsigned<'a> {
    pub(super) chain_id: u64,
    pub(super) rollup: Address,
    pub(super) nonce: u64,
    pub(super) gas_limit: u64,
    pub(super) fees: Fees,
    pub(super) data: &'a TxData,
}

impl Unsigned<'_> {
    /// Signs the transaction. Returns its encoding for the pool, with a blob sidecar if it has
    /// blobs, and its hash.
    pub(super) fn sign(self, key: &Signer) -> Result<(Bytes, B256), SubmitterError> {
        let Self { chain_id, rollup, nonce, gas_limit, fees, data } = self;
        let Fees { max: max_fee_per_gas, tip, blob: max_fee_per_blob_gas } = fees;
        let (max_priority_fee_per_gas, input) = (tip.min(max_fee_per_gas), data.input.clone());
        let Some(Blobs { sidecar, .. }) = &data.blobs else {
            let signed = key.sign(TxEip1559 {
                chain_id,
                nonce,
                gas_limit,
                max_fee_per_gas,
                max_priority_fee_per_gas,
                to: rollup.into(),
                input,
                ..Default::default()
            })?;
            return Ok((signed.encoded_2718().into(), *signed.hash()));
        };
        let tx = TxEip4844 {
            chain_id,
            nonce,
            gas_limit,
            max_fee_per_gas,
            max_priority_fee_per_gas,
            to: rollup,
            input,
            blob_versioned_hashes: sidecar.versioned_hashes().collect(),
            max_fee_per_blob_gas,
            ..Default::default()
        };
        let signed = key.sign(tx.clone())?;
        let (signature, hash) = (*signed.signature(), *signed.hash());
        let sidecar = BlobTransactionSidecarVariant::clone(sidecar);
        let with = TxEip4844WithSidecar { tx, sidecar };
        let pooled = TxEnvelope::Eip4844(Signed::new_unchecked(with.into(), signature, hash));
        Ok((pooled.encoded_2718().into(), hash))
    }
}
