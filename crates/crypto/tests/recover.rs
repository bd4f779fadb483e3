//! Recovered keys equal those of libsecp256k1, or there is no result.

use enshrine_crypto::recovery::{LANES, PublicKey, Signature, is_available, recover};
use k256::{
    ProjectivePoint, Scalar, U256,
    elliptic_curve::{
        PrimeField as _, bigint::ArrayEncoding as _, ops::Reduce as _, sec1::ToEncodedPoint as _,
    },
};
use proptest::prelude::*;
use secp256k1::{
    Message, SECP256K1,
    ecdsa::{RecoverableSignature, RecoveryId},
};

fn reference(signature: &Signature) -> Option<PublicKey> {
    let bytes: Vec<_> = signature.r.into_iter().chain(signature.s).collect();
    let id = RecoveryId::try_from(i32::from(signature.is_odd)).unwrap();
    let recoverable = RecoverableSignature::from_compact(&bytes, id).ok()?;
    let key =
        SECP256K1.recover_ecdsa(&Message::from_digest(signature.digest), &recoverable).ok()?;
    Some(key.serialize_uncompressed()[1..].try_into().unwrap())
}

fn number(hex: &str) -> [u8; 32] {
    bytes(U256::from_be_hex(hex))
}

fn bytes(number: U256) -> [u8; 32] {
    number.to_be_byte_array().into()
}

const ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
const PRIME: &str = "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f";

/// Numbers at which an implementation may take another path.
fn corners() -> Vec<[u8; 32]> {
    let [order, prime] = [ORDER, PRIME].map(U256::from_be_hex);
    let mut all = vec![U256::ZERO, U256::MAX];
    let half = order.shr_vartime(1);
    for center in [order, prime, prime.wrapping_sub(&order), half, U256::ONE.shl_vartime(128)] {
        for distance in 0_u8..4 {
            let distance = U256::from(distance);
            all.extend([center.wrapping_sub(&distance), center.wrapping_add(&distance)]);
        }
    }
    all.extend((1_u8..9).map(U256::from));
    all.into_iter().map(bytes).collect()
}

/// Returns the signature whose point is `nonce` times the generator, and whose key is the sum of
/// `ours` times the generator and `other` times the point.
fn crafted(nonce: Scalar, ours: Scalar, other: Scalar) -> Signature {
    let point = (ProjectivePoint::GENERATOR * nonce).to_affine().to_encoded_point(false);
    let x: [u8; 32] = (*point.x().unwrap()).into();
    let r = Scalar::reduce(U256::from_be_slice(&x));
    assert_eq!(<[u8; 32]>::from(r.to_repr()), x, "x is below the order");
    Signature {
        digest: (-ours * r).to_repr().into(),
        r: x,
        s: (other * r).to_repr().into(),
        is_odd: point.y().unwrap()[31] & 1 == 1,
    }
}

fn power_of_two(exponent: usize) -> Scalar {
    (0..exponent).fold(Scalar::ONE, |power, _| power + power)
}

fn valid() -> impl Strategy<Value = Signature> {
    let scalar = || any::<[u8; 32]>().prop_map(|bytes| Scalar::reduce(U256::from_be_slice(&bytes)));
    (scalar(), scalar(), scalar()).prop_map(|(nonce, ours, other)| crafted(nonce, ours, other))
}

/// Signatures that are valid, that have arbitrary numbers (half of all r belong to a point), or
/// that have corner values.
fn any_signature() -> impl Strategy<Value = Signature> {
    let number = || prop_oneof![any::<[u8; 32]>(), proptest::sample::select(corners())];
    let arbitrary = (number(), number(), number(), any::<bool>())
        .prop_map(|(digest, r, s, is_odd)| Signature { digest, r, s, is_odd });
    prop_oneof![valid(), arbitrary]
}

/// Compares with the reference, and returns the number of keys.
fn compare(signatures: &[Signature]) -> usize {
    let keys = recover(signatures);
    assert_eq!(keys.len(), signatures.len());
    for (key, signature) in keys.iter().zip(signatures) {
        if key.is_some() {
            assert_eq!(*key, reference(signature), "{signature:x?}");
        }
    }
    keys.iter().flatten().count()
}

#[test]
fn known_signature_recovers_known_key() {
    // From a test of go-ethereum: crypto/signature_test.go.
    let signature = Signature {
        digest: number("ce0677bb30baa8cf067c88db9811f4333d131bf8bcf12fe7065d211dce971008"),
        r: number("90f27b8b488db00b00606796d2987f6a5f59ae62ea05effe84fef5b8b0e54998"),
        s: number("4a691139ad57a3f0b906637673aa2f63d1f55cb1a69199d4009eea23ceaddc93"),
        is_odd: true,
    };
    let x = number("e32df42865e97135acfb65f3bae71bdc86f4d49150ad6a440b6f15878109880a");
    let y = number("0a2b2667f7e725ceea70c673093bf67663e0312623c8e091b13cf2c0f11ef652");
    let expected = is_available().then(|| [x, y].as_flattened().try_into().unwrap());
    assert_eq!(recover(&[signature]), [expected]);
}

#[test]
fn corner_cases_match_reference_in_all_lanes() {
    let corners = corners();
    let mut all = Vec::new();
    for r in &corners {
        for s in &corners {
            let digest = corners[all.len() % corners.len()];
            for is_odd in [false, true] {
                all.push(Signature { digest, r: *r, s: *s, is_odd });
            }
        }
    }
    let one = crafted(Scalar::from(5_u64), Scalar::from(6_u64), Scalar::from(7_u64));
    all.extend(corners.iter().map(|digest| Signature { digest: *digest, ..one }));
    let answers = compare(&all);
    // Each iteration moves the signatures by one lane.
    for _ in 1..LANES {
        all.insert(0, one);
        compare(&all);
    }
    assert!(!is_available() || answers > 800, "{answers} of {}", all.len());
}

#[test]
fn exceptional_sums_are_left_to_reference() {
    let one = Scalar::ONE;
    let nonce = Scalar::from(11_u64);
    let inverse = nonce.invert().unwrap();
    // The last sum adds 5 times 2^130 G: to itself, to its negative, and to another point.
    let five = power_of_two(130) * Scalar::from(5_u64);
    let ours = power_of_two(264) + five;
    let at = |total: Scalar| crafted(nonce, ours, (total - ours) * inverse);
    let [doubled, infinite, plain] = [at(five + five), at(Scalar::ZERO), at(five + five + one)];
    assert_eq!(reference(&infinite), None);
    let key = reference(&doubled);
    let expected = ProjectivePoint::GENERATOR * (five + five);
    let expected = expected.to_affine().to_encoded_point(false);
    assert_eq!(key.as_ref().map(|key| &key[..]), Some(&expected.as_bytes()[1..]));
    // The other signatures in the batch have results.
    let answers = recover(&[plain, doubled, plain, infinite, plain]);
    let expected = is_available().then(|| reference(&plain)).flatten();
    assert_eq!(answers, [expected, None, expected, None, expected]);
}

#[test]
fn invalid_signature_does_not_affect_other_lanes() {
    let one = crafted(Scalar::from(5_u64), Scalar::from(6_u64), Scalar::from(7_u64));
    let expected = is_available().then(|| reference(&one)).flatten();
    let order = number(ORDER);
    // No point has x = 5.
    let mut no_point = [0; 32];
    no_point[31] = 5;
    let invalid = [
        Signature { r: [0; 32], ..one },
        Signature { r: order, ..one },
        Signature { r: no_point, ..one },
        Signature { s: [0; 32], ..one },
        Signature { s: order, ..one },
        Signature { s: [0xff; 32], ..one },
    ];
    for bad in invalid {
        assert_eq!(reference(&bad), None);
        for lane in 0..2 * LANES {
            let mut batch = [one; 2 * LANES];
            batch[lane] = bad;
            for (i, answer) in recover(&batch).into_iter().enumerate() {
                assert_eq!(answer, expected.filter(|_| i != lane), "{i} with {bad:?} in {lane}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn batches_of_all_sizes_match_reference_keys(
        signatures in prop::collection::vec(any_signature(), 0..=40),
    ) {
        compare(&signatures);
    }

    #[test]
    fn valid_signatures_always_recover(signatures in prop::collection::vec(valid(), 1..=40)) {
        let expected = if is_available() { signatures.len() } else { 0 };
        prop_assert_eq!(compare(&signatures), expected);
    }
}
