//! Random inputs of precompiles, with many corner cases.

use crate::program::word;
use alloy_primitives::{Address, Bytes, U256, address, hex, uint};
use testkit::{
    Random,
    points::{BLS12_G1, BN254_G2, P256_SIGNED},
};

/// Modulus of the field of bn254 and order of its groups.
const BN254_FIELD: U256 =
    uint!(0x30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47_U256);
const BN254_ORDER: U256 =
    uint!(0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001_U256);
/// Order of secp256k1.
const SECP256K1_ORDER: U256 =
    uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);
/// The precompile of EIP-7951.
const P256VERIFY: Address = address!("0x0000000000000000000000000000000000000100");

/// A contract that calls the address in the first word of its calldata with the rest of the
/// calldata, and stores the success flag and the hash of the return data.
pub(crate) const PROBE: [u8; 30] = hex!(
    // Copies the rest of the calldata to memory.
    "6020360380 60205f37"
    // Calls with all gas and no value.
    "5f5f91 5f5f 5f35 5af1 600155"
    // Stores the hash of the return data.
    "3d5f5f3e 3d5f20 5f55"
);

/// Returns calldata for the probe: a precompile, and a valid or invalid input for it.
pub(crate) fn probed(rng: &mut Random) -> Bytes {
    let number = rng.index(0x12) as u8;
    let (address, mut input) = match number {
        0 if rng.one_in(2) => (P256VERIFY, P256_SIGNED.to_vec()),
        0 => (P256VERIFY, words(rng, 5, &[])),
        number => (Address::with_last_byte(number), input_of(number, rng)),
    };
    // One byte too few or too many.
    match rng.index(12) {
        0 => drop(input.pop()),
        1 => input.push(rng.byte()),
        _ => {}
    }
    [address.into_word().as_slice(), &input].concat().into()
}

fn input_of(number: u8, rng: &mut Random) -> Vec<u8> {
    match number {
        0x01 => {
            let v = U256::from(26 + rng.index(4));
            let scalar = |rng: &mut Random| corner(rng, &[SECP256K1_ORDER]);
            let words = [corner(rng, &[]), v, scalar(rng), scalar(rng)];
            words.iter().flat_map(U256::to_be_bytes::<32>).collect()
        }
        0x02..=0x04 => {
            let length = rng.index(200);
            rng.bytes(length)
        }
        0x05 => {
            // EIP-7823 rejects lengths above 1,024 bytes.
            let lengths: [usize; 3] =
                core::array::from_fn(|_| *rng.pick(&[0, 1, 1, 2, 8, 31, 32, 33, 64, 1_024, 1_025]));
            let mut input: Vec<u8> =
                lengths.iter().flat_map(|length| U256::from(*length).to_be_bytes::<32>()).collect();
            let rest = lengths.iter().sum::<usize>().min(160);
            input.extend(if rng.one_in(4) { vec![0; rest] } else { rng.bytes(rest) });
            input
        }
        0x06 => [bn254_point(rng), bn254_point(rng)].concat(),
        0x07 => {
            let scalar = corner(rng, &[BN254_ORDER, BN254_FIELD]);
            [&bn254_point(rng)[..], &scalar.to_be_bytes::<32>()].concat()
        }
        0x08 => {
            let pair = |rng: &mut Random| {
                let other = match rng.index(4) {
                    0 => vec![0; 128],
                    1 => words(rng, 4, &[BN254_FIELD]),
                    _ => BN254_G2.to_vec(),
                };
                [bn254_point(rng), other].concat()
            };
            (0..rng.index(4)).flat_map(|_| pair(rng)).collect()
        }
        0x09 => {
            let mut input = rng.pick(&[0_u32, 1, 12, 300]).to_be_bytes().to_vec();
            input.extend(rng.bytes(208));
            input.push(*rng.pick(&[0, 1, 1, 2]));
            input
        }
        0x0a => rng.bytes(192),
        // Addition, MSM, pairing and map of BLS12-381.
        number => {
            let point = |rng: &mut Random| bls_parts(rng, 128);
            let twin = |rng: &mut Random| bls_parts(rng, 256);
            let scalar = |rng: &mut Random| words(rng, 1, &[]);
            let count = rng.index(4);
            match number {
                0x0b => [point(rng), point(rng)].concat(),
                0x0c => (0..count).flat_map(|_| [point(rng), scalar(rng)].concat()).collect(),
                0x0d => [twin(rng), twin(rng)].concat(),
                0x0e => (0..count).flat_map(|_| [twin(rng), scalar(rng)].concat()).collect(),
                0x0f => (0..count).flat_map(|_| [point(rng), twin(rng)].concat()).collect(),
                0x10 => bls_parts(rng, 64),
                _ => bls_parts(rng, 128),
            }
        }
    }
}

/// Returns a number that is small, close to one of `limits`, or random.
fn corner(rng: &mut Random, limits: &[U256]) -> U256 {
    match limits {
        [] => word(rng).into(),
        _ if rng.one_in(2) => word(rng).into(),
        _ => rng.pick(limits).wrapping_add(U256::from(rng.index(3))) - U256::ONE,
    }
}

fn words(rng: &mut Random, count: usize, limits: &[U256]) -> Vec<u8> {
    (0..count).flat_map(|_| corner(rng, limits).to_be_bytes::<32>()).collect()
}

/// Returns two coordinates: of infinity, of the generator or its negative, with one that is not
/// reduced, or random.
fn bn254_point(rng: &mut Random) -> Vec<u8> {
    let two = U256::from(2);
    let (x, y) = match rng.index(6) {
        0 => (U256::ZERO, U256::ZERO),
        1 | 2 => (U256::ONE, two),
        3 => (U256::ONE, BN254_FIELD - two),
        4 => (U256::ONE + BN254_FIELD, two),
        _ => (corner(rng, &[BN254_FIELD]), corner(rng, &[BN254_FIELD])),
    };
    [x.to_be_bytes::<32>(), y.to_be_bytes::<32>()].concat()
}

/// Returns coordinates of BLS12-381: of infinity, of the generator of G1, or close to them.
fn bls_parts(rng: &mut Random, length: usize) -> Vec<u8> {
    let mut parts: Vec<u8> = match rng.index(3) {
        0 => vec![0; length],
        _ => BLS12_G1.iter().copied().cycle().take(length).collect(),
    };
    if rng.one_in(5) {
        let at = rng.index(length);
        parts[at] ^= rng.mask();
    }
    parts
}
