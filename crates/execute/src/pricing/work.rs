//! Price of work that neither the gas of a block nor its bytes pay for.
//!
//! A unit of L1 gas pays for three nanoseconds. Most EVM instructions take less time than their gas
//! pays for, but some take several times as much, and a block of only these would take several
//! times as long as EXECUTE charges for. Work that takes more than twice the time its gas pays for
//! is therefore charged again within EXECUTE, in proportion. Gas on the L2 is the same as on
//! Ethereum, and a verifier outside EXECUTE charges nothing.

use crate::EXECUTE_ADDRESS;
use alloy_primitives::{Address, address};
use stateless::UnderpricedWork;

/// Precompiles whose gas is counted several times, with the factor, by the table of `docs/gas.md`.
pub(crate) const EXPENSIVE_PRECOMPILES: [(Address, u64); 14] = [
    // ECRECOVER
    (address!("0x0000000000000000000000000000000000000001"), 3),
    // ECADD, ECMUL, ECPAIRING
    (address!("0x0000000000000000000000000000000000000006"), 6),
    (address!("0x0000000000000000000000000000000000000007"), 6),
    (address!("0x0000000000000000000000000000000000000008"), 3),
    (BLAKE2F, 3),
    // Point evaluation
    (address!("0x000000000000000000000000000000000000000a"), 6),
    // BLS12-381
    (address!("0x000000000000000000000000000000000000000b"), 4),
    (address!("0x000000000000000000000000000000000000000c"), 4),
    (address!("0x000000000000000000000000000000000000000d"), 4),
    (address!("0x000000000000000000000000000000000000000e"), 4),
    (address!("0x000000000000000000000000000000000000000f"), 4),
    (address!("0x0000000000000000000000000000000000000010"), 4),
    (address!("0x0000000000000000000000000000000000000011"), 4),
    // P256VERIFY
    (P256VERIFY, 3),
];

/// Address of BLAKE2F.
pub(crate) const BLAKE2F: Address = address!("0x0000000000000000000000000000000000000009");

/// Address of P256VERIFY, since Osaka (EIP-7951).
pub(crate) const P256VERIFY: Address = address!("0x0000000000000000000000000000000000000100");

/// MODEXP before Osaka, which raised its gas (EIP-7883).
pub(crate) const CHEAP_MODEXP: (Address, u64) =
    (address!("0x0000000000000000000000000000000000000005"), 4);

/// Factor for the gas of KECCAK256.
const KECCAK_TIMES: u64 = 4;

/// Bytes of init code whose search for jump destinations is counted as a unit of gas.
const SEARCHED_BYTES: u64 = 2;

/// Returns the charge for a piece of work; `carried` returns the price of bytes as an item of the
/// witness.
pub fn price(work: &UnderpricedWork, carried: impl FnOnce(u64) -> u64) -> u64 {
    /// Bytes of an SSZ offset, which each item has.
    const OFFSET: u64 = 4;
    match work {
        UnderpricedWork::RepeatedNode { bytes } => carried((*bytes as u64).saturating_add(OFFSET)),
        UnderpricedWork::Precompile { address, gas } => precompile(address, *gas),
        UnderpricedWork::Keccak { bytes } => keccak(*bytes as u64),
        UnderpricedWork::InitCode { bytes, is_hashed } => init_code(*bytes as u64, *is_hashed),
    }
}

/// Returns the charge for a precompile beyond its gas. Other precompiles are never reported.
///
/// EXECUTE on the L2 takes the time that its gas pays for and has its own covered part, so its gas
/// must not cover other work: the amount that it would cover is charged.
fn precompile(address: &Address, gas: u64) -> u64 {
    if *address == EXECUTE_ADDRESS {
        return covered(gas);
    }
    let mut all = EXPENSIVE_PRECOMPILES.iter().chain([&CHEAP_MODEXP]);
    let expensive = all.find(|(expensive, _)| expensive == address);
    expensive.map_or(0, |(_, times)| gas.saturating_mul(times - 1))
}

/// Returns the charge for hashing beyond the 30 gas, and 6 per word, of KECCAK256.
const fn keccak(bytes: u64) -> u64 {
    let gas = 30_u64.saturating_add(bytes.div_ceil(32).saturating_mul(6));
    gas.saturating_mul(KECCAK_TIMES - 1)
}

/// Returns the charge for init code beyond its own 2 gas per word (EIP-3860), and the 6 of CREATE2
/// for hashing it.
const fn init_code(bytes: u64, is_hashed: bool) -> u64 {
    let searched = bytes / SEARCHED_BYTES;
    if is_hashed { searched.saturating_add(keccak(bytes)) } else { searched }
}

/// Returns the part of all charges that the gas of a block covers. The other work of a block takes
/// less time than its gas pays for, so a block with little underpriced work is not charged for it.
pub const fn covered(gas: u64) -> u64 {
    // A quarter, measured on real blocks: they have too little underpriced work to be charged for
    // any.
    gas / 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_underpriced_work_is_surcharged() {
        for (address, times) in EXPENSIVE_PRECOMPILES.into_iter().chain([CHEAP_MODEXP]) {
            assert!(times > 1);
            assert_eq!(precompile(&address, 1_000) + 1_000, times * 1_000, "{address}");
        }
        // SHA-256 and identity.
        assert_eq!(precompile(&Address::with_last_byte(2), 1_000), 0);
        assert_eq!(precompile(&Address::with_last_byte(4), 1_000), 0);
        // The gas of EXECUTE covers as much as it is charged for.
        assert_eq!(precompile(&EXECUTE_ADDRESS, 1_003), covered(1_003));
        assert_eq!(keccak(0), 3 * 30);
        assert_eq!(keccak(33), 3 * (30 + 12));
        assert_eq!(init_code(1_000, false), 500);
        assert_eq!(init_code(1_000, true), 500 + keccak(1_000));
    }

    #[test]
    fn no_amount_overflows() {
        assert!(keccak(u64::MAX) > u64::MAX / 4);
        assert!(init_code(u64::MAX, true) > u64::MAX / 4);
        assert_eq!(precompile(&EXPENSIVE_PRECOMPILES[0].0, u64::MAX), u64::MAX);
    }
}
