//! Multiples of the generator of the group, computed once.

use super::{
    field::{Field, Words},
    point::Jacobian,
    power::invert,
    rows::{self, Row},
};

/// Bits of a digit of a scalar that multiplies the generator.
pub(crate) const BITS: u32 = 10;
/// Digits of either half of such a scalar.
pub(crate) const DIGITS: usize = 13;
/// Multiples in a table, which suffice because digits are signed.
pub(crate) const MULTIPLES: usize = 1 << (BITS - 1);

/// The x coordinate of the generator.
pub(crate) const X: Words =
    [0x59f2_815b_16f8_1798, 0x029b_fcdb_2dce_28d9, 0x55a0_6295_ce87_0b07, 0x79be_667e_f9dc_bbac];
/// The y coordinate of the generator.
const Y: Words =
    [0x9c47_d08f_fb10_d4b8, 0xfd17_b448_a685_5419, 0x5da4_fbfc_0e11_08a8, 0x483a_da77_26a3_c465];

/// Multiples 1 to 512 of a point; index `i` contains the multiple `i + 1`.
type Multiples = [Row; MULTIPLES];

/// Multiples of the generator, and of 2^130 times the generator, for the lowest bits of both halves
/// of a scalar.
#[derive(Debug)]
pub(crate) struct Generator {
    pub(crate) halves: [Box<Multiples>; 2],
}

impl Generator {
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn new() -> Self {
        let base = (Field::splat(X), Field::splat(Y));
        let mut high = Jacobian::new(base.0, base.1);
        for _ in 0..DIGITS * BITS as usize {
            high = high.doubled();
        }
        Self { halves: [multiples(base), multiples(affine(&[high])[0])] }
    }
}

/// Returns the multiples of a point, which must be the same in all lanes.
#[target_feature(enable = "avx512f,avx512ifma")]
fn multiples((x, y): (Field<1>, Field<1>)) -> Box<Multiples> {
    let one = Jacobian::new(x, y);
    let add = |point: Jacobian, (x, y): (Field<1>, Field<1>)| point.plus(point.z, x, y.widened());
    // Lane i contains i + 1 times the point. The formulas for sums do not add a point to itself.
    let mut points = one.replaced(!1, one.doubled());
    for lane in 2..8 {
        points = points.replaced(!0 << lane, add(points, (x, y)));
    }
    // Eight times the point, in all lanes.
    let last = rows_of(affine(&[points])[0])[7];
    let eight = rows::load([&last; 8]);
    let mut all = Vec::with_capacity(MULTIPLES / 8);
    all.push(points);
    for i in 1..MULTIPLES / 8 {
        let sum = add(points, eight);
        points = if i == 1 { sum.replaced(1 << 7, points.doubled()) } else { sum };
        all.push(points);
    }
    let mut table = Box::new([Row::ZERO; MULTIPLES]);
    for (rows, point) in table.as_chunks_mut().0.iter_mut().zip(affine(&all)) {
        *rows = rows_of(point);
    }
    table
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn rows_of((x, y): (Field<1>, Field<1>)) -> [Row; 8] {
    rows::store(x.pack(), y.pack())
}

/// Returns the affine coordinates of points, none of which is at infinity.
#[target_feature(enable = "avx512f,avx512ifma")]
fn affine(points: &[Jacobian]) -> Vec<(Field<1>, Field<1>)> {
    let mut inverses: Vec<_> = points.iter().map(|point| point.z).collect();
    invert(&mut inverses);
    let mut affine = Vec::with_capacity(points.len());
    for (point, inverse) in points.iter().zip(inverses) {
        affine.push(point.affine(inverse));
    }
    affine
}
