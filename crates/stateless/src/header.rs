//! Rules for a header, given its parent and the fork.
//!
//! All arithmetic is checked or uses wider integers: an attacker chooses the headers of a witness,
//! and may also choose the parent hash that they are checked against.

use alloy_consensus::Header;
use alloy_eips::{eip4844::DATA_GAS_PER_BLOB, eip7840::BlobParams};
use alloy_primitives::U256;
use executor::{ChainSpec, Invalid};
use wire::ProtocolFork;

/// Minimum gas limit of a block.
const MIN_GAS_LIMIT: u64 = 5_000;
/// A gas limit must differ from the parent's by less than this fraction of it.
const GAS_LIMIT_BOUND_DIVISOR: u64 = 1_024;
/// EIP-1559: the target is half the limit.
const ELASTICITY: u64 = 2;
/// EIP-1559: the base fee changes by at most an eighth.
const BASE_FEE_CHANGE_DENOMINATOR: u128 = 8;
/// Maximum bytes of extra data.
const MAX_EXTRA_DATA: usize = 32;

/// Checks a header of a proof-of-stake block against its parent by the rules of `fork`.
///
/// The caller must check that the header contains the parent's hash.
pub fn validate_header(
    header: &Header,
    parent: &Header,
    fork: ProtocolFork,
    spec: &ChainSpec,
) -> Result<(), Invalid> {
    let equal = |field, got: u64, expected: u64| {
        (got == expected).then_some(()).ok_or(Invalid::Header {
            field,
            got: U256::from(got),
            expected: U256::from(expected),
        })
    };
    let within = |field, got: u64, min: u64, max: u64| {
        (min <= got && got <= max).then_some(()).ok_or(Invalid::HeaderRange {
            field,
            got: U256::from(got),
            min: U256::from(min),
            max: U256::from(max),
        })
    };
    // A forged parent can have the maximum number, and the sums below must not overflow.
    within("parent number", parent.number, 0, u64::MAX - 1)?;
    equal("number", header.number, parent.number + 1)?;
    within("parent timestamp", parent.timestamp, 0, u64::MAX - 1)?;
    within("timestamp", header.timestamp, parent.timestamp + 1, u64::MAX)?;
    within("extra data length", header.extra_data.len() as u64, 0, MAX_EXTRA_DATA as u64)?;

    // Strictly less than 1/1024 (EIP-1559). No change is allowed if the gas limit of the parent is
    // below 2,048.
    let slack = (parent.gas_limit / GAS_LIMIT_BOUND_DIVISOR).saturating_sub(1);
    let minimum = (parent.gas_limit - slack).max(MIN_GAS_LIMIT);
    within("gas limit", header.gas_limit, minimum, parent.gas_limit.saturating_add(slack))?;
    within("gas used", header.gas_used, 0, header.gas_limit)?;

    let base_fee = header.base_fee_per_gas.unwrap_or_default();
    equal("base fee", base_fee, next_base_fee(parent)?)?;

    // Blob parameters depend on the timestamp, since they change without a fork (EIP-7892).
    if let Some(params) = spec.blob_params_at(header.timestamp)
        && fork >= ProtocolFork::Cancun
    {
        let used = header.blob_gas_used.unwrap_or_default();
        within("blob gas used", used, 0, params.max_blob_gas_per_block())?;
        equal("blob gas used modulo blob size", used % DATA_GAS_PER_BLOB, 0)?;
        let excess = next_excess_blob_gas(parent, fork, &params)?;
        equal("excess blob gas", header.excess_blob_gas.unwrap_or_default(), excess)?;
    }
    Ok(())
}

/// Returns the base fee of the child of `parent`, in wei (EIP-1559).
pub fn next_base_fee(parent: &Header) -> Result<u64, Invalid> {
    let base_fee = u128::from(parent.base_fee_per_gas.unwrap_or_default());
    let target = parent.gas_limit / ELASTICITY;
    // Avoids a division by zero. Only a forged parent has a gas limit below 2.
    if target == 0 {
        return Err(Invalid::HeaderRange {
            field: "parent gas limit",
            got: U256::from(parent.gas_limit),
            min: U256::from(MIN_GAS_LIMIT),
            max: U256::from(u64::MAX),
        });
    }
    // 256 bits, because base fee and gas of a forged parent may each use all 64 bits.
    let change = |gas: u64| {
        let product = U256::from(base_fee) * U256::from(gas);
        let change = product / U256::from(target) / U256::from(BASE_FEE_CHANGE_DENOMINATOR);
        change.saturating_to::<u128>()
    };
    let next = if parent.gas_used > target {
        // A block above its target raises the fee by at least one wei, so that it cannot stay at
        // zero.
        base_fee.saturating_add(change(parent.gas_used - target).max(1))
    } else if parent.gas_used < target {
        base_fee.saturating_sub(change(target - parent.gas_used))
    } else {
        base_fee
    };
    u64::try_from(next).map_err(|_| Invalid::HeaderRange {
        field: "base fee",
        got: U256::from(next),
        min: U256::ZERO,
        max: U256::from(u64::MAX),
    })
}

/// Returns the excess blob gas of the child of `parent` under the child's fork (EIP-4844,
/// EIP-7918).
pub fn next_excess_blob_gas(
    parent: &Header,
    fork: ProtocolFork,
    params: &BlobParams,
) -> Result<u64, Invalid> {
    let excess = parent.excess_blob_gas.unwrap_or_default();
    let used = parent.blob_gas_used.unwrap_or_default();
    let target = params.target_blob_gas_per_block();
    let overflow = || Invalid::HeaderRange {
        field: "excess blob gas",
        got: U256::from(excess) + U256::from(used),
        min: U256::ZERO,
        max: U256::from(u64::MAX),
    };
    let sum = excess.checked_add(used).ok_or_else(overflow)?;
    if sum < target {
        return Ok(0);
    }
    if fork >= ProtocolFork::Osaka {
        // Below the reserve price a blob costs less than the gas to verify it, and the target no
        // longer lowers the fee (EIP-7918).
        let base_fee = parent.base_fee_per_gas.unwrap_or_default();
        let reserve = U256::from(params.blob_base_cost) * U256::from(base_fee);
        let blob_fee = U256::from(params.calc_blob_fee(excess));
        if reserve > U256::from(DATA_GAS_PER_BLOB) * blob_fee {
            let room = params.max_blob_count - params.target_blob_count;
            let scaled = u128::from(used) * u128::from(room) / u128::from(params.max_blob_count);
            let scaled = u64::try_from(scaled).map_err(|_| overflow())?;
            return excess.checked_add(scaled).ok_or_else(overflow);
        }
    }
    Ok(sum - target)
}
