#![allow(unsafe_code, reason = "calls of functions that need AVX-512")]

use super::*;
use crate::recovery::{
    is_available,
    power::{inverse, invert, square_root},
    rows::{self, Row},
};
use k256::{U256, elliptic_curve::bigint::Limb};
use proptest::prelude::*;

/// Words of p.
const P: Words = [0xffff_fffe_ffff_fc2f, u64::MAX, u64::MAX, u64::MAX];

/// A number below p, with arithmetic of another library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Element(U256);

impl Element {
    const FOLD: Limb = Limb(FOLD);

    /// Creates an element from a number below 2^256.
    fn new(words: Words) -> Self {
        let (number, p) = (U256::from_words(words), U256::from_words(P));
        Self(if number >= p { number.wrapping_sub(&p) } else { number })
    }

    fn mul(self, other: Self) -> Self {
        Self(self.0.mul_mod_special(&other.0, Self::FOLD))
    }

    fn square(self) -> Self {
        self.mul(self)
    }

    fn add(self, other: Self) -> Self {
        Self(self.0.add_mod_special(&other.0, Self::FOLD))
    }

    fn times(self, factor: u64) -> Self {
        self.mul(Self(U256::from_u64(factor)))
    }

    fn negated(self) -> Self {
        Self(U256::ZERO.sub_mod_special(&self.0, Self::FOLD))
    }
}

fn corners() -> Vec<Words> {
    let limb = [LOW, LOW << 52, LOW << 40, LOW << 28, LOW << 16];
    let p = |difference: i64| [P[0].wrapping_add_signed(difference), P[1], P[2], P[3]];
    let mut all = vec![
        [0; 4],
        [1, 0, 0, 0],
        [u64::MAX; 4],
        [0, 0, 0, 1 << 63],
        limb[..4].try_into().unwrap(),
    ];
    all.extend([p(-2), p(-1), p(0), p(1), p(FOLD as i64 - 1), [FOLD, 0, 0, 0]]);
    all
}

fn number() -> impl Strategy<Value = Words> {
    prop_oneof![any::<Words>(), proptest::sample::select(corners())]
}

/// Eight pairs of numbers.
fn pairs() -> impl Strategy<Value = [[Words; 2]; 8]> {
    prop::array::uniform8([number(), number()])
}

/// The expected result for a pair.
type Compute = fn(Element, Element) -> Element;

#[target_feature(enable = "avx512f,avx512ifma")]
fn lanes(results: [__m512i; 4]) -> [Words; 8] {
    let zero = [_mm512_setzero_si512(); 4];
    rows::store(results, zero).map(|Row(words)| *words.first_chunk().unwrap())
}

/// Computes all operations at the maximum bounds of the elements.
#[target_feature(enable = "avx512f,avx512ifma")]
fn compute(pairs: &[[Words; 2]; 8]) -> Vec<(&'static str, [Words; 8], Compute)> {
    let rows = pairs.map(|[a, b]| Row([a, b].as_flattened().try_into().unwrap()));
    let (a, b) = rows::load(rows.each_ref());
    // 15 times the number.
    let wide_a: Field<15> = combine::<12, 3, _, _, _>(a, a);
    let wide_b: Field<15> = combine::<12, 3, _, _, _>(b, b);
    let minimum: Field<15> = combine3::<-8, -4, -2, _, _, _, _>(a, b, b);
    let maximum: Field<14> = combine::<12, -1, _, _, _>(a, b);
    let mut inverses = [wide_a, a.widened(), wide_a, maximum.widened()];
    let no_zeros =
        inverses.map(|inverse| inverse.zeros()).into_iter().fold(0, |all, zeros| all | zeros);
    let one = Field::splat([1, 0, 0, 0]).widened();
    for element in &mut inverses {
        *element = element.replaced(no_zeros, one);
    }
    let products = [0, 1, 2, 3].map(|i| inverses[i]);
    invert(&mut inverses);
    let mut unit = a.replaced(!0, Field::splat([1, 0, 0, 0]));
    for (element, inverse) in products.into_iter().zip(inverses) {
        unit = unit.mul(element.mul(inverse));
    }
    let root = square_root(a.square()).square();
    let all: [(_, Field<LIMIT>, Compute); 9] = [
        ("product", wide_a.mul(wide_b).widened(), |a, b| a.mul(b).times(225)),
        ("square", wide_a.square().widened(), |a, _| a.square().times(225)),
        ("squares", a.squared(3).widened(), |a, _| a.square().square().square()),
        ("sum of products", sum_of_products((wide_a, maximum), (b, b)).widened(), |a, b| {
            a.times(15).mul(a.times(12).add(b.negated())).add(b.square())
        }),
        ("greatest", wide_a, |a, _| a.times(15)),
        ("least", minimum, |a, b| a.times(8).add(b.times(6)).negated()),
        ("product with the inverse", wide_a.mul(inverse(wide_a)).widened(), |a, _| {
            Element::new([u64::from(a != Element::new([0; 4])), 0, 0, 0])
        }),
        ("inverses", unit.widened(), |_, _| Element::new([1, 0, 0, 0])),
        ("root of a square", root.widened(), |a, _| a.square()),
    ];
    all.map(|(name, got, expected)| (name, lanes(got.canonical()), expected)).into()
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn packed(pairs: &[[Words; 2]; 8]) -> ([Words; 8], __mmask8) {
    let rows = pairs.map(|[a, b]| Row([a, b].as_flattened().try_into().unwrap()));
    let (a, b) = rows::load(rows.each_ref());
    let sum: Field<15> = combine::<12, 3, _, _, _>(a, b);
    (lanes(sum.pack()), sum.zeros())
}

fn check(pairs: &[[Words; 2]; 8]) {
    if !is_available() {
        return;
    }
    // SAFETY: this CPU has AVX-512 IFMA.
    for (name, got, expected) in unsafe { compute(pairs) } {
        for (got, [a, b]) in got.into_iter().zip(*pairs) {
            let expected = expected(Element::new(a), Element::new(b)).0.to_words();
            assert_eq!(got, expected, "{name} of {a:x?} and {b:x?}");
        }
    }
    // SAFETY: this CPU has AVX-512 IFMA.
    let (packed, zeros) = unsafe { packed(pairs) };
    for (lane, [a, b]) in pairs.iter().enumerate() {
        let expected = Element::new(*a).times(12).add(Element::new(*b).times(3));
        assert_eq!(Element::new(packed[lane]), expected, "{a:x?} and {b:x?}");
        assert_eq!(zeros >> lane & 1 == 1, expected == Element::new([0; 4]));
    }
}

#[test]
fn corners_agree_with_another_library() {
    let corners = corners();
    let pairs: Vec<_> = corners.iter().flat_map(|a| corners.iter().map(|b| [*a, *b])).collect();
    for pairs in pairs.chunks(8) {
        let mut eight = [[[0; 4]; 2]; 8];
        eight[..pairs.len()].copy_from_slice(pairs);
        check(&eight);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn arithmetic_agrees_with_another_library(pairs in pairs()) {
        check(&pairs);
    }
}
