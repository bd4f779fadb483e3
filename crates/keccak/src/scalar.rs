//! One message at a time.
//!
//! On x86-64 the permutation of this crate takes two thirds (AVX-512, one state in vector
//! registers, with `vpternlogq` and `vprolq`) or five sixths (BMI, with `andn` and `rorx`) of the
//! time of the library's permutation, which cannot assume either feature. On other CPUs the library
//! is as fast or, with the SHA-3 instructions of aarch64, faster.
#![cfg_attr(
    all(feature = "simd", target_arch = "x86_64"),
    allow(unsafe_code, reason = "calls of functions that need features, once they are detected")
)]

use alloy_primitives::{B256, Keccak256};

/// Returns the Keccak-256 digest of `message`.
#[inline]
pub(crate) fn keccak256(message: &[u8]) -> B256 {
    #[cfg(all(feature = "simd", target_arch = "x86_64"))]
    {
        if crate::Backend::Avx512.is_available() && std::is_x86_feature_detected!("avx512vl") {
            // SAFETY: the function requires `avx512f`, which `is_available` has detected, and
            // `avx512vl`.
            return unsafe { avx512vl::keccak256(message) };
        }
        if std::is_x86_feature_detected!("bmi1") && std::is_x86_feature_detected!("bmi2") {
            // SAFETY: this CPU has the features of the function.
            return unsafe { bmi::keccak256(message) };
        }
    }
    // The library's function `keccak256` may call this one, so use its hasher.
    let mut hasher = Keccak256::new();
    hasher.update(message);
    hasher.finalize()
}

/// Defines `keccak256` with the given feature, from the operations that
/// [`keccak_f`](crate::permutation::keccak_f) needs and `first(word)`, the inverse of `splat`.
#[cfg(all(feature = "simd", target_arch = "x86_64"))]
macro_rules! keccak256 {
    ($feature:literal, $word:ty) => {
        #[target_feature(enable = $feature)]
        pub(super) fn keccak256(message: &[u8]) -> alloy_primitives::B256 {
            use crate::permutation::{RATE, STATE_WORDS, digest, pad};

            let (blocks, tail) = message.as_chunks();
            let mut last = [0; RATE];
            pad(tail, &mut last);
            let mut state = [splat(0); STATE_WORDS];
            for block in blocks.iter().chain([&last]) {
                for (word, bytes) in state.iter_mut().zip(block.as_chunks().0) {
                    *word = xor(*word, splat(u64::from_le_bytes(*bytes)));
                }
                keccak_f(&mut state);
            }
            digest([first(state[0]), first(state[1]), first(state[2]), first(state[3])])
        }

        crate::permutation::keccak_f! {
            #[inline]
            #[target_feature(enable = $feature)]
            $word
        }
    };
}

#[cfg(all(feature = "simd", target_arch = "x86_64"))]
mod avx512vl {
    use core::arch::x86_64::{
        __m128i, _mm_cvtsi64_si128, _mm_cvtsi128_si64, _mm_rol_epi64, _mm_ternarylogic_epi64,
        _mm_xor_si128,
    };

    keccak256!("avx512f,avx512vl", __m128i);

    #[inline]
    #[target_feature(enable = "avx512f,avx512vl")]
    fn xor(a: __m128i, b: __m128i) -> __m128i {
        _mm_xor_si128(a, b)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512vl")]
    fn xor3(a: __m128i, b: __m128i, c: __m128i) -> __m128i {
        _mm_ternarylogic_epi64::<0b1001_0110>(a, b, c)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512vl")]
    fn chi(a: __m128i, b: __m128i, c: __m128i) -> __m128i {
        _mm_ternarylogic_epi64::<0b1101_0010>(a, b, c)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512vl")]
    fn rol<const LEFT: i32, const RIGHT: i32>(a: __m128i) -> __m128i {
        _mm_rol_epi64::<LEFT>(a)
    }

    /// The upper half of the register is unused.
    #[inline]
    #[target_feature(enable = "avx512f,avx512vl")]
    fn splat(word: u64) -> __m128i {
        _mm_cvtsi64_si128(word.cast_signed())
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512vl")]
    fn first(a: __m128i) -> u64 {
        _mm_cvtsi128_si64(a).cast_unsigned()
    }
}

#[cfg(all(feature = "simd", target_arch = "x86_64"))]
mod bmi {
    keccak256!("bmi1,bmi2", u64);

    const fn xor(a: u64, b: u64) -> u64 {
        a ^ b
    }

    const fn xor3(a: u64, b: u64, c: u64) -> u64 {
        a ^ b ^ c
    }

    const fn chi(a: u64, b: u64, c: u64) -> u64 {
        a ^ (!b & c)
    }

    const fn rol<const LEFT: u32, const RIGHT: u32>(a: u64) -> u64 {
        a.rotate_left(LEFT)
    }

    const fn splat(word: u64) -> u64 {
        word
    }

    const fn first(a: u64) -> u64 {
        a
    }
}

#[cfg(all(test, feature = "simd", target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn every_implementation_agrees_with_the_library() {
        type Hash = (&'static str, fn(&[u8]) -> B256);
        let mut hashes: Vec<Hash> = vec![("detected", keccak256)];
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") {
            // SAFETY: this CPU has the features of the function.
            hashes.push(("avx512vl", |message| unsafe { avx512vl::keccak256(message) }));
        }
        if is_x86_feature_detected!("bmi1") && is_x86_feature_detected!("bmi2") {
            // SAFETY: this CPU has the features of the function.
            hashes.push(("bmi", |message| unsafe { bmi::keccak256(message) }));
        }
        let bytes: Vec<u8> = (0..=u8::MAX).cycle().map(|i| i.wrapping_mul(167)).take(700).collect();
        for length in 0..=bytes.len() {
            let mut library = Keccak256::new();
            library.update(&bytes[..length]);
            let expected = library.finalize();
            for (name, hash) in &hashes {
                assert_eq!(hash(&bytes[..length]), expected, "{name}, {length} bytes");
            }
        }
    }
}
