//! Public keys of secp256k1 signatures, recovered eight at a time.
//!
//! An Ethereum transaction names its sender only by a signature. Recovering the key takes a square
//! root and the sum of two multiples of points, which is the largest part of verifying a block of
//! plain transfers. With AVX-512 IFMA, each of the eight 64-bit lanes of a vector works on its own
//! signature.
//!
//! This module implements the arithmetic of the field, the scalars and the points. It is
//! independent of transactions, addresses and hashes, and starts no threads. It returns no result
//! for a signature that is invalid or a special case; the caller must then use another library, the
//! *reference*. The cases are:
//!
//! - r or s is zero, or at least the order of the group; there is no point with x = r; the point
//!   has x = r + n;
//! - the key, or an intermediate sum, is at infinity; the formulas would add equal or opposite
//!   points;
//! - this CPU has no AVX-512 IFMA.
//!
//! All inputs are public, so the running time may depend on them. Do not use this module
//! with secrets.
//!
//! ```
//! use enshrine_crypto::recovery::{Signature, recover};
//!
//! let (one, zero) = ([1; 32], [0; 32]);
//! let keys = recover(&[
//!     Signature { digest: one, r: one, s: one, is_odd: false },
//!     Signature { digest: one, r: zero, s: one, is_odd: false },
//! ]);
//! assert_eq!(keys.len(), 2);
//! assert_eq!(keys[1], None);
//! ```

#[cfg(target_arch = "x86_64")]
mod batch;
#[cfg(target_arch = "x86_64")]
mod field;
#[cfg(target_arch = "x86_64")]
mod generator;
#[cfg(target_arch = "x86_64")]
mod point;
#[cfg(target_arch = "x86_64")]
mod power;
#[cfg(target_arch = "x86_64")]
mod rows;
#[cfg(target_arch = "x86_64")]
mod scalar;

/// Number of signatures that are processed at a time. A smaller number takes as long.
pub const LANES: usize = 8;

/// A signature of a digest. Numbers are big-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Digest of the signed message.
    pub digest: [u8; 32],
    /// The x coordinate of the signature's point.
    pub r: [u8; 32],
    /// The second scalar, in either half of its range.
    pub s: [u8; 32],
    /// `true` if the y coordinate of the signature's point is odd.
    pub is_odd: bool,
}

/// The x and y coordinates of a public key, big-endian.
pub type PublicKey = [u8; 64];

/// Returns `true` if this CPU has AVX-512 IFMA. Otherwise no key is recovered.
#[inline]
pub fn is_available() -> bool {
    // The standard library caches the result of feature detection.
    #[cfg(target_arch = "x86_64")]
    return std::is_x86_feature_detected!("avx512f") && std::is_x86_feature_detected!("avx512ifma");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Returns the public key of each signature; `None` where the reference must decide.
#[allow(unsafe_code, reason = "a call of a function that needs AVX-512")]
pub fn recover(signatures: &[Signature]) -> Vec<Option<PublicKey>> {
    let mut keys = vec![None; signatures.len()];
    #[cfg(target_arch = "x86_64")]
    if is_available() {
        use batch::InRange;

        let valid =
            signatures.iter().map(|signature| InRange::new(signature).unwrap_or(InRange::NO_KEY));
        let mut valid: Vec<_> = valid.collect();
        valid.resize(signatures.len().next_multiple_of(LANES), InRange::NO_KEY);
        let mut rows = vec![[None; LANES]; valid.len() / LANES];
        // SAFETY: this CPU has AVX-512 IFMA.
        unsafe { batch::recover(valid.as_chunks().0, &mut rows) };
        for (key, row) in keys.iter_mut().zip(rows.as_flattened()) {
            *key = row.map(|row| row.to_bytes());
        }
    }
    keys
}
