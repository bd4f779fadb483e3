//! Commits that are in the log and queued for the state store.

use crate::twin::{CONTRACT, SLOTS, Twin, config, copy_folder, open, options};
use alloy_primitives::U256;
use chain::Chain;
use chain::store::{Store, StoredNodes};
use enshrine_disk::DiskStore;
use std::{collections::HashMap, path::Path, sync::Arc};
use tempfile::tempdir;

/// A chain on a store that the test can access.
pub(crate) fn on_store(folder: &Path) -> (Arc<DiskStore>, Chain) {
    drop(open(folder).unwrap());
    let store = Arc::new(DiskStore::open(folder, options()).unwrap());
    let head = store.head().unwrap().unwrap();
    let chain = Chain::resume(config(), Arc::clone(&store) as _, head).unwrap();
    store.flush().unwrap();
    (store, chain)
}

/// Counts the occurrences of each node and code.
fn counted(all: StoredNodes) -> [HashMap<alloy_primitives::Bytes, usize>; 2] {
    [all.nodes, all.codes].map(|all| {
        let mut counts = HashMap::new();
        for one in all {
            *counts.entry(one).or_default() += 1;
        }
        counts
    })
}

#[test]
fn queued_commits_are_readable() {
    let folder = tempdir().unwrap();
    let (store, mut chain) = on_store(folder.path());
    let mut twin = Twin::new();
    twin.grow(3, 0, &mut [&mut chain]);
    store.flush().unwrap();
    let guard = store.hold();
    for blocks in 1..=4 {
        twin.grow(blocks, 0, &mut [&mut chain]);
        // Also old states, some of whose nodes are queued.
        twin.assert_same(&chain, 0);
    }
    assert_eq!(store.queued(), 10);
    let waiting = (store.preimages().unwrap(), store.everything().unwrap());
    drop(guard);
    store.flush().unwrap();
    assert_eq!(store.queued(), 0);
    twin.assert_same(&chain, 0);
    assert_eq!(store.preimages().unwrap(), waiting.0);
    // A node with several locations occurs more often once it has been placed, and no node is new.
    let ([nodes, codes], [before, codes_before]) =
        (counted(store.everything().unwrap()), counted(waiting.1));
    assert_eq!(codes, codes_before);
    assert!(nodes.keys().all(|node| before.contains_key(node)) && nodes.len() == before.len());
}

#[test]
fn queued_blocks_can_be_reorganised() {
    let (folder, work) = (tempdir().unwrap(), tempdir().unwrap());
    let (store, mut chain) = on_store(folder.path());
    let mut twin = Twin::new();
    twin.grow(4, 0, &mut [&mut chain]);
    store.flush().unwrap();
    let guard = store.hold();
    twin.grow(5, 0, &mut [&mut chain]);
    let left = chain.head().hash;
    // Forks off at a queued block, then below all queued blocks.
    for (back, blocks) in [(7, 1), (2, 3)] {
        let fork = chain.canonical_hash(back).unwrap().unwrap();
        for chain in [&mut chain, &mut twin.chain] {
            chain.set_head(&fork).unwrap();
        }
        twin.assert_same(&chain, 0);
        twin.grow(blocks, back, &mut [&mut chain]);
        twin.assert_same(&chain, 0);
    }
    assert_eq!(store.queued(), 5 + 2 + 4);
    // The files that a process would leave if killed now.
    let killed = work.path().join("killed");
    copy_folder(folder.path(), &killed);
    for chain in [&mut chain, &mut twin.chain] {
        chain.set_head(&left).unwrap();
    }
    twin.assert_same(&chain, 0);
    drop(guard);
    twin.assert_same(&chain, 0);
    drop((chain, store));
    twin.assert_same(&open(folder.path()).unwrap(), 0);

    let opened = DiskStore::open(&killed, options()).unwrap();
    assert_eq!(opened.behind(), 5 + 2 + 4);
    drop(opened);
    let mut chain = open(&killed).unwrap();
    assert_eq!(chain.head().header.number, 2 + 3);
    chain.set_head(&left).unwrap();
    twin.assert_same(&chain, 0);
    drop(chain);
    twin.assert_same(&open(&killed).unwrap(), 0);
}

#[test]
fn closing_applies_queued_commits() {
    let folder = tempdir().unwrap();
    let (store, mut chain) = on_store(folder.path());
    let mut twin = Twin::new();
    {
        let _held = store.hold();
        twin.grow(9, 0, &mut [&mut chain]);
        assert_eq!(store.queued(), 9);
    }
    drop((chain, store));
    let store = DiskStore::open(folder.path(), options()).unwrap();
    assert_eq!((store.behind(), store.queued()), (0, 0));
    drop(store);
    twin.assert_same(&open(folder.path()).unwrap(), 0);
}

#[test]
fn pruning_keeps_states_of_queued_commits() {
    let folder = tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    // Fewer retained states than queued commits.
    let few = enshrine_disk::DiskOptions { states: 2, ..options() };
    let store = Arc::new(DiskStore::open(folder.path(), few).unwrap());
    let head = store.head().unwrap().unwrap();
    let mut chain = Chain::resume(config(), Arc::clone(&store) as _, head).unwrap();
    let mut twin = Twin::new();
    for _ in 0..4 {
        twin.grow(3, 0, &mut [&mut chain]);
        store.flush().unwrap();
        let guard = store.hold();
        twin.grow(8, 0, &mut [&mut chain]);
        // Pruning examines the whole state store, and deletes nothing that queued commits need.
        let head = chain.head().header.number;
        twin.assert_same(&chain, head - 8);
        drop(guard);
        store.prune().unwrap();
        twin.assert_same(&chain, head - 1);
    }
    let slots: Vec<_> = (0..SLOTS).map(U256::from).collect();
    let proof = chain.prove(chain.head(), CONTRACT, &slots).unwrap();
    assert_eq!(proof, twin.chain.prove(twin.chain.head(), CONTRACT, &slots).unwrap());
}
