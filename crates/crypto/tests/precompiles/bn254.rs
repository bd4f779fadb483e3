//! The curve bn254.

use super::{PLENTY, answer};
use ark_bn254::{Fq, Fq2, Fr, G1Affine, G2Affine};
use ark_ec::{AffineRepr as _, CurveGroup as _};
use ark_ff::{BigInteger as _, PrimeField};
use revm::precompile::{
    EthPrecompileResult, PrecompileHalt,
    bn254::{run_add, run_mul, run_pair},
};
use testkit::Random;

/// Maximum number of pairs in a call: several of the groups in which libraries multiply them.
const MOST_PAIRS: usize = 12;

fn add(name: &str, input: &[u8]) -> EthPrecompileResult {
    answer(name, || run_add(input, 150, PLENTY))
}

fn multiply(name: &str, input: &[u8]) -> EthPrecompileResult {
    answer(name, || run_mul(input, 6_000, PLENTY))
}

fn pair(name: &str, pairs: &[Vec<u8>]) -> EthPrecompileResult {
    let input = pairs.concat();
    answer(name, || run_pair(&input, 34_000, 45_000, PLENTY))
}

fn is_one(outcome: EthPrecompileResult) -> Result<bool, PrecompileHalt> {
    outcome.map(|output| output.bytes.last() == Some(&1))
}

fn word(number: impl PrimeField) -> [u8; 32] {
    let bytes = number.into_bigint().to_bytes_be();
    bytes.try_into().expect("32 bytes")
}

fn scalar(random: &mut Random) -> Fr {
    Fr::from_be_bytes_mod_order(&random.bytes(40))
}

/// Encodes a point; infinity is all zeros.
fn g1(point: G1Affine) -> Vec<u8> {
    point.xy().map_or_else(|| vec![0; 64], |(x, y)| [word(x), word(y)].concat())
}

/// Encodes a point of the twist; infinity is all zeros.
fn g2(point: G2Affine) -> Vec<u8> {
    point.xy().map_or_else(|| vec![0; 128], |(x, y)| [x.c1, x.c0, y.c1, y.c0].map(word).concat())
}

fn g1_times(factor: Fr) -> G1Affine {
    (G1Affine::generator() * factor).into_affine()
}

fn g2_times(factor: Fr) -> G2Affine {
    (G2Affine::generator() * factor).into_affine()
}

/// A point of the twist outside the subgroup, like nearly all of its points.
fn outside_the_subgroup(random: &mut Random) -> G2Affine {
    loop {
        let mut coordinate = || Fq::from_be_bytes_mod_order(&random.bytes(40));
        let x = Fq2::new(coordinate(), coordinate());
        let point = G2Affine::get_point_from_x_unchecked(x, true);
        if let Some(point) = point.filter(|point| !point.is_in_correct_subgroup_assuming_on_curve())
        {
            return point;
        }
    }
}

/// Words at the bounds of the two fields, and of their encoding.
fn bounds() -> Vec<[u8; 32]> {
    let around = |modulus: Vec<u8>| {
        [-1, 0, 1].map(|distance: i8| {
            let mut word: [u8; 32] = modulus.clone().try_into().expect("32 bytes");
            word[31] = word[31].wrapping_add_signed(distance);
            word
        })
    };
    let small = [0, 1, 2].map(|last| {
        let mut word = [0; 32];
        word[31] = last;
        word
    });
    let field = around(Fq::MODULUS.to_bytes_be());
    let order = around(Fr::MODULUS.to_bytes_be());
    [&small[..], &field, &order, &[[0xff; 32]]].concat()
}

#[test]
fn random_sums_and_products_match_arkworks() {
    let mut random = Random::new(1);
    for _ in 0..1_000 {
        let (a, b) = (scalar(&mut random), scalar(&mut random));
        let sum = add("two points", &[g1(g1_times(a)), g1(g1_times(b))].concat());
        assert_eq!(sum.expect("points").bytes, g1(g1_times(a + b)));
        let product = multiply("a scalar", &[g1(g1_times(a)), word(b).to_vec()].concat());
        assert_eq!(product.expect("a point").bytes, g1(g1_times(a * b)));
    }
}

#[test]
fn infinity_doubling_and_opposite_points_sum_correctly() {
    let mut random = Random::new(2);
    let (point, infinity) = (g1_times(scalar(&mut random)), G1Affine::zero());
    for (first, second, sum) in [
        (infinity, infinity, infinity),
        (point, infinity, point),
        (infinity, point, point),
        (point, point, (point + point).into_affine()),
        (point, -point, infinity),
    ] {
        let outcome = add("a corner", &[g1(first), g1(second)].concat());
        assert_eq!(outcome.expect("points").bytes, g1(sum));
    }
    for factor in bounds() {
        for point in [infinity, point, G1Affine::generator()] {
            let outcome = multiply("a bound", &[g1(point), factor.to_vec()].concat());
            let expected = (point * Fr::from_be_bytes_mod_order(&factor)).into_affine();
            assert_eq!(outcome.expect("a point").bytes, g1(expected), "{factor:x?}");
        }
    }
}

#[test]
fn field_boundary_coordinates_have_equal_outcomes() {
    let point = G1Affine::generator();
    let (mut refused, mut accepted) = (0, 0);
    for x in bounds() {
        for y in bounds() {
            let forged = [x, y].concat();
            let other = g1(point);
            for outcome in [
                add("first", &[&forged[..], &other].concat()),
                add("second", &[&other[..], &forged].concat()),
                multiply("point", &[&forged[..], &[7; 32]].concat()),
                pair("g1", &[[&forged[..], &g2(G2Affine::generator())].concat()]),
            ] {
                *(if outcome.is_ok() { &mut accepted } else { &mut refused }) += 1;
            }
            pair("g2, x", &[[other.clone(), forged.clone(), forged.clone()].concat()]).err();
            let twist = g2(G2Affine::generator());
            pair("g2, y", &[[&other[..], &twist[..64], &forged].concat()]).err();
        }
    }
    // The only valid points among them are infinity, (1, 2) and its opposite.
    assert!(accepted >= 8 && refused > 100 * 3, "{accepted} accepted, {refused} refused");
}

#[test]
fn odd_lengths_and_low_gas_have_equal_outcomes() {
    let whole = [g1(g1_times(Fr::from(5))), g1(g1_times(Fr::from(6))), vec![9; 40]].concat();
    for length in 0..=whole.len() {
        add("cut", &whole[..length]).err();
        multiply("cut", &whole[..length]).err();
    }
    let pairs = [g1(G1Affine::generator()), g2(G2Affine::generator())].concat().repeat(2);
    for length in 0..=pairs.len() {
        let outcome = answer("cut", || run_pair(&pairs[..length], 34_000, 45_000, PLENTY));
        assert_eq!(outcome.is_ok(), length % 192 == 0, "{length}");
        let gas = 45_000 + 34_000 * (length as u64 / 192);
        let short = answer("short", || run_pair(&pairs[..length], 34_000, 45_000, gas - 1));
        assert_eq!(short, Err(PrecompileHalt::OutOfGas));
    }
    assert_eq!(answer("short", || run_add(&whole, 150, 149)), Err(PrecompileHalt::OutOfGas));
    assert_eq!(answer("short", || run_mul(&whole, 6_000, 5_999)), Err(PrecompileHalt::OutOfGas));
}

#[test]
fn pairing_product_is_one_iff_exponents_cancel() {
    let mut random = Random::new(3);
    assert_eq!(is_one(pair("no pair", &[])), Ok(true));
    for count in 1..=MOST_PAIRS {
        for _ in 0..3 {
            let factors: Vec<_> =
                (0..count).map(|_| (scalar(&mut random), scalar(&mut random))).collect();
            let sum: Fr = factors.iter().map(|(a, b)| *a * b).sum();
            let mut pairs: Vec<_> = factors
                .iter()
                .map(|(a, b)| [g1(g1_times(*a)), g2(g2_times(*b))].concat())
                .collect();
            assert_eq!(is_one(pair("random pairs", &pairs)), Ok(false), "{count}");
            // One more pair makes the sum zero.
            pairs.push([g1(g1_times(-sum)), g2(G2Affine::generator())].concat());
            assert_eq!(is_one(pair("with the last pair", &pairs)), Ok(true), "{count}");
            // Pairs with a point at infinity change nothing, at any position.
            let (at, factor) = (random.index(pairs.len()), scalar(&mut random));
            pairs.insert(at, [g1(G1Affine::zero()), g2(g2_times(factor))].concat());
            pairs.push([g1(g1_times(factor)), g2(G2Affine::zero())].concat());
            pairs.push(vec![0; 192]);
            assert_eq!(is_one(pair("with infinities", &pairs)), Ok(true), "{count}");
        }
    }
}

#[test]
fn invalid_points_are_refused_in_any_pair() {
    let mut random = Random::new(4);
    for count in 1..=6 {
        let good: Vec<_> = (0..count)
            .map(|_| {
                [g1(g1_times(scalar(&mut random))), g2(g2_times(scalar(&mut random)))].concat()
            })
            .collect();
        assert!(pair("good", &good).is_ok());
        for at in 0..count {
            let refused = |name: &str, forge: &dyn Fn(&mut Vec<u8>)| {
                let mut forged = good.clone();
                forge(&mut forged[at]);
                assert!(pair(name, &forged).is_err(), "{name} in pair {at} of {count}");
            };
            let outside = g2(outside_the_subgroup(&mut random));
            refused("outside the subgroup", &|pair| pair[64..].copy_from_slice(&outside));
            refused("outside, beside infinity", &|pair| {
                pair[..64].fill(0);
                pair[64..].copy_from_slice(&outside);
            });
            refused("g1 off the curve", &|pair| pair[63] ^= 1);
            refused("g2 off the curve", &|pair| pair[191] ^= 1);
            refused("g1 off, beside infinity", &|pair| {
                pair[63] ^= 1;
                pair[64..].fill(0);
            });
            refused("coordinate beyond the field", &|pair| pair[64..96].fill(0xff));
        }
    }
}

#[test]
fn mutated_inputs_have_equal_outcomes() {
    let mut random = Random::new(5);
    for _ in 0..400 {
        let mut input =
            [g1(g1_times(scalar(&mut random))), g2(g2_times(scalar(&mut random)))].concat();
        random.flip(&mut input);
        pair("a flipped bit", &[input.clone()]).err();
        add("a flipped bit", &input[..64]).err();
        let noise = random.bytes(192);
        pair("noise", core::slice::from_ref(&noise)).err();
        multiply("noise", &noise).err();
    }
}
