//! Batches split between calldata and blobs: each batch is restored, and has a single encoding.

use crate::support::{KnownAnswer, minimal};
use enshrine_codec::Encode as _;
use enshrine_codec::blob_tail::{BlobTailError, MIN_HEAD, REQUEST_HEAD, Trailer, cut, to_blobs};
use proptest::prelude::*;
use wire::{
    BatchWitness, ExecutionWitness, ProtocolFork, StatelessBatch, StatelessInput,
    layout::REQUEST_IN_CALLDATA as LIST,
};

/// The specification's known answer and a minimal block, whose requests differ in length.
fn known() -> Vec<u8> {
    KnownAnswer::new().with(|known| {
        let ExecutionWitness { codes, headers, .. } = known.witness;
        let witness = BatchWitness { codes, headers, ..BatchWitness::EMPTY };
        let inputs = [known, minimal(ProtocolFork::Amsterdam)];
        enshrine_codec::batch_of(&inputs, witness).unwrap().encode()
    })
}

/// A batch of `count` blocks of minimal length.
fn shortest(count: usize) -> Vec<u8> {
    let input = minimal(ProtocolFork::Osaka);
    let requests = vec![input.request; count];
    let (fork, chain_id) = (input.fork, 1);
    StatelessBatch { fork, requests, witness: BatchWitness::EMPTY, chain_id }.encode()
}

fn offset(bytes: &[u8], index: usize) -> usize {
    let at = LIST + 4 * index;
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

fn with_offset(bytes: &[u8], index: usize, offset: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = LIST + 4 * index;
    bytes[at..at + 4].copy_from_slice(&u32::try_from(offset).unwrap().to_le_bytes());
    bytes
}

fn joined(head: &[u8], tail: &[u8]) -> Result<Vec<u8>, BlobTailError> {
    let calldata = [head, &Trailer::new(tail.len(), 0).unwrap().encode()].concat();
    let (head, trailer) = Trailer::split(&calldata)?;
    trailer.pieces(head)?.join(&to_blobs(tail))
}

#[test]
fn head_holds_first_bytes_of_each_request() {
    assert_eq!((REQUEST_HEAD, MIN_HEAD), (584, 602));
    let batch = known();
    let (first, second) = (LIST + offset(&batch, 0), LIST + offset(&batch, 1));
    assert_eq!(first, 18 + 4 * 2);
    assert!(second > first + 584, "there is something between them");
    let (head, tail) = cut(&batch).unwrap();
    assert_eq!(head, [&batch[..first + 584], &batch[second..second + 584]].concat());
    assert_eq!(tail, [&batch[first + 584..second], &batch[second + 584..]].concat());
    assert_eq!(joined(&head, &tail), Ok(batch));
}

#[test]
fn split_batch_of_any_length_is_restored() {
    for count in [1, 2, StatelessBatch::MAX_BLOCKS] {
        let batch = shortest(count);
        let (head, tail) = cut(&batch).unwrap();
        assert_eq!(head.len(), 18 + count * (4 + 584));
        // Minimal requests are in the head completely.
        assert_eq!(head, batch[..head.len()]);
        assert_eq!(joined(&head, &tail), Ok(batch), "{count}");
    }
    let single = minimal(ProtocolFork::Osaka).encode();
    let (head, tail) = cut(&single).unwrap();
    assert_eq!((head.as_slice(), tail.as_slice()), single.split_at(602));
    assert_eq!(cut(&single[..601]), None);
}

#[test]
fn batch_over_several_blobs_is_restored() {
    let short = shortest(3);
    let batch = StatelessBatch::decode(&short).unwrap();
    let codes: Vec<_> = (1..=5_u8).map(|byte| vec![byte; 60_000]).collect();
    let codes: Vec<_> = codes.iter().map(Vec::as_slice).collect();
    let witness = BatchWitness { codes: codes.as_slice().into(), ..batch.witness };
    let long = StatelessBatch { witness, ..batch }.encode();
    let (head, tail) = cut(&long).unwrap();
    assert_eq!(to_blobs(&tail).len(), 3);
    assert_eq!(joined(&head, &tail), Ok(long));
}

#[test]
fn head_length_must_match_block_count() {
    let (head, tail) = cut(&known()).unwrap();
    assert!(joined(&head, &tail).is_ok());
    let expected = 18 + 2 * (4 + 584);
    let length = |got| Err(BlobTailError::HeadLength { blocks: 2, got, expected });
    assert_eq!(joined(&head[..expected - 1], &tail), length(expected - 1));
    assert_eq!(joined(&[&head[..], &tail[..1]].concat(), &tail[1..]), length(expected + 1));
    // The whole batch as a head, and nothing in blobs.
    let whole = known();
    assert_eq!(joined(&whole, &[]), length(whole.len()));
    // One block fewer or more than the head has.
    for blocks in [1, 3] {
        let expected = 18 + blocks * (4 + 584);
        let error = BlobTailError::HeadLength { blocks, got: head.len(), expected };
        assert_eq!(joined(&with_offset(&head, 0, 4 * blocks), &tail), Err(error));
    }
}

#[test]
fn invalid_first_request_offset_is_rejected() {
    let (head, tail) = cut(&known()).unwrap();
    for got in [0, 3, 7, 9, 4 * 257, u32::MAX as usize] {
        let error = BlobTailError::Blocks { got, limit: 4 * 256 };
        assert_eq!(joined(&with_offset(&head, 0, got), &tail), Err(error));
    }
    // 256 blocks are allowed, so only the length of the head is wrong.
    let maximum = joined(&with_offset(&head, 0, 4 * 256), &tail);
    assert!(matches!(maximum, Err(BlobTailError::HeadLength { blocks: 256, .. })), "{maximum:?}");
    let (head, tail) = cut(&shortest(256)).unwrap();
    assert!(joined(&head, &tail).is_ok());
}

#[test]
fn overlapping_or_overlong_requests_are_rejected() {
    let (head, tail) = cut(&shortest(3)).unwrap();
    let list = 3 * (4 + 584) + tail.len();
    for index in [1, 2] {
        let minimum = offset(&head, index - 1) + 584;
        let maximum = list - (3 - index) * 584;
        assert_eq!(offset(&head, index), minimum);
        for got in [minimum, maximum] {
            let later = (index + 1..3).fold(with_offset(&head, index, got), |head, later| {
                with_offset(&head, later, got + 584 * (later - index))
            });
            let input = joined(&later, &tail).unwrap();
            let (start, at) = (LIST + got, LIST + 12 + 584 * index);
            assert_eq!(input[start..start + 584], head[at..at + 584], "as the list says");
        }
        for got in [minimum - 1, maximum + 1, 0, u32::MAX as usize] {
            let error = BlobTailError::RequestOutOfPlace { index, got, minimum, maximum };
            assert_eq!(joined(&with_offset(&head, index, got), &tail), Err(error));
        }
    }
}

#[test]
fn single_input_head_with_batch_id_is_rejected() {
    let mut single = minimal(ProtocolFork::Osaka).encode();
    assert!(StatelessInput::decode(&single).is_ok());
    let (head, tail) = single.split_at(MIN_HEAD);
    assert_eq!(joined(head, tail).as_ref(), Ok(&single));
    single[1] = 0xba;
    let (head, tail) = single.split_at(MIN_HEAD);
    // The first word is 44, the offset of the payload, which is read as 11 blocks.
    let expected = 18 + 11 * (4 + 584);
    let error = BlobTailError::HeadLength { blocks: 11, got: 602, expected };
    assert_eq!(joined(head, tail), Err(error));
}

proptest! {
    /// Each batch has a single head and tail, and each request is at its offset in the list.
    #[test]
    fn accepted_heads_and_tails_are_canonical(
        at in 18..18 + 3 * 588_usize,
        byte: u8,
        more in prop::collection::vec(any::<u8>(), 0..700),
    ) {
        let (mut head, mut tail) = cut(&shortest(3)).unwrap();
        tail.extend(more);
        // Mostly in the list of offsets.
        let at = if at % 2 == 0 { 18 + at % 12 } else { at };
        head[at] = byte;
        if let Ok(input) = joined(&head, &tail) {
            for index in 0..3 {
                let (start, at) = (LIST + offset(&input, index), LIST + 12 + 584 * index);
                prop_assert_eq!(&input[start..start + 584], &head[at..at + 584]);
            }
            prop_assert_eq!(cut(&input), Some((head, tail)));
        }
    }

    #[test]
    fn cut_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..3_000), batch: bool) {
        let mut bytes = bytes;
        if batch && bytes.len() >= 26 {
            bytes[..2].copy_from_slice(&[0x12, 0xba]);
            bytes[18..22].copy_from_slice(&[8, 0, 0, 0]);
            bytes[24..26].fill(0);
        }
        if let Some((head, tail)) = cut(&bytes) {
            prop_assert_eq!(head.len() + tail.len(), bytes.len());
            prop_assert_eq!(joined(&head, &tail), Ok(bytes));
        }
    }
}
