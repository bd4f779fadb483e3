//! Eight states at a time: word `i` of all of them is one 512-bit register, and the 25 registers
//! remain in the register file during a permutation.
#![allow(unsafe_code, reason = "AVX-512 loads and stores, and calls of functions that need it")]

use crate::permutation::{Block, RATE_WORDS, STATE_WORDS, keccak_f};
use crate::schedule::{Lanes, States};
use core::arch::x86_64::{
    __m512i, _mm512_loadu_si512, _mm512_maskz_mov_epi64, _mm512_rol_epi64, _mm512_set_epi64,
    _mm512_set1_epi64, _mm512_setzero_si512, _mm512_shuffle_i64x2, _mm512_storeu_si512,
    _mm512_ternarylogic_epi64, _mm512_unpackhi_epi64, _mm512_unpacklo_epi64, _mm512_xor_si512,
};

/// Proof that this CPU has AVX-512.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx512(());

impl Avx512 {
    #[inline]
    pub(crate) fn detect() -> Option<Self> {
        std::is_x86_feature_detected!("avx512f").then_some(Self(()))
    }
}

impl Lanes<8> for Avx512 {
    #[inline]
    fn absorb(self, states: &mut States<8>, fresh: u8, blocks: [&[Block]; 8], count: usize) {
        // SAFETY: a value of `Avx512` exists only where `detect` found the feature.
        unsafe { absorb(states, fresh, blocks, count) }
    }
}

#[target_feature(enable = "avx512f")]
fn absorb(states: &mut States<8>, fresh: u8, blocks: [&[Block]; 8], count: usize) {
    let mut a = [_mm512_setzero_si512(); STATE_WORDS];
    for (register, words) in a.iter_mut().zip(&states.0) {
        *register = _mm512_maskz_mov_epi64(!fresh, load(words));
    }
    for i in 0..count {
        // Not `blocks.map(..)`, which would be a call, and registers are not preserved across
        // calls.
        let [l0, l1, l2, l3, l4, l5, l6, l7] = blocks;
        let block = [&l0[i], &l1[i], &l2[i], &l3[i], &l4[i], &l5[i], &l6[i], &l7[i]];
        for (register, words) in a.iter_mut().zip(transposed(block)) {
            *register = xor(*register, words);
        }
        keccak_f(&mut a);
    }
    for (words, register) in states.0.iter_mut().zip(a) {
        // SAFETY: `words` is 64 writable bytes.
        unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), register) };
    }
}

/// Returns the words of eight blocks: element `lane` of register `i` is word `i` of that lane's
/// block.
#[inline]
#[target_feature(enable = "avx512f")]
fn transposed(blocks: [&Block; 8]) -> [__m512i; RATE_WORDS] {
    let mut words = [_mm512_setzero_si512(); RATE_WORDS];
    for (half, words) in words.as_chunks_mut().0.iter_mut().enumerate() {
        let mut rows = [_mm512_setzero_si512(); 8];
        for (row, block) in rows.iter_mut().zip(blocks) {
            *row = load(&block.as_chunks::<64>().0[half]);
        }
        *words = transposed_8x8(rows);
    }
    let mut last = [0; 8];
    for (word, block) in last.iter_mut().zip(blocks) {
        *word = i64::from_le_bytes(block.as_chunks().0[RATE_WORDS - 1]);
    }
    let [a, b, c, d, e, f, g, h] = last;
    words[RATE_WORDS - 1] = _mm512_set_epi64(h, g, f, e, d, c, b, a);
    words
}

#[inline]
#[target_feature(enable = "avx512f")]
fn transposed_8x8(rows: [__m512i; 8]) -> [__m512i; 8] {
    const EVEN: i32 = 0b10_00_10_00;
    const ODD: i32 = 0b11_01_11_01;
    let [a, b, c, d, e, f, g, h] = rows;
    // First pairs of lanes, then fours, then all eight. A register of `even` contains words 0, 2,
    // 4, 6 of a pair of lanes, and one of `odd` words 1, 3, 5, 7.
    let even = [
        _mm512_unpacklo_epi64(a, b),
        _mm512_unpacklo_epi64(c, d),
        _mm512_unpacklo_epi64(e, f),
        _mm512_unpacklo_epi64(g, h),
    ];
    let odd = [
        _mm512_unpackhi_epi64(a, b),
        _mm512_unpackhi_epi64(c, d),
        _mm512_unpackhi_epi64(e, f),
        _mm512_unpackhi_epi64(g, h),
    ];
    let mut words = rows;
    for (first, [ab, cd, ef, gh]) in [even, odd].into_iter().enumerate() {
        let low = _mm512_shuffle_i64x2::<EVEN>(ab, cd);
        let high = _mm512_shuffle_i64x2::<EVEN>(ef, gh);
        words[first] = _mm512_shuffle_i64x2::<EVEN>(low, high);
        words[first + 4] = _mm512_shuffle_i64x2::<ODD>(low, high);
        let low = _mm512_shuffle_i64x2::<ODD>(ab, cd);
        let high = _mm512_shuffle_i64x2::<ODD>(ef, gh);
        words[first + 2] = _mm512_shuffle_i64x2::<EVEN>(low, high);
        words[first + 6] = _mm512_shuffle_i64x2::<ODD>(low, high);
    }
    words
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load<T: Copy>(from: &T) -> __m512i {
    const { assert!(size_of::<T>() == size_of::<__m512i>()) };
    // SAFETY: `from` is 64 readable bytes, and the load requires no alignment.
    unsafe { _mm512_loadu_si512(core::ptr::from_ref(from).cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn xor(a: __m512i, b: __m512i) -> __m512i {
    _mm512_xor_si512(a, b)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn xor3(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    _mm512_ternarylogic_epi64::<0b1001_0110>(a, b, c)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn chi(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    _mm512_ternarylogic_epi64::<0b1101_0010>(a, b, c)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn rol<const LEFT: i32, const RIGHT: i32>(a: __m512i) -> __m512i {
    _mm512_rol_epi64::<LEFT>(a)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn splat(word: u64) -> __m512i {
    _mm512_set1_epi64(word.cast_signed())
}

keccak_f! {
    #[inline]
    #[target_feature(enable = "avx512f")]
    __m512i
}
