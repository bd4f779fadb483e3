//! Recovery of eight keys in lockstep.
//!
//! The key is a sum of multiples of the signature's point R and of the generator. An endomorphism
//! of the curve halves the factor of R, and a second table halves that of the generator, so that
//! 125 doublings suffice for four sums of 26, 26, 13 and 13 digits. All lanes take the same steps:
//! where a digit is zero, the sum is unchanged.

use super::{
    LANES, Signature,
    field::{Field, Words, combine, splat},
    generator::{self, Generator},
    point::{Jacobian, MULTIPLES, Multiples, negated},
    power,
    rows::{self, Row},
    scalar::{self, Scalar, words},
};
use core::arch::x86_64::{__mmask8, _mm512_test_epi64_mask};
use std::sync::OnceLock;

/// Bits of a digit of a scalar that multiplies a point of a signature.
const BITS: u32 = 5;
/// Digits of either half of such a scalar.
const DIGITS: usize = 26;
const _: () = assert!(MULTIPLES == 1 << (BITS - 1) && DIGITS == 2 * generator::DIGITS);

/// The factor by which the endomorphism of the curve multiplies x.
const BETA: Words =
    [0xc139_6c28_7195_01ee, 0x9cf0_4975_12f5_8995, 0x6e64_479e_ac34_34e9, 0x7ae9_6a2b_657c_0710];

/// A signature whose scalars are in range.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InRange {
    /// The x coordinate of the signature's point.
    x: Words,
    is_odd: bool,
    digest: Scalar,
    s: Scalar,
    r: Scalar,
}

impl InRange {
    /// Replaces invalid signatures and fills unused lanes. Its point is the generator, and its key
    /// is at infinity, so there is no result.
    pub(crate) const NO_KEY: Self = Self {
        x: generator::X,
        is_odd: false,
        digest: Scalar::ONE,
        s: Scalar::ONE,
        r: Scalar::ONE,
    };

    /// Checks the scalars: both must be nonzero and less than the order.
    pub(crate) fn new(signature: &Signature) -> Option<Self> {
        let scalar = |bytes| Scalar::from_bytes(bytes).filter(|scalar| !scalar.is_zero());
        Some(Self {
            x: words(&signature.r),
            is_odd: signature.is_odd,
            digest: Scalar::reduced(&signature.digest),
            s: scalar(&signature.s)?,
            r: scalar(&signature.r)?,
        })
    }
}

/// Digits of the scalars of eight signatures.
struct Digits {
    /// Both halves of the factor of each signature's point.
    points: [[[i16; LANES]; DIGITS]; 2],
    /// Both halves of the factor of the generator.
    generators: [[[i16; LANES]; generator::DIGITS]; 2],
}

impl Digits {
    /// Computes the digits, given the inverses of r.
    fn new(signatures: &[InRange; LANES], inverses: &[Scalar; LANES], start: Scalar) -> Self {
        // The key is (s / r) R - (digest / r) G.
        let mut all = Self {
            points: [[[0; LANES]; DIGITS]; 2],
            generators: [[[0; LANES]; generator::DIGITS]; 2],
        };
        for (lane, (InRange { digest, s, .. }, inverse)) in
            signatures.iter().zip(inverses).enumerate()
        {
            let generator = inverse.mul(*digest).negated().sub(start);
            let digits: [i16; DIGITS] = scalar::digits::<{ generator::BITS }, _>(generator.words());
            for (i, digit) in digits.into_iter().enumerate() {
                all.generators[i / generator::DIGITS][i % generator::DIGITS][lane] = digit;
            }
            let halves = inverse.mul(*s).halves();
            for (half, (magnitude, negative)) in all.points.iter_mut().zip(halves) {
                let words = [magnitude as u64, (magnitude >> 64) as u64, 0, 0];
                let digits: [i16; DIGITS] = scalar::digits::<BITS, _>(words);
                for (half, digit) in half.iter_mut().zip(digits) {
                    half[lane] = if negative { -digit } else { digit };
                }
            }
        }
        all
    }
}

/// Returns the lanes whose digit satisfies a condition.
fn lanes(digits: &[i16; LANES], condition: impl Fn(i16) -> bool) -> __mmask8 {
    digits.iter().rev().fold(0, |mask, digit| mask << 1 | u8::from(condition(*digit)))
}

/// Returns the multiples of points that the digits of eight lanes select; an arbitrary one where a
/// digit is zero.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn look_up<'a>(
    digits: &[i16; LANES],
    row: impl Fn(usize, usize) -> &'a Row,
) -> (Field<1>, Field<2>) {
    let mut rows = [&Row::ZERO; LANES];
    for (lane, digit) in digits.iter().enumerate() {
        rows[lane] = row(usize::from(digit.unsigned_abs()).saturating_sub(1), lane);
    }
    let (x, y) = rows::load(rows);
    (x, negated(y, lanes(digits, |digit| digit < 0)))
}

/// Eight keys.
#[derive(Clone, Copy, Debug)]
struct Keys {
    point: Jacobian,
    /// The coordinate on the curve y^2 = x^3 + 7, while that of `point` is on another curve.
    z: Field<1>,
    /// Lanes in which the key is correct.
    right: __mmask8,
}

/// Writes the keys of signatures to `rows`, as words of their coordinates; `None` where the
/// formulas yield no key.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(crate) fn recover(signatures: &[[InRange; LANES]], rows: &mut [[Option<Row>; LANES]]) {
    static CONSTANTS: OnceLock<(Generator, Scalar)> = OnceLock::new();
    let (generator, start) = CONSTANTS.get_or_init(|| (Generator::new(), start()));
    let mut inverses: Vec<_> =
        signatures.as_flattened().iter().map(|signature| signature.r).collect();
    scalar::invert(&mut inverses);
    let mut keys = Vec::with_capacity(signatures.len());
    for (signatures, inverses) in signatures.iter().zip(inverses.as_chunks().0) {
        keys.push(Keys::recover(generator, signatures, &Digits::new(signatures, inverses, *start)));
    }
    // A zero would invalidate all other inverses.
    let one = Field::splat([1, 0, 0, 0]);
    let mut inverses: Vec<_> = keys.iter().map(|keys| keys.z.replaced(!keys.right, one)).collect();
    power::invert(&mut inverses);
    for ((rows, keys), inverse) in rows.iter_mut().zip(keys).zip(inverses) {
        let (x, y) = keys.point.affine(inverse);
        for (lane, row) in rows::store(x.canonical(), y.canonical()).into_iter().enumerate() {
            rows[lane] = (keys.right >> lane & 1 == 1).then_some(row);
        }
    }
}

/// Returns the factor of the generator in the point with which the sums start, times the power of
/// two by which all doublings multiply it.
fn start() -> Scalar {
    // The largest multiple in the table: 2^9 times 2^130.
    let first = (generator::BITS - 1) as usize + generator::DIGITS * generator::BITS as usize;
    Scalar::power_of_two(first + BITS as usize * (DIGITS - 1))
}

impl Keys {
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn recover(generator: &Generator, signatures: &[InRange; LANES], digits: &Digits) -> Self {
        let ((x, y), on_curve) = points(signatures);
        let table = Multiples::new(x, y);
        let beta = Field::splat(BETA);
        // The sum does not start at infinity, but with a multiple of the generator that `digits`
        // does not include.
        let (x, y) = rows::load([&generator.halves[1][generator::MULTIPLES - 1]; LANES]);
        let zz = table.z.square();
        let mut sum = Jacobian::new(x.mul(zz), y.mul(zz.mul(table.z)));
        for i in (0..DIGITS).rev() {
            if i < DIGITS - 1 {
                for _ in 0..BITS {
                    sum = sum.doubled();
                }
            }
            for (half, digits) in digits.points.iter().enumerate() {
                let (x, y) = look_up(&digits[i], |row, lane| &table.rows[row][lane]);
                let x = if half == 1 { x.mul(beta) } else { x };
                let next = sum.plus(sum.z, x, y);
                sum = sum.replaced(lanes(&digits[i], |digit| digit != 0), next);
            }
            if i % 2 == 0 {
                for (multiples, digits) in generator.halves.iter().zip(&digits.generators) {
                    let (x, y) = look_up(&digits[i / 2], |row, _| &multiples[row]);
                    let next = sum.plus(sum.z.mul(table.z), x, y);
                    sum = sum.replaced(lanes(&digits[i / 2], |digit| digit != 0), next);
                }
            }
        }
        let z = sum.z.mul(table.z);
        Self { point: sum, z, right: on_curve & !z.zeros() }
    }
}

/// Returns the points of signatures, and the lanes in which they are on the curve.
#[target_feature(enable = "avx512f,avx512ifma")]
fn points(signatures: &[InRange; LANES]) -> ((Field<1>, Field<2>), __mmask8) {
    let (mut rows, mut is_odd) = ([Row::ZERO; LANES], 0);
    for (lane, signature) in signatures.iter().enumerate() {
        rows[lane].0[..4].copy_from_slice(&signature.x);
        is_odd |= u8::from(signature.is_odd) << lane;
    }
    let (x, _) = rows::load(rows.each_ref());
    let square: Field<2> = combine::<1, 1, _, _, _>(x.square().mul(x), Field::splat([7, 0, 0, 0]));
    let y = power::square_root(square);
    let difference: Field<4> = combine::<1, -1, _, _, _>(y.square(), square);
    let [low, ..] = y.canonical();
    let is_other = _mm512_test_epi64_mask(low, splat(1)) ^ is_odd;
    ((x, negated(y, is_other)), difference.zeros())
}
