//! Faster cryptography for precompiles for which revm's own library is several times as slow.

use aws_lc_rs::{
    digest::{Digest, SHA256},
    signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey},
};
use revm::precompile::{Crypto, install_crypto};
use std::sync::Once;

/// revm's library for each curve and hash, except that P-256 uses the library of AWS, which takes a fifth of
/// the time.
#[derive(Debug)]
struct Backends;

impl Crypto for Backends {
    fn secp256r1_verify_signature(&self, msg: &[u8; 32], sig: &[u8; 64], pk: &[u8; 64]) -> bool {
        verify_p256(msg, sig, pk).is_some()
    }
}

/// Returns `Some` if the signature (r, s) of a digest verifies under the key (x, y), a point of the curve
/// other than infinity. Both halves of s are accepted.
fn verify_p256(digest: &[u8; 32], signature: &[u8; 64], key: &[u8; 64]) -> Option<()> {
    /// Prefix byte of an uncompressed SEC 1 point.
    const UNCOMPRESSED: u8 = 4;
    let mut point = [UNCOMPRESSED; 65];
    point[1..].copy_from_slice(key);
    // The precompile passes a digest of any hash function; SHA256 only states its length.
    let digest = Digest::import_less_safe(digest, &SHA256).ok()?;
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify_digest(&digest, signature).ok()
}

/// Installs these backends for all EVMs of this process, unless the process has installed others.
pub(crate) fn install() {
    // The choice is global to the process, and only the first installation counts.
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        install_crypto(Backends);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{U256, hex, uint};

    /// Digest, r, s, x and y.
    const GOOD: [u8; 160] = hex!(
        "4cee90eb86eaa050036147a12d49004b6b9c72bd725d39d4785011fe190f0b4d"
        "a73bd4903f0ce3b639bbbf6e8e80d16931ff4bcf5993d58468e8fb19086e8cac"
        "36dbcd03009df8c59286b162af3bd7fcc0450c9aa81be5d10d312af6c66b1d60"
        "4aebd3099c618202fcfe16ae7770b0c49ab5eadf74b754204a3bb6060e44eff3"
        "7618b065f9832de4ca6ca971a7a1adc826d0f7c00181a5fb2ddf79ae00b4e10e"
    );
    const ORDER: U256 =
        uint!(0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551_U256);
    const FIELD: U256 =
        uint!(0xffffffff00000001000000000000000000000000ffffffffffffffffffffffff_U256);

    /// Calls the backend as the precompile does, and compares the result with revm's own library.
    fn verify(input: &[u8; 160]) -> bool {
        let part = |at: usize| -> [u8; 64] { core::array::from_fn(|index| input[at + index]) };
        let digest = core::array::from_fn(|index| input[index]);
        let (signature, key) = (part(32), part(96));
        let answer = Backends.secp256r1_verify_signature(&digest, &signature, &key);
        let theirs = DefaultCrypto.secp256r1_verify_signature(&digest, &signature, &key);
        assert_eq!(answer, theirs, "{}", hex::encode(input));
        answer
    }

    use revm::precompile::DefaultCrypto;

    /// Returns the good input with word `index` replaced by `change` of it.
    fn with(index: usize, change: impl FnOnce(U256) -> U256) -> [u8; 160] {
        let mut input = GOOD;
        let word = &mut input[32 * index..][..32];
        let changed = change(U256::from_be_slice(word));
        word.copy_from_slice(&changed.to_be_bytes::<32>());
        input
    }

    #[test]
    fn the_signature_is_accepted_and_so_is_its_other_half() {
        assert!(verify(&GOOD));
        assert!(verify(&with(2, |s| ORDER - s)));
    }

    #[test]
    fn all_but_the_signature_is_refused() {
        for index in 0..5 {
            assert!(!verify(&with(index, |word| word ^ U256::ONE)), "{index}");
            assert!(!verify(&with(index, |_| U256::ZERO)), "{index}");
            assert!(!verify(&with(index, |_| U256::MAX)), "{index}");
        }
        // The same numbers modulo the order or the field.
        for (index, modulus) in [(1, ORDER), (2, ORDER), (3, FIELD), (4, FIELD)] {
            assert!(!verify(&with(index, |word| word.wrapping_add(modulus))), "{index}");
            assert!(!verify(&with(index, |_| modulus)), "{index}");
        }
        // The other point with this x, and no point at all.
        assert!(!verify(&with(4, |y| FIELD - y)));
        let mut infinity = GOOD;
        infinity[96..].fill(0);
        assert!(!verify(&infinity));
    }

    #[test]
    fn both_libraries_agree_on_thousands_of_changed_inputs() {
        let mut seed = GOOD;
        for round in 0..2_000_usize {
            let hash = alloy_primitives::keccak256(seed);
            seed[..32].copy_from_slice(hash.as_slice());
            let mut input = GOOD;
            input[usize::from(hash[0]) * 160 / 256] ^= hash[1];
            if round % 3 == 0 {
                input[usize::from(hash[2]) * 160 / 256] ^= hash[3];
            }
            verify(&input);
        }
    }
}
