//! `Rlp` compared with alloy-rlp.

use super::{
    cases,
    evm::{Harness, Refused, call},
};
use alloy_primitives::{Bytes, FixedBytes, U256};
use alloy_rlp::{Decodable, Encodable, Header};
use proptest::{collection::vec, prelude::*};

/// Bytes that are RLP, almost RLP, or random.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let length = prop_oneof![0..3_usize, 28..36_usize, 53..60_usize, 250..262_usize, 0..600_usize];
    let payload = length.prop_flat_map(|length| vec(any::<u8>(), length));
    let string = payload.clone().prop_map(|payload| {
        let mut out = Vec::new();
        payload.as_slice().encode(&mut out);
        out
    });
    let list = payload.clone().prop_map(|payload| {
        let mut out = Vec::new();
        Header { list: true, payload_length: payload.len() }.encode(&mut out);
        out.extend_from_slice(&payload);
        out
    });
    let header = (0x78..=0xff_u8, payload.clone()).prop_map(|(first, rest)| {
        let mut out = vec![first];
        out.extend_from_slice(&rest);
        out
    });
    // A header with a length in more bytes than needed, or with a length beyond the bytes.
    let long = (any::<bool>(), 1..=8_u8, any::<u64>(), 0..64_u32, payload.clone()).prop_map(
        |(list, size, length, cut, payload)| {
            let length = if cut < 8 { payload.len() as u64 } else { length >> cut };
            let mut out = vec![if list { 0xf7 } else { 0xb7 } + size];
            out.extend_from_slice(&length.to_be_bytes()[8 - usize::from(size)..]);
            out.extend_from_slice(&payload);
            out
        },
    );
    let valid = prop_oneof![string, list];
    let changed = (valid.clone(), any::<prop::sample::Index>(), any::<u8>()).prop_map(
        |(mut bytes, at, value)| {
            let at = at.index(bytes.len().min(4));
            bytes[at] = value;
            bytes
        },
    );
    let extended = (valid.clone(), vec(any::<u8>(), 0..5)).prop_map(|(mut bytes, more)| {
        bytes.extend(more);
        bytes
    });
    let cut = (valid.clone(), any::<prop::sample::Index>()).prop_map(|(mut bytes, at)| {
        bytes.truncate(at.index(bytes.len()));
        bytes
    });
    prop_oneof![valid, changed, extended, cut, header, long, payload]
}

/// Returns start and end of the payload of the first item, and `true` if it is a list.
fn item(bytes: &[u8]) -> Option<(usize, usize, bool)> {
    let mut rest = bytes;
    let header = Header::decode(&mut rest).ok()?;
    let start = bytes.len() - rest.len();
    (header.payload_length <= rest.len()).then_some((
        start,
        start + header.payload_length,
        header.list,
    ))
}

proptest! {
    #![proptest_config(cases(4_000))]

    #[test]
    fn items_match_alloy(bytes in bytes()) {
        let expected = item(&bytes);
        let data = Bytes::from(bytes);
        let got = call(&Harness::itemCall { data: data.clone() }).ok();
        let got = got.map(|i| (i.start.to(), i.stop.to(), i.isList));
        prop_assert_eq!(got, expected);

        let list = call(&Harness::listCall { data: data.clone() });
        let string = call(&Harness::strCall { data });
        prop_assert_eq!(list.is_ok(), expected.is_some_and(|(_, _, list)| list));
        prop_assert_eq!(string.is_ok(), expected.is_some_and(|(_, _, list)| !list));
        if let (Ok(list), Some((start, stop, _))) = (list, expected) {
            prop_assert_eq!((list.start.to(), list.stop.to()), (start, stop));
        }
        if let (Ok(string), Some((start, stop, _))) = (string, expected) {
            prop_assert_eq!((string.start.to(), string.stop.to()), (start, stop));
        }
    }

    #[test]
    fn integers_match_alloy(bytes in bytes(), max_bytes in 1..=32_usize) {
        let mut rest = bytes.as_slice();
        let expected = U256::decode(&mut rest).ok().filter(|v| v.byte_len() <= max_bytes);
        let read = bytes.len() - rest.len();
        let call_ = Harness::integerCall { data: bytes.into(), maxBytes: U256::from(max_bytes) };
        let got = call(&call_).ok();
        prop_assert_eq!(got.as_ref().map(|i| i.value), expected);
        if let Some(got) = got {
            prop_assert_eq!(got.next.to::<usize>(), read);
        }
    }

    #[test]
    fn fixed_length_strings_match_alloy(bytes in bytes()) {
        fn agree<const N: usize>(bytes: &[u8]) -> Result<(), TestCaseError> {
            let mut rest = bytes;
            let expected = FixedBytes::<N>::decode(&mut rest).ok();
            let got = call(&Harness::fixedStringCall {
                data: Bytes::copy_from_slice(bytes),
                length: U256::from(N),
            });
            if let (Ok(got), Some(_)) = (&got, expected) {
                prop_assert_eq!(got.next.to::<usize>(), bytes.len() - rest.len());
            }
            let got = got.ok().map(|got| got.value);
            prop_assert_eq!(got, expected.map(|e| U256::from_be_slice(e.as_slice())));
            Ok(())
        }
        agree::<1>(&bytes)?;
        agree::<20>(&bytes)?;
        agree::<32>(&bytes)?;
        // Lengths that the strings are likely to have.
        for length in [2, 31] {
            let call_ =
                Harness::fixedStringCall { data: bytes.clone().into(), length: U256::from(length) };
            let expected = item(&bytes).is_some_and(|(a, b, list)| !list && b - a == length);
            prop_assert_eq!(call(&call_).is_ok(), expected);
        }
    }

    #[test]
    fn list_is_split_into_items(items in vec(vec(any::<u8>(), 0..70), 0..20), cut in any::<bool>()) {
        let mut encoded = Vec::new();
        let items: Vec<Bytes> = items.into_iter().map(Bytes::from).collect();
        items.encode(&mut encoded);
        let got = call(&Harness::itemsCall { data: encoded.clone().into() });
        prop_assert_eq!(got.expect("is a list"), items);
        // With one byte fewer or more it is not a list.
        if cut { encoded.pop(); } else { encoded.push(0x80); }
        let refused = call(&Harness::itemsCall { data: encoded.into() }).expect_err("is no list");
        prop_assert!(matches!(refused, Refused::RlpTruncated(_) | Refused::RlpTrailingBytes(_)));
    }
}
