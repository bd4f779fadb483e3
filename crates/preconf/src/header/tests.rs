//! Tests with known values and malformed headers.

use super::*;
use alloy_consensus::Header as Consensus;
use alloy_primitives::{Address, B64, Bloom, U256, b256};
use proptest::prelude::*;

/// Returns the sample, whose expected values an independent Python program computed.
fn sample() -> Consensus {
    Consensus {
        parent_hash: B256::repeat_byte(1),
        ommers_hash: B256::repeat_byte(2),
        beneficiary: Address::repeat_byte(3),
        state_root: B256::repeat_byte(4),
        transactions_root: B256::repeat_byte(5),
        receipts_root: B256::repeat_byte(6),
        logs_bloom: Bloom::ZERO,
        difficulty: U256::ZERO,
        number: 7,
        gas_limit: 10_000_000,
        gas_used: 21_000,
        timestamp: 1_700_000_000,
        extra_data: "enshrine".into(),
        mix_hash: B256::repeat_byte(8),
        nonce: B64::ZERO,
        base_fee_per_gas: Some(1_000_000_000),
        withdrawals_root: Some(B256::repeat_byte(9)),
        blob_gas_used: Some(0),
        excess_blob_gas: Some(0),
        parent_beacon_block_root: Some(B256::repeat_byte(10)),
        requests_hash: Some(B256::repeat_byte(11)),
        ..Default::default()
    }
}

fn read(header: &Consensus) -> HeaderSummary {
    HeaderSummary::read(&alloy_rlp::encode(header)).unwrap()
}

/// Returns a list with these items, which are RLP.
fn list(items: &[Vec<u8>]) -> Vec<u8> {
    let payload = items.concat();
    let mut out = Vec::new();
    Header { list: true, payload_length: payload.len() }.encode(&mut out);
    out.extend(payload);
    out
}

fn split(header: &Consensus) -> Vec<Vec<u8>> {
    let rlp = alloy_rlp::encode(header);
    let (items, count) = items(&rlp).unwrap();
    items[..count].iter().map(|item| item.to_vec()).collect()
}

#[test]
fn sample_matches_known_values() {
    let rlp = alloy_rlp::encode(sample());
    assert_eq!(rlp.len(), 619);
    let summary = read(&sample());
    assert_eq!(
        summary,
        HeaderSummary {
            hash: b256!("edd0a7e70ae9f31254d634324392e7047f41a9e881334431bc8f85035740325e"),
            parent: B256::repeat_byte(1),
            number: 7,
            timestamp: 1_700_000_000,
            transactions_root: B256::repeat_byte(5),
            inputs: b256!("1b12224bb671cb1025279ee062035eb858b86a86551354cada2a6c50254195c4"),
            environment: b256!("7494771f9b419b4a79729a2eb4961fa9fd0546989ef9e1d9d541a4d4cb2cc5ed"),
        }
    );
    assert_eq!(summary.hash, sample().hash_slow());
}

#[test]
fn outcomes_change_neither_fingerprint() {
    let base = read(&sample());
    let other = read(&Consensus {
        state_root: B256::ZERO,
        receipts_root: B256::ZERO,
        logs_bloom: Bloom::repeat_byte(1),
        gas_used: 1,
        requests_hash: Some(B256::ZERO),
        ..sample()
    });
    assert_ne!(other.hash, base.hash);
    assert_eq!((other.inputs, other.environment), (base.inputs, base.environment));

    let transactions_root = B256::ZERO;
    let other = read(&Consensus { transactions_root, ..sample() });
    assert_ne!(other.inputs, base.inputs);
    assert_eq!(other.environment, base.environment);
}

#[test]
fn every_other_item_changes_both_fingerprints() {
    let base = read(&sample());
    for index in 0..21 {
        if OUTCOMES.contains(&index) || index == TRANSACTIONS_ROOT {
            continue;
        }
        let mut items = split(&sample());
        // Another value of the same length; zero becomes one.
        let last = items[index].last_mut().unwrap();
        *last = if *last == 0x80 { 1 } else { *last ^ 1 };
        let other = HeaderSummary::read(&list(&items)).unwrap();
        assert_ne!(other.inputs, base.inputs, "item {index}");
        assert_ne!(other.environment, base.environment, "item {index}");
    }
}

/// Without the number of items, a header whose last item is an outcome would have the fingerprints
/// of one without that item.
#[test]
fn number_of_items_changes_the_fingerprints() {
    let items = split(&sample());
    let with = HeaderSummary::read(&list(&items)).unwrap();
    let without = HeaderSummary::read(&list(&items[..20])).unwrap();
    assert_ne!(with.inputs, without.inputs);
    assert_ne!(with.environment, without.environment);
}

#[test]
fn bounds_of_items_and_length_are_exact() {
    let mut items = split(&sample());
    assert!(HeaderSummary::read(&list(&items[..17])).is_ok());
    let refused = HeaderSummary::read(&list(&items[..16]));
    assert_eq!(refused, Err(HeaderError::Items { got: 16, min: 17, max: 23 }));
    items.extend([vec![0x80], vec![0x80]]);
    assert!(HeaderSummary::read(&list(&items)).is_ok());
    items.push(vec![0x80]);
    let refused = HeaderSummary::read(&list(&items));
    assert_eq!(refused, Err(HeaderError::Items { got: 24, min: 17, max: 23 }));

    let padded =
        |length| alloy_rlp::encode(&Consensus { extra_data: vec![7; length].into(), ..sample() });
    // 619 bytes with eight bytes of extra data; the length of long ones takes two bytes more.
    let longest = padded(1024 - 619 + 8 - 2);
    assert_eq!(longest.len(), 1024);
    assert!(HeaderSummary::read(&longest).is_ok());
    let refused = HeaderSummary::read(&padded(1024 - 619 + 8 - 1));
    assert_eq!(refused, Err(HeaderError::TooLong { got: 1025, limit: 1024 }));
}

#[test]
fn malformed_headers_are_refused() {
    let good = alloy_rlp::encode(sample());
    let mut trailing = good.clone();
    trailing.push(0);
    assert_eq!(HeaderSummary::read(&trailing), Err(HeaderError::Trailing { got: 1 }));
    assert!(matches!(HeaderSummary::read(&good[..618]), Err(HeaderError::List(_))));
    assert!(matches!(HeaderSummary::read(&[]), Err(HeaderError::List(_))));
    assert!(matches!(HeaderSummary::read(&[0x80]), Err(HeaderError::List(_))));

    // A list, a long form of a short string, a number with a leading zero, one of nine bytes, and
    // hashes of 31 bytes.
    for (index, item) in [
        (12, vec![0xc0]),
        (12, vec![0x81, 0x01]),
        (12, vec![0xb8, 0x01, 0x80]),
        (8, vec![0x82, 0x00, 0x07]),
        (8, vec![0x00]),
        (11, [&[0x89][..], &[1; 9]].concat()),
        (0, [&[0x9f][..], &[1; 31]].concat()),
        (4, [&[0x9f][..], &[1; 31]].concat()),
    ] {
        let mut items = split(&sample());
        items[index] = item;
        let refused = HeaderSummary::read(&list(&items)).unwrap_err();
        assert!(matches!(refused, HeaderError::Rlp { item, .. } if item == index), "{refused:?}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..1100)) {
        let _ = HeaderSummary::read(&bytes);
    }

    /// A changed byte is refused, or changes the hash and not more than it should.
    #[test]
    fn changed_headers_never_panic(position in 0usize..619, value: u8) {
        let mut rlp = alloy_rlp::encode(sample());
        let before = rlp[position];
        rlp[position] = value;
        if let Ok(summary) = HeaderSummary::read(&rlp) {
            prop_assert_eq!(summary.hash, keccak256(&rlp));
            prop_assert_eq!(summary == read(&sample()), value == before);
        }
    }
}
