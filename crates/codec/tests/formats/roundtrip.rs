//! Property tests: encoded values decode to themselves, accepted bytes are re-encoded unchanged,
//! and no mutation makes the decoder panic.

use crate::support::minimal;
use alloy_primitives::{Bytes, U256};
use enshrine_codec::Encode as _;
use proptest::prelude::*;
use wire::{
    BatchWitness, ExecutionWitness, PayloadShape, ProtocolFork, Records, StatelessBatch,
    StatelessInput,
};

fn blobs(max_items: usize, max_len: usize) -> impl Strategy<Value = Vec<Bytes>> {
    prop::collection::vec(
        prop::collection::vec(any::<u8>(), 0..max_len).prop_map(Bytes::from),
        0..max_items,
    )
}

fn records<const N: usize>(max: usize) -> impl Strategy<Value = Vec<[u8; N]>> {
    prop::collection::vec(prop::array::uniform::<_, N>(any::<u8>()), 0..=max)
}

#[derive(Debug, Clone)]
struct Parts {
    fork: ProtocolFork,
    numbers: [u64; 8],
    words: [[u8; 32]; 8],
    extra_data: Vec<u8>,
    transactions: Vec<Bytes>,
    withdrawals: Vec<[u8; 44]>,
    versioned_hashes: Vec<[u8; 32]>,
    block_access_list: Vec<u8>,
    deposits: Vec<[u8; 192]>,
    withdrawal_requests: Vec<[u8; 76]>,
    consolidations: Vec<[u8; 116]>,
    builder_deposits: Vec<[u8; 184]>,
    builder_exits: Vec<[u8; 68]>,
    state: Vec<Bytes>,
    codes: Vec<Bytes>,
    headers: Vec<Bytes>,
}

fn parts() -> impl Strategy<Value = Parts> {
    (
        (0..ProtocolFork::ALL.len()).prop_map(|index| ProtocolFork::ALL[index]),
        any::<[u64; 8]>(),
        any::<[[u8; 32]; 8]>(),
        prop::collection::vec(any::<u8>(), 0..=32),
        blobs(6, 200),
        records(3),
        records(4),
        prop::collection::vec(any::<u8>(), 0..300),
        (records(2), records(3), records(2), records(2), records(2)),
        (blobs(6, 600), blobs(3, 400), blobs(4, 600)),
    )
        .prop_map(
            |(
                fork,
                numbers,
                words,
                extra_data,
                transactions,
                withdrawals,
                versioned_hashes,
                block_access_list,
                (deposits, withdrawal_requests, consolidations, builder_deposits, builder_exits),
                (state, codes, headers),
            )| Parts {
                fork,
                numbers,
                words,
                extra_data,
                transactions,
                withdrawals,
                versioned_hashes,
                block_access_list,
                deposits,
                withdrawal_requests,
                consolidations,
                builder_deposits,
                builder_exits,
                state,
                codes,
                headers,
            },
        )
}

impl Parts {
    /// Builds the input of these parts, without the fields that the fork's shape lacks.
    fn input(&self) -> StatelessInput<'_> {
        let mut input = minimal(self.fork);
        let shape = PayloadShape::of(self.fork);
        let [number, gas_limit, gas_used, timestamp, blob_gas, excess, slot, chain_id] =
            self.numbers;
        let payload = &mut input.request.payload;
        payload.parent_hash = self.words[0].into();
        payload.state_root = self.words[1].into();
        payload.receipts_root = self.words[2].into();
        payload.prev_randao = self.words[3].into();
        payload.base_fee_per_gas = U256::from_le_bytes(self.words[4]);
        payload.block_hash = self.words[5].into();
        payload.fee_recipient = self.words[6][..20].try_into().unwrap();
        payload.block_number = number;
        payload.gas_limit = gas_limit;
        payload.gas_used = gas_used;
        payload.timestamp = timestamp;
        payload.extra_data = &self.extra_data;
        payload.transactions = (&self.transactions).into();
        if shape >= PayloadShape::V2 {
            payload.withdrawals = Records::new(&self.withdrawals);
        }
        if shape >= PayloadShape::V3 {
            payload.blob_gas_used = blob_gas;
            payload.excess_blob_gas = excess;
            input.request.versioned_hashes = Records::new(&self.versioned_hashes);
            input.request.parent_beacon_block_root = self.words[7].into();
        }
        if shape >= PayloadShape::V4 {
            input.request.payload.block_access_list = &self.block_access_list;
            input.request.payload.slot_number = slot;
            input.request.execution_requests.builder_deposits =
                Records::new(&self.builder_deposits);
            input.request.execution_requests.builder_exits = Records::new(&self.builder_exits);
        }
        if self.fork >= ProtocolFork::Prague {
            let requests = &mut input.request.execution_requests;
            requests.deposits = Records::new(&self.deposits);
            requests.withdrawals = Records::new(&self.withdrawal_requests);
            requests.consolidations = Records::new(&self.consolidations);
        }
        input.witness = ExecutionWitness {
            state: (&self.state).into(),
            codes: (&self.codes).into(),
            headers: (&self.headers).into(),
        };
        input.chain_id = chain_id;
        input
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn encoded_inputs_decode_to_themselves(parts in parts()) {
        let input = parts.input();
        let bytes = input.encode();
        let decoded = StatelessInput::decode(&bytes).unwrap();
        prop_assert_eq!(&decoded, &input);
        prop_assert_eq!(decoded.encode(), bytes);
    }

    #[test]
    fn accepted_mutations_are_canonical_encodings(
        parts in parts(),
        at in any::<prop::sample::Index>(),
        with in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = parts.input().encode();
        let index = at.index(bytes.len());
        bytes[index] ^= with;
        bytes.truncate(cut.index(bytes.len()).max(index) + 1);
        if let Ok(decoded) = StatelessInput::decode(&bytes) {
            prop_assert_eq!(decoded.encode(), bytes);
        }
    }

    #[test]
    fn batches_roundtrip_and_accepted_mutations_are_canonical(
        parts in prop::collection::vec(parts(), 1..5),
        mutations in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 20),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut parts = parts;
        let (fork, chain_id) = (parts[0].fork, parts[0].numbers[7]);
        for other in &mut parts {
            (other.fork, other.numbers[7]) = (fork, chain_id);
        }
        // A batch lists no code twice.
        let mut seen = std::collections::BTreeSet::new();
        parts[0].codes.retain(|code| seen.insert(code.clone()));
        let inputs: Vec<_> = parts.iter().map(Parts::input).collect();
        let ExecutionWitness { codes, headers, .. } = inputs[0].witness;
        let witness = BatchWitness { codes, headers, ..BatchWitness::EMPTY };
        let batch = enshrine_codec::batch_of(&inputs, witness).unwrap();
        let bytes = batch.encode();
        let decoded = StatelessBatch::decode(&bytes).unwrap();
        prop_assert_eq!(&decoded, &batch);
        prop_assert_eq!(decoded.encode(), &bytes[..]);

        for (at, with) in mutations {
            let mut bytes = bytes.clone();
            // Every second mutation hits the offsets.
            let among = if with & 1 == 0 { bytes.len() } else { 18 + 4 * inputs.len() };
            bytes[at.index(among)] ^= with;
            if with & 2 == 0 {
                bytes.truncate(cut.index(bytes.len()));
            }
            if let Ok(decoded) = StatelessBatch::decode(&bytes) {
                prop_assert_eq!(decoded.encode(), bytes);
            }
        }
    }

    #[test]
    fn root_commits_to_exactly_the_request(parts in parts()) {
        let input = parts.input();
        let root = |input: &StatelessInput<'_>| {
            input.request.hash_tree_root(input.fork)
        };
        let expected = root(&input);
        let mut other = input.clone();
        other.witness = ExecutionWitness::EMPTY;
        other.chain_id = !other.chain_id;
        prop_assert_eq!(root(&other), expected);

        let mut changed = parts.clone();
        changed.transactions.push(Bytes::from_static(&[0]));
        prop_assert_ne!(root(&changed.input()), expected);
        let mut changed = parts.clone();
        changed.extra_data = parts.extra_data.iter().map(|byte| !byte).chain([1]).take(32).collect();
        prop_assert_ne!(root(&changed.input()), expected);
        for word in 0..8 {
            let mut changed = parts.clone();
            changed.words[word][3] ^= 1;
            let anchored = word < 7 || parts.fork >= ProtocolFork::Cancun;
            prop_assert_eq!(root(&changed.input()) != expected, anchored);
        }
        if parts.fork >= ProtocolFork::Prague {
            let mut changed = parts;
            changed.withdrawal_requests.push([7; 76]);
            prop_assert_ne!(root(&changed.input()), expected);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100_000))]

    #[test]
    fn prefix_and_witness_are_the_input(parts in parts(), blocks in 1..4_usize) {
        let input = parts.input();
        let bytes = input.encode();
        let prefix = enshrine_codec::prefix(&bytes).unwrap();
        prop_assert_eq!(bytes.len() - prefix.len(), input.witness.encoded_len());
        prop_assert!(enshrine_codec::is_prefix(prefix) && !enshrine_codec::is_prefix(&bytes));
        let whole = enshrine_codec::with_empty_witness(prefix).unwrap();
        let empty = StatelessInput { witness: ExecutionWitness::EMPTY, ..input.clone() };
        prop_assert_eq!(StatelessInput::decode(&whole).unwrap(), empty);
        prop_assert_eq!([prefix, &bytes[prefix.len()..]].concat(), &bytes[..]);

        let mut codes: Vec<_> = parts.codes.clone();
        codes.sort_unstable();
        codes.dedup();
        let witness = BatchWitness {
            codes: (&codes).into(),
            headers: input.witness.headers,
            ..BatchWitness::EMPTY
        };
        let batch = enshrine_codec::batch_of(&vec![input; blocks], witness).unwrap();
        let bytes = batch.encode();
        let prefix = enshrine_codec::prefix(&bytes).unwrap();
        prop_assert_eq!(bytes.len() - prefix.len(), witness.encoded_len());
        let whole = enshrine_codec::with_empty_witness(prefix).unwrap();
        let empty = StatelessBatch { witness: BatchWitness::EMPTY, ..batch.clone() };
        prop_assert_eq!(StatelessBatch::decode(&whole).unwrap(), empty);
    }
}

#[test]
fn fields_that_a_shape_lacks_are_not_encoded() {
    let withdrawals = [[1; 44]; 2];
    for fork in ProtocolFork::ALL {
        let mut input = minimal(fork);
        let (without, shape) = (input.encode(), PayloadShape::of(fork));
        input.request.payload.withdrawals = Records::new(&withdrawals);
        assert_eq!(input.encode() == without, shape < PayloadShape::V2, "{fork}");
        let mut input = minimal(fork);
        input.request.payload.block_access_list = &[0xc0; 3];
        assert_eq!(input.encode() == without, shape < PayloadShape::V4, "{fork}");
    }
}
