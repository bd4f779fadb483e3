//! Inputs for which precompiles are slow relative to their gas.

use alloy_primitives::{Address, B256, address, hex, keccak256};
use testkit::{
    Key,
    points::{BLS12_G1, BLS12_G2, BN254_G1, BN254_G2, P256_SIGNED},
};

/// A precompile, an input, and the gas of a call.
pub(crate) struct Job {
    pub(crate) name: String,
    pub(crate) address: Address,
    pub(crate) input: Vec<u8>,
    pub(crate) gas: u64,
}

const ENOUGH: u64 = 3_000_000;

const fn word(byte: u8) -> [u8; 32] {
    B256::with_last_byte(byte).0
}

/// Generator of G1 on bn254, doubled.
const BN_TWICE: [u8; 64] = hex!(
    "030644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd3"
    "15ed738c0e0a7c92e7845f96b2ae9c0a68a6a449e3538fc7ff3ebf7a5a18a2c4"
);
/// Compressed generator of G1 on BLS12-381.
const BLS12_G1_COMPRESSED: [u8; 48] = hex!(
    "97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb"
);
/// Returns the jobs of all precompiles.
pub(crate) fn jobs() -> Vec<Job> {
    let mut jobs = Vec::new();
    let mut add = |name: &str, address: Address, input: Vec<u8>, gas: u64| {
        jobs.push(Job { name: name.to_owned(), address, input, gas });
    };
    let at = Address::with_last_byte;
    let large = [0xff; 32];

    let digest = keccak256("work");
    let signature = Key::named("alice").sign_digest(&digest);
    let parity = word(27 + u8::from(signature.v()));
    let signed =
        [digest.0, parity, signature.r().to_be_bytes(), signature.s().to_be_bytes()].concat();
    add("ECRECOVER", at(1), signed, ENOUGH);
    add("SHA-256 of 1 kB", at(2), vec![1; 1_000], ENOUGH);
    add("SHA-256 of no bytes", at(2), vec![], ENOUGH);
    add("RIPEMD-160 of 1 kB", at(3), vec![1; 1_000], ENOUGH);
    add("identity of 10 kB", at(4), vec![1; 10_000], ENOUGH);
    for (base, exponent, modulus) in [(32, 32, 32), (32, 1, 32), (256, 32, 256), (1_024, 1, 1_024)]
    {
        let lengths: [usize; 3] = [base, exponent, modulus];
        let mut input: Vec<u8> = Vec::new();
        for length in lengths {
            let mut word = [0; 32];
            word[24..].copy_from_slice(&(length as u64).to_be_bytes());
            input.extend(word);
        }
        input.extend(vec![0xff; base + exponent + modulus]);
        add(&format!("MODEXP {base}^{exponent} mod {modulus}"), at(5), input.clone(), ENOUGH);
        *input.last_mut().unwrap_or(&mut 0) = 0xfe;
        add(&format!("MODEXP {base}^{exponent} mod {modulus}, even"), at(5), input, ENOUGH);
    }
    add("ECADD", at(6), [BN254_G1, BN_TWICE].concat(), ENOUGH);
    add("ECADD of a point to itself", at(6), BN254_G1.repeat(2), ENOUGH);
    add("ECMUL", at(7), [&BN_TWICE[..], &large].concat(), ENOUGH);
    add("ECMUL by a small number", at(7), [&BN_TWICE[..], &word(9)].concat(), ENOUGH);
    for pairs in [0, 1, 4] {
        let pair = [&BN254_G1[..], &BN254_G2].concat();
        add(&format!("ECPAIRING of {pairs}"), at(8), pair.repeat(pairs), ENOUGH);
    }
    for rounds in [1_u32, 1_000] {
        let input = [&rounds.to_be_bytes()[..], &[7; 208], &[1]].concat();
        add(&format!("BLAKE2F, {rounds} rounds"), at(9), input, ENOUGH);
    }
    // An invalid proof is as much work as a valid one. The call uses all its gas.
    let mut hash = B256::from(sha256(&BLS12_G1_COMPRESSED));
    hash[0] = 1;
    let proof =
        [&hash[..], &word(7), &word(9), &BLS12_G1_COMPRESSED, &BLS12_G1_COMPRESSED].concat();
    add("point evaluation", at(10), proof, 50_000);
    let scaled = |point: &[u8]| [point, &large].concat();
    add("BLS12 G1ADD", at(11), [BLS12_G1, BLS12_G1].concat(), ENOUGH);
    for points in [1, 16, 128] {
        add(&format!("BLS12 G1MSM of {points}"), at(12), scaled(&BLS12_G1).repeat(points), ENOUGH);
    }
    add("BLS12 G2ADD", at(13), [BLS12_G2, BLS12_G2].concat(), ENOUGH);
    for points in [1, 16, 128] {
        add(&format!("BLS12 G2MSM of {points}"), at(14), scaled(&BLS12_G2).repeat(points), ENOUGH);
    }
    for pairs in [1, 4] {
        let pair = [&BLS12_G1[..], &BLS12_G2].concat();
        add(&format!("BLS12 PAIRING of {pairs}"), at(15), pair.repeat(pairs), ENOUGH);
    }
    add("BLS12 MAP FP", at(16), BLS12_G1[..64].to_vec(), ENOUGH);
    add("BLS12 MAP FP2", at(17), BLS12_G2[..128].to_vec(), ENOUGH);
    let p256 = address!("0x0000000000000000000000000000000000000100");
    add("P256VERIFY", p256, P256_SIGNED.to_vec(), ENOUGH);
    jobs
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    revm::precompile::hash::sha256_run(bytes, u64::MAX)
        .ok()
        .and_then(|output| output.bytes.as_ref().try_into().ok())
        .unwrap_or_default()
}
