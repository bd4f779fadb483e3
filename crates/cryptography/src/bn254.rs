//! The curve bn254, by ethrex.
//!
//! ethrex has assembly for BMI2 and ADX, shares one Miller loop between all pairs, and checks
//! subgroups with fewer additions. Its methods are called on the type itself: through a
//! `dyn Crypto` the program would also link the big integers of ethrex, whose licence is the LGPL.

use ethrex_crypto::{Crypto as _, NativeCrypto};

/// Returns the sum of two points; `None` if a point is refused.
pub(crate) fn add(first: &[u8], second: &[u8]) -> Option<[u8; 64]> {
    NativeCrypto.bn254_g1_add(first, second).ok()
}

/// Returns the product of a point and a scalar; `None` if the point is refused.
pub(crate) fn multiply(point: &[u8], scalar: &[u8]) -> Option<[u8; 64]> {
    NativeCrypto.bn254_g1_mul(point, scalar).ok()
}

/// Returns `true` if the product of the pairings is one; `None` if a point is refused.
pub(crate) fn check_pairing(pairs: &[(&[u8], &[u8])]) -> Option<bool> {
    NativeCrypto.bn254_pairing_check(pairs).ok()
}
