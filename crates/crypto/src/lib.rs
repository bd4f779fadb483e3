//! Faster cryptography for sender recovery, jump destination analysis and revm's precompiles.
//!
//! A verifier or a chain receives [`libraries`], which recover the senders of many transactions at
//! once, and find the jump destinations of many bytes of code at once.
//!
//! revm uses one cryptography provider per process for its precompiles. [`install`] sets a provider
//! that computes bn254 (EIP-196, EIP-197) and MODEXP (EIP-198) with faster libraries. The other
//! precompiles use the libraries that revm is built with, and prices and input formats of all
//! precompiles remain revm's. A program must call it once, before it executes anything, so that
//! builder, verifier, `eth_call` and tracer use the same libraries.
//!
//! [`recovery`] computes the public keys of secp256k1 signatures, eight at a time, for any caller.
//!
//! In a program that links this crate, alloy and revm also use the crate `keccak` for hashing (its
//! feature `alloy`).
//!
//! Prices, formats and the rules of transactions are in revm and `executor`. The crates that L1
//! trusts do not depend on this crate. The libraries that they use are the *reference*, and the
//! fast ones must return the same results:
//!
//! - if a fast library rejects an input, the input is passed to the reference, so that it fails
//!   exactly if it fails in the reference, with the same error;
//! - inputs for which a fast library is slower are passed to the reference;
//! - tests compare both on corner cases, random inputs and all test vectors, and compare verdicts
//!   with either of them for every vector width and number of threads.
//!
//! ```
//! use enshrine_crypto::{InUse, install};
//! use revm::precompile::crypto;
//!
//! install()?;
//! assert_eq!(crypto().modexp(&[3], &[5], &[7]).unwrap(), [5]);
//! # Ok::<(), InUse>(())
//! ```

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod bn254;
mod codes;
mod modexp;
pub mod recovery;
mod senders;

use alloy_primitives::Address;
use executor::{Cryptography, Transaction};
use revm::{
    bytecode::Bytecode,
    precompile::{Crypto, PrecompileHalt, install_crypto},
};
use std::sync::{
    OnceLock,
    atomic::{AtomicU8, Ordering},
};

/// A set of libraries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// The bn254 library of ethrex, which uses BMI2 and ADX if the CPU has them, the big integers
    /// of AWS-LC, recovery of senders in batches, and analysis of code in chunks of 64 bytes.
    Fast,
    /// The libraries that revm is built with, its own analysis of code, and libsecp256k1 for one
    /// sender at a time.
    Reference,
}

/// revm has already computed a precompile, or has a provider of another crate, when [`install`] is
/// called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "revm's cryptography is in use already: install the fast libraries before executing anything"
)]
pub struct InUse;

/// Makes revm use the fast libraries in this process from now on.
///
/// # Errors
///
/// [`InUse`] if revm continues to use its own libraries, or those of another provider.
pub fn install() -> Result<(), InUse> {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    if *INSTALLED.get_or_init(|| install_crypto(Provider)) { Ok(()) } else { Err(InUse) }
}

/// Returns the libraries for an EXECUTE or a chain: batched senders and jump destinations.
pub fn libraries() -> &'static dyn Cryptography {
    &Provider
}

/// The current libraries, as a discriminant of [`Backend`].
static IN_USE: AtomicU8 = AtomicU8::new(Backend::Fast as u8);

/// Selects the libraries of this process, once they are [installed](install), for measurements and
/// tests that compare the two. Results do not change.
pub fn select(backend: Backend) {
    IN_USE.store(backend as u8, Ordering::Relaxed);
}

/// Returns the result of a fast library, or `None` if the reference must compute it.
fn fast<T>(compute: impl FnOnce() -> Option<T>) -> Option<T> {
    if IN_USE.load(Ordering::Relaxed) == Backend::Fast as u8 { compute() } else { None }
}

/// The provider of the fast libraries.
#[derive(Debug)]
struct Provider;

impl Crypto for Provider {
    fn bn254_g1_add(&self, first: &[u8], second: &[u8]) -> Result<[u8; 64], PrecompileHalt> {
        fast(|| bn254::add(first, second)).map_or_else(|| Reference.bn254_g1_add(first, second), Ok)
    }

    fn bn254_g1_mul(&self, point: &[u8], scalar: &[u8]) -> Result<[u8; 64], PrecompileHalt> {
        fast(|| bn254::multiply(point, scalar))
            .map_or_else(|| Reference.bn254_g1_mul(point, scalar), Ok)
    }

    fn bn254_pairing_check(&self, pairs: &[(&[u8], &[u8])]) -> Result<bool, PrecompileHalt> {
        fast(|| bn254::check_pairing(pairs))
            .map_or_else(|| Reference.bn254_pairing_check(pairs), Ok)
    }

    fn modexp(
        &self,
        base: &[u8],
        exponent: &[u8],
        modulus: &[u8],
    ) -> Result<Vec<u8>, PrecompileHalt> {
        fast(|| modexp::modexp(base, exponent, modulus))
            .map_or_else(|| Reference.modexp(base, exponent, modulus), Ok)
    }
}

impl Cryptography for Provider {
    fn senders(&self, transactions: &[Transaction]) -> Vec<Option<Address>> {
        fast(|| senders::recover(transactions)).unwrap_or_else(|| ().senders(transactions))
    }

    fn analyse(&self, code: &[u8]) -> Bytecode {
        fast(|| codes::analyse(code)).unwrap_or_else(|| ().analyse(code))
    }
}

/// The libraries that revm is built with, which are the default methods of its trait.
#[derive(Debug)]
struct Reference;

impl Crypto for Reference {}
