//! Batches: known answers, and inputs that the decoder rejects.

use crate::support::{KnownAnswer, minimal};
use alloy_primitives::{B256, b256};
use enshrine_codec::Encode as _;
use wire::{
    BatchWitness, DecodeError, ExecutionWitness, NewPayloadRequest, ProtocolFork, SchemaId,
    StatelessBatch, StatelessInput, layout,
};

const BODY: usize = SchemaId::LEN;
const LIST: usize = layout::REQUEST_IN_CALLDATA;

/// The specification's known answer and the minimal input, in one batch.
fn with_known<T>(f: impl FnOnce(StatelessBatch<'_>) -> T) -> T {
    KnownAnswer::new().with(|known| {
        let ExecutionWitness { codes, headers, .. } = known.witness;
        let witness = BatchWitness { codes, headers, ..BatchWitness::EMPTY };
        let inputs = [known, minimal(ProtocolFork::Amsterdam)];
        f(enshrine_codec::batch_of(&inputs, witness).unwrap())
    })
}

fn known() -> Vec<u8> {
    with_known(|batch| batch.encode())
}

/// A batch of `count` minimal blocks.
fn of(count: usize) -> StatelessBatch<'static> {
    let input = minimal(ProtocolFork::Osaka);
    StatelessBatch {
        fork: input.fork,
        requests: vec![input.request; count],
        witness: BatchWitness::EMPTY,
        chain_id: 1,
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn with_word(mut bytes: Vec<u8>, at: usize, value: u32) -> Vec<u8> {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    bytes
}

#[test]
fn witness_encoded_len_matches_encoding() {
    with_known(|batch| {
        let bytes = batch.encode();
        assert!(!batch.witness.codes.is_empty() && !batch.witness.headers.is_empty());
        let length = bytes.len() - BODY - word(&bytes, BODY + 4) as usize;
        assert_eq!(batch.witness.encoded_len(), length);
    });
}

#[track_caller]
fn refused(bytes: &[u8]) -> DecodeError {
    StatelessBatch::decode(bytes).expect_err("must be refused")
}

/// A batch put together by hand from the parts of single inputs, with the codes and headers of the
/// first and no state.
fn assembled(inputs: &[Vec<u8>]) -> Vec<u8> {
    let request = |input: &Vec<u8>| input[LIST..BODY + word(input, BODY + 4) as usize].to_vec();
    let requests: Vec<_> = inputs.iter().map(request).collect();
    let first = &inputs[0];
    let witness = &first[BODY + word(first, BODY + 4) as usize..];
    let (codes, headers) = (word(witness, 4) as usize, word(witness, 8) as usize);
    let mut list = Vec::new();
    let mut offset = 4 * requests.len();
    for request in &requests {
        list.extend((offset as u32).to_le_bytes());
        offset += request.len();
    }
    list.extend(requests.concat());
    let words = |words: &[usize]| -> Vec<u8> {
        words.iter().flat_map(|word| (*word as u32).to_le_bytes()).collect()
    };
    [
        &[first[0], 0xba][..],
        &words(&[16, 16 + list.len()]),
        &first[BODY + 8..BODY + 16],
        &list,
        &words(&[12, 16, 16 + headers - codes, 0]),
        &witness[codes..],
    ]
    .concat()
}

/// The roots were computed by an independent script that also reproduces the specification's known
/// answer.
#[test]
fn known_batches_match_bytes_and_roots() {
    let minimal = minimal(ProtocolFork::Amsterdam);
    let single = KnownAnswer::new().with(|known| known.encode());
    with_known(|batch| {
        let bytes = batch.encode();
        assert_eq!(bytes.len(), 3382);
        assert_eq!(bytes, assembled(&[single.clone(), minimal.encode()]));
        assert_eq!(
            batch.requests_root(),
            b256!("c4a4ea1f71f8c8a5dccd746c16770f40ea0caa056c9afced7d76ca621790a6a9")
        );
        assert_eq!(StatelessBatch::decode(&bytes), Ok(batch));
    });
    let batch =
        enshrine_codec::batch_of(std::slice::from_ref(&minimal), BatchWitness::EMPTY).unwrap();
    let bytes = batch.encode();
    assert_eq!(bytes.len(), 642);
    assert_eq!(bytes, assembled(&[minimal.encode()]));
    assert_eq!(
        batch.requests_root(),
        b256!("3dcf34d14f75eb92d34ea08ceffef46cbf5f840c958e691ea0b3648ec0c95554")
    );
    // The third subtree of the progressive list.
    let six = StatelessBatch { requests: vec![minimal.request; 6], ..batch };
    assert_eq!(
        six.requests_root(),
        b256!("d7a655d6b02acf8b8758a2597fb4b4791d53afeeeb98339496343df3a3d9ae54")
    );
}

#[test]
fn requests_root_commits_to_blocks_order_and_count() {
    let mut two = of(2);
    two.requests[1].payload.block_hash = B256::repeat_byte(1);
    let root = two.requests_root();
    let with = |change: &dyn Fn(&mut Vec<NewPayloadRequest<'_>>)| {
        let mut other = two.clone();
        change(&mut other.requests);
        other.requests_root()
    };
    assert_eq!(with(&|_| {}), root);
    assert_ne!(with(&|requests| requests.swap(0, 1)), root);
    assert_ne!(with(&|requests| requests.truncate(1)), root);
    assert_ne!(with(&|requests| requests.push(requests[0].clone())), root);
    for index in 0..2 {
        let other = with(&|requests| requests[index].payload.block_hash.0[31] ^= 1);
        assert_ne!(other, root);
    }
}

#[test]
fn batch_schema_ids_use_their_own_revision() {
    for fork in ProtocolFork::ALL {
        let (single, batch) = (fork.schema(), fork.batch_schema());
        assert_eq!(batch.to_be_bytes(), [fork as u8, 0xba]);
        assert_eq!((single.fork(), single.batch_fork()), (Some(fork), None));
        assert_eq!((batch.fork(), batch.batch_fork()), (None, Some(fork)));
    }
    let (bytes, single) = (known(), minimal(ProtocolFork::Amsterdam).encode());
    assert_eq!(SchemaId::of(&bytes), Ok(SchemaId::new(0x15ba)));
    assert_eq!(SchemaId::of(&single), Ok(SchemaId::AMSTERDAM));
    assert!(SchemaId::of(&bytes[..1]).is_err());
    // Neither decoder accepts the input of the other.
    assert!(matches!(StatelessInput::decode(&bytes), Err(DecodeError::UnknownSchema { .. })));
    let got = SchemaId::AMSTERDAM.get();
    assert_eq!(refused(&single), DecodeError::NoBatchSchema { got });
    let as_single = [&single[..2], &bytes[2..]].concat();
    assert!(StatelessInput::decode(&as_single).is_err());
    assert!(StatelessBatch::decode(&[&bytes[..2], &single[2..]].concat()).is_err());
}

#[test]
fn batch_has_between_one_and_256_blocks() {
    let what = "requests of the batch";
    assert_eq!(refused(&of(0).encode()), DecodeError::Empty { what });
    for count in [1, 2, StatelessBatch::MAX_BLOCKS] {
        assert_eq!(StatelessBatch::decode(&of(count).encode()), Ok(of(count)));
    }
    let too_many = refused(&of(StatelessBatch::MAX_BLOCKS + 1).encode());
    assert_eq!(too_many, DecodeError::TooMany { what, got: 257, limit: 256 });
    // The constructor applies the same rules.
    let input = minimal(ProtocolFork::Osaka);
    let make =
        |count: usize| enshrine_codec::batch_of(&vec![input.clone(); count], BatchWitness::EMPTY);
    assert_eq!(make(0), Err(DecodeError::Empty { what }));
    assert_eq!(make(256), Ok(of(256)));
    assert_eq!(make(257), Err(too_many));
}

#[test]
fn batch_inputs_share_chain_and_fork() {
    let input = minimal(ProtocolFork::Osaka);
    let make = |other: StatelessInput<'static>| {
        enshrine_codec::batch_of(&[input.clone(), other], BatchWitness::EMPTY)
    };
    assert_eq!(make(input.clone()), Ok(of(2)));
    let mixed = make(minimal(ProtocolFork::Bpo1)).unwrap_err();
    assert!(mixed.to_string().contains("got bpo1, 1, expected osaka, 1"), "{mixed}");
    let foreign = make(StatelessInput { chain_id: 2, ..input.clone() }).unwrap_err();
    assert!(foreign.to_string().contains("got osaka, 2, expected osaka, 1"), "{foreign}");
}

#[test]
fn non_canonical_batch_offsets_are_rejected() {
    let bytes = known();
    let (witness, second) = (word(&bytes, BODY + 4), word(&bytes, LIST + 4));
    assert_eq!((word(&bytes, BODY), word(&bytes, LIST)), (16, 8));
    for (at, value, expected) in [
        (BODY, 17, "stateless batch: first offset is 17, expected 16"),
        (BODY + 4, 15, "stateless batch: offset 1 is 15, before its predecessor 16"),
        (BODY + 4, u32::MAX, "stateless batch: offset 1 is 4294967295, beyond the end at 3380"),
        (LIST, 7, "requests of the batch: first offset 7 is not a multiple of 4 in"),
        (LIST, 0, "requests of the batch: first offset 0 is not a multiple of 4 in"),
        (LIST, u32::MAX - 3, "requests of the batch: first offset 4294967292 is not"),
        // One request fewer, which leaves a gap before the first.
        (LIST, 4, "new payload request: first offset is"),
        (LIST + 4, 7, "requests of the batch: offset 1 is 7, before its predecessor 8"),
        (LIST + 4, u32::MAX, "requests of the batch: offset 1 is 4294967295, beyond the end"),
        // The first request is one byte too long, or one byte too short.
        (LIST + 4, second + 1, "builder exit requests: "),
        (LIST + 4, second - 1, "builder exit requests: "),
        // A byte of the witness at the end of the last request.
        (BODY + 4, witness + 1, "builder exit requests: "),
    ] {
        let error = refused(&with_word(bytes.clone(), at, value)).to_string();
        assert!(error.starts_with(expected), "{error}, not {expected}");
    }
}

#[test]
fn truncated_batch_is_rejected_or_another_batch() {
    let bytes = known();
    let whole = StatelessBatch::decode(&bytes).unwrap();
    for len in 0..bytes.len() {
        if let Ok(other) = StatelessBatch::decode(&bytes[..len]) {
            // Only the last header of the witness has no explicit end.
            assert_eq!(other.requests, whole.requests);
            assert_ne!(other.witness.headers, whole.witness.headers);
            assert_eq!(other.encode(), bytes[..len]);
        }
    }
    // Trailing bytes are rejected.
    let empty = of(1).encode();
    assert!(StatelessBatch::decode(&empty).is_ok());
    assert!(StatelessBatch::decode(&[&empty[..], &[0]].concat()).is_err());
}

#[test]
fn request_struct_fits_size_of_shortest_encoding() {
    let shortest = minimal(ProtocolFork::Paris).request.encoded_len(ProtocolFork::Paris);
    assert!(size_of::<NewPayloadRequest<'_>>() <= shortest);
}

#[test]
fn duplicate_codes_are_rejected() {
    let batch = of(1);
    let encoded = |codes: &[&[u8]]| {
        let witness = BatchWitness { codes: codes.into(), ..batch.witness };
        StatelessBatch { witness, ..batch.clone() }.encode()
    };
    let accepted: [&[&[u8]]; 5] =
        [&[], &[&[1]], &[&[1], &[2]], &[&[2], &[1]], &[&[1, 1], &[1], &[], &[2], &[1, 0]]];
    for accepted in accepted {
        assert!(StatelessBatch::decode(&encoded(accepted)).is_ok(), "{accepted:?}");
    }
    let twice = |index, first| DecodeError::DuplicateCode { index, first };
    assert_eq!(refused(&encoded(&[&[1], &[1]])), twice(1, 0));
    assert_eq!(refused(&encoded(&[&[1], &[2], &[2], &[3]])), twice(2, 1));
    // A duplicate cannot hide behind another code.
    assert_eq!(refused(&encoded(&[&[1], &[2], &[1]])), twice(2, 0));
    assert_eq!(refused(&encoded(&[&[3], &[], &[2], &[2], &[]])), twice(3, 2));
}
