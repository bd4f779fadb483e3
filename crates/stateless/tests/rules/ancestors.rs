//! The chain of headers in a witness.

use alloy_consensus::Header;
use alloy_primitives::{B256, keccak256};
use enshrine_stateless::Ancestors;
use executor::Invalid;
use wire::ByteLists;

/// Headers with these numbers, each the parent of the next, and their hashes.
fn line(numbers: std::ops::RangeInclusive<u64>) -> (Vec<Vec<u8>>, Vec<B256>) {
    let mut parent_hash = B256::repeat_byte(9);
    let mut hashes = Vec::new();
    let headers = numbers.map(|number| {
        let bytes = alloy_rlp::encode(Header { number, parent_hash, ..Default::default() });
        parent_hash = keccak256(&bytes);
        hashes.push(parent_hash);
        bytes
    });
    (headers.collect(), hashes)
}

fn verify(headers: &[Vec<u8>], parent_hash: B256) -> Result<Ancestors, Invalid> {
    let slices: Vec<&[u8]> = headers.iter().map(Vec::as_slice).collect();
    Ancestors::verify(ByteLists::from(&*slices), parent_hash, &())
}

#[test]
fn ancestor_hash_is_found_by_its_number() {
    let (headers, hashes) = line(5..=8);
    let ancestors = verify(&headers, hashes[3]).unwrap();
    assert_eq!(ancestors.parent().number, 8);
    for (number, hash) in (5..).zip(&hashes) {
        assert_eq!(ancestors.hash_of(number), Some(*hash));
    }
    for number in [0, 4, 9, u64::MAX] {
        assert_eq!(ancestors.hash_of(number), None);
    }
}

#[test]
fn headers_must_form_a_chain_to_parent() {
    let (headers, hashes) = line(5..=8);
    assert!(verify(&headers, hashes[3]).is_ok());
    let broken = |index, got, expected| Some(Invalid::BrokenAncestry { index, got, expected });
    let stranger = B256::repeat_byte(1);
    assert_eq!(verify(&headers, stranger).err(), broken(3, hashes[3], stranger));
    let (mut swapped, mut gap) = (headers.clone(), headers.clone());
    swapped.swap(0, 1);
    assert_eq!(verify(&swapped, hashes[3]).err(), broken(1, hashes[0], hashes[1]));
    gap.remove(2);
    assert_eq!(verify(&gap, hashes[3]).err(), broken(1, hashes[1], hashes[2]));
    // With fewer ancestors the chain is shorter, but without a parent there is none.
    assert!(verify(&headers[3..], hashes[3]).is_ok());
    assert_eq!(verify(&[], hashes[3]).err(), Some(Invalid::NoParent));
}
