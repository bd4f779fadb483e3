//! Fields of a header compared with those of its parent.

use alloy_consensus::Header;
use alloy_eips::{eip4844::DATA_GAS_PER_BLOB, eip7840::BlobParams};
use alloy_primitives::U256;
use enshrine_stateless::{next_base_fee, next_excess_blob_gas, validate_header};
use executor::{ChainSpec, Invalid};
use wire::ProtocolFork;

fn parent() -> Header {
    Header {
        number: 7,
        timestamp: 1_000,
        gas_limit: 30_000_000,
        gas_used: 20_000_000,
        base_fee_per_gas: Some(1_000),
        blob_gas_used: Some(9 * DATA_GAS_PER_BLOB),
        excess_blob_gas: Some(2 * DATA_GAS_PER_BLOB),
        ..Default::default()
    }
}

/// A valid child under the rules of a fork.
fn child_of(parent: &Header, fork: ProtocolFork) -> Header {
    let params = ChainSpec::constant(1, fork).blob_params_at(0).unwrap();
    Header {
        number: parent.number.saturating_add(1),
        timestamp: parent.timestamp.saturating_add(1),
        gas_limit: parent.gas_limit,
        base_fee_per_gas: Some(next_base_fee(parent).unwrap()),
        blob_gas_used: Some(0),
        excess_blob_gas: Some(next_excess_blob_gas(parent, fork, &params).unwrap()),
        ..Default::default()
    }
}

/// Checks a child after a change.
fn changed_of(
    parent: &Header,
    fork: ProtocolFork,
    change: impl FnOnce(&mut Header),
) -> Result<(), Invalid> {
    let mut child = child_of(parent, fork);
    change(&mut child);
    validate_header(&child, parent, fork, &ChainSpec::constant(1, fork))
}

fn changed(change: impl FnOnce(&mut Header)) -> Result<(), Invalid> {
    changed_of(&parent(), ProtocolFork::Osaka, change)
}

fn other(field: &'static str, got: u64, expected: u64) -> Result<(), Invalid> {
    Err(Invalid::Header { field, got: U256::from(got), expected: U256::from(expected) })
}

fn outside(field: &'static str, got: u64, min: u64, max: u64) -> Result<(), Invalid> {
    let [got, min, max] = [got, min, max].map(U256::from);
    Err(Invalid::HeaderRange { field, got, min, max })
}

#[test]
fn number_must_be_parent_number_plus_one() {
    assert_eq!(changed(|_| {}), Ok(()));
    for number in [6, 7, 9] {
        assert_eq!(changed(|header| header.number = number), other("number", number, 8));
    }
}

#[test]
fn timestamp_must_exceed_parent_timestamp() {
    for timestamp in [1_001, 1_002, u64::MAX] {
        assert_eq!(changed(|header| header.timestamp = timestamp), Ok(()));
    }
    for timestamp in [0, 999, 1_000] {
        let refused = outside("timestamp", timestamp, 1_001, u64::MAX);
        assert_eq!(changed(|header| header.timestamp = timestamp), refused);
    }
}

#[test]
fn parent_number_and_timestamp_exclude_maximum() {
    let of = |number, timestamp| {
        let parent = Header { number, timestamp, ..parent() };
        changed_of(&parent, ProtocolFork::Osaka, |_| {})
    };
    let maximum = u64::MAX - 1;
    for (number, timestamp) in [(0, 0), (maximum, maximum)] {
        assert_eq!(of(number, timestamp), Ok(()));
    }
    assert_eq!(of(u64::MAX, 1), outside("parent number", u64::MAX, 0, maximum));
    assert_eq!(of(1, u64::MAX), outside("parent timestamp", u64::MAX, 0, maximum));
}

#[test]
fn extra_data_has_at_most_32_bytes() {
    let of = |len: usize| changed(|header| header.extra_data = vec![7; len].into());
    assert_eq!(of(32), Ok(()));
    assert_eq!(of(33), outside("extra data length", 33, 0, 32));
}

#[test]
fn gas_limit_stays_within_parent_bounds() {
    let of = |parent_limit, limit| {
        let parent = Header { gas_limit: parent_limit, gas_used: 0, ..parent() };
        changed_of(&parent, ProtocolFork::Osaka, |header| header.gas_limit = limit)
    };
    // The parent's limit, and the allowed range of the child's.
    for (parent, minimum, maximum) in [
        (30_000_000, 30_000_000 - 29_295, 30_000_000 + 29_295),
        (10_240, 10_231, 10_249),
        (10_239, 10_231, 10_247),
        (5_002, 5_000, 5_005),
        (u64::MAX, u64::MAX - (1 << 54) + 2, u64::MAX),
    ] {
        for limit in [minimum, parent, maximum] {
            assert_eq!(of(parent, limit), Ok(()), "{limit} after {parent}");
        }
        for limit in [Some(minimum - 1), maximum.checked_add(1)].into_iter().flatten() {
            assert_eq!(of(parent, limit), outside("gas limit", limit, minimum, maximum));
        }
    }
    // A parent below the minimum has no child.
    assert_eq!(of(4_000, 4_000), outside("gas limit", 4_000, 5_000, 4_002));
    assert_eq!(of(2, 5_000), outside("gas limit", 5_000, 5_000, 2));
}

#[test]
fn gas_used_may_not_exceed_gas_limit() {
    for used in [0, 1, 30_000_000] {
        assert_eq!(changed(|header| header.gas_used = used), Ok(()));
    }
    let refused = outside("gas used", 30_000_001, 0, 30_000_000);
    assert_eq!(changed(|header| header.gas_used = 30_000_001), refused);
}

#[test]
fn base_fee_must_follow_from_parent() {
    let fee = next_base_fee(&parent()).unwrap();
    for got in [fee - 1, fee + 1] {
        let outcome = changed(|header| header.base_fee_per_gas = Some(got));
        assert_eq!(outcome, other("base fee", got, fee));
    }
    assert_eq!(changed(|header| header.base_fee_per_gas = None), other("base fee", 0, fee));
}

#[test]
fn blob_gas_fields_follow_fork_rules() {
    for (fork, params) in [
        (ProtocolFork::Cancun, BlobParams::cancun()),
        (ProtocolFork::Prague, BlobParams::prague()),
        (ProtocolFork::Osaka, BlobParams::osaka()),
        (ProtocolFork::Bpo2, BlobParams::bpo2()),
    ] {
        let of = |change: &dyn Fn(&mut Header)| changed_of(&parent(), fork, change);
        let maximum = params.max_blob_gas_per_block();
        for used in [0, DATA_GAS_PER_BLOB, maximum] {
            assert_eq!(of(&|header| header.blob_gas_used = Some(used)), Ok(()), "{fork}");
        }
        let beyond = maximum + DATA_GAS_PER_BLOB;
        let outcome = of(&|header| header.blob_gas_used = Some(beyond));
        assert_eq!(outcome, outside("blob gas used", beyond, 0, maximum));
        for (used, rest) in
            [(1, 1), (DATA_GAS_PER_BLOB + 2, 2), (maximum - 1, DATA_GAS_PER_BLOB - 1)]
        {
            let outcome = of(&|header| header.blob_gas_used = Some(used));
            assert_eq!(outcome, other("blob gas used modulo blob size", rest, 0));
        }
        let excess = next_excess_blob_gas(&parent(), fork, &params).unwrap();
        for got in [excess - 1, excess + 1] {
            let outcome = of(&|header| header.excess_blob_gas = Some(got));
            assert_eq!(outcome, other("excess blob gas", got, excess));
        }
    }
}
