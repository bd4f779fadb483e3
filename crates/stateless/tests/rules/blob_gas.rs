//! Excess blob gas (EIP-4844, EIP-7918).

use alloy_consensus::Header;
use alloy_eips::{eip4844::DATA_GAS_PER_BLOB as BLOB, eip7840::BlobParams};
use alloy_primitives::U256;
use enshrine_stateless::next_excess_blob_gas;
use executor::Invalid;
use wire::ProtocolFork;

/// Returns the excess after a parent with this excess, these blobs and this base fee.
fn after(
    fork: ProtocolFork,
    params: &BlobParams,
    [excess, used, base_fee]: [u64; 3],
) -> Result<u64, Invalid> {
    let parent = Header {
        excess_blob_gas: Some(excess),
        blob_gas_used: Some(used),
        base_fee_per_gas: Some(base_fee),
        ..Default::default()
    };
    next_excess_blob_gas(&parent, fork, params)
}

#[test]
fn blobs_beyond_the_target_stay_in_excess() {
    // Before Osaka for any base fee and blob cost, and from then on while blobs cost enough.
    for (fork, params, base_fee) in [
        (ProtocolFork::Prague, BlobParams::prague(), u64::MAX),
        (ProtocolFork::Prague, BlobParams::osaka(), u64::MAX),
        (ProtocolFork::Osaka, BlobParams::osaka(), 16),
    ] {
        let target = params.target_blob_gas_per_block();
        for (excess, used, expected) in [
            (0, 0, 0),
            (0, target - BLOB, 0),
            (0, target, 0),
            (0, target + BLOB, BLOB),
            (BLOB, target, BLOB),
            (target + 1, 0, 1),
            (3 * BLOB, target - BLOB, 2 * BLOB),
        ] {
            let got = after(fork, &params, [excess, used, base_fee]);
            assert_eq!(got, Ok(expected), "{fork}: {used} after {excess}");
        }
    }
}

#[test]
fn excess_ignores_target_below_reserve_price() {
    // A blob of 2^17 gas at one wei costs as much as 2^13 gas at 16 wei.
    let params = BlobParams::osaka();
    let (target, maximum) = (params.target_blob_gas_per_block(), params.max_blob_gas_per_block());
    let at = |base_fee, excess, used| after(ProtocolFork::Osaka, &params, [excess, used, base_fee]);
    assert_eq!(at(16, BLOB, maximum), Ok(BLOB + maximum - target));
    assert_eq!(at(17, BLOB, maximum), Ok(BLOB + maximum / 3));
    assert_eq!(at(17, target, 0), Ok(target));
    assert_eq!(at(17, target, 3 * BLOB), Ok(target + BLOB));
    // Below the target there is no excess at any base fee.
    assert_eq!(at(u64::MAX, target - 1, 0), Ok(0));
    // A greater excess makes blobs more expensive: at two wei the bound is twice as high.
    let two_wei =
        (0..).map(|blobs| blobs * BLOB).find(|excess| params.calc_blob_fee(*excess) == 2).unwrap();
    assert_eq!(at(32, two_wei, target), Ok(two_wei));
    assert_eq!(at(33, two_wei, target), Ok(two_wei + target / 3));
}

#[test]
fn excess_beyond_64_bits_is_refused() {
    let params = BlobParams::prague();
    let at = |excess, used| after(ProtocolFork::Prague, &params, [excess, used, 1]);
    let target = params.target_blob_gas_per_block();
    assert_eq!(at(u64::MAX - BLOB, BLOB), Ok(u64::MAX - target));
    let [min, max] = [0, u64::MAX].map(U256::from);
    let got = max + U256::ONE;
    let refused = Invalid::HeaderRange { field: "excess blob gas", got, min, max };
    assert_eq!(at(u64::MAX - BLOB, BLOB + 1), Err(refused));
}
