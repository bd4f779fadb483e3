//! Tampered inputs: a block that is decoded, changed, and encoded with a correct block hash.

use crate::Random;
use alloy_primitives::{Bytes, U256};
use codec::{Encode as _, OwnedWitness};
use stateless::header_of;
use wire::{
    ByteLists, ExecutionPayload, NewPayloadRequest, ProtocolFork, Records, StatelessInput,
    Withdrawal,
};

/// A decoded input that can be changed. Fields other than the lists are changed in `request`.
#[derive(Debug, Clone)]
pub struct Draft<'a> {
    /// Fork of the schema id.
    pub fork: ProtocolFork,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The request, whose lists and block hash are ignored.
    pub request: NewPayloadRequest<'a>,
    /// Extra data of the payload.
    pub extra_data: Vec<u8>,
    /// Logs bloom of the payload.
    pub logs_bloom: [u8; 256],
    /// EIP-2718 encodings of the transactions.
    pub transactions: Vec<Bytes>,
    /// Records of the withdrawals.
    pub withdrawals: Vec<[u8; Withdrawal::LEN]>,
    /// Blob versioned hashes of the request.
    pub versioned_hashes: Vec<[u8; 32]>,
    /// Execution requests: for each type the type byte, then the records.
    pub requests: Vec<Vec<u8>>,
    /// RLP of the block access list.
    pub access_list: Vec<u8>,
    /// The witness.
    pub witness: OwnedWitness,
}

impl<'a> Draft<'a> {
    /// Decodes an input into changeable parts.
    pub fn new(input: &StatelessInput<'a>) -> Self {
        let request = &input.request;
        let payload = &request.payload;
        let list = |list: ByteLists<'_>| list.iter().map(Bytes::copy_from_slice).collect();
        let requests = request.execution_requests.typed().map(|(kind, records)| {
            let mut bytes = vec![kind];
            bytes.extend_from_slice(records);
            bytes
        });
        Self {
            fork: input.fork,
            chain_id: input.chain_id,
            request: request.clone(),
            extra_data: payload.extra_data.to_vec(),
            logs_bloom: *payload.logs_bloom,
            transactions: list(payload.transactions),
            withdrawals: payload.withdrawals.iter().copied().collect(),
            versioned_hashes: request.versioned_hashes.iter().copied().collect(),
            requests: requests.to_vec(),
            access_list: payload.block_access_list.to_vec(),
            witness: OwnedWitness::of(&input.witness),
        }
    }

    /// Encodes the input with a recomputed block hash. Returns `None` if the parts cannot be
    /// encoded.
    pub fn encode(&self) -> Option<Bytes> {
        let mut request = NewPayloadRequest {
            payload: ExecutionPayload {
                extra_data: &self.extra_data,
                logs_bloom: &self.logs_bloom,
                transactions: ByteLists::from(&self.transactions),
                withdrawals: Records::new(&self.withdrawals),
                block_access_list: &self.access_list,
                ..self.request.payload.clone()
            },
            versioned_hashes: Records::new(&self.versioned_hashes),
            parent_beacon_block_root: self.request.parent_beacon_block_root,
            execution_requests: codec::requests_from_typed(&self.requests).ok()?,
        };
        request.payload.block_hash = header_of(&request, self.fork)?.hash_slow();
        let input = StatelessInput {
            fork: self.fork,
            request,
            witness: self.witness.view(),
            chain_id: self.chain_id,
        };
        Some(input.encode().into())
    }
}

/// A change to an input, directed by random numbers.
pub type Change = fn(&mut Draft<'_>, &mut Random);

/// Changes to an input by name; [`Draft::encode`] then recomputes the block hash.
pub const CHANGES: &[(&str, Change)] = &[
    ("nothing", |_, _| {}),
    ("state root", |d, r| r.flip(&mut d.request.payload.state_root.0)),
    ("receipts root", |d, r| r.flip(&mut d.request.payload.receipts_root.0)),
    ("logs bloom", |d, r| r.flip(&mut d.logs_bloom)),
    ("parent hash", |d, r| r.flip(&mut d.request.payload.parent_hash.0)),
    ("fee recipient", |d, r| r.flip(d.request.payload.fee_recipient.0.as_mut_slice())),
    ("prev randao", |d, r| r.flip(&mut d.request.payload.prev_randao.0)),
    ("anchor", |d, r| r.flip(&mut d.request.parent_beacon_block_root.0)),
    ("number", |d, r| nudge(&mut d.request.payload.block_number, r)),
    ("gas limit", |d, r| nudge(&mut d.request.payload.gas_limit, r)),
    ("gas used", |d, r| nudge(&mut d.request.payload.gas_used, r)),
    ("timestamp", |d, r| nudge(&mut d.request.payload.timestamp, r)),
    ("base fee", |d, r| {
        let mut low = d.request.payload.base_fee_per_gas.saturating_to::<u64>();
        nudge(&mut low, r);
        d.request.payload.base_fee_per_gas = U256::from(low);
    }),
    ("blob gas used", |d, r| nudge(&mut d.request.payload.blob_gas_used, r)),
    ("excess blob gas", |d, r| nudge(&mut d.request.payload.excess_blob_gas, r)),
    ("slot number", |d, r| nudge(&mut d.request.payload.slot_number, r)),
    ("extra data", |d, r| d.extra_data = (0..r.index(35)).map(|_| r.byte()).collect()),
    ("transaction dropped", |d, r| drop_one(&mut d.transactions, r)),
    ("transaction repeated", |d, r| repeat_one(&mut d.transactions, r)),
    ("transactions swapped", |d, r| swap_two(&mut d.transactions, r)),
    ("transaction flipped", |d, r| flip_one(&mut d.transactions, r)),
    ("transaction cut", |d, r| cut_one(&mut d.transactions, r)),
    ("transaction with a tail", |d, r| extend_one(&mut d.transactions, r)),
    ("transaction type", |d, r| {
        let kind = *r.pick(&[0_u8, 1, 2, 3, 4, 5, 6, 0x7d, 0x7e, 0x7f, 0x80, 0xb8, 0xbf]);
        change_one(&mut d.transactions, r, |transaction, _| {
            if let Some(first) = transaction.first_mut() {
                *first = kind;
            }
        });
    }),
    ("withdrawal dropped", |d, r| drop_one(&mut d.withdrawals, r)),
    ("withdrawal repeated", |d, r| repeat_one(&mut d.withdrawals, r)),
    ("withdrawal flipped", |d, r| {
        let at = r.index(d.withdrawals.len());
        if let Some(withdrawal) = d.withdrawals.get_mut(at) {
            r.flip(withdrawal);
        }
    }),
    ("withdrawal added", |d, r| d.withdrawals.push(core::array::from_fn(|_| r.byte()))),
    ("blob hash dropped", |d, r| drop_one(&mut d.versioned_hashes, r)),
    ("blob hash repeated", |d, r| repeat_one(&mut d.versioned_hashes, r)),
    ("blob hash added", |d, r| d.versioned_hashes.push(core::array::from_fn(|_| r.byte()))),
    ("requests dropped", |d, r| drop_one(&mut d.requests, r)),
    ("request flipped", |d, r| {
        let at = r.index(d.requests.len());
        if let Some((_, records)) = d.requests.get_mut(at).and_then(|list| list.split_first_mut()) {
            r.flip(records);
        }
    }),
    ("request added", |d, r| {
        let kind = r.index(if d.fork >= ProtocolFork::Amsterdam { 5 } else { 3 });
        let length = [192, 76, 116, 184, 68][kind];
        if let Some(list) = d.requests.get_mut(kind) {
            list.extend((0..length).map(|_| 7));
        }
    }),
    ("access list flipped", |d, r| r.flip(&mut d.access_list)),
    ("access list cut", |d, r| {
        let length = r.index(d.access_list.len());
        d.access_list.truncate(length);
    }),
    ("access list with a tail", |d, r| d.access_list.push(r.byte())),
    ("node dropped", |d, r| drop_one(&mut d.witness.state, r)),
    ("node flipped", |d, r| flip_one(&mut d.witness.state, r)),
    ("node repeated", |d, r| repeat_one(&mut d.witness.state, r)),
    ("nodes swapped", |d, r| swap_two(&mut d.witness.state, r)),
    ("node added", |d, r| d.witness.state.push((0..r.index(80)).map(|_| r.byte()).collect())),
    ("code dropped", |d, r| drop_one(&mut d.witness.codes, r)),
    ("code flipped", |d, r| flip_one(&mut d.witness.codes, r)),
    ("code repeated", |d, r| repeat_one(&mut d.witness.codes, r)),
    ("code added", |d, r| d.witness.codes.push((0..r.index(80)).map(|_| r.byte()).collect())),
    ("header dropped", |d, r| drop_one(&mut d.witness.headers, r)),
    ("header flipped", |d, r| flip_one(&mut d.witness.headers, r)),
    ("header repeated", |d, r| repeat_one(&mut d.witness.headers, r)),
    ("headers swapped", |d, r| swap_two(&mut d.witness.headers, r)),
    ("oldest header dropped", |d, _| {
        if !d.witness.headers.is_empty() {
            d.witness.headers.remove(0);
        }
    }),
    ("chain id", |d, r| nudge(&mut d.chain_id, r)),
    ("schema", |d, r| d.fork = *r.pick(&ProtocolFork::ALL)),
];

/// Changes bytes regardless of their meaning.
pub fn scramble(calldata: &Bytes, rng: &mut Random) -> Bytes {
    let mut bytes = calldata.to_vec();
    match rng.index(8) {
        0 => bytes.truncate(rng.index(calldata.len())),
        1 => bytes.extend((0..=rng.index(8)).map(|_| rng.byte())),
        2 => {
            let at = rng.index(bytes.len());
            bytes.insert(at, rng.byte());
        }
        3 => {
            let at = rng.index(bytes.len());
            bytes.remove(at);
        }
        // The fixed-size parts, which contain the offsets.
        4 | 5 => {
            let head = bytes.len().min(640);
            rng.flip(&mut bytes[..head]);
        }
        _ => rng.flip(&mut bytes),
    }
    bytes.into()
}

const fn nudge(value: &mut u64, rng: &mut Random) {
    *value = match rng.index(8) {
        0 => 0,
        1 => u64::MAX,
        2 => rng.next(),
        3 => value.wrapping_add(131_072),
        4 | 5 => value.wrapping_add(1),
        _ => value.wrapping_sub(1),
    };
}

fn drop_one<T>(items: &mut Vec<T>, rng: &mut Random) {
    if !items.is_empty() {
        items.remove(rng.index(items.len()));
    }
}

fn repeat_one<T: Clone>(items: &mut Vec<T>, rng: &mut Random) {
    if !items.is_empty() {
        let item = rng.pick(items).clone();
        items.insert(rng.index(items.len() + 1), item);
    }
}

const fn swap_two<T>(items: &mut [T], rng: &mut Random) {
    if !items.is_empty() {
        items.swap(rng.index(items.len()), rng.index(items.len()));
    }
}

fn change_one(
    items: &mut [Bytes],
    rng: &mut Random,
    change: impl FnOnce(&mut Vec<u8>, &mut Random),
) {
    let at = rng.index(items.len());
    if let Some(item) = items.get_mut(at) {
        let mut bytes = item.to_vec();
        change(&mut bytes, rng);
        *item = bytes.into();
    }
}

fn flip_one(items: &mut [Bytes], rng: &mut Random) {
    change_one(items, rng, |bytes, rng| rng.flip(bytes));
}

fn cut_one(items: &mut [Bytes], rng: &mut Random) {
    change_one(items, rng, |bytes, rng| bytes.truncate(rng.index(bytes.len())));
}

fn extend_one(items: &mut [Bytes], rng: &mut Random) {
    change_one(items, rng, |bytes, rng| bytes.push(rng.byte()));
}
