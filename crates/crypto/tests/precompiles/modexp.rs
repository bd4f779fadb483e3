//! Modular exponentiation.

use super::{PLENTY, answer, selected};
use enshrine_crypto::Backend;
use revm::precompile::{
    PrecompileHalt, crypto,
    modexp::{berlin_run, osaka_run},
};
use testkit::Random;

/// Encodes the input of MODEXP.
fn input(base: &[u8], exponent: &[u8], modulus: &[u8]) -> Vec<u8> {
    let length = |part: &[u8]| {
        let mut word = [0; 32];
        word[24..].copy_from_slice(&(part.len() as u64).to_be_bytes());
        word
    };
    let lengths = [length(base), length(exponent), length(modulus)];
    [lengths.as_flattened(), base, exponent, modulus].concat()
}

/// Computes the power under the rules of Osaka and of earlier forks, and compares the two.
fn computed(base: &[u8], exponent: &[u8], modulus: &[u8]) -> Vec<u8> {
    let name =
        format!("{} ^ {} mod {} bytes: {modulus:x?}", base.len(), exponent.len(), modulus.len());
    let input = input(base, exponent, modulus);
    let before = answer(&name, || berlin_run(&input, PLENTY)).expect("is paid for");
    let output = match answer(&name, || osaka_run(&input, PLENTY)) {
        Ok(output) => output,
        Err(reason) => {
            let longest = base.len().max(exponent.len()).max(modulus.len());
            assert_eq!(reason, PrecompileHalt::ModexpEip7823LimitSize);
            assert!(longest > 1024, "{name}");
            before
        }
    };
    assert_eq!(output.bytes.len(), modulus.len(), "{name}");
    output.bytes.to_vec()
}

/// A random odd or even number with this many bytes, the first of which is nonzero.
fn number(random: &mut Random, bytes: usize, is_odd: bool) -> Vec<u8> {
    let mut number = random.bytes(bytes);
    if let Some(first) = number.first_mut() {
        *first |= 0x80;
    }
    if let Some(last) = number.last_mut() {
        *last = *last & 0xfe | u8::from(is_odd);
    }
    number
}

#[test]
fn small_powers_match_integer_arithmetic() {
    for width in [1, 31, 32, 33, 64, 200] {
        let wide = |value: u8| [vec![0; width - 1], vec![value]].concat();
        for (base, exponent, modulus, power) in [
            (3, 5, 7, 5),
            (2, 0, 5, 1),
            (0, 0, 5, 1),
            (0, 3, 5, 0),
            (9, 1, 1, 0),
            (6, 2, 8, 4),
            (5, 0, 1, 0),
        ] {
            let result = computed(&wide(base), &wide(exponent), &wide(modulus));
            assert_eq!(result, wide(power), "{base} ^ {exponent} mod {modulus}, {width} bytes");
        }
        assert_eq!(computed(&wide(3), &wide(5), &wide(0)), wide(0), "no remainder by zero");
    }
}

#[test]
fn installed_provider_uses_fast_modexp() {
    let result = |backend| selected(backend, || crypto().modexp(&[2], &[0xff; 5], &[0xff; 96]));
    let [fast, reference] =
        [Backend::Fast, Backend::Reference].map(|backend| result(backend).unwrap());
    // revm pads the result of its own library.
    let digits = reference.len();
    assert_eq!((fast.len(), &fast[96 - digits..]), (96, &reference[..]));
    assert!(digits < 96, "both results have equal lengths and cannot be distinguished");
}

#[test]
fn operands_of_every_shape_give_the_same_power() {
    let mut random = Random::new(1);
    let lengths: [usize; 17] = [0, 1, 8, 16, 23, 24, 31, 32, 33, 47, 48, 64, 95, 96, 128, 200, 256];
    for modulus_bytes in lengths {
        for exponent_bytes in [0, 1, 2, 8, 9, 32, 33, 64] {
            for base_bytes in
                [0, 1, modulus_bytes.saturating_sub(1), modulus_bytes, modulus_bytes + 1, 300]
            {
                for is_odd in [true, false] {
                    let base = number(&mut random, base_bytes, true);
                    let exponent = number(&mut random, exponent_bytes, true);
                    let modulus = number(&mut random, modulus_bytes, is_odd);
                    computed(&base, &exponent, &modulus);
                }
            }
        }
    }
}

#[test]
fn bases_near_modulus_multiples_give_equal_powers() {
    let mut random = Random::new(2);
    for bytes in [24, 32, 64, 128, 256, 1024] {
        let mut modulus = number(&mut random, bytes, true);
        modulus[bytes - 1] = 0x55;
        let exponent = number(&mut random, 9, false);
        for last in [0x54, 0x55, 0x56] {
            let base = [&modulus[..bytes - 1], &[last]].concat();
            let zero = last == 0x55;
            assert_eq!(computed(&base, &exponent, &modulus).iter().all(|byte| *byte == 0), zero);
        }
        // One less than the modulus is its own inverse.
        let before = [&modulus[..bytes - 1], &[0x54]].concat();
        let one = [vec![0; bytes - 1], vec![1]].concat();
        assert_eq!(computed(&before, &exponent, &modulus), one, "{bytes} bytes");
        // All bits set, and a single bit set.
        computed(&vec![0xff; bytes], &[0xff; 40], &vec![0xff; bytes]);
        let power = [vec![0x80], vec![0; bytes - 2], vec![1]].concat();
        computed(&vec![0xff; bytes], &[0xff; 40], &power);
    }
}

#[test]
fn leading_zeros_change_nothing_but_the_length() {
    let mut random = Random::new(3);
    let (base, exponent, modulus) = (
        number(&mut random, 64, true),
        number(&mut random, 20, true),
        number(&mut random, 64, true),
    );
    let power = computed(&base, &exponent, &modulus);
    for zeros in [1, 32, 900, 960] {
        let wide = |number: &[u8]| [&vec![0; zeros], number].concat();
        let wider = computed(&wide(&base), &wide(&exponent), &wide(&modulus));
        assert_eq!(wider, wide(&power), "{zeros} zeros");
    }
}

#[test]
fn osaka_refuses_operands_beyond_limit() {
    let mut random = Random::new(4);
    for is_odd in [true, false] {
        for bytes in [1023, 1024, 1025] {
            let base = number(&mut random, bytes, true);
            let modulus = number(&mut random, bytes, is_odd);
            for exponent in [vec![3], number(&mut random, 8, true), vec![0; bytes]] {
                computed(&base, &exponent, &modulus);
            }
            let exponent = number(&mut random, bytes, true);
            computed(&base[..1], &exponent, &modulus[..1]);
            computed(&base[..48], &exponent, &modulus[..48]);
        }
    }
}

#[test]
fn truncated_inputs_and_low_gas_have_equal_outcomes() {
    let mut random = Random::new(5);
    let whole = input(
        &number(&mut random, 64, true),
        &number(&mut random, 33, true),
        &number(&mut random, 64, true),
    );
    for length in 0..=whole.len() {
        let part = &whole[..length];
        answer("an input that ends early", || osaka_run(part, PLENTY))
            .expect("is filled up with zeros");
    }
    let gas = osaka_run(&whole, PLENTY).expect("is paid for").gas_used;
    assert!(answer("all gas", || osaka_run(&whole, gas)).is_ok());
    let short = answer("too little gas", || osaka_run(&whole, gas - 1));
    assert_eq!(short, Err(PrecompileHalt::OutOfGas));
}

#[test]
fn random_operands_give_the_same_power() {
    let mut random = Random::new(6);
    for _ in 0..20_000 {
        let base = random.index(140);
        let base = random.bytes(base);
        let longest = if random.one_in(10) { 100 } else { 12 };
        let exponent = random.index(longest);
        let exponent = random.bytes(exponent);
        let modulus = random.index(140);
        let mut modulus = random.bytes(modulus);
        if let Some(last) = modulus.last_mut().filter(|_| !random.one_in(4)) {
            *last |= 1;
        }
        computed(&base, &exponent, &modulus);
    }
}
