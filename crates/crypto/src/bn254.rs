//! The curve bn254, with the library of ethrex.
//!
//! ethrex has assembly for BMI2 and ADX, shares one Miller loop among all pairs, and checks
//! subgroups with fewer additions. Its methods are called on the concrete type: through a
//! `dyn Crypto` the program would also link the big integers of ethrex, which are licensed under
//! the LGPL.

use ethrex_crypto::{Crypto as _, NativeCrypto};

/// Returns the sum of two points; `None` if a point is invalid.
pub(crate) fn add(first: &[u8], second: &[u8]) -> Option<[u8; 64]> {
    NativeCrypto.bn254_g1_add(first, second).ok()
}

/// Returns the product of a point and a scalar; `None` if the point is invalid.
pub(crate) fn multiply(point: &[u8], scalar: &[u8]) -> Option<[u8; 64]> {
    NativeCrypto.bn254_g1_mul(point, scalar).ok()
}

/// Returns `true` if the product of the pairings is one; `None` if a point is invalid.
pub(crate) fn check_pairing(pairs: &[(&[u8], &[u8])]) -> Option<bool> {
    NativeCrypto.bn254_pairing_check(pairs).ok()
}
