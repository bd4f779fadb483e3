use super::*;
use crate::{
    block::encode_block,
    state::{node_key, node_value},
};
use alloy_consensus::Header;
use store::CanonicalChange;
use tempfile::tempdir;
use trie::Nibbles;

fn hash_fault(error: &StoreError) -> (&'static str, B256, B256) {
    match error.fault().downcast_ref() {
        Some(DiskError::Hash { what, got, expected }) => (what, *got, *expected),
        _ => panic!("{error}"),
    }
}

/// What the state store's own checksums cannot see: something that was well written in a wrong place.
#[test]
fn nothing_is_given_out_that_does_not_hash_to_what_was_asked_for() {
    let folder = tempdir().unwrap();
    let store = DiskStore::open(folder.path(), DiskOptions::default()).unwrap();
    let state = &store.inner.state;
    let (right, wrong) = (Bytes::from_static(b"right"), Bytes::from_static(b"wrong"));
    let hash = keccak256(&right);
    let place = NodePath { owner: None, nibbles: &Nibbles::new() };
    state.nodes.insert(node_key(place, &hash), node_value(1, &right)).unwrap();
    state.codes.insert(hash.as_slice(), &right[..]).unwrap();
    assert_eq!(store.node(place, &hash).unwrap(), Some(right.clone()));
    assert_eq!(store.code(&hash).unwrap().unwrap().original_bytes(), right);
    // Elsewhere it is not.
    let below = NodePath { owner: None, nibbles: &Nibbles::from_nibbles([1]) };
    assert_eq!(store.node(below, &hash).unwrap(), None);
    let other = B256::repeat_byte(7);
    assert_eq!(store.node(place, &other).unwrap(), None);
    state.nodes.insert(node_key(place, &other), node_value(1, &wrong)).unwrap();
    state.codes.insert(other.as_slice(), &wrong[..]).unwrap();
    let block = Block::from_header(Header::default());
    state.blocks.insert(other.as_slice(), encode_block(&block)).unwrap();
    let refused = store.node(place, &other).unwrap_err();
    assert_eq!(hash_fault(&refused), ("node", keccak256(&wrong), other));
    assert_eq!(refused.operation(), "read a node");
    let refused = store.code(&other).unwrap_err();
    assert_eq!(hash_fault(&refused), ("code", keccak256(&wrong), other));
    let refused = store.block(&other).unwrap_err();
    assert_eq!(hash_fault(&refused), ("block", block.hash, other));
    // Too short to say when it was written.
    state.nodes.insert(node_key(place, &other), &[1, 2, 3][..]).unwrap();
    assert!(store.node(place, &other).is_err());
}

#[test]
fn a_log_that_cannot_be_written_leaves_the_chain_as_it_was_and_takes_the_next_commit() {
    let folder = tempdir().unwrap();
    let store = DiskStore::open(folder.path(), DiskOptions::default()).unwrap();
    let advance = |number: u64| {
        let block = Arc::new(Block::from_header(Header { number, ..Header::default() }));
        let canonical = CanonicalChange { from: number, blocks: vec![Arc::clone(&block)] };
        let canonical = Some(canonical);
        store.commit(Changes { blocks: vec![block], canonical, ..Changes::default() })
    };
    advance(0).unwrap();
    advance(1).unwrap();
    // A segment cannot be made where a folder stands.
    let obstacle = folder.path().join("blocks/0000000001.log");
    fs::create_dir(&obstacle).unwrap();
    if let Some(log) = &mut store.inner.writer.lock().log {
        log.limit_segments(1);
    }
    let refused = advance(2).unwrap_err();
    assert!(matches!(refused.fault().downcast_ref(), Some(DiskError::Io { .. })), "{refused}");
    assert_eq!(store.head().unwrap().unwrap().header.number, 1);
    assert_eq!(store.canonical_hash(2).unwrap(), None);
    fs::remove_dir(&obstacle).unwrap();
    advance(2).unwrap();
    assert_eq!(store.head().unwrap().unwrap().header.number, 2);
    // A state store that fails is another matter: the block is in the log, and nothing comes after it.
    store.inner.writer.lock().broken = Some("as if a batch had failed".into());
    let refused = advance(3).unwrap_err();
    assert!(matches!(refused.fault().downcast_ref(), Some(DiskError::Unusable(_))), "{refused}");
    assert_eq!(store.head().unwrap().unwrap().header.number, 2);
}
