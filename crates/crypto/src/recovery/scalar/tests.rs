use super::*;
use k256::{
    Scalar as Reference, U256, elliptic_curve::PrimeField as _, elliptic_curve::ops::Reduce as _,
};
use proptest::prelude::*;

fn to_reference(scalar: Scalar) -> Reference {
    Reference::from_repr(bytes(scalar.0).into()).unwrap()
}

fn bytes(words: Words) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(words.iter().rev()) {
        *bytes = word.to_be_bytes();
    }
    bytes
}

fn number() -> impl Strategy<Value = Words> {
    let order = |difference| subtract(ORDER, [difference, 0, 0, 0]).0;
    let mut half = ORDER;
    for i in 0..4 {
        half[i] = ORDER[i] >> 1 | ORDER.get(i + 1).map_or(0, |next| next << 63);
    }
    let corners = vec![
        [0; 4],
        [1, 0, 0, 0],
        [2, 0, 0, 0],
        [u64::MAX; 4],
        order(0),
        order(1),
        order(2),
        half,
        add(half, [1, 0, 0, 0]).0,
        add(ORDER, [1, 0, 0, 0]).0,
        [0, 0, 1, 0],
        [u64::MAX, u64::MAX, 0, 0],
        [0, 0, 0, 1 << 63],
    ];
    prop_oneof![any::<Words>(), proptest::sample::select(corners)]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn arithmetic_agrees_with_another_library(a in number(), b in number()) {
        let reduced = |words| Reference::reduce(U256::from_words(words));
        prop_assert_eq!(
            Scalar::from_bytes(&bytes(a)).map(to_reference),
            Option::from(Reference::from_repr(bytes(a).into()))
        );
        let [x, y] = [a, b].map(|value| Scalar::reduced(&bytes(value)));
        let (a, b) = (reduced(a), reduced(b));
        prop_assert_eq!(to_reference(x), a);
        prop_assert_eq!(to_reference(x.mul(y)), a * b);
        prop_assert_eq!(to_reference(x.sub(y)), a - b);
        prop_assert_eq!(to_reference(x.negated()), -a);
        prop_assert_eq!(to_reference(x.inverse()), a.invert().unwrap_or(Reference::ZERO));
        prop_assert_eq!(x.is_zero(), a == Reference::ZERO);
    }

    #[test]
    fn batch_inverses_equal_single_inverses(numbers in prop::collection::vec(number(), 0..20)) {
        let mut scalars: Vec<_> = numbers
            .iter()
            .map(|value| Scalar::reduced(&bytes(*value)))
            .filter(|scalar| !scalar.is_zero())
            .collect();
        let expected: Vec<_> = scalars.iter().map(|scalar| scalar.inverse()).collect();
        invert(&mut scalars);
        prop_assert_eq!(scalars, expected);
    }

    #[test]
    fn halves_are_short_and_recombine_to_scalar(number in number()) {
        let scalar = Scalar::reduced(&bytes(number));
        // A cube root of one.
        let lambda = Reference::reduce(U256::from_be_hex(
            "5363ad4cc05c30e0a5261c028812645a122e22ea20816678df02967c1b23bd72",
        ));
        prop_assert_eq!(lambda * lambda * lambda, Reference::ONE);
        let [a, b] = scalar.halves().map(|(half, is_negative)| {
            let half = Reference::reduce(U256::from_u128(half));
            if is_negative { -half } else { half }
        });
        prop_assert_eq!(a + b * lambda, to_reference(scalar));
    }

    #[test]
    fn digits_are_small_and_recombine_to_number(number in number()) {
        let digits: [i16; 26] = digits::<10, 26>(number);
        let mut sum = Reference::ZERO;
        for digit in digits.into_iter().rev() {
            prop_assert!(digit.abs() <= 512);
            let magnitude = Reference::from(u64::from(digit.unsigned_abs()));
            sum = sum * Reference::from(1024_u64) + if digit < 0 { -magnitude } else { magnitude };
        }
        prop_assert_eq!(sum, Reference::reduce(U256::from_words(number)));
    }
}

#[test]
fn powers_of_two_are_reduced() {
    let mut power = Reference::ONE;
    for exponent in 0..512 {
        assert_eq!(to_reference(Scalar::power_of_two(exponent)), power);
        power += power;
    }
}
