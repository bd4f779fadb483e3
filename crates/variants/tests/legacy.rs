//! The fixed layout of the precompile `0x12`.

use alloy_primitives::{Address, B256, Bytes, U256, hex};
use enshrine_variants::{LegacyCallError, LegacyExecuteCall};
use testkit::Random;

/// A call in which all fields differ, written by hand.
const SAMPLE: [u8; 189] = hex!(
    // Chain id, 61,972.
    "000000000000000000000000000000000000000000000000000000000000f214"
    "0101010101010101010101010101010101010101010101010101010101010101"
    // Gas limit, 100,000; 5 bytes of witness, 3 of withdrawals.
    "a086010000000000" "0500" "0300"
    "0202020202020202020202020202020202020202"
    // Number 7, gas price 1,000, timestamp 1,700,000,000.
    "0700000000000000" "e803000000000000" "00f1536500000000"
    "c483010203" "c28080"
    "0303030303030303030303030303030303030303"
    "0000000000000000000000000000000000000000000000000000000000003039"
    "05000000" "deadbeef00"
);

fn sample() -> LegacyExecuteCall {
    LegacyExecuteCall {
        chain_id: U256::from(61_972),
        pre_state_root: B256::repeat_byte(1),
        gas_limit: 100_000,
        coinbase: Address::repeat_byte(2),
        block_number: 7,
        gas_price: 1_000,
        timestamp: 1_700_000_000,
        witness: hex!("c483010203").into(),
        withdrawals: hex!("c28080").into(),
        to: Address::repeat_byte(3),
        value: U256::from(12_345),
        data: hex!("deadbeef00").into(),
    }
}

/// Calls with the longest witness and withdrawals, and without witness, withdrawals and data.
fn extremes() -> [LegacyExecuteCall; 2] {
    let longest = Bytes::from(vec![0xab; LegacyExecuteCall::MAX_SIZE]);
    let long = LegacyExecuteCall {
        witness: longest.clone(),
        withdrawals: longest,
        value: U256::MAX,
        chain_id: U256::MAX,
        gas_limit: u64::MAX,
        ..sample()
    };
    [long, LegacyExecuteCall::default()]
}

#[test]
fn sample_has_known_encoding() {
    assert_eq!(sample().encode().unwrap(), SAMPLE);
    assert_eq!(LegacyExecuteCall::decode(&SAMPLE), Ok(sample()));
    assert_eq!(SAMPLE[LegacyExecuteCall::HEAD..][..5], sample().witness);
    for call in extremes() {
        assert_eq!(LegacyExecuteCall::decode(&call.encode().unwrap()), Ok(call));
    }
}

#[test]
fn witness_and_withdrawals_lengths_are_limited() {
    let longer = Bytes::from(vec![0; 65_536]);
    let refused = |field| Err(LegacyCallError::TooLong { field, got: 65_536, limit: 65_535 });
    let call = LegacyExecuteCall { witness: longer.clone(), ..sample() };
    assert_eq!(call.encode(), refused("witness"));
    let call = LegacyExecuteCall { withdrawals: longer.clone(), ..sample() };
    assert_eq!(call.encode(), refused("withdrawals"));
    let call = LegacyExecuteCall { data: longer, ..sample() };
    assert!(call.encode().is_ok(), "the size of the data has four bytes");
}

#[test]
fn calldata_length_error_names_field_and_length() {
    let refused = |calldata: &[u8]| LegacyExecuteCall::decode(calldata).unwrap_err();
    let short = |field, got, expected| LegacyCallError::TooShort { field, got, expected };
    assert_eq!(refused(&[]), short("chain id", 0, 32));
    assert_eq!(refused(&SAMPLE[..73]), short("size of the witness", 1, 2));
    assert_eq!(refused(&SAMPLE[..120]), short("witness", 0, 5));
    assert_eq!(refused(&SAMPLE[..127]), short("withdrawals", 2, 3));
    assert_eq!(refused(&SAMPLE[..188]), short("data", 4, 5));
    for end in 0..SAMPLE.len() {
        assert!(matches!(refused(&SAMPLE[..end]), LegacyCallError::TooShort { .. }), "{end}");
    }
    let surplus = [&SAMPLE[..], &[0; 32]].concat();
    assert_eq!(refused(&surplus), LegacyCallError::Surplus { got: 32 });
    // A length that is declared only.
    let mut claimed = SAMPLE;
    claimed[183] = 0xff;
    assert_eq!(refused(&claimed), short("data", 5, 0xff00_0005));
}

#[test]
fn every_legacy_call_has_one_encoding() {
    let mut random = Random::new(0x12);
    let (mut refused, mut other) = (0, 0);
    for _ in 0..100_000 {
        let mut bytes = SAMPLE.to_vec();
        match random.below(4) {
            0 => bytes.truncate(random.index(SAMPLE.len())),
            1 => bytes.extend(random.bytes(3)),
            _ => random.flip(&mut bytes),
        }
        match LegacyExecuteCall::decode(&bytes) {
            Ok(call) => {
                assert_ne!(call, sample());
                assert_eq!(call.encode().unwrap(), bytes);
                other += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 10_000 && other > 10_000, "{refused} refused, {other} others");
}
