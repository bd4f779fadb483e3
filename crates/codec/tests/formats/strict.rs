//! Inputs that the decoder rejects. Each differs in one change from an input that is accepted.

use crate::support::{KnownAnswer, minimal};
use alloy_primitives::Bytes;
use enshrine_codec::Encode as _;
use wire::{
    ByteLists, DecodeError, ExecutionWitness, ProtocolFork, Records, StatelessInput, layout,
};

const BODY: usize = 2;
const REQUEST: usize = layout::REQUEST_IN_CALLDATA;
const PAYLOAD: usize = layout::PAYLOAD_IN_CALLDATA;

fn known() -> Vec<u8> {
    KnownAnswer::new().with(|input| input.encode())
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn with_word(mut bytes: Vec<u8>, at: usize, value: u32) -> Vec<u8> {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    bytes
}

fn refused(bytes: &[u8]) -> DecodeError {
    StatelessInput::decode(bytes).expect_err("must be refused")
}

/// Position in the calldata of every offset of the known-answer input.
fn offsets(bytes: &[u8]) -> Vec<usize> {
    let at = |base: usize, position: usize| base + word(bytes, base + position) as usize;
    let requests = at(REQUEST, layout::request::EXECUTION_REQUESTS);
    let witness = at(BODY, layout::input::WITNESS);
    let mut positions = vec![
        BODY + layout::input::REQUEST,
        BODY + layout::input::WITNESS,
        REQUEST + layout::request::PAYLOAD,
        REQUEST + layout::request::VERSIONED_HASHES,
        REQUEST + layout::request::EXECUTION_REQUESTS,
        PAYLOAD + layout::payload::EXTRA_DATA,
        PAYLOAD + layout::payload::TRANSACTIONS,
        PAYLOAD + layout::payload::WITHDRAWALS,
        PAYLOAD + layout::payload::BLOCK_ACCESS_LIST,
    ];
    positions.extend((0..5).map(|index| requests + 4 * index));
    positions.extend((0..3).map(|index| witness + 4 * index));
    for list in
        [at(PAYLOAD, layout::payload::TRANSACTIONS), at(witness, 0), at(witness, 4), at(witness, 8)]
    {
        positions.extend((0..word(bytes, list) as usize / 4).map(|index| list + 4 * index));
    }
    positions
}

#[test]
fn payload_and_request_match_layout_offsets() {
    let bytes = known();
    assert_eq!(PAYLOAD, 62);
    KnownAnswer::new().with(|input| {
        let payload = &input.request.payload;
        let at = |offset: usize, len: usize| &bytes[PAYLOAD + offset..PAYLOAD + offset + len];
        assert_eq!(at(layout::payload::PARENT_HASH, 32), payload.parent_hash.as_slice());
        assert_eq!(at(layout::payload::STATE_ROOT, 32), payload.state_root.as_slice());
        assert_eq!(at(layout::payload::BLOCK_NUMBER, 8), payload.block_number.to_le_bytes());
        assert_eq!(at(layout::payload::TIMESTAMP, 8), payload.timestamp.to_le_bytes());
        assert_eq!(at(layout::payload::BLOCK_HASH, 32), payload.block_hash.as_slice());
        assert_eq!(
            bytes[REQUEST + layout::request::PARENT_BEACON_BLOCK_ROOT..][..32],
            input.request.parent_beacon_block_root[..]
        );
    });
}

#[test]
fn truncated_input_is_rejected() {
    let bytes = known();
    assert!(StatelessInput::decode(&bytes).is_ok());
    // The format has no total length: a cut within the last field leaves a shorter last field. So
    // a cut within the last header, or before the whole list of headers, is another well-formed
    // input; every other cut is refused.
    let headers = bytes.len() - 2 * (512 + 4);
    let last_header = bytes.len() - 512;
    for len in 0..bytes.len() {
        let well_formed = len == headers || len >= last_header;
        assert_eq!(StatelessInput::decode(&bytes[..len]).is_ok(), well_formed, "cut at {len}");
    }
}

#[test]
fn moved_offset_never_decodes_to_same_input() {
    let bytes = known();
    let good = StatelessInput::decode(&bytes).unwrap();
    for position in offsets(&bytes) {
        let value = word(&bytes, position);
        for moved in [0, 1, value - 1, value + 1, value + 4, bytes.len() as u32, u32::MAX] {
            let changed = with_word(bytes.clone(), position, moved);
            if let Ok(input) = StatelessInput::decode(&changed) {
                assert_ne!(input, good, "offset at {position} moved from {value} to {moved}");
            }
        }
        assert!(
            StatelessInput::decode(&with_word(bytes.clone(), position, u32::MAX)).is_err(),
            "offset at {position} beyond the end"
        );
    }
}

/// A larger first offset would leave a gap of bytes that no hash covers.
#[test]
fn first_offsets_must_be_canonical() {
    let bytes = known();
    let witness = BODY + word(&bytes, BODY + layout::input::WITNESS) as usize;
    let requests = REQUEST + word(&bytes, REQUEST + layout::request::EXECUTION_REQUESTS) as usize;
    for (first, what) in [
        (BODY, "stateless input"),
        (REQUEST, "new payload request"),
        (PAYLOAD + layout::payload::EXTRA_DATA, "execution payload"),
        (requests, "execution requests"),
        (witness, "execution witness"),
    ] {
        let moved = with_word(bytes.clone(), first, word(&bytes, first) + 1);
        match refused(&moved) {
            DecodeError::FirstOffset { what: got, .. } => assert_eq!(got, what),
            other => panic!("{what}: {other}"),
        }
    }
}

#[test]
fn swapped_offsets_are_rejected() {
    let bytes = known();
    let [a, b] = [layout::payload::TRANSACTIONS, layout::payload::BLOCK_ACCESS_LIST]
        .map(|offset| PAYLOAD + offset);
    let swapped = with_word(with_word(bytes.clone(), a, word(&bytes, b)), b, word(&bytes, a));
    assert!(matches!(
        refused(&swapped),
        DecodeError::OffsetOrder { what: "execution payload", .. }
    ));

    let list = PAYLOAD + word(&bytes, PAYLOAD + layout::payload::TRANSACTIONS) as usize;
    let second = word(&bytes, list + 4);
    let reordered = with_word(bytes, list + 4, word(&second.to_le_bytes(), 0) - 65);
    assert!(matches!(refused(&reordered), DecodeError::OffsetOrder { what: "transactions", .. }));
}

#[test]
fn invalid_first_offset_of_byte_lists_is_rejected() {
    let bytes = known();
    let list = PAYLOAD + word(&bytes, PAYLOAD + layout::payload::TRANSACTIONS) as usize;
    for bad in [0, 1, 7, 9, 1 << 20] {
        let error = refused(&with_word(bytes.clone(), list, bad));
        assert!(matches!(error, DecodeError::ListOffset { what: "transactions", .. }), "{error}");
    }
}

#[test]
fn length_limits_are_inclusive() {
    type Change<'a> = &'a dyn Fn(usize, ProtocolFork) -> Vec<u8>;
    let witness = |state: Vec<Bytes>, codes: Vec<Bytes>, headers: Vec<Bytes>| {
        let mut input = minimal(ProtocolFork::Amsterdam);
        input.witness = ExecutionWitness {
            state: (&state).into(),
            codes: (&codes).into(),
            headers: (&headers).into(),
        };
        input.encode()
    };
    let blob = |len: usize| Bytes::from(vec![1; len]);
    let cases: [(&str, usize, ProtocolFork, Change<'_>); 5] = [
        ("witness state", 1 << 10, ProtocolFork::Amsterdam, &|len, _| {
            witness(vec![blob(len)], vec![], vec![])
        }),
        ("witness codes", 1 << 16, ProtocolFork::Amsterdam, &|len, _| {
            witness(vec![], vec![blob(len)], vec![])
        }),
        ("witness headers", 1 << 10, ProtocolFork::Amsterdam, &|len, _| {
            witness(vec![], vec![], vec![blob(len)])
        }),
        ("witness headers", 256, ProtocolFork::Amsterdam, &|count, _| {
            witness(vec![], vec![], vec![blob(1); count])
        }),
        ("extra data", 32, ProtocolFork::Osaka, &|len, fork| {
            let extra = vec![1; len];
            let mut input = minimal(fork);
            input.request.payload.extra_data = &extra;
            input.encode()
        }),
    ];
    for (what, limit, fork, encode) in cases {
        let accepted = encode(limit, fork);
        assert!(StatelessInput::decode(&accepted).is_ok(), "{what} at {limit}");
        let error = refused(&encode(limit + 1, fork));
        let got = limit + 1;
        let expected = match error {
            DecodeError::TooMany { .. } => DecodeError::TooMany { what, got, limit },
            _ => DecodeError::TooLong { what, index: 0, got, limit },
        };
        assert_eq!(error, expected);
    }
}

#[test]
fn request_lists_are_unlimited_in_every_fork() {
    let (withdrawals, consolidations) = (vec![[1; 44]; 17], vec![[1; 116]; 3]);
    let (requests, hashes) = (vec![[1; 76]; 17], vec![[1; 32]; 4_097]);
    for fork in [ProtocolFork::Prague, ProtocolFork::Bpo2, ProtocolFork::Amsterdam] {
        let mut input = minimal(fork);
        input.request.payload.withdrawals = Records::new(&withdrawals);
        input.request.versioned_hashes = Records::new(&hashes);
        input.request.execution_requests.withdrawals = Records::new(&requests);
        input.request.execution_requests.consolidations = Records::new(&consolidations);
        let bytes = input.encode();
        assert_eq!(StatelessInput::decode(&bytes).as_ref(), Ok(&input), "{fork}");
    }
}

#[test]
fn partial_records_are_rejected() {
    let records = [[1; 44]; 2];
    let mut input = minimal(ProtocolFork::Paris);
    input.fork = ProtocolFork::Osaka;
    input.request.payload.shape = wire::PayloadShape::V3;
    input.request.payload.withdrawals = Records::new(&records);
    let good = input.encode();
    assert!(StatelessInput::decode(&good).is_ok());
    // One byte of the withdrawals is removed, so every offset after them decreases by one.
    let at = PAYLOAD + word(&good, PAYLOAD + layout::payload::WITHDRAWALS) as usize;
    let mut bytes = good;
    bytes.remove(at);
    for position in [
        BODY + layout::input::WITNESS,
        REQUEST + layout::request::VERSIONED_HASHES,
        REQUEST + layout::request::EXECUTION_REQUESTS,
    ] {
        let moved = word(&bytes, position) - 1;
        bytes = with_word(bytes, position, moved);
    }
    assert!(matches!(
        refused(&bytes),
        DecodeError::PartialRecord { what: "withdrawals", got: 87, record: 44 }
    ));
}

#[test]
fn unknown_schema_ids_are_rejected() {
    let good = minimal(ProtocolFork::Amsterdam).encode();
    for schema in [[0x15, 0x02], [0x16, 0x01], [0x01, 0x15], [0x0d, 0x01], [0, 0]] {
        let mut bytes = good.clone();
        bytes[..2].copy_from_slice(&schema);
        assert!(matches!(refused(&bytes), DecodeError::UnknownSchema { .. }));
    }
}

#[test]
fn input_is_rejected_under_different_payload_shape() {
    for fork in ProtocolFork::ALL {
        let good = minimal(fork).encode();
        assert!(StatelessInput::decode(&good).is_ok());
        for other in ProtocolFork::ALL {
            let mut bytes = good.clone();
            bytes[..2].copy_from_slice(&other.schema().to_be_bytes());
            let same_shape = minimal(other).encode().len() == good.len();
            assert_eq!(StatelessInput::decode(&bytes).is_ok(), same_shape, "{fork} as {other}");
        }
    }
}

#[test]
fn empty_list_has_no_bytes() {
    assert_eq!(ByteLists::EMPTY.len(), 0);
    assert_eq!(ByteLists::EMPTY.get(0), None);
    let input = minimal(ProtocolFork::Amsterdam);
    assert!(input.request.payload.transactions.is_empty());
    assert!(input.request.payload.withdrawals.is_empty());
    assert!(!Records::new(&[[1; 44]]).is_empty());
}

#[test]
fn last_returns_none_only_for_empty_list() {
    let slices: [&[u8]; 3] = [&[1], &[], &[2, 3]];
    for len in 0..=slices.len() {
        assert_eq!(ByteLists::from(&slices[..len]).last(), slices[..len].last().copied());
    }
}
