//! Four states at a time: word `i` of all of them is one 256-bit register. The 25 words do not fit
//! into the 16 registers, and a rotation takes three instructions.
#![allow(unsafe_code, reason = "AVX2 loads and stores, and calls of functions that need it")]

use crate::permutation::{Block, RATE_WORDS, STATE_WORDS, keccak_f};
use crate::schedule::{Lanes, States};
use core::arch::x86_64::{
    __m256i, _mm256_and_si256, _mm256_andnot_si256, _mm256_cmpeq_epi64, _mm256_loadu_si256,
    _mm256_or_si256, _mm256_permute2x128_si256, _mm256_set_epi64x, _mm256_set1_epi64x,
    _mm256_setr_epi8, _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_slli_epi64,
    _mm256_srli_epi64, _mm256_storeu_si256, _mm256_unpackhi_epi64, _mm256_unpacklo_epi64,
    _mm256_xor_si256,
};

/// Proof that this CPU has AVX2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2(());

impl Avx2 {
    #[inline]
    pub(crate) fn detect() -> Option<Self> {
        std::is_x86_feature_detected!("avx2").then_some(Self(()))
    }
}

impl Lanes<4> for Avx2 {
    #[inline]
    fn absorb(self, states: &mut States<4>, fresh: u8, blocks: [&[Block]; 4], count: usize) {
        // SAFETY: a value of `Avx2` exists only where `detect` found the feature.
        unsafe { absorb(states, fresh, blocks, count) }
    }
}

#[target_feature(enable = "avx2")]
fn absorb(states: &mut States<4>, fresh: u8, blocks: [&[Block]; 4], count: usize) {
    let lanes = _mm256_set_epi64x(8, 4, 2, 1);
    let is_fresh = _mm256_and_si256(_mm256_set1_epi64x(i64::from(fresh)), lanes);
    let keep = _mm256_cmpeq_epi64(is_fresh, _mm256_setzero_si256());
    let mut a = [_mm256_setzero_si256(); STATE_WORDS];
    for (register, words) in a.iter_mut().zip(&states.0) {
        *register = _mm256_and_si256(keep, load(words));
    }
    for i in 0..count {
        let [l0, l1, l2, l3] = blocks;
        for (register, words) in a.iter_mut().zip(transposed([&l0[i], &l1[i], &l2[i], &l3[i]])) {
            *register = xor(*register, words);
        }
        keccak_f(&mut a);
    }
    for (words, register) in states.0.iter_mut().zip(a) {
        // SAFETY: `words` is 32 writable bytes.
        unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), register) };
    }
}

/// Returns the words of four blocks: element `lane` of register `i` is word `i` of that lane's
/// block.
#[inline]
#[target_feature(enable = "avx2")]
fn transposed(blocks: [&Block; 4]) -> [__m256i; RATE_WORDS] {
    let mut words = [_mm256_setzero_si256(); RATE_WORDS];
    for (quarter, words) in words.as_chunks_mut().0.iter_mut().enumerate() {
        let mut rows = [_mm256_setzero_si256(); 4];
        for (row, block) in rows.iter_mut().zip(blocks) {
            *row = load(&block.as_chunks::<32>().0[quarter]);
        }
        *words = transposed_4x4(rows);
    }
    let mut last = [0; 4];
    for (word, block) in last.iter_mut().zip(blocks) {
        *word = i64::from_le_bytes(block.as_chunks().0[RATE_WORDS - 1]);
    }
    let [a, b, c, d] = last;
    words[RATE_WORDS - 1] = _mm256_set_epi64x(d, c, b, a);
    words
}

#[inline]
#[target_feature(enable = "avx2")]
fn transposed_4x4([a, b, c, d]: [__m256i; 4]) -> [__m256i; 4] {
    const LOW: i32 = 0x20;
    const HIGH: i32 = 0x31;
    let (even_ab, odd_ab) = (_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
    let (even_cd, odd_cd) = (_mm256_unpacklo_epi64(c, d), _mm256_unpackhi_epi64(c, d));
    [
        _mm256_permute2x128_si256::<LOW>(even_ab, even_cd),
        _mm256_permute2x128_si256::<LOW>(odd_ab, odd_cd),
        _mm256_permute2x128_si256::<HIGH>(even_ab, even_cd),
        _mm256_permute2x128_si256::<HIGH>(odd_ab, odd_cd),
    ]
}

#[inline]
#[target_feature(enable = "avx2")]
fn load<T: Copy>(from: &T) -> __m256i {
    const { assert!(size_of::<T>() == size_of::<__m256i>()) };
    // SAFETY: `from` is 32 readable bytes, and the load requires no alignment.
    unsafe { _mm256_loadu_si256(core::ptr::from_ref(from).cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn xor(a: __m256i, b: __m256i) -> __m256i {
    _mm256_xor_si256(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
fn xor3(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
    xor(xor(a, b), c)
}

#[inline]
#[target_feature(enable = "avx2")]
fn chi(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
    xor(a, _mm256_andnot_si256(b, c))
}

#[inline]
#[target_feature(enable = "avx2")]
fn rol<const LEFT: i32, const RIGHT: i32>(a: __m256i) -> __m256i {
    // A rotation by whole bytes is a single byte shuffle.
    match LEFT {
        8 => _mm256_shuffle_epi8(
            a,
            _mm256_setr_epi8(
                7, 0, 1, 2, 3, 4, 5, 6, 15, 8, 9, 10, 11, 12, 13, 14, //
                7, 0, 1, 2, 3, 4, 5, 6, 15, 8, 9, 10, 11, 12, 13, 14,
            ),
        ),
        56 => _mm256_shuffle_epi8(
            a,
            _mm256_setr_epi8(
                1, 2, 3, 4, 5, 6, 7, 0, 9, 10, 11, 12, 13, 14, 15, 8, //
                1, 2, 3, 4, 5, 6, 7, 0, 9, 10, 11, 12, 13, 14, 15, 8,
            ),
        ),
        _ => _mm256_or_si256(_mm256_slli_epi64::<LEFT>(a), _mm256_srli_epi64::<RIGHT>(a)),
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn splat(word: u64) -> __m256i {
    _mm256_set1_epi64x(word.cast_signed())
}

keccak_f! {
    #[inline]
    #[target_feature(enable = "avx2")]
    __m256i
}
