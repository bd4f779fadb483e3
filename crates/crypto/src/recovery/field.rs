//! Elements of the base field, eight at a time: integers modulo p = 2^256 - 2^32 - 977.
//!
//! An element has five limbs of 52 bits, since the multiplier of AVX-512 IFMA reads the low 52 bits
//! of its operands. Vector `i` contains limb `i` of all lanes. Values are not reduced below p.
//! Instead, the type carries a bound, so that sums and differences need no reduction, and the
//! compiler proves that no value outgrows its limbs.

use core::arch::x86_64::{
    __m512i, __mmask8, _mm512_add_epi64, _mm512_and_si512, _mm512_cmpeq_epi64_mask,
    _mm512_madd52hi_epu64, _mm512_madd52lo_epu64, _mm512_mask_mov_epi64, _mm512_or_si512,
    _mm512_set1_epi64, _mm512_setzero_si512, _mm512_slli_epi64, _mm512_srai_epi64,
    _mm512_srli_epi64, _mm512_sub_epi64,
};

/// Bits of a limb.
const LIMB: u32 = 52;
/// The low bits of a limb.
const LOW: u64 = (1 << LIMB) - 1;
/// Bits of the highest limb below 2^256.
const TOP: u32 = 256 - 4 * LIMB;
/// 2^256 modulo p.
const FOLD: u64 = (1 << 32) + 977;
/// 2^260 modulo p.
const FOLD_LIMBS: u64 = FOLD << (5 * LIMB - 256);

/// Eight field elements. Each is at most `MAX` times 2^256 + 2^215. The limbs are nonnegative and
/// below 2^52, so `MAX` is at most [`LIMIT`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<const MAX: u32>([__m512i; 5]);

/// Maximum bound of an element: 15 times 2^256 + 2^215 is less than 2^260.
const LIMIT: u32 = 15;

/// Four little-endian words of a number.
pub(crate) type Words = [u64; 4];

impl Field<1> {
    /// Returns a number below 2^256 in all lanes.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn splat(words: Words) -> Self {
        let [a, b, c, d] = words;
        Self::unpack([splat(a), splat(b), splat(c), splat(d)])
    }

    /// Returns numbers below 2^256, given vectors of words: vector `i` contains word `i`.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn unpack(words: [__m512i; 4]) -> Self {
        let [a, b, c, d] = words;
        let low = splat(LOW);
        let joined =
            |low_word, high_word| _mm512_and_si512(_mm512_or_si512(low_word, high_word), low);
        Self([
            _mm512_and_si512(a, low),
            joined(_mm512_srli_epi64::<52>(a), _mm512_slli_epi64::<12>(b)),
            joined(_mm512_srli_epi64::<40>(b), _mm512_slli_epi64::<24>(c)),
            joined(_mm512_srli_epi64::<28>(c), _mm512_slli_epi64::<36>(d)),
            _mm512_srli_epi64::<16>(d),
        ])
    }
}

impl<const MAX: u32> Field<MAX> {
    /// Returns the elements, reduced below 2^256, as words: vector `i` contains word `i`. They may
    /// be greater than or equal to p.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn pack(self) -> [__m512i; 4] {
        // The first fold leaves at most 2^256 + 2^38. If the result is 2^256 or more, the second
        // fold leaves a small number.
        pack(fold(fold(self.0)))
    }

    /// Returns the elements reduced below p, as words.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn canonical(self) -> [__m512i; 4] {
        // Less than 2 p.
        let reduced = fold(self.0);
        // A number is p or more exactly if adding 2^256 - p yields 2^256 or more; the remainder is
        // then the number minus p.
        let [low, rest @ ..] = reduced;
        let [a, b, c, d, top] =
            carry([_mm512_add_epi64(low, splat(FOLD)), rest[0], rest[1], rest[2], rest[3]]);
        let overflow = _mm512_srli_epi64::<TOP>(top);
        let less = [a, b, c, d, _mm512_and_si512(top, splat((1 << TOP) - 1))];
        let fits = _mm512_cmpeq_epi64_mask(overflow, _mm512_setzero_si512());
        pack(blend(less, fits, reduced))
    }

    /// Returns the lanes that are zero modulo p.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn zeros(self) -> __mmask8 {
        let [a, b, c, d] = self.canonical();
        let any = _mm512_or_si512(_mm512_or_si512(a, b), _mm512_or_si512(c, d));
        _mm512_cmpeq_epi64_mask(any, _mm512_setzero_si512())
    }

    /// Returns the same elements with a wider bound.
    #[inline]
    pub(crate) const fn widened<const WIDER: u32>(self) -> Field<WIDER> {
        const { assert!(MAX <= WIDER && WIDER <= LIMIT) };
        Field(self.0)
    }

    /// Returns `other` in the lanes of the mask, and `self` in the others.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn replaced(self, lanes: __mmask8, other: Self) -> Self {
        Self(blend(self.0, lanes, other.0))
    }

    /// Returns the product.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn mul<const OTHER: u32>(self, other: Field<OTHER>) -> Field<1> {
        const { assert!(MAX <= LIMIT && OTHER <= LIMIT) };
        let mut columns = [_mm512_setzero_si512(); 10];
        multiply(&mut columns, &self.0, &other.0);
        reduce(columns)
    }

    /// Returns the square.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn square(self) -> Field<1> {
        const { assert!(MAX <= LIMIT) };
        let limbs = &self.0;
        let mut columns = [_mm512_setzero_si512(); 10];
        for (i, first) in limbs.iter().enumerate() {
            for (j, second) in limbs.iter().enumerate().skip(i + 1) {
                multiply_limbs(&mut columns, i + j, *first, *second);
            }
        }
        for column in &mut columns {
            *column = _mm512_add_epi64(*column, *column);
        }
        for (i, limb) in limbs.iter().enumerate() {
            multiply_limbs(&mut columns, 2 * i, *limb, *limb);
        }
        reduce(columns)
    }

    /// Returns the element squared `times` times.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn squared(self, times: u32) -> Field<1> {
        let mut square = self.square();
        for _ in 1..times {
            square = square.square();
        }
        square
    }
}

/// Returns the sum of two products, with a single reduction.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub(crate) fn sum_of_products<const A: u32, const B: u32, const C: u32, const D: u32>(
    (a, b): (Field<A>, Field<B>),
    (c, d): (Field<C>, Field<D>),
) -> Field<1> {
    // The sum must be less than 2^520, like a product.
    const { assert!(A * B + C * D <= LIMIT * LIMIT) };
    let mut columns = [_mm512_setzero_si512(); 10];
    multiply(&mut columns, &a.0, &b.0);
    multiply(&mut columns, &c.0, &d.0);
    reduce(columns)
}

/// Returns the sum of two elements, each times a small factor.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub(crate) fn combine<const X: i32, const Y: i32, const A: u32, const B: u32, const SUM: u32>(
    a: Field<A>,
    b: Field<B>,
) -> Field<SUM> {
    combine3::<X, Y, 0, A, B, B, SUM>(a, b, b)
}

/// Returns the sum of three elements, each times a small factor.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub(crate) fn combine3<
    const X: i32,
    const Y: i32,
    const Z: i32,
    const A: u32,
    const B: u32,
    const C: u32,
    const SUM: u32,
>(
    a: Field<A>,
    b: Field<B>,
    c: Field<C>,
) -> Field<SUM> {
    const { assert!(bound(&[(X, A), (Y, B), (Z, C)]) <= SUM && SUM <= LIMIT) };
    let multiple = const { multiple_of_p(&[(X, A), (Y, B), (Z, C)]) } as u64;
    let mut limbs = [_mm512_setzero_si512(); 5];
    for (i, limb) in limbs.iter_mut().enumerate() {
        let sum = _mm512_add_epi64(times::<X>(a.0[i]), times::<Y>(b.0[i]));
        *limb = _mm512_add_epi64(sum, times::<Z>(c.0[i]));
    }
    if multiple > 0 {
        // Single limbs may be negative before the carry, but the number is not.
        limbs[0] = _mm512_sub_epi64(limbs[0], splat(multiple * FOLD));
        limbs[4] = _mm512_add_epi64(limbs[4], splat(multiple << TOP));
    }
    Field(carry(limbs))
}

/// Returns the multiple of p that keeps a sum of terms from being negative.
const fn multiple_of_p(terms: &[(i32, u32)]) -> u32 {
    let (mut sum, mut i) = (0, 0);
    while i < terms.len() {
        let (factor, max) = terms[i];
        if factor < 0 {
            sum += factor.unsigned_abs() * max;
        }
        i += 1;
    }
    // An element is at most `max` times slightly more than p, and p exceeds all these excesses
    // together.
    if sum > 0 { sum + 1 } else { 0 }
}

/// Returns the bound of a sum of terms.
const fn bound(terms: &[(i32, u32)]) -> u32 {
    let (mut sum, mut i) = (multiple_of_p(terms), 0);
    while i < terms.len() {
        let (factor, max) = terms[i];
        if factor > 0 {
            sum += factor.unsigned_abs() * max;
        }
        i += 1;
    }
    sum
}

#[target_feature(enable = "avx512f")]
#[inline]
fn times<const FACTOR: i32>(limb: __m512i) -> __m512i {
    let product = match FACTOR.unsigned_abs() {
        0 => return _mm512_setzero_si512(),
        1 => limb,
        2 => _mm512_add_epi64(limb, limb),
        3 => _mm512_add_epi64(_mm512_add_epi64(limb, limb), limb),
        4 => _mm512_slli_epi64::<2>(limb),
        8 => _mm512_slli_epi64::<3>(limb),
        12 => _mm512_add_epi64(_mm512_slli_epi64::<3>(limb), _mm512_slli_epi64::<2>(limb)),
        _ => unreachable!(),
    };
    if FACTOR < 0 { _mm512_sub_epi64(_mm512_setzero_si512(), product) } else { product }
}

/// Adds the products of all limbs to columns of 52 bits.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn multiply(columns: &mut [__m512i; 10], a: &[__m512i; 5], b: &[__m512i; 5]) {
    for (i, a) in a.iter().enumerate() {
        for (j, b) in b.iter().enumerate() {
            multiply_limbs(columns, i + j, *a, *b);
        }
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn multiply_limbs(columns: &mut [__m512i; 10], column: usize, a: __m512i, b: __m512i) {
    columns[column] = _mm512_madd52lo_epu64(columns[column], a, b);
    columns[column + 1] = _mm512_madd52hi_epu64(columns[column + 1], a, b);
}

/// Reduces a sum of products that is less than 2^520, with columns less than 2^58.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn reduce(columns: [__m512i; 10]) -> Field<1> {
    let [mut a, mut b, c, d, mut e, f, mut g, mut h, mut i, mut j] = columns;
    // The high half becomes limbs; the multiplier ignores the bits above them. `j` is less than
    // 2^52, since the sum is less than 2^520.
    g = _mm512_add_epi64(g, _mm512_srli_epi64::<LIMB>(f));
    h = _mm512_add_epi64(h, _mm512_srli_epi64::<LIMB>(g));
    i = _mm512_add_epi64(i, _mm512_srli_epi64::<LIMB>(h));
    j = _mm512_add_epi64(j, _mm512_srli_epi64::<LIMB>(i));
    let by = splat(FOLD_LIMBS);
    a = _mm512_madd52lo_epu64(a, f, by);
    b = _mm512_madd52lo_epu64(_mm512_madd52hi_epu64(b, f, by), g, by);
    let c = _mm512_madd52lo_epu64(_mm512_madd52hi_epu64(c, g, by), h, by);
    let d = _mm512_madd52lo_epu64(_mm512_madd52hi_epu64(d, h, by), i, by);
    e = _mm512_madd52lo_epu64(_mm512_madd52hi_epu64(e, i, by), j, by);
    // Less than 2^37, like the factor.
    let over = _mm512_madd52hi_epu64(_mm512_setzero_si512(), j, by);
    // All bits from 256 on, except the carry of `d`, which is less than 2^7: less than 2^42.
    let over =
        _mm512_add_epi64(_mm512_slli_epi64::<{ LIMB - TOP }>(over), _mm512_srli_epi64::<TOP>(e));
    e = _mm512_and_si512(e, splat((1 << TOP) - 1));
    a = _mm512_madd52lo_epu64(a, over, splat(FOLD));
    b = _mm512_madd52hi_epu64(b, over, splat(FOLD));
    // At most 2^48 + 2^7 in the highest limb.
    Field(carry([a, b, c, d, e]))
}

/// Folds the bits of a number from 256 on, given limbs of 52 bits. At most 2^256 + 2^37 remains.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn fold([a, b, c, d, e]: [__m512i; 5]) -> [__m512i; 5] {
    let over = _mm512_srli_epi64::<TOP>(e);
    let a = _mm512_madd52lo_epu64(a, over, splat(FOLD));
    carry([a, b, c, d, _mm512_and_si512(e, splat((1 << TOP) - 1))])
}

/// Reduces all limbs except the highest to 52 bits. Limbs may be negative, but not the number.
#[target_feature(enable = "avx512f")]
#[inline]
fn carry([a, mut b, mut c, mut d, mut e]: [__m512i; 5]) -> [__m512i; 5] {
    let low = splat(LOW);
    b = _mm512_add_epi64(b, _mm512_srai_epi64::<LIMB>(a));
    c = _mm512_add_epi64(c, _mm512_srai_epi64::<LIMB>(b));
    d = _mm512_add_epi64(d, _mm512_srai_epi64::<LIMB>(c));
    e = _mm512_add_epi64(e, _mm512_srai_epi64::<LIMB>(d));
    let limb = |limb| _mm512_and_si512(limb, low);
    [limb(a), limb(b), limb(c), limb(d), e]
}

#[target_feature(enable = "avx512f")]
#[inline]
fn blend(mut limbs: [__m512i; 5], lanes: __mmask8, others: [__m512i; 5]) -> [__m512i; 5] {
    for (limb, other) in limbs.iter_mut().zip(others) {
        *limb = _mm512_mask_mov_epi64(*limb, lanes, other);
    }
    limbs
}

/// Joins the limbs of numbers below 2^256 into words.
#[target_feature(enable = "avx512f")]
#[inline]
fn pack([a, b, c, d, e]: [__m512i; 5]) -> [__m512i; 4] {
    [
        _mm512_or_si512(a, _mm512_slli_epi64::<52>(b)),
        _mm512_or_si512(_mm512_srli_epi64::<12>(b), _mm512_slli_epi64::<40>(c)),
        _mm512_or_si512(_mm512_srli_epi64::<24>(c), _mm512_slli_epi64::<28>(d)),
        _mm512_or_si512(_mm512_srli_epi64::<36>(d), _mm512_slli_epi64::<16>(e)),
    ]
}

#[target_feature(enable = "avx512f")]
#[inline]
pub(crate) fn splat(word: u64) -> __m512i {
    _mm512_set1_epi64(word.cast_signed())
}

#[cfg(test)]
mod tests;
