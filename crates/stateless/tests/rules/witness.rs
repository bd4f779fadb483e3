//! Contents of a linked witness.

use alloy_consensus::Header;
use alloy_primitives::{Bytes, KECCAK256_EMPTY, keccak256};
use enshrine_stateless::Witness;
use executor::StateSource as _;
use trie::{Nibbles, NodePath, NodeSource as _};
use wire::{ByteLists, ExecutionWitness};

#[test]
fn witness_finds_its_items_but_no_empty_item() {
    let header = [Bytes::from(alloy_rlp::encode(Header::default()))];
    // More items than are hashed at a time, and not a multiple of that number.
    let items = |kind: u8| -> Vec<Bytes> {
        (0..300_u16).map(|n| [&[kind; 40][..], &n.to_be_bytes()].concat().into()).collect()
    };
    let (nodes, codes) = (items(1), items(0x60));
    let parts = ExecutionWitness {
        state: ByteLists::from(&*nodes),
        codes: ByteLists::from(&*codes),
        headers: ByteLists::from(&header[..]),
    };
    let witness = Witness::new(&parts, keccak256(&header[0])).unwrap();
    let linked = witness.link();
    let state = linked.state();
    let nibbles = Nibbles::default();
    let path = NodePath { owner: None, nibbles: &nibbles };
    for (node, code) in nodes.iter().zip(&codes) {
        assert_eq!(state.node(path, &keccak256(node)).unwrap(), Some(node.as_ref()));
        let found = state.code(&keccak256(code)).unwrap();
        assert_eq!(found.map(|found| found.original_bytes()).as_ref(), Some(code));
    }
    assert_eq!(state.node(path, &KECCAK256_EMPTY).unwrap(), None);
    assert!(state.code(&KECCAK256_EMPTY).unwrap().is_none());
}
