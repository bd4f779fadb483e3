//! The header of a payload.

use alloc::vec::Vec;
use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, Header};
use alloy_eips::eip4895::Withdrawal as RlpWithdrawal;
use alloy_primitives::{B64, Bloom, Bytes, U256};
use alloy_rlp::Encodable;
use alloy_trie::root::ordered_trie_root_with_encoder;
use executor::Invalid;
use keccak::keccak256;
use wire::{ExecutionPayload, NewPayloadRequest, ProtocolFork, Withdrawal};

/// Builds the header of a request under the rules of `fork`.
///
/// Returns `None` if the base fee exceeds 64 bits: no chain reaches that, and a header cannot
/// represent it.
pub fn header_of(request: &NewPayloadRequest<'_>, fork: ProtocolFork) -> Option<Header> {
    let payload = &request.payload;
    let transactions: Vec<&[u8]> = payload.transactions.iter().collect();
    let raw = |item: &&[u8], out: &mut Vec<u8>| out.extend_from_slice(item);
    let mut header = Header {
        parent_hash: payload.parent_hash,
        ommers_hash: EMPTY_OMMER_ROOT_HASH,
        beneficiary: payload.fee_recipient,
        state_root: payload.state_root,
        transactions_root: ordered_trie_root_with_encoder(&transactions, raw),
        receipts_root: payload.receipts_root,
        logs_bloom: Bloom::new(*payload.logs_bloom),
        difficulty: U256::ZERO,
        number: payload.block_number,
        gas_limit: payload.gas_limit,
        gas_used: payload.gas_used,
        timestamp: payload.timestamp,
        extra_data: Bytes::copy_from_slice(payload.extra_data),
        mix_hash: payload.prev_randao,
        nonce: B64::ZERO,
        base_fee_per_gas: Some(payload.base_fee_per_gas.try_into().ok()?),
        ..Default::default()
    };
    // Each fork appends fields. Fields of a later fork must be absent, because they would change
    // the hash.
    if fork >= ProtocolFork::Shanghai {
        let withdrawals = withdrawals_of(payload);
        header.withdrawals_root =
            Some(ordered_trie_root_with_encoder(&withdrawals, |item, out| item.encode(out)));
    }
    if fork >= ProtocolFork::Cancun {
        header.blob_gas_used = Some(payload.blob_gas_used);
        header.excess_blob_gas = Some(payload.excess_blob_gas);
        header.parent_beacon_block_root = Some(request.parent_beacon_block_root);
    }
    if fork >= ProtocolFork::Prague {
        header.requests_hash = Some(request.execution_requests.requests_hash());
    }
    if fork >= ProtocolFork::Amsterdam {
        header.block_access_list_hash = Some(keccak256(payload.block_access_list));
        header.slot_number = Some(payload.slot_number);
    }
    Some(header)
}

/// Returns the withdrawals of a payload as alloy's type.
pub(crate) fn withdrawals_of(payload: &ExecutionPayload<'_>) -> Vec<RlpWithdrawal> {
    payload
        .withdrawals
        .iter()
        .map(|record| {
            let Withdrawal { index, validator_index, address, amount } =
                Withdrawal::from_record(record);
            RlpWithdrawal { index, validator_index, address, amount }
        })
        .collect()
}

/// Length of a block in RLP, which EIP-7934 limits.
#[derive(Debug, Clone, Copy)]
pub struct RlpSize;

impl RlpSize {
    /// Maximum bytes of a block since Osaka: 10 MiB, less 2 MiB for the consensus layer.
    pub const LIMIT: usize = (10 << 20) - (2 << 20);

    /// Returns the length of `rlp([header, transactions, [], withdrawals])`, given the length of
    /// the header's RLP.
    pub fn of<'t>(
        header: usize,
        transactions: impl Iterator<Item = &'t [u8]>,
        withdrawals: &[RlpWithdrawal],
    ) -> usize {
        let list = |payload: usize| payload + alloy_rlp::length_of_length(payload);
        let transactions = transactions
            .map(|transaction| match transaction.first() {
                // A legacy transaction is a list itself; a typed one is wrapped in a string.
                Some(0xc0..) => transaction.len(),
                _ => transaction.length(),
            })
            .sum();
        let withdrawals = withdrawals.iter().map(Encodable::length).sum();
        // Computes the length without encoding, so that a block of 8 MiB is not copied. `list(0)`
        // is the empty list of ommers.
        list(header + list(transactions) + list(0) + list(withdrawals))
    }

    /// Rejects a block that exceeds the size limit of its fork.
    pub fn check<'t>(
        header: usize,
        transactions: impl Iterator<Item = &'t [u8]>,
        withdrawals: &[RlpWithdrawal],
        fork: ProtocolFork,
    ) -> Result<(), Invalid> {
        let got = Self::of(header, transactions, withdrawals);
        if fork >= ProtocolFork::Osaka && got > Self::LIMIT {
            return Err(Invalid::BlockSize { got, limit: Self::LIMIT });
        }
        Ok(())
    }
}
