//! Every backend that this CPU supports, compared with the library's hash.

mod support;

use alloy_primitives::{B256, b256};
use enshrine_keccak::{
    Backend, keccak256, keccak256_batch, keccak256_batch_by, keccak256_batch_with,
};
use proptest::{collection::vec, prelude::*, test_runner::RngSeed};
use support::reference;

/// Bytes in one block of the sponge.
const RATE: usize = 136;

/// Deterministic bytes that differ between inputs.
fn input(seed: usize, length: usize) -> Vec<u8> {
    let mut state = (seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[5]
    };
    std::iter::repeat_with(next).take(length).collect()
}

fn inputs(lengths: impl IntoIterator<Item = usize>) -> Vec<Vec<u8>> {
    lengths.into_iter().enumerate().map(|(seed, length)| input(seed, length)).collect()
}

/// Hashes a batch with every backend, and compares the digests with the library's.
fn check(inputs: &[Vec<u8>]) {
    let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
    let expected: Vec<_> = inputs.iter().map(reference).collect();
    for backend in Backend::available() {
        let mut digests = vec![B256::repeat_byte(0xee); inputs.len()];
        keccak256_batch_with(backend, &inputs, &mut digests);
        for (i, (digest, expected)) in digests.iter().zip(&expected).enumerate() {
            assert_eq!(digest, expected, "{backend:?}, input {i} of {} bytes", inputs[i].len());
        }
    }
}

/// Lengths that are typical for a witness, and lengths around the ends of blocks.
fn length() -> impl Strategy<Value = usize> {
    prop_oneof![
        2 => 0..=700_usize,
        2 => Just(532_usize),
        1 => Just(0_usize),
        2 => (0..12_usize, 0..5_usize).prop_map(|(blocks, off)| (blocks * RATE + off).saturating_sub(2)),
        1 => 700..9_000_usize,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        rng_seed: RngSeed::Fixed(0x6b65_6363_616b),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn batches_of_mixed_lengths_agree(lengths in vec(length(), 0..40)) {
        check(&inputs(lengths));
    }
}

#[test]
fn empty_input_has_known_digest() {
    let known = b256!("c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
    assert_eq!(keccak256(&[]), known);
    for backend in Backend::available() {
        let mut digests = [B256::ZERO; 9];
        keccak256_batch_with(backend, &[b"".as_slice(); 9], &mut digests);
        assert_eq!(digests, [known; 9], "{backend:?}");
    }
}

#[test]
fn every_length_agrees_alone_and_in_every_lane() {
    for length in 0..=700 {
        let message = input(length, length);
        assert_eq!(keccak256(&message), reference(&message), "{length} bytes");
        check(&[message]);
    }
    // Neighbouring lengths in all lanes, in both orders.
    check(&inputs(0..=700));
    check(&inputs((0..=700).rev()));
}

#[test]
fn batches_of_all_sizes_match_reference() {
    for count in 0..40 {
        check(&inputs(vec![532; count]));
        check(&inputs((0..count).map(|i| (i * 97) % 600)));
    }
}

#[test]
fn giant_input_among_small_ones_matches_reference() {
    for position in 0..20 {
        let mut lengths = vec![33; 20];
        lengths[position] = 65_536 + position;
        check(&inputs(lengths));
    }
}

#[test]
fn long_inputs_of_all_sizes_agree_among_nodes() {
    // More than one per class of lengths, some beyond the last class, and unordered.
    check(&inputs((0..200).map(|i| if i % 3 == 0 { (i * 7_919) % 80_000 } else { 532 })));
}

#[test]
fn many_empty_inputs_agree_around_others() {
    check(&inputs((0..100).map(|i| if i % 10 == 9 { RATE * (i / 10) } else { 0 })));
}

#[test]
fn indexed_inputs_match_sliced_inputs() {
    let bytes = input(7, 6_000);
    let slice = |i: usize| &bytes[i * 10..i * 10 + (i * 53) % 1_500];
    let slices: Vec<&[u8]> = (0..400).map(slice).collect();
    let (mut by_index, mut by_slice) = (vec![B256::ZERO; 400], vec![B256::ZERO; 400]);
    keccak256_batch_by(slice, &mut by_index);
    keccak256_batch(&slices, &mut by_slice);
    assert_eq!(by_index, by_slice);
    assert_eq!(by_index[399], reference(slice(399)));
}

#[test]
#[should_panic(expected = "one digest per input")]
fn digest_count_mismatch_panics() {
    keccak256_batch(&[b"a", b"b"], &mut [B256::ZERO]);
}

#[test]
fn detected_backend_is_first_available() {
    let available: Vec<_> = Backend::available().collect();
    assert_eq!(available.first(), Some(&Backend::detect()));
    assert_eq!(available.last(), Some(&Backend::Scalar));
    assert!(available.iter().all(|backend| backend.is_available()));
    assert!(available.is_sorted_by_key(|backend| std::cmp::Reverse(backend.lanes())));
}

#[test]
fn backend_availability_follows_cpu_features() {
    #[cfg(all(feature = "simd", target_arch = "x86_64"))]
    let (avx512, avx2) = (is_x86_feature_detected!("avx512f"), is_x86_feature_detected!("avx2"));
    #[cfg(not(all(feature = "simd", target_arch = "x86_64")))]
    let (avx512, avx2) = (false, false);
    for (backend, has_instructions, lanes) in
        [(Backend::Avx512, avx512, 8), (Backend::Avx2, avx2, 4), (Backend::Scalar, true, 1)]
    {
        assert_eq!(backend.is_available(), has_instructions, "{backend:?}");
        assert_eq!(backend.lanes(), lanes, "{backend:?}");
    }
}

/// With the feature, alloy hashes with this crate; without it, with its own library. Digests are
/// equal.
#[test]
fn alloy_digests_match_at_every_length() {
    for length in 0..=700 {
        let message = input(length + 1, length);
        assert_eq!(alloy_primitives::keccak256(&message), reference(&message), "{length} bytes");
    }
}
