//! Scalars: integers modulo the order n of the group, and their digits.

use super::field::Words;

/// The order of the group.
const ORDER: Words =
    [0xbfd2_5e8c_d036_4141, 0xbaae_dce6_af48_a03b, 0xffff_ffff_ffff_fffe, 0xffff_ffff_ffff_ffff];
/// 2^256 modulo the order.
const FOLD: [u64; 3] = [0x402d_a173_2fc9_bebf, 0x4551_2319_50b7_5fc4, 1];

/// An integer below the order of the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scalar(Words);

impl Scalar {
    pub(crate) const ONE: Self = Self([1, 0, 0, 0]);

    /// Reads a big-endian number; `None` if it is not below the order.
    pub(crate) fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        let words = words(bytes);
        let (_, borrow) = subtract(words, ORDER);
        borrow.then_some(Self(words))
    }

    /// Reads a big-endian number modulo the order.
    pub(crate) fn reduced(bytes: &[u8; 32]) -> Self {
        // The number is less than twice the order.
        Self(below_order(words(bytes), false))
    }

    /// Returns a power of two modulo the order, with an exponent below 512.
    pub(crate) fn power_of_two(exponent: usize) -> Self {
        let mut wide = [0; 8];
        wide[exponent / 64] = 1 << (exponent % 64);
        reduce(wide)
    }

    pub(crate) fn is_zero(self) -> bool {
        self.0 == [0; 4]
    }

    pub(crate) fn mul(self, other: Self) -> Self {
        reduce(product(&self.0, &other.0))
    }

    pub(crate) fn sub(self, other: Self) -> Self {
        let (difference, borrow) = subtract(self.0, other.0);
        Self(if borrow { add(difference, ORDER).0 } else { difference })
    }

    pub(crate) fn negated(self) -> Self {
        Self([0; 4]).sub(self)
    }

    /// Returns the inverse, or zero for zero.
    pub(crate) fn inverse(self) -> Self {
        // The power with exponent n - 2, in digits of four bits.
        let mut powers = [Self::ONE; 16];
        for i in 1..16 {
            powers[i] = powers[i - 1].mul(self);
        }
        let (exponent, _) = subtract(ORDER, [2, 0, 0, 0]);
        let mut inverse = Self::ONE;
        for digit in (0..64).rev() {
            for _ in 0..4 {
                inverse = inverse.mul(inverse);
            }
            inverse = inverse.mul(powers[(exponent[digit / 16] >> (digit % 16 * 4)) as usize % 16]);
        }
        inverse
    }

    /// Splits the scalar k into halves a and b of at most 128 bits, with a + b λ = k (mod n), where
    /// λ is the factor by which the endomorphism (β x, y) of the curve multiplies a point. The flag
    /// is `true` if a half is negative.
    ///
    /// This is the split of libsecp256k1, where the bound is proven.
    pub(crate) fn halves(self) -> [(u128, bool); 2] {
        const A1: Words = [0xe86c_90e4_9284_eb15, 0x3086_d221_a7d4_6bcd, 0, 0];
        const MINUS_B1: Words = [0x6f54_7fa9_0abf_e4c3, 0xe443_7ed6_010e_8828, 0, 0];
        const A2: Words = [0x57c1_108d_9d44_cfd8, 0x14ca_50f7_a8e2_f3f6, 1, 0];
        const B2: Words = A1;
        const G1: Words = [
            0xe893_209a_45db_b031,
            0x3daa_8a14_71e8_ca7f,
            0xe86c_90e4_9284_eb15,
            0x3086_d221_a7d4_6bcd,
        ];
        const G2: Words = [
            0x1571_b4ae_8ac4_7f71,
            0x2212_08ac_9df5_06c6,
            0x6f54_7fa9_0abf_e4c4,
            0xe443_7ed6_010e_8828,
        ];
        let [c1, c2] = [G1, G2].map(|g| {
            // The product divided by 2^384, rounded to the nearest integer.
            let wide = product(&self.0, &g);
            add([wide[6], wide[7], 0, 0], [wide[5] >> 63, 0, 0, 0]).0
        });
        // Numbers of at most 128 bits and a sign are correct modulo 2^256.
        let low = |a: &Words, b: &Words| -> Words {
            let [a, b, c, d, ..] = product(a, b);
            [a, b, c, d]
        };
        let a = subtract(subtract(self.0, low(&c1, &A1)).0, low(&c2, &A2)).0;
        let b = subtract(low(&c1, &MINUS_B1), low(&c2, &B2)).0;
        [a, b].map(|half| {
            let negative = half[3] >> 63 == 1;
            let [low, high, ..] = if negative { subtract([0; 4], half).0 } else { half };
            (u128::from(low) | u128::from(high) << 64, negative)
        })
    }

    pub(crate) const fn words(self) -> Words {
        self.0
    }
}

/// Replaces scalars, none of which is zero, by their inverses, with a single inversion.
pub(crate) fn invert(scalars: &mut [Scalar]) {
    let (mut before, mut all) = (Vec::with_capacity(scalars.len()), Scalar::ONE);
    for scalar in &*scalars {
        before.push(all);
        all = all.mul(*scalar);
    }
    let mut inverse = all.inverse();
    for (scalar, before) in scalars.iter_mut().zip(before).rev() {
        let one = inverse.mul(before);
        inverse = inverse.mul(*scalar);
        *scalar = one;
    }
}

/// Returns signed digits of `BITS` bits, the lowest first. The magnitude of each is at most half of
/// the base. The digits must have one bit more than the number.
pub(crate) fn digits<const BITS: u32, const N: usize>(number: Words) -> [i16; N] {
    const { assert!(BITS < 15) };
    let (mut digits, mut carry) = ([0; N], 0);
    let [a, b, c, d] = number;
    let (mut low, mut high) =
        (u128::from(a) | u128::from(b) << 64, u128::from(c) | u128::from(d) << 64);
    for digit in &mut digits {
        let unsigned = (low & ((1 << BITS) - 1)) as i16 + carry;
        carry = i16::from(unsigned > 1 << (BITS - 1));
        *digit = unsigned - (carry << BITS);
        low = low >> BITS | high << (128 - BITS);
        high >>= BITS;
    }
    digits
}

/// Reads the words of a big-endian number.
pub(crate) fn words(bytes: &[u8; 32]) -> Words {
    let (words, _) = bytes.as_chunks();
    core::array::from_fn(|i| u64::from_be_bytes(words[3 - i]))
}

fn add(a: Words, b: Words) -> (Words, bool) {
    let (mut sum, mut carry) = ([0; 4], false);
    for i in 0..4 {
        (sum[i], carry) = a[i].carrying_add(b[i], carry);
    }
    (sum, carry)
}

fn subtract(a: Words, b: Words) -> (Words, bool) {
    let (mut difference, mut borrow) = ([0; 4], false);
    for i in 0..4 {
        (difference[i], borrow) = a[i].borrowing_sub(b[i], borrow);
    }
    (difference, borrow)
}

/// Reduces a number below twice the order; `carry` is its bit 256.
fn below_order(number: Words, carry: bool) -> Words {
    let (difference, borrow) = subtract(number, ORDER);
    if carry || !borrow { difference } else { number }
}

/// Adds the product of `a` and `b` to `sum`.
#[inline]
fn accumulate(sum: &mut [u64], a: &[u64], b: &[u64]) {
    for (i, a) in a.iter().enumerate() {
        let mut carry = 0;
        for (sum, b) in sum[i..].iter_mut().zip(b.iter().chain(core::iter::repeat(&0))) {
            let term = u128::from(*a) * u128::from(*b) + u128::from(*sum) + carry;
            (*sum, carry) = (term as u64, term >> 64);
        }
    }
}

#[inline]
fn product(a: &Words, b: &Words) -> [u64; 8] {
    let mut product = [0; 8];
    for i in 0..4 {
        let mut carry = 0;
        for j in 0..4 {
            let term = u128::from(a[i]) * u128::from(b[j]) + u128::from(product[i + j]) + carry;
            (product[i + j], carry) = (term as u64, term >> 64);
        }
        product[i + 4] = carry as u64;
    }
    product
}

#[inline]
fn reduce(wide: [u64; 8]) -> Scalar {
    let [a, b, c, d, high @ ..] = wide;
    // 386 bits, then 260, then slightly more than 256.
    let mut sum = [a, b, c, d, 0, 0, 0];
    accumulate(&mut sum, &high, &FOLD);
    let [a, b, c, d, high @ ..] = sum;
    let mut sum = [a, b, c, d, 0];
    accumulate(&mut sum, &high, &FOLD);
    let [a, b, c, d, high] = sum;
    let mut sum = [a, b, c, d, 0];
    accumulate(&mut sum, &[high], &FOLD);
    let [a, b, c, d, high] = sum;
    Scalar(below_order([a, b, c, d], high > 0))
}

#[cfg(test)]
mod tests;
