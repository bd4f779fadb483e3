use super::*;
use alloy_consensus::{Header, constants::KECCAK_EMPTY};
use alloy_primitives::{U256, keccak256};
use alloy_trie::EMPTY_ROOT_HASH;
use chain::store::{Block, MemoryStore, Store};
use std::{collections::BTreeSet, sync::Arc};
use trie::hash_tries;

struct Nothing;

impl NodeSource for Nothing {
    type Bytes = Bytes;

    fn node(&self, _: NodePath<'_>, _: &B256) -> Result<Option<Bytes>, SourceError> {
        Ok(None)
    }
}

const SLOTS: u64 = 30;

fn owner(number: u64) -> B256 {
    keccak256(number.to_be_bytes())
}

/// Returns the root of a storage trie, and adds its nodes to the changes if `is_new`.
fn storage(changes: &mut Changes, is_new: bool) -> B256 {
    let mut trie = Trie::<Bytes>::default();
    for slot in 0..SLOTS {
        let value = alloy_rlp::encode(U256::MAX - U256::from(slot));
        trie.insert(&Nothing, &keccak256(slot.to_be_bytes()), &value).unwrap();
    }
    hash_tries(&mut [&mut trie], |node| {
        if is_new {
            changes.put_node(node);
        }
    });
    trie.root().unwrap()
}

/// Returns the root of a state with these accounts, each with a balance and a storage root.
fn accounts(changes: &mut Changes, accounts: &[(u64, B256)]) -> B256 {
    let mut trie = Trie::<Bytes>::default();
    for (number, (balance, storage_root)) in (0..).zip(accounts) {
        let account = TrieAccount {
            nonce: 0,
            balance: U256::from(*balance),
            storage_root: *storage_root,
            code_hash: KECCAK_EMPTY,
        };
        trie.insert(&Nothing, &owner(number), &alloy_rlp::encode(account)).unwrap();
    }
    hash_tries(&mut [&mut trie], |node| changes.put_node(node));
    trie.root().unwrap()
}

fn owners(placed: &[Placed]) -> BTreeSet<Option<B256>> {
    placed.iter().map(|placed| placed.owner).collect()
}

#[test]
fn existing_storage_root_is_placed_only_where_new() {
    let mut before = Changes::default();
    let root = storage(&mut before, true);
    let old = accounts(&mut before, &[(1, root), (1, root), (1, EMPTY_ROOT_HASH)]);
    let parent = MemoryStore::default();
    parent.commit(before).unwrap();
    // All three accounts change, and the last one gets the storage of the others.
    let mut changes = Changes::default();
    storage(&mut changes, true);
    let slots = changes.nodes.len();
    let state_root = accounts(&mut changes, &[(2, root), (2, root), (2, root)]);
    let (all, header) = (changes.nodes.len(), Header { state_root, ..Header::default() });
    let mut block = Block::from_header(header);
    block.pre_state_root = old;
    changes.blocks.push(Arc::new(block));
    let placed = place_nodes(&changes, &parent as &dyn Store).unwrap();
    assert_eq!(placed.len(), all);
    assert_eq!(owners(&placed), [None, Some(owner(2))].into());
    // If the parent state is unknown, every node may be new, so it is written again.
    let placed = place_nodes(&changes, &MemoryStore::default() as &dyn Store).unwrap();
    assert_eq!(placed.len(), all + 2 * slots);
    // If two accounts get the storage in the same block, its nodes are passed in twice.
    storage(&mut changes, true);
    let empty = accounts(&mut Changes::default(), &[(1, root), (1, EMPTY_ROOT_HASH)]);
    let mut block = Block::clone(&changes.blocks[0]);
    block.pre_state_root = empty;
    changes.blocks[0] = Arc::new(block);
    let placed = place_nodes(&changes, &parent as &dyn Store).unwrap();
    assert!(owners(&placed).is_superset(&[Some(owner(1)), Some(owner(2))].into()));
}

#[test]
fn unreachable_nodes_are_dropped() {
    let mut changes = Changes::default();
    let root = storage(&mut changes, true);
    let state = accounts(&mut changes, &[(1, root), (2, EMPTY_ROOT_HASH), (3, EMPTY_ROOT_HASH)]);
    let all = changes.nodes.len();
    changes.nodes.push((B256::repeat_byte(9), Bytes::from_static(b"of no state")));
    assert!(place_nodes(&changes, &Nothing).unwrap().is_empty(), "no root says where");
    changes.roots.push(state);
    let placed = place_nodes(&changes, &Nothing).unwrap();
    assert_eq!(placed.len(), all);
    for Placed { owner, path, hash, node } in &placed {
        assert_eq!(keccak256(node), *hash);
        let is_root = (owner.is_none() && *hash == state) || (owner.is_some() && *hash == root);
        assert_eq!(path.is_empty(), is_root);
    }
    // Bytes that are not a node are an error of the caller.
    let mut broken = Changes { roots: vec![B256::repeat_byte(9)], ..Changes::default() };
    broken.nodes.push((B256::repeat_byte(9), Bytes::from_static(b"no node")));
    assert!(matches!(place_nodes(&broken, &Nothing), Err(DiskError::Malformed { .. })));
}
