//! geth's RLP witness.

use super::samples::{header, rlp_list, rlp_string};
use alloy_primitives::Bytes;
use enshrine_codec::OwnedWitness;
use proptest::{prelude::*, test_runner::RngSeed};
use wire::{DecodeError, ProtocolFork};

/// Encodes a witness like geth: `[headers, codes, state]`.
pub(crate) fn geth_rlp(headers: &[Bytes], codes: &[Bytes], state: &[Bytes]) -> Vec<u8> {
    let strings =
        |list: &[Bytes]| rlp_list(&list.iter().map(|item| rlp_string(item)).collect::<Vec<_>>());
    rlp_list(&[rlp_list(headers), strings(codes), strings(state)])
}

pub(crate) fn header_rlp(number: u64) -> Bytes {
    alloy_rlp::encode(header(ProtocolFork::Osaka, number)).into()
}

fn blobs<const N: usize>(items: [&'static [u8]; N]) -> Vec<Bytes> {
    items.map(Bytes::from_static).to_vec()
}

/// The canonical form to which all forms of the witness in these tests convert.
pub(crate) fn canonical() -> OwnedWitness {
    OwnedWitness {
        state: blobs([b"\x01", b"aaaa", b"bb"]),
        codes: blobs([b"\x5b\x00", b"\x60"]),
        headers: vec![header_rlp(15), header_rlp(16), header_rlp(17)],
    }
}

#[test]
fn geth_witness_order_becomes_canonical() {
    let headers = [header_rlp(17), header_rlp(16), header_rlp(15)];
    let state = blobs([b"bb", b"\x80", b"aaaa", b"", b"\x01", b"bb"]);
    let codes = blobs([b"\x60", b"", b"\x5b\x00", b"\x60"]);
    assert_eq!(OwnedWitness::from_geth_rlp(&geth_rlp(&headers, &codes, &state)), Ok(canonical()));

    let mut shuffled = headers;
    shuffled.rotate_left(1);
    assert_eq!(OwnedWitness::from_geth_rlp(&geth_rlp(&shuffled, &codes, &state)), Ok(canonical()));
}

#[test]
fn empty_witness_is_accepted() {
    assert_eq!(OwnedWitness::from_geth_rlp(&geth_rlp(&[], &[], &[])), Ok(OwnedWitness::default()));
}

#[test]
fn malformed_witness_is_rejected_with_reason() {
    let OwnedWitness { state, codes, headers } = canonical();
    let parts = [
        rlp_list(&headers),
        rlp_list(&codes.iter().map(|code| rlp_string(code)).collect::<Vec<_>>()),
        rlp_list(&state.iter().map(|node| rlp_string(node)).collect::<Vec<_>>()),
    ];
    let good = rlp_list(&parts);
    assert_eq!(OwnedWitness::from_geth_rlp(&good), Ok(canonical()));

    let reason = |bytes: &[u8]| match OwnedWitness::from_geth_rlp(bytes) {
        Err(DecodeError::Rlp { what: "geth witness", reason }) => reason,
        other => panic!("{other:?}"),
    };
    for len in 0..good.len() {
        reason(&good[..len]);
    }
    let mut surplus = parts.to_vec();
    surplus.push(rlp_list::<&[u8]>(&[]));
    for (got, items) in [(2, &parts[..2]), (4, &surplus)] {
        let expected = alloy_rlp::Error::ListLengthMismatch { expected: 3, got };
        assert_eq!(reason(&rlp_list(items)), expected);
    }
    assert_eq!(reason(&rlp_string(&good)), alloy_rlp::Error::UnexpectedString);
    assert_eq!(reason(&[&good[..], &[0x80]].concat()), alloy_rlp::Error::UnexpectedLength);
    for index in 0..parts.len() {
        let mut parts = parts.clone();
        parts[index] = rlp_string(&parts[index]);
        assert_eq!(reason(&rlp_list(&parts)), alloy_rlp::Error::UnexpectedString, "part {index}");
    }
    for index in [1, 2] {
        let mut parts = parts.clone();
        parts[index] = rlp_list(&[rlp_list(&[b"\x01"])]);
        assert_eq!(reason(&rlp_list(&parts)), alloy_rlp::Error::UnexpectedList, "part {index}");
    }
}

#[test]
fn malformed_witness_header_is_rejected() {
    let header = header_rlp(17);
    let with = |header: Bytes| OwnedWitness::from_geth_rlp(&geth_rlp(&[header], &[], &[]));
    assert!(with(header.clone()).is_ok());
    for bad in [rlp_string(&header), rlp_list(&[b"\x01"]), vec![0x80]] {
        let error = with(bad.into()).unwrap_err();
        assert!(matches!(error, DecodeError::Rlp { what: "witness header", .. }), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 3_000,
        rng_seed: RngSeed::Fixed(0x6765_7468),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        // Random bytes are almost never a witness: only tiny ones happen to be three lists.
        if let Ok(witness) = OwnedWitness::from_geth_rlp(&bytes) {
            prop_assert!(witness.headers.is_empty());
        }
    }

    #[test]
    fn no_mutation_panics(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let OwnedWitness { state, codes, headers } = canonical();
        let mut bytes = geth_rlp(&headers, &codes, &state);
        for (at, value) in edits {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok(witness) = OwnedWitness::from_geth_rlp(&bytes) {
            // The result is canonical: encoding and decoding it again does not change it.
            let again = geth_rlp(&witness.headers, &witness.codes, &witness.state);
            prop_assert_eq!(OwnedWitness::from_geth_rlp(&again), Ok(witness));
        }
    }
}
