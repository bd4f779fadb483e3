//! Errors and their contents.

use alloy_primitives::B256;
use enshrine_stateless::{BlockRejection, expand, expand_within};
use executor::{BlockError, Invalid};
use std::error::Error as _;
use trie::NodeIndex;
use wire::{DecodeError, compact::CompactState};

#[test]
fn refused_block_is_reported_with_its_reason() {
    let reason = BlockError::Invalid(Invalid::NoParent);
    let refused = BlockRejection { block: 3, reason: reason.clone() };
    assert_eq!(refused.to_string(), format!("block 3: {reason}"));
    let source = refused.source().and_then(|source| source.downcast_ref::<BlockError>());
    assert_eq!(source, Some(&reason));
}

#[test]
fn oversized_state_error_has_both_lengths() {
    // A branch with two hashes.
    let stream = [&[1, 0, 0, 0, 0x00, 0, 0, 3, 0][..], &[1; 32], &[2; 32]].concat();
    let state = CompactState::decode(&stream, 0).unwrap();
    let (codes, got) = (NodeIndex::new(vec![]), state.expanded_len());
    let nodes = expand_within(&state, &codes, got).unwrap();
    assert_eq!(nodes.digests(), expand(&state, &codes).unwrap().digests());
    let link = |byte| [&[0xa0][..], B256::repeat_byte(byte).as_slice()].concat();
    let branch = [&[0xf8, 81][..], &link(1), &link(2), &[0x80; 15]].concat();
    assert_eq!(nodes.get(0), Some(&*branch));
    let limit = got - 1;
    let what = "nodes of the state of the batch";
    let refused = DecodeError::TooLong { what, index: 0, got, limit };
    assert_eq!(expand_within(&state, &codes, limit).err(), Some(refused));
}
