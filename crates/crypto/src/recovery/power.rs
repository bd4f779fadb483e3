//! Square roots and inverses of field elements, as powers.

use super::field::Field;

/// Returns powers that the square root and the inverse have in common, with the exponents 2^2 - 1,
/// 2^22 - 1 and 2^223 - 1.
#[target_feature(enable = "avx512f,avx512ifma")]
fn ones<const MAX: u32>(x: Field<MAX>) -> [Field<1>; 3] {
    let x2 = x.square().mul(x);
    let x3 = x2.square().mul(x);
    let x6 = x3.squared(3).mul(x3);
    let x9 = x6.squared(3).mul(x3);
    let x11 = x9.squared(2).mul(x2);
    let x22 = x11.squared(11).mul(x11);
    let x44 = x22.squared(22).mul(x22);
    let x88 = x44.squared(44).mul(x44);
    let x176 = x88.squared(88).mul(x88);
    let x220 = x176.squared(44).mul(x44);
    let x223 = x220.squared(3).mul(x3);
    [x2, x22, x223]
}

/// Returns a square root, or another number if there is none: the power with exponent (p + 1) / 4.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(crate) fn square_root<const MAX: u32>(x: Field<MAX>) -> Field<1> {
    let [x2, x22, x223] = ones(x);
    x223.squared(23).mul(x22).squared(6).mul(x2).squared(2)
}

/// Returns the inverse, or zero for zero: the power with exponent p - 2.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(crate) fn inverse<const MAX: u32>(x: Field<MAX>) -> Field<1> {
    let [x2, x22, x223] = ones(x);
    x223.squared(23).mul(x22).squared(5).mul(x).squared(3).mul(x2).squared(2).mul(x)
}

/// Replaces elements, none of which is zero, by their inverses, with a single inversion.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(crate) fn invert<const MAX: u32>(elements: &mut [Field<MAX>]) {
    let (mut before, mut all) = (Vec::with_capacity(elements.len()), Field::splat([1, 0, 0, 0]));
    for element in &*elements {
        before.push(all);
        all = all.mul(*element);
    }
    let mut inverse = inverse(all);
    for (element, before) in elements.iter_mut().zip(before).rev() {
        let one = inverse.mul(before);
        inverse = inverse.mul(*element);
        *element = one.widened();
    }
}
