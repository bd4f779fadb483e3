//! A process can be restricted to the backends of a slower CPU. This is a single test, because the
//! restriction applies to the whole process.

mod support;

use alloy_primitives::B256;
use enshrine_keccak::{Backend, keccak256, keccak256_batch, restrict_to};
use support::reference;

#[test]
fn restriction_limits_backend_and_keeps_digests() {
    let messages: Vec<Vec<u8>> = (0..300).map(|length| vec![7; length]).collect();
    let slices: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
    let hashed = || {
        let mut digests = vec![B256::ZERO; slices.len()];
        keccak256_batch(&slices, &mut digests);
        let one_by_one: Vec<B256> = slices.iter().map(|message| keccak256(message)).collect();
        assert_eq!(digests, one_by_one);
        digests
    };
    let unrestricted = Backend::detect();
    let expected: Vec<B256> = messages.iter().map(reference).collect();
    for fastest in [Backend::Avx512, Backend::Avx2, Backend::Scalar] {
        restrict_to(fastest);
        assert!(Backend::detect() >= fastest.max(unrestricted), "{fastest:?}");
        assert!(Backend::available().all(|backend| backend >= fastest), "{fastest:?}");
        assert_eq!(hashed(), expected, "{fastest:?}");
    }
    assert_eq!(Backend::detect(), Backend::Scalar);
    restrict_to(Backend::Avx512);
    assert_eq!(Backend::detect(), unrestricted);
}
