//! Base fee (EIP-1559).

use alloy_consensus::Header;
use alloy_primitives::U256;
use enshrine_stateless::next_base_fee;
use executor::Invalid;

fn after(gas_limit: u64, gas_used: u64, base_fee: u64) -> Result<u64, Invalid> {
    let base_fee_per_gas = Some(base_fee);
    next_base_fee(&Header { gas_limit, gas_used, base_fee_per_gas, ..Default::default() })
}

#[test]
fn base_fee_changes_by_at_most_an_eighth() {
    const LIMIT: u64 = 30_000_000;
    const TARGET: u64 = LIMIT / 2;
    for (used, fee, expected) in [
        (TARGET, 1_000, 1_000),
        (LIMIT, 1_000, 1_125),
        (TARGET + TARGET / 2, 1_000, 1_062),
        (0, 1_000, 875),
        (TARGET / 2, 1_000, 938),
        (TARGET - 1, 1_000, 1_000),
        // Above the target it rises by at least one, also from zero.
        (TARGET + 1, 7, 8),
        (LIMIT, 0, 1),
        // Below the target it may not fall at all.
        (0, 7, 7),
        (0, 8, 7),
    ] {
        assert_eq!(after(LIMIT, used, fee), Ok(expected), "{used} gas, {fee} wei");
    }
    let of_none = Header { gas_limit: LIMIT, gas_used: LIMIT, ..Default::default() };
    assert_eq!(next_base_fee(&of_none), Ok(1));
}

#[test]
fn parent_with_zero_gas_target_is_refused() {
    for (limit, used, expected) in [(2, 1, 800), (3, 2, 900), (3, 0, 700)] {
        assert_eq!(after(limit, used, 800), Ok(expected));
    }
    for limit in [0, 1] {
        let [got, min, max] = [limit, 5_000, u64::MAX].map(U256::from);
        let refused = Invalid::HeaderRange { field: "parent gas limit", got, min, max };
        assert_eq!(after(limit, 0, 800), Err(refused));
    }
}

#[test]
fn next_base_fee_beyond_64_bits_is_refused() {
    let refused = |got: u128| {
        let [min, max] = [0, u64::MAX].map(U256::from);
        Err(Invalid::HeaderRange { field: "base fee", got: U256::from(got), min, max })
    };
    let maximum = u64::MAX;
    assert_eq!(after(100, 50, maximum), Ok(maximum));
    assert_eq!(
        after(100, 51, maximum),
        refused(u128::from(maximum) + u128::from(maximum) / 50 / 8)
    );
    assert_eq!(after(u64::MAX, u64::MAX / 2 + 1, maximum - 1), Ok(maximum));
    // An invented parent may use more than its limit.
    assert_eq!(after(2, u64::MAX, 8), refused(8 + u128::from(maximum) - 1));
}
