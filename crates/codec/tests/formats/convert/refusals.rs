//! Blocks that the converter rejects. Each differs in one change from a block that is accepted.

use super::samples::{BlockParts, blob_transaction, header, rlp_list, rlp_string, transactions};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::Bytes;
use enshrine_codec::{OwnedWitness, RawBlock};
use proptest::{prelude::*, test_runner::RngSeed};
use wire::{DecodeError, ProtocolFork};

fn good() -> BlockParts {
    BlockParts::new(&header(ProtocolFork::Osaka, 17), &transactions())
}

/// Returns the reason why a block is rejected, after checking that it is accepted without the
/// change.
fn refused(change: impl FnOnce(&mut BlockParts)) -> DecodeError {
    let mut parts = good();
    RawBlock::decode(&parts.rlp()).expect("the block is good before the change");
    change(&mut parts);
    RawBlock::decode(&parts.rlp()).expect_err("the block is bad after the change")
}

/// Returns the RLP decoder's reason from an error about the block.
fn rlp(error: DecodeError) -> alloy_rlp::Error {
    match error {
        DecodeError::Rlp { what: "raw block", reason } => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn ommers_are_rejected() {
    let ommer = alloy_rlp::encode(header(ProtocolFork::Osaka, 16));
    assert_eq!(
        refused(|parts| parts.ommers = vec![ommer]),
        DecodeError::TooMany { what: "ommers", got: 1, limit: 0 }
    );
}

#[test]
fn a_block_has_three_or_four_items() {
    let parts = good();
    let items = |count: usize| {
        let all = [
            parts.header.clone(),
            rlp_list(&parts.transactions),
            rlp_list::<&[u8]>(&[]),
            rlp_list::<&[u8]>(&[]),
            rlp_list::<&[u8]>(&[]),
        ];
        RawBlock::decode(&rlp_list(&all[..count]))
    };
    assert!(items(3).is_ok());
    assert!(items(4).is_ok());
    for got in [0, 1, 2, 5] {
        let expected = alloy_rlp::Error::ListLengthMismatch { expected: 4, got };
        assert_eq!(rlp(items(got).unwrap_err()), expected);
    }
}

#[test]
fn trailing_bytes_of_block_are_rejected() {
    let mut bytes = good().rlp();
    assert!(RawBlock::decode(&bytes).is_ok());
    bytes.push(0x80);
    let error = RawBlock::decode(&bytes).unwrap_err();
    assert_eq!(rlp(error), alloy_rlp::Error::UnexpectedLength);
}

#[test]
fn truncated_block_is_rejected() {
    let bytes = good().rlp();
    for len in 0..bytes.len() {
        rlp(RawBlock::decode(&bytes[..len]).unwrap_err());
    }
}

#[test]
fn string_in_place_of_list_is_rejected() {
    let error = RawBlock::decode(&rlp_string(&good().rlp())).unwrap_err();
    assert_eq!(rlp(error), alloy_rlp::Error::UnexpectedString);
    let parts = good();
    let fields = [
        parts.header.clone(),
        rlp_list(&parts.transactions),
        rlp_list::<&[u8]>(&[]),
        rlp_list(&parts.withdrawals.unwrap()),
    ];
    assert!(RawBlock::decode(&rlp_list(&fields)).is_ok());
    for index in 0..fields.len() {
        let mut fields = fields.clone();
        fields[index] = rlp_string(&fields[index]);
        rlp(RawBlock::decode(&rlp_list(&fields)).unwrap_err());
    }
}

#[test]
fn malformed_header_is_rejected() {
    rlp(refused(|parts| parts.header.push(0x80)));
    rlp(refused(|parts| parts.header = rlp_list(&[b"\x01"])));
    rlp(refused(|parts| parts.header = rlp_string(&parts.header)));
}

#[test]
fn only_typed_transactions_are_wrapped() {
    let [legacy, typed] = [0, 4].map(|index| transactions()[index].encoded_2718());
    // A typed transaction that is not wrapped in a string reads as two items: type and payload.
    let error = refused(|parts| parts.transactions[4] = typed);
    assert!(matches!(rlp(error), alloy_rlp::Error::Custom(_) | alloy_rlp::Error::InputTooShort));
    let error = refused(|parts| parts.transactions[0] = rlp_string(&legacy));
    assert_eq!(rlp(error), alloy_rlp::Error::Custom("legacy transaction wrapped in a string"));
}

#[test]
fn unknown_transaction_types_are_rejected() {
    let known = transactions()[4].encoded_2718();
    assert_eq!(known[0], 2);
    for kind in [0, 5, 6, 0x7e, 0x7f, 0x80, 0xbf] {
        let mut unknown = known.clone();
        unknown[0] = kind;
        let error = refused(|parts| parts.transactions[4] = rlp_string(&unknown));
        assert!(matches!(rlp(error), alloy_rlp::Error::Custom(_)), "{kind:#04x}");
    }
    rlp(refused(|parts| parts.transactions[4] = rlp_string(&[])));
    rlp(refused(|parts| parts.transactions[4] = rlp_string(&[2])));
}

#[test]
fn trailing_bytes_of_transaction_are_rejected() {
    for index in [0, 4] {
        let mut longer = transactions()[index].encoded_2718();
        longer.push(0x80);
        // After a legacy transaction the byte becomes an item of the list of transactions.
        let item = if index == 0 { longer } else { rlp_string(&longer) };
        rlp(refused(|parts| parts.transactions[index] = item));
    }
}

#[test]
fn blob_transaction_with_sidecar_is_rejected() {
    let blobs = rlp_list::<&[u8]>(&[]);
    let transaction = blob_transaction(3, &[]).encoded_2718();
    let mut pooled = vec![3];
    pooled.extend(rlp_list(&[&transaction[1..], &blobs, &blobs, &blobs]));
    rlp(refused(|parts| parts.transactions[3] = rlp_string(&pooled)));
}

#[test]
fn withdrawal_has_four_items_of_fixed_size() {
    let fields = [vec![1], vec![2], rlp_string(&[3; 20]), vec![4]];
    let with = |fields: &[Vec<u8>]| {
        let mut parts = good();
        parts.withdrawals = Some(vec![rlp_list(fields)]);
        RawBlock::decode(&parts.rlp())
    };
    assert!(with(&fields).is_ok());
    for got in [3, 5] {
        let mut others = fields.to_vec();
        others.resize(got, vec![5]);
        rlp(with(&others).unwrap_err());
    }
    for (index, bad) in [
        (0, rlp_string(&[1; 9])),
        // A number with a leading zero.
        (1, rlp_string(&[0, 1])),
        (2, rlp_string(&[3; 19])),
        (2, rlp_string(&[3; 21])),
        (3, rlp_list(&[b"\x04"])),
    ] {
        let mut others = fields.clone();
        others[index] = bad;
        rlp(with(&others).unwrap_err());
    }
}

#[test]
fn request_types_must_ascend() {
    let block = RawBlock::decode(&good().rlp()).unwrap();
    let request = |kind: u8, len: usize| Bytes::from([vec![kind], vec![kind; len]].concat());
    let convert = |requests: &[Bytes]| {
        block.to_input(ProtocolFork::Osaka, 1, &OwnedWitness::default(), requests, &[])
    };
    let (withdrawal, consolidation) = (request(1, 76), request(2, 116));
    assert!(convert(&[withdrawal.clone(), consolidation.clone()]).is_ok());
    let (twice, descending) = ([&withdrawal, &withdrawal], [&consolidation, &withdrawal]);
    for wrong in [twice, descending] {
        let error = convert(&wrong.map(Bytes::clone)).unwrap_err();
        assert!(matches!(error, DecodeError::Mismatch { what: "request type", .. }), "{error}");
    }
    assert_eq!(
        convert(&[request(1, 75)]).unwrap_err(),
        DecodeError::PartialRecord { what: "withdrawal requests", got: 75, record: 76 }
    );
    assert!(matches!(
        convert(&[request(5, 10)]).unwrap_err(),
        DecodeError::Mismatch { what: "request type", .. }
    ));
    // Types without records may be listed or omitted.
    let padded = [request(0, 0), withdrawal.clone(), request(2, 0)];
    assert_eq!(
        enshrine_codec::requests_from_typed(&padded),
        enshrine_codec::requests_from_typed(&[withdrawal])
    );
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 3_000,
        rng_seed: RngSeed::Fixed(0x0062_6c6f_636b),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// A mutated block is rejected, or is another block that can be converted.
    #[test]
    fn no_mutation_of_a_block_panics(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let good = good().rlp();
        let mut bytes = good.clone();
        for (at, value) in edits {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(block) = RawBlock::decode(&bytes) {
            prop_assert_eq!(block == RawBlock::decode(&good).unwrap(), bytes == good);
            let witness = OwnedWitness::default();
            prop_assert!(block.to_input(ProtocolFork::Osaka, 1, &witness, &[], &[]).is_ok());
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(RawBlock::decode(&bytes).is_err());
    }
}
