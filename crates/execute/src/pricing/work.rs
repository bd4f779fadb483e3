//! What work costs that neither the gas of a block nor its bytes pay for.
//!
//! A unit of gas of the L1 buys three nanoseconds. Most instructions of the EVM take less for theirs,
//! some take several times as much; a block made of nothing else would take that many times what
//! EXECUTE charges. So what is dearer than twice the price is charged again within EXECUTE, as often
//! as it takes. The L2 itself charges what Ethereum charges, and a verifier alone does not ask.

use alloy_primitives::{Address, address};
use stateless::DearWork;

/// Precompiles whose gas is counted several times, with how often, by the table of `docs/gas.md`.
pub(crate) const DEAR_PRECOMPILES: [(Address, u64); 14] = [
    // ECRECOVER
    (address!("0x0000000000000000000000000000000000000001"), 3),
    // ECADD, ECMUL, ECPAIRING
    (address!("0x0000000000000000000000000000000000000006"), 6),
    (address!("0x0000000000000000000000000000000000000007"), 6),
    (address!("0x0000000000000000000000000000000000000008"), 3),
    // BLAKE2F
    (address!("0x0000000000000000000000000000000000000009"), 3),
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

/// Where Osaka has put it (EIP-7951).
pub(crate) const P256VERIFY: Address = address!("0x0000000000000000000000000000000000000100");

/// MODEXP before Osaka, which has raised its gas (EIP-7883).
pub(crate) const CHEAP_MODEXP: (Address, u64) =
    (address!("0x0000000000000000000000000000000000000005"), 4);

/// How often the gas of KECCAK256 is counted.
const KECCAK_TIMES: u64 = 4;

/// Bytes of init code of which the search for jump destinations is counted as a unit of gas.
const SEARCHED_BYTES: u64 = 2;

/// What work is charged; `carried` is the price of so many bytes as an item of the witness.
pub(super) fn price(work: &DearWork, carried: impl FnOnce(u64) -> u64) -> u64 {
    /// Of an SSZ offset, which each item has.
    const OFFSET: u64 = 4;
    match work {
        DearWork::RepeatedNode { bytes } => carried((*bytes as u64).saturating_add(OFFSET)),
        DearWork::Precompile { address, gas } => precompile(address, *gas),
        DearWork::Keccak { bytes } => keccak(*bytes as u64),
        DearWork::InitCode { bytes, is_hashed } => init_code(*bytes as u64, *is_hashed),
    }
}

/// What a precompile is charged beyond the gas that it has taken. Nobody tells of one that is not dear.
fn precompile(address: &Address, gas: u64) -> u64 {
    let mut all = DEAR_PRECOMPILES.iter().chain([&CHEAP_MODEXP]);
    let dear = all.find(|(dear, _)| dear == address);
    dear.map_or(0, |(_, times)| gas.saturating_mul(times - 1))
}

/// What hashing is charged beyond the 30 gas and 6 per word of KECCAK256.
const fn keccak(bytes: u64) -> u64 {
    let gas = 30_u64.saturating_add(bytes.div_ceil(32).saturating_mul(6));
    gas.saturating_mul(KECCAK_TIMES - 1)
}

/// What init code is charged beyond its own 2 gas per word (EIP-3860), and the 6 of CREATE2 for hashing it.
const fn init_code(bytes: u64, is_hashed: bool) -> u64 {
    let searched = bytes / SEARCHED_BYTES;
    if is_hashed { searched.saturating_add(keccak(bytes)) } else { searched }
}

/// How much of it the gas of a block covers by itself: what else a block does takes less time than it
/// pays for, so that a block of which little is dear work is not charged for that.
pub(super) const fn covered(gas: u64) -> u64 {
    gas / 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dear_is_charged_several_times_and_what_is_not_is_not() {
        for (address, times) in DEAR_PRECOMPILES.into_iter().chain([CHEAP_MODEXP]) {
            assert!(times > 1);
            assert_eq!(precompile(&address, 1_000) + 1_000, times * 1_000, "{address}");
        }
        // SHA-256 and identity.
        assert_eq!(precompile(&Address::with_last_byte(2), 1_000), 0);
        assert_eq!(precompile(&Address::with_last_byte(4), 1_000), 0);
        assert_eq!(keccak(0), 3 * 30);
        assert_eq!(keccak(33), 3 * (30 + 12));
        assert_eq!(init_code(1_000, false), 500);
        assert_eq!(init_code(1_000, true), 500 + keccak(1_000));
    }

    #[test]
    fn no_amount_overflows() {
        assert!(keccak(u64::MAX) > u64::MAX / 4);
        assert!(init_code(u64::MAX, true) > u64::MAX / 4);
        assert_eq!(precompile(&DEAR_PRECOMPILES[0].0, u64::MAX), u64::MAX);
    }
}
