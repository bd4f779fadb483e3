//! Points of the curve y^2 = x^3 + 7, eight at a time.

use super::{
    field::{Field, combine, combine3, sum_of_products},
    rows::{self, Row},
};
use core::arch::x86_64::__mmask8;

/// Eight points in Jacobian coordinates: (x / z^2, y / z^3).
///
/// The formulas are valid on every curve y^2 = x^3 + b, and have no special cases. Where a special
/// case would be needed, i.e. at infinity or in the sum of equal or opposite points, z becomes zero
/// and remains zero.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Jacobian {
    pub(crate) x: Field<10>,
    pub(crate) y: Field<10>,
    pub(crate) z: Field<2>,
}

impl Jacobian {
    /// Creates points from affine coordinates.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn new(x: Field<1>, y: Field<1>) -> Self {
        Self { x: x.widened(), y: y.widened(), z: Field::splat([1, 0, 0, 0]).widened() }
    }

    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn doubled(self) -> Self {
        let Self { x, y, z } = self;
        let square = x.square();
        let yy = y.square();
        let slope: Field<3> = combine::<2, 1, _, _, _>(square, square);
        let slope_squared = slope.square();
        let xyy = x.mul(yy);
        let difference: Field<14> = combine::<12, -1, _, _, _>(xyy, slope_squared);
        let yz = y.mul(z);
        Self {
            x: combine::<1, -8, _, _, _>(slope_squared, xyy),
            y: combine::<1, -8, _, _, _>(slope.mul(difference), yy.square()),
            z: combine::<1, 1, _, _, _>(yz, yz),
        }
    }

    /// Adds affine points. `z` is the coordinate of `self` on the curve of these points, which may
    /// differ from that of `self`; it is then a multiple of the coordinate of `self`.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn plus<const Z: u32>(self, z: Field<Z>, x: Field<1>, y: Field<2>) -> Self {
        let zz = z.square();
        let h: Field<12> = combine::<1, -1, _, _, _>(x.mul(zz), self.x);
        let r: Field<12> = combine::<1, -1, _, _, _>(y.mul(z.mul(zz)), self.y);
        let hh = h.square();
        let hhh = h.mul(hh);
        let v = self.x.mul(hh);
        let rr = r.square();
        let difference: Field<6> = combine3::<3, 1, -1, _, _, _, _>(v, hhh, rr);
        let minus_y: Field<11> = combine::<-1, 0, _, _, _>(self.y, self.y);
        Self {
            x: combine3::<1, -1, -2, _, _, _, _>(rr, hhh, v),
            y: sum_of_products((r, difference), (hhh, minus_y)).widened(),
            z: self.z.mul(h).widened(),
        }
    }

    /// Returns the affine coordinates, given the inverse of z.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn affine<const Z: u32>(self, inverse: Field<Z>) -> (Field<1>, Field<1>) {
        let square = inverse.square();
        (self.x.mul(square), self.y.mul(square.mul(inverse)))
    }

    /// Returns `other` in the lanes of the mask, and `self` in the others.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn replaced(self, lanes: __mmask8, other: Self) -> Self {
        Self {
            x: self.x.replaced(lanes, other.x),
            y: self.y.replaced(lanes, other.y),
            z: self.z.replaced(lanes, other.z),
        }
    }
}

/// Returns y, negated in the lanes of the mask.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub(crate) fn negated(y: Field<1>, lanes: __mmask8) -> Field<2> {
    y.widened().replaced(lanes, combine::<-1, 0, _, _, _>(y, y))
}

/// Number of multiples of a point in a table.
pub(crate) const MULTIPLES: usize = 16;

/// Multiples 1 to [`MULTIPLES`] of eight points, on curves on which the multiples are affine.
#[derive(Debug)]
pub(crate) struct Multiples {
    /// Multiples by factor minus one, and by lane.
    pub(crate) rows: [[Row; 8]; MULTIPLES],
    /// (x / z^2, y / z^3) is the point on the curve y^2 = x^3 + 7.
    pub(crate) z: Field<1>,
}

impl Multiples {
    /// Computes the multiples of affine points, with Meloni's formulas for sums of points with
    /// equal z.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn new(x: Field<1>, y: Field<2>) -> Self {
        let yy = y.square();
        let square = x.square();
        let slope: Field<3> = combine::<2, 1, _, _, _>(square, square);
        let slope_squared = slope.square();
        let four_x: Field<4> = combine::<4, 0, _, _, _>(x, x);
        let (two_yy, four_yy): (Field<2>, Field<4>) =
            (combine::<2, 0, _, _, _>(yy, yy), combine::<4, 0, _, _, _>(yy, yy));
        // The point and its double, both with z = 2 y.
        let mut base = (four_x.mul(yy), two_yy.mul(four_yy));
        let difference: Field<5> = combine::<3, -1, _, _, _>(base.0, slope_squared);
        let mut last: (Field<4>, Field<3>) = (
            combine::<1, -2, _, _, _>(slope_squared, base.0),
            combine::<1, -1, _, _, _>(slope.mul(difference), base.1),
        );
        let z: Field<4> = combine::<2, 0, _, _, _>(y, y);

        let mut points = [(base.0.widened(), base.1.widened()); MULTIPLES];
        points[1] = last;
        // Factors by which z grows from each multiple to the next.
        let mut growth = [Field::splat([1, 0, 0, 0]).widened::<6>(); MULTIPLES];
        for i in 2..MULTIPLES {
            let h: Field<6> = combine::<1, -1, _, _, _>(base.0, last.0);
            let hh = h.square();
            let (first, second) = (base.0.mul(hh), last.0.mul(hh));
            let slope: Field<5> = combine::<1, -1, _, _, _>(base.1, last.1);
            let slope_squared = slope.square();
            let width: Field<3> = combine::<1, -1, _, _, _>(first, second);
            let difference: Field<5> =
                combine3::<2, 1, -1, _, _, _, _>(first, second, slope_squared);
            base = (first, base.1.mul(width));
            last = (
                combine3::<1, -1, -1, _, _, _, _>(slope_squared, first, second),
                combine::<1, -1, _, _, _>(slope.mul(difference), base.1),
            );
            points[i] = last;
            growth[i] = h;
        }

        let mut rows = [[Row::ZERO; 8]; MULTIPLES];
        let (x, y) = points[MULTIPLES - 1];
        rows[MULTIPLES - 1] = rows::store(x.pack(), y.pack());
        let mut factor = Field::splat([1, 0, 0, 0]);
        for i in (0..MULTIPLES - 1).rev() {
            if i > 0 {
                factor = factor.mul(growth[i + 1]);
            }
            let squared = factor.square();
            let (x, y) = points[i];
            rows[i] = rows::store(x.mul(squared).pack(), y.mul(squared.mul(factor)).pack());
        }
        Self { rows, z: z.mul(factor) }
    }
}
