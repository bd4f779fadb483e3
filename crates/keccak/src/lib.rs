//! Keccak-256 of many independent inputs at once.
//!
//! This crate implements the hash function and distributes the inputs of a batch over SIMD lanes.
//! It does not allocate and does not start threads: callers split a batch to use multiple cores.
//!
//! Inputs of a batch may have different lengths and any order. A large batch is faster than several
//! small ones, because lanes are idle only at the end of a batch.
//!
//! ```
//! use alloy_primitives::B256;
//! use enshrine_keccak::{keccak256, keccak256_batch};
//!
//! let nodes: [&[u8]; 3] = [b"branch", b"extension", b"leaf"];
//! let mut hashes = [B256::ZERO; 3];
//! keccak256_batch(&nodes, &mut hashes);
//! assert_eq!(hashes[2], keccak256(b"leaf"));
//! ```
//!
//! Without the feature `simd`, the crate is `no_std` and hashes one input at a time.

#![cfg_attr(not(test), no_std)]

#[cfg(feature = "simd")]
extern crate std;

#[cfg(feature = "alloy")]
mod alloy;
#[cfg(all(feature = "simd", target_arch = "x86_64"))]
mod avx2;
#[cfg(all(feature = "simd", target_arch = "x86_64"))]
mod avx512;
#[cfg(all(feature = "simd", target_arch = "x86_64"))]
mod order;
#[cfg(all(feature = "simd", target_arch = "x86_64"))]
mod permutation;
#[cfg(all(feature = "simd", target_arch = "x86_64"))]
mod prefetch;
mod scalar;
#[cfg(all(feature = "simd", target_arch = "x86_64"))]
mod schedule;

use alloy_primitives::B256;
use core::sync::atomic::{AtomicU8, Ordering};

/// A way to hash a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Backend {
    /// Eight inputs at a time, x86-64 with AVX-512.
    Avx512,
    /// Four inputs at a time, x86-64 with AVX2.
    Avx2,
    /// One input at a time, any CPU.
    Scalar,
}

impl Backend {
    /// Returns the fastest backend that this CPU supports.
    #[inline]
    pub fn detect() -> Self {
        // The standard library caches the result of feature detection.
        Self::available().next().unwrap_or(Self::Scalar)
    }

    /// Returns all backends that this CPU supports, fastest first.
    pub fn available() -> impl Iterator<Item = Self> {
        [Self::Avx512, Self::Avx2, Self::Scalar]
            .into_iter()
            .filter(|backend| backend.is_available())
    }

    /// Returns `true` if this CPU supports the backend and [`restrict_to`] allows it.
    #[inline]
    pub fn is_available(self) -> bool {
        if (self as u8) < FASTEST.load(Ordering::Relaxed) {
            return false;
        }
        match self {
            #[cfg(all(feature = "simd", target_arch = "x86_64"))]
            Self::Avx512 => avx512::Avx512::detect().is_some(),
            #[cfg(all(feature = "simd", target_arch = "x86_64"))]
            Self::Avx2 => avx2::Avx2::detect().is_some(),
            #[cfg(not(all(feature = "simd", target_arch = "x86_64")))]
            Self::Avx512 | Self::Avx2 => false,
            Self::Scalar => true,
        }
    }

    /// Returns the number of inputs that are hashed at a time.
    pub const fn lanes(self) -> usize {
        match self {
            Self::Avx512 => 8,
            Self::Avx2 => 4,
            Self::Scalar => 1,
        }
    }
}

/// The fastest backend that this process may use, as an index in the order of backends.
static FASTEST: AtomicU8 = AtomicU8::new(Backend::Avx512 as u8);

/// Prevents this process from using any backend faster than `fastest` from now on, as if the CPU
/// lacked it. Measurements use this to find the cost of hashing on a slower CPU. Digests do not
/// change.
pub fn restrict_to(fastest: Backend) {
    FASTEST.store(fastest as u8, Ordering::Relaxed);
}

/// Returns the Keccak-256 digest of `data`.
#[inline]
pub fn keccak256(data: &[u8]) -> B256 {
    scalar::keccak256(data)
}

/// Writes the Keccak-256 digest of `inputs[i]` to `digests[i]`, with the fastest backend.
///
/// # Panics
///
/// If `inputs` and `digests` differ in length.
#[inline]
pub fn keccak256_batch(inputs: &[&[u8]], digests: &mut [B256]) {
    keccak256_batch_with(Backend::detect(), inputs, digests);
}

/// Like [`keccak256_batch`], with a given backend.
///
/// # Panics
///
/// If `inputs` and `digests` differ in length, or if this CPU does not support the backend.
pub fn keccak256_batch_with(backend: Backend, inputs: &[&[u8]], digests: &mut [B256]) {
    assert_eq!(inputs.len(), digests.len(), "give one digest per input");
    run(backend, |i| inputs[i], digests);
}

/// Like [`keccak256_batch`], for inputs that are not in a slice of slices: writes the digest of
/// `input(i)` to `digests[i]`, for every index of `digests`.
///
/// `input` is called a few times per index, so it should only be a look-up, and it must return the
/// same bytes every time. Otherwise it is unspecified which digests are written.
#[inline]
pub fn keccak256_batch_by<'a>(input: impl Fn(usize) -> &'a [u8], digests: &mut [B256]) {
    run(Backend::detect(), input, digests);
}

fn run<'a>(backend: Backend, input: impl Fn(usize) -> &'a [u8], digests: &mut [B256]) {
    assert!(backend.is_available(), "this CPU does not have {backend:?}, use Backend::detect()");
    // Hashing in all lanes takes longer than hashing one input alone, but not longer than two.
    #[cfg(all(feature = "simd", target_arch = "x86_64"))]
    if digests.len() > 1 {
        match backend {
            Backend::Avx512 => {
                if let Some(avx512) = avx512::Avx512::detect() {
                    return schedule::run(avx512, input, digests);
                }
            }
            Backend::Avx2 => {
                if let Some(avx2) = avx2::Avx2::detect() {
                    return schedule::run(avx2, input, digests);
                }
            }
            Backend::Scalar => {}
        }
    }
    for (i, digest) in digests.iter_mut().enumerate() {
        *digest = keccak256(input(i));
    }
}
