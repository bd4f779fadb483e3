//! Modular exponentiation with AWS-LC, whose Montgomery multiplication is written in assembly.
#![allow(unsafe_code, reason = "AWS-LC has no safe interface to its big integers")]

use aws_lc_sys::{
    BIGNUM, BN_CTX, BN_CTX_free, BN_CTX_new, BN_MONT_CTX, BN_MONT_CTX_free,
    BN_MONT_CTX_new_for_modulus, BN_bin2bn, BN_bn2bin_padded, BN_free, BN_mod_exp_mont, BN_new,
    BN_nnmod,
};
use core::ptr::{NonNull, null_mut};

/// Maximum length of an operand in bytes (EIP-7823). Before Osaka longer ones are possible, which
/// the reference computes.
const LONGEST: usize = 1024;

/// Returns `base ^ exponent mod modulus`, in as many bytes as the modulus has; `None` if the
/// reference is faster, or if AWS-LC fails.
pub(crate) fn modexp(base: &[u8], exponent: &[u8], modulus: &[u8]) -> Option<Vec<u8>> {
    let (base, exponent, digits) = (digits(base), digits(exponent), digits(modulus));
    let longest = base.len().max(exponent.len()).max(modulus.len());
    // Montgomery multiplication requires an odd modulus.
    let is_odd = digits.last().is_some_and(|byte| byte & 1 == 1);
    if !is_odd || longest > LONGEST || !pays(exponent.len(), digits.len()) {
        return None;
    }
    let (base, exponent) = (Number::from_bytes(base)?, Number::from_bytes(exponent)?);
    let divisor = Number::from_bytes(digits)?;
    let scratch = Scratch::new()?;
    let context = MontgomeryContext::new(&divisor, &scratch)?;
    let (reduced, result) = (Number::new()?, Number::new()?);
    let mut bytes = vec![0; modulus.len()];
    // SAFETY: the pointers are those of live values of this function, which no other thread can
    // access, and no call both reads and writes the same number. `BN_bn2bin_padded` writes exactly
    // as many bytes as `bytes` has, or fails.
    let succeeded = unsafe {
        BN_nnmod(reduced.pointer(), base.pointer(), divisor.pointer(), scratch.pointer()) == 1
            && BN_mod_exp_mont(
                result.pointer(),
                reduced.pointer(),
                exponent.pointer(),
                divisor.pointer(),
                scratch.pointer(),
                context.pointer(),
            ) == 1
            && BN_bn2bin_padded(bytes.as_mut_ptr(), bytes.len(), result.pointer()) == 1
    };
    succeeded.then_some(bytes)
}

/// Returns `true` if AWS-LC is faster for an exponent and an odd modulus with these numbers of
/// bytes, without leading zeros. AWS-LC creates a Montgomery context for each call, which is too
/// expensive for a short computation.
const fn pays(exponent: usize, modulus: usize) -> bool {
    match modulus {
        ..16 => false,
        16..48 => exponent > 4,
        48..96 => exponent > 1,
        96.. => true,
    }
}

/// Returns a big-endian number without leading zeros.
fn digits(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    &bytes[zeros..]
}

/// A number of AWS-LC.
struct Number(NonNull<BIGNUM>);

impl Number {
    /// Creates a zero; `None` if out of memory.
    fn new() -> Option<Self> {
        // SAFETY: has no preconditions.
        NonNull::new(unsafe { BN_new() }).map(Self)
    }

    /// Reads a big-endian number; `None` if out of memory.
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        // SAFETY: reads as many bytes as the slice has, and creates a number if none is passed.
        NonNull::new(unsafe { BN_bin2bn(bytes.as_ptr(), bytes.len(), null_mut()) }).map(Self)
    }

    const fn pointer(&self) -> *mut BIGNUM {
        self.0.as_ptr()
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        // SAFETY: this value owns the number and does not use it again.
        unsafe { BN_free(self.pointer()) };
    }
}

/// Scratch space of AWS-LC.
struct Scratch(NonNull<BN_CTX>);

impl Scratch {
    /// Creates a space; `None` if out of memory.
    fn new() -> Option<Self> {
        // SAFETY: has no preconditions.
        NonNull::new(unsafe { BN_CTX_new() }).map(Self)
    }

    const fn pointer(&self) -> *mut BN_CTX {
        self.0.as_ptr()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // SAFETY: this value owns the space and does not use it again.
        unsafe { BN_CTX_free(self.pointer()) };
    }
}

/// Montgomery constants of a modulus.
struct MontgomeryContext(NonNull<BN_MONT_CTX>);

impl MontgomeryContext {
    /// Creates the context of an odd modulus. Its running time depends on the modulus, which is not
    /// secret.
    fn new(modulus: &Number, scratch: &Scratch) -> Option<Self> {
        // SAFETY: both are live, and only this thread can access them.
        let context = unsafe { BN_MONT_CTX_new_for_modulus(modulus.pointer(), scratch.pointer()) };
        NonNull::new(context).map(Self)
    }

    const fn pointer(&self) -> *mut BN_MONT_CTX {
        self.0.as_ptr()
    }
}

impl Drop for MontgomeryContext {
    fn drop(&mut self) {
        // SAFETY: this value owns the context and does not use it again.
        unsafe { BN_MONT_CTX_free(self.pointer()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_odd_moduli_use_aws_lc() {
        let odd = |bytes| vec![0xff; bytes];
        let even = |bytes| [odd(bytes - 1), vec![0xfe]].concat();
        let is_here =
            |exponent: usize, modulus: &[u8]| modexp(&[3], &odd(exponent), modulus).is_some();
        for bytes in [16, 32, 64, 128, 1024] {
            assert!(is_here(5, &odd(bytes)), "{bytes} bytes");
            assert!(!is_here(5, &even(bytes)), "{bytes} bytes, even");
            assert!(!is_here(5, &vec![0; bytes]), "{bytes} zeros");
        }
        // Too short to be worth it, without leading zeros, or too long to be allowed.
        assert!(!is_here(5, &odd(15)) && !is_here(4, &odd(47)) && !is_here(1, &odd(95)));
        assert!(!is_here(5, &[vec![0; 20], odd(15)].concat()));
        assert!(!is_here(5, &odd(1025)) && !is_here(1025, &odd(32)) && !is_here(0, &[]));
        assert_eq!(modexp(&[2], &[0, 0, 8], &odd(96)), Some([vec![0; 94], vec![1, 0]].concat()));
    }
}
