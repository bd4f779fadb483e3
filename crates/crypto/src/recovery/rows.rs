//! Points in memory, and their transposition to vectors of eight.
#![allow(unsafe_code, reason = "loads and stores of AVX-512")]

use super::field::Field;
use core::arch::x86_64::{
    __m512i, _mm512_load_si512, _mm512_setzero_si512, _mm512_shuffle_i64x2, _mm512_store_si512,
    _mm512_unpackhi_epi64, _mm512_unpacklo_epi64,
};

/// An affine point: the little-endian words of x, then those of y.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(64))]
pub(crate) struct Row(pub(crate) [u64; 8]);

impl Row {
    pub(crate) const ZERO: Self = Self([0; 8]);

    /// Returns the coordinates in big-endian form, x first.
    pub(crate) fn to_bytes(self) -> [u8; 64] {
        let mut bytes = [0; 64];
        let [a, b, c, d, e, f, g, h] = self.0;
        for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip([d, c, b, a, h, g, f, e]) {
            *bytes = word.to_be_bytes();
        }
        bytes
    }
}

/// Reads the coordinates of eight points.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub(crate) fn load(rows: [&Row; 8]) -> (Field<1>, Field<1>) {
    let mut vectors = [_mm512_setzero_si512(); 8];
    for (vector, row) in vectors.iter_mut().zip(rows) {
        // SAFETY: a row is 64 readable bytes, aligned to 64.
        *vector = unsafe { _mm512_load_si512(row.0.as_ptr().cast()) };
    }
    let [a, b, c, d, e, f, g, h] = transposed(vectors);
    (Field::unpack([a, b, c, d]), Field::unpack([e, f, g, h]))
}

/// Writes the words of the coordinates of eight points.
#[target_feature(enable = "avx512f")]
#[inline]
pub(crate) fn store(x: [__m512i; 4], y: [__m512i; 4]) -> [Row; 8] {
    let ([a, b, c, d], [e, f, g, h]) = (x, y);
    let mut rows = [Row::ZERO; 8];
    for (row, vector) in rows.iter_mut().zip(transposed([a, b, c, d, e, f, g, h])) {
        // SAFETY: a row is 64 writable bytes, aligned to 64.
        unsafe { _mm512_store_si512(row.0.as_mut_ptr().cast(), vector) };
    }
    rows
}

/// Transposes a matrix of eight by eight words.
#[target_feature(enable = "avx512f")]
#[inline]
fn transposed(rows: [__m512i; 8]) -> [__m512i; 8] {
    const EVEN: i32 = 0b10_00_10_00;
    const ODD: i32 = 0b11_01_11_01;
    let [a, b, c, d, e, f, g, h] = rows;
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
    let mut columns = rows;
    for (first, [ab, cd, ef, gh]) in [even, odd].into_iter().enumerate() {
        let low = _mm512_shuffle_i64x2::<EVEN>(ab, cd);
        let high = _mm512_shuffle_i64x2::<EVEN>(ef, gh);
        columns[first] = _mm512_shuffle_i64x2::<EVEN>(low, high);
        columns[first + 4] = _mm512_shuffle_i64x2::<ODD>(low, high);
        let low = _mm512_shuffle_i64x2::<ODD>(ab, cd);
        let high = _mm512_shuffle_i64x2::<ODD>(ef, gh);
        columns[first + 2] = _mm512_shuffle_i64x2::<EVEN>(low, high);
        columns[first + 6] = _mm512_shuffle_i64x2::<ODD>(low, high);
    }
    columns
}
