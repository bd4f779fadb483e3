//! Known-answer inputs, and parts for building inputs.
mod mersenne;

use alloy_eips::eip4895::Withdrawal;
use alloy_primitives::{B256, U256};
use enshrine_codec::withdrawal_record;
use mersenne::PythonRandom;
use wire::{
    ByteLists, ExecutionPayload, ExecutionRequests, ExecutionWitness, NewPayloadRequest,
    PayloadShape, ProtocolFork, Records, StatelessInput,
};

/// The specification's known-answer input: values drawn by Python's `random.Random(0xDEADBEEF)` in
/// a fixed order.
pub(crate) struct KnownAnswer {
    versioned_hashes: Vec<[u8; 32]>,
    parent_hash: [u8; 32],
    fee_recipient: [u8; 20],
    state_root: [u8; 32],
    receipts_root: [u8; 32],
    logs_bloom: [u8; 256],
    prev_randao: [u8; 32],
    block_number: u64,
    gas_used: u64,
    timestamp: u64,
    extra_data: [u8; 32],
    base_fee: u64,
    block_hash: [u8; 32],
    transactions: [Vec<u8>; 2],
    blob_gas_used: u64,
    excess_blob_gas: u64,
    block_access_list: [u8; 16],
    slot_number: u64,
    parent_beacon_block_root: [u8; 32],
    deposits: Vec<[u8; 192]>,
    builder_deposits: Vec<[u8; 184]>,
    builder_exits: Vec<[u8; 68]>,
    state: [Vec<u8>; 3],
    codes: [Vec<u8>; 2],
    headers: [Vec<u8>; 2],
    /// Only dialects 2 and 3 carry them.
    pub(crate) public_keys: [Vec<u8>; 2],
}

impl KnownAnswer {
    pub(crate) fn new() -> Self {
        let mut r = PythonRandom::new(0xDEAD_BEEF);
        let versioned_hashes = vec![r.array(), r.array()];
        let parent_hash = r.array();
        let fee_recipient = r.array();
        let state_root = r.array();
        let receipts_root = r.array();
        let logs_bloom = r.array();
        let prev_randao = r.array();
        let block_number = r.between(1, 1 << 32);
        let gas_used = r.between(0, 20_000_000);
        let timestamp = r.between(1, 1 << 32);
        let extra_data = r.array();
        let base_fee = r.between(1, 1_000_000_000);
        let block_hash = r.array();
        let transactions = [r.bytes(64), r.bytes(128)];
        let blob_gas_used = r.between(0, 1 << 17);
        let excess_blob_gas = r.between(0, 1 << 17);
        let block_access_list = r.array();
        let slot_number = r.between(0, 1 << 32);
        let parent_beacon_block_root = r.array();
        let deposit = |r: &mut PythonRandom, indexed: bool| {
            let mut record = r.bytes(80);
            record.extend(r.between(0, u64::MAX).to_le_bytes());
            record.extend(r.bytes(96));
            if indexed {
                record.extend(r.between(0, u64::MAX).to_le_bytes());
            }
            record
        };
        let deposits =
            (0..2).map(|_| deposit(&mut r, true).try_into().unwrap()).collect::<Vec<_>>();
        let builder_deposits = vec![deposit(&mut r, false).try_into().unwrap()];
        let builder_exits = vec![r.array()];
        let state = [r.bytes(64), r.bytes(64), r.bytes(32)];
        let codes = [r.bytes(48), r.bytes(96)];
        let headers = [r.bytes(512), r.bytes(512)];
        let public_keys = [r.bytes(65), r.bytes(65)];
        Self {
            versioned_hashes,
            parent_hash,
            fee_recipient,
            state_root,
            receipts_root,
            logs_bloom,
            prev_randao,
            block_number,
            gas_used,
            timestamp,
            extra_data,
            base_fee,
            block_hash,
            transactions,
            blob_gas_used,
            excess_blob_gas,
            block_access_list,
            slot_number,
            parent_beacon_block_root,
            deposits,
            builder_deposits,
            builder_exits,
            state,
            codes,
            headers,
            public_keys,
        }
    }

    /// Runs `f` on the input, which borrows from `self`.
    pub(crate) fn with<T>(&self, f: impl FnOnce(StatelessInput<'_>) -> T) -> T {
        let slices =
            |items: &'_ [Vec<u8>]| items.iter().map(|item| item.clone().into()).collect::<Vec<_>>();
        let transactions: Vec<alloy_primitives::Bytes> = slices(&self.transactions);
        let (state, codes, headers) =
            (slices(&self.state), slices(&self.codes), slices(&self.headers));
        f(StatelessInput {
            fork: ProtocolFork::Amsterdam,
            request: NewPayloadRequest {
                payload: ExecutionPayload {
                    shape: PayloadShape::V4,
                    parent_hash: self.parent_hash.into(),
                    fee_recipient: self.fee_recipient.into(),
                    state_root: self.state_root.into(),
                    receipts_root: self.receipts_root.into(),
                    logs_bloom: &self.logs_bloom,
                    prev_randao: self.prev_randao.into(),
                    block_number: self.block_number,
                    gas_limit: 30_000_000,
                    gas_used: self.gas_used,
                    timestamp: self.timestamp,
                    extra_data: &self.extra_data,
                    base_fee_per_gas: U256::from(self.base_fee),
                    block_hash: self.block_hash.into(),
                    transactions: (&transactions).into(),
                    withdrawals: Records::EMPTY,
                    blob_gas_used: self.blob_gas_used,
                    excess_blob_gas: self.excess_blob_gas,
                    block_access_list: &self.block_access_list,
                    slot_number: self.slot_number,
                },
                versioned_hashes: Records::new(&self.versioned_hashes),
                parent_beacon_block_root: self.parent_beacon_block_root.into(),
                execution_requests: ExecutionRequests {
                    deposits: Records::new(&self.deposits),
                    builder_deposits: Records::new(&self.builder_deposits),
                    builder_exits: Records::new(&self.builder_exits),
                    ..Default::default()
                },
            },
            witness: ExecutionWitness {
                state: (&state).into(),
                codes: (&codes).into(),
                headers: (&headers).into(),
            },
            chain_id: 1,
        })
    }
}

/// The smallest input: block 1 of chain 1, with all lists empty.
pub(crate) fn minimal(fork: ProtocolFork) -> StatelessInput<'static> {
    StatelessInput {
        fork,
        request: NewPayloadRequest {
            payload: ExecutionPayload {
                shape: PayloadShape::of(fork),
                parent_hash: B256::ZERO,
                fee_recipient: Default::default(),
                state_root: B256::ZERO,
                receipts_root: B256::ZERO,
                logs_bloom: &[0; 256],
                prev_randao: B256::ZERO,
                block_number: 1,
                gas_limit: 15_000_000,
                gas_used: 0,
                timestamp: 1,
                extra_data: &[],
                base_fee_per_gas: U256::from(7),
                block_hash: B256::ZERO,
                transactions: ByteLists::EMPTY,
                withdrawals: Records::EMPTY,
                blob_gas_used: 0,
                excess_blob_gas: 0,
                block_access_list: &[],
                slot_number: 0,
            },
            versioned_hashes: Records::EMPTY,
            parent_beacon_block_root: B256::ZERO,
            execution_requests: ExecutionRequests::default(),
        },
        witness: ExecutionWitness::EMPTY,
        chain_id: 1,
    }
}

/// Runs `f` on an input of a fork whose request has one element in each list, with the values of
/// the known answers of paradigmxyz/stateless.
pub(crate) fn with_one_of_everything<T>(
    fork: ProtocolFork,
    f: impl FnOnce(StatelessInput<'_>) -> T,
) -> T {
    let transactions = [alloy_primitives::Bytes::from_static(&[0xdd; 8])];
    let withdrawal =
        Withdrawal { index: 1, validator_index: 2, address: [3; 20].into(), amount: 4 };
    let withdrawals = [withdrawal_record(withdrawal)];
    let amount = 3_u64.to_le_bytes();
    let record = |parts: &[&[u8]]| parts.concat();
    let deposit = record(&[&[1; 48], &[2; 32], &amount, &[4; 96], &5_u64.to_le_bytes()]);
    let deposits = [deposit.try_into().unwrap()];
    let requests = [record(&[&[1; 20], &[2; 48], &amount]).try_into().unwrap()];
    let consolidations = [record(&[&[1; 20], &[2; 48], &[3; 48]]).try_into().unwrap()];
    let mut input = minimal(fork);
    let payload = &mut input.request.payload;
    payload.parent_hash = B256::repeat_byte(1);
    payload.fee_recipient = [2; 20].into();
    payload.state_root = B256::repeat_byte(3);
    payload.receipts_root = B256::repeat_byte(4);
    payload.logs_bloom = &[5; 256];
    payload.prev_randao = B256::repeat_byte(6);
    payload.block_number = 100;
    payload.gas_limit = 30_000_000;
    payload.gas_used = 21_000;
    payload.timestamp = 1_700_000_000;
    payload.extra_data = &[0xee; 7];
    payload.base_fee_per_gas = U256::from_le_bytes([7; 32]);
    payload.block_hash = B256::repeat_byte(8);
    payload.transactions = transactions[..].into();
    if fork >= ProtocolFork::Shanghai {
        payload.withdrawals = Records::new(&withdrawals);
    }
    if fork >= ProtocolFork::Cancun {
        (payload.blob_gas_used, payload.excess_blob_gas) = (131_072, 262_144);
        input.request.versioned_hashes = Records::new(&[[9; 32]]);
        input.request.parent_beacon_block_root = B256::repeat_byte(10);
    }
    if fork >= ProtocolFork::Prague {
        input.request.execution_requests = ExecutionRequests {
            deposits: Records::new(&deposits),
            withdrawals: Records::new(&requests),
            consolidations: Records::new(&consolidations),
            ..Default::default()
        };
    }
    f(input)
}

/// Re-encodes a dialect-4 input as dialect 3: a fourth offset and public keys at the end.
pub(crate) fn with_public_keys(input: &[u8], public_keys: &[Vec<u8>]) -> Vec<u8> {
    let (schema, body) = input.split_at(2);
    let word = |at: usize| u32::from_le_bytes(body[at..at + 4].try_into().unwrap());
    let mut out = schema.to_vec();
    out.extend((word(0) + 4).to_le_bytes());
    out.extend((word(4) + 4).to_le_bytes());
    out.extend(&body[8..16]);
    out.extend((body.len() as u32 + 4).to_le_bytes());
    out.extend(&body[16..]);
    for key in public_keys {
        out.extend(key);
    }
    out
}
