//! Pruning: retained states stay complete, and everything else is deleted.

use crate::twin::{ACCOUNTS, CONTRACT, Twin, account, config, genesis, options};
use alloy_primitives::{B256, Bytes, U256};
use alloy_rlp::Decodable;
use alloy_trie::TrieAccount;
use chain::store::{Store, Visitor, walk};
use chain::{Chain, ChainError};
use enshrine_disk::{DiskOptions, DiskStore, open_chain_with};
use std::{cell::RefCell, collections::BTreeSet, path::Path};
use tempfile::tempdir;
use trie::{NodePath, NodeSource, SourceError};

const STATES: u64 = 8;

fn few() -> DiskOptions {
    DiskOptions { states: STATES, witnesses: STATES, ..options() }
}

fn open(folder: &Path, options: DiskOptions) -> Chain {
    open_chain_with(folder, &genesis(), config(), options).unwrap()
}

/// Prunes, and returns how many nodes are left.
fn nodes_left(folder: &Path) -> usize {
    let store = DiskStore::open(folder, few()).unwrap();
    store.prune().unwrap();
    store.everything().unwrap().nodes.len()
}

/// Nodes with their locations.
type Places = BTreeSet<(Option<B256>, Vec<u8>, B256)>;

struct Seen<'s> {
    store: &'s dyn Store,
    places: RefCell<&'s mut Places>,
}

impl NodeSource for Seen<'_> {
    type Bytes = Bytes;

    fn node(&self, path: NodePath<'_>, hash: &B256) -> Result<Option<Bytes>, SourceError> {
        let place = (path.owner.copied(), path.nibbles.to_vec(), *hash);
        // Another state has the same node here, and therefore everything below it.
        if !self.places.borrow_mut().insert(place) {
            return Ok(None);
        }
        Ok(self.store.node(path, hash)?)
    }
}

struct Storages(Vec<(B256, B256)>);

impl Visitor<Bytes> for Storages {
    fn node(&mut self, _: &B256, _: &Bytes) -> bool {
        true
    }

    fn value(&mut self, key: &B256, mut value: &[u8]) {
        if let Ok(account) = TrieAccount::decode(&mut value) {
            self.0.push((*key, account.storage_root));
        }
    }

    fn missing(&mut self, _: trie::Nibbles, _: B256) -> Result<(), trie::TrieError> {
        Ok(())
    }
}

/// Counts the nodes of some states of a chain.
fn nodes_of(chain: &Chain, roots: impl IntoIterator<Item = B256>) -> usize {
    let mut places = Places::new();
    for root in roots {
        let source = Seen { store: &**chain.store(), places: RefCell::new(&mut places) };
        let mut storages = Storages(Vec::new());
        walk(&source, None, root, &mut storages).unwrap();
        for (owner, root) in storages.0 {
            walk(&source, Some(&owner), root, &mut Storages(Vec::new())).unwrap();
        }
    }
    places.len()
}

/// Returns the roots of the retained states: those of the latest canonical blocks.
fn kept(chain: &Chain) -> Vec<B256> {
    let head = chain.head().header.number;
    let oldest = (head + 1).saturating_sub(STATES);
    let root = |number| chain.canonical_block(number).unwrap().unwrap().header.state_root;
    (oldest..=head).map(root).collect()
}

#[test]
fn pruning_keeps_exactly_nodes_of_newest_states() {
    let folder = tempdir().unwrap();
    let mut twin = Twin::new();
    for blocks in [5, 1, 20, 7] {
        let mut chain = open(folder.path(), few());
        twin.grow(blocks, 0, &mut [&mut chain]);
        drop(chain);
        assert_eq!(nodes_left(folder.path()), nodes_of(&twin.chain, kept(&twin.chain)));
        let chain = open(folder.path(), few());
        let head = chain.head().header.number;
        twin.assert_same(&chain, (head + 1).saturating_sub(STATES));
    }
    // Reads of older states fail or return the right result.
    let chain = open(folder.path(), few());
    let old = chain.canonical_block(20).unwrap().unwrap();
    let mut missing = 0;
    for number in 0..ACCOUNTS {
        match chain.prove(&old, account(number), &[]) {
            Err(ChainError::Incomplete(_)) => missing += 1,
            proof => assert_eq!(proof, twin.chain.prove(&old, account(number), &[])),
        }
    }
    assert!(missing > 0);
}

#[test]
fn abandoned_branches_are_pruned_with_their_window() {
    let folder = tempdir().unwrap();
    let mut twin = Twin::new();
    let mut chain = open(folder.path(), options());
    for round in 0..6_u64 {
        twin.grow(6, 0, &mut [&mut chain]);
        // Rewinds by up to five blocks and continues on another branch, shorter or longer;
        // sometimes switches back and forth.
        let (left, head) = (chain.head().hash, chain.head().header.number);
        let fork = chain.canonical_hash(head - round).unwrap().unwrap();
        for chain in [&mut chain, &mut twin.chain] {
            chain.set_head(&fork).unwrap();
        }
        twin.grow(round / 2 + 1, 1, &mut [&mut chain]);
        if round % 3 == 2 {
            for chain in [&mut chain, &mut twin.chain] {
                chain.set_head(&left).unwrap();
            }
        }
    }
    drop(chain);
    // All states of the window are present while it contains branches.
    nodes_left(folder.path());
    let mut chain = open(folder.path(), few());
    let head = chain.head().header.number;
    twin.assert_same(&chain, head + 1 - STATES);
    // Once all branches have left the window, none of their nodes is left.
    twin.grow(STATES + 8, 0, &mut [&mut chain]);
    drop(chain);
    assert_eq!(nodes_left(folder.path()), nodes_of(&twin.chain, kept(&twin.chain)));
    let chain = open(folder.path(), few());
    let head = chain.head().header.number;
    twin.assert_same(&chain, head + 1 - STATES);
}

#[test]
fn fork_within_window_can_become_canonical() {
    let folder = tempdir().unwrap();
    let mut twin = Twin::new();
    let mut chain = open(folder.path(), few());
    twin.grow(20, 0, &mut [&mut chain]);
    // Forks off at the oldest retained state.
    let fork = chain.canonical_hash(chain.head().header.number + 1 - STATES).unwrap().unwrap();
    drop(chain);
    nodes_left(folder.path());
    let mut chain = open(folder.path(), few());
    for chain in [&mut chain, &mut twin.chain] {
        chain.set_head(&fork).unwrap();
    }
    twin.grow(3, 1, &mut [&mut chain]);
    let head = chain.head().header.number;
    twin.assert_same(&chain, head - 3);
}

#[test]
fn rewritten_node_survives_pruning_of_older_states() {
    // Setting and resetting a slot creates the same nodes repeatedly.
    let folder = tempdir().unwrap();
    let mut chain = open(folder.path(), few());
    let mut memory = Chain::new(&genesis(), config()).unwrap();
    let slot = U256::from(3);
    for round in 0..30_u64 {
        for chain in [&mut chain, &mut memory] {
            let set = crate::twin::set_slot(chain, slot, U256::from(round / 3 % 2 + 1));
            chain.append(set).unwrap();
        }
    }
    drop(chain);
    assert_eq!(nodes_left(folder.path()), nodes_of(&memory, kept(&memory)));
    let chain = open(folder.path(), few());
    let head = chain.head().header.number;
    for number in head + 1 - STATES..=head {
        let block = chain.canonical_block(number).unwrap().unwrap();
        let proof = chain.prove(&block, CONTRACT, &[slot]).unwrap();
        assert_eq!(proof, memory.prove(&block, CONTRACT, &[slot]).unwrap());
    }
}

#[test]
fn equal_storage_is_pruned_per_account() {
    // Contracts with the same slots have the same nodes. When one of them changes, the nodes of the
    // other stay.
    let folder = tempdir().unwrap();
    let mut genesis = genesis();
    let twin_of = |index: u8| alloy_primitives::Address::repeat_byte(0x60 + index);
    let contract = genesis.alloc[&CONTRACT].clone();
    for index in 0..3 {
        genesis.alloc.insert(twin_of(index), contract.clone());
    }
    let open = || open_chain_with(folder.path(), &genesis, config(), few()).unwrap();
    let (mut chain, mut memory) = (open(), Chain::new(&genesis, config()).unwrap());
    for round in 0..24_u64 {
        for chain in [&mut chain, &mut memory] {
            // Three of four contracts change in the same way one after another; the last changes
            // only its balance.
            let to = if round % 4 == 3 {
                twin_of(2)
            } else {
                [CONTRACT, twin_of(0), twin_of(1)][usize::try_from(round % 4).unwrap()]
            };
            let value = U256::from(round / 4 + 2);
            let block = crate::twin::call(chain, to, U256::from(5), value, round % 4 == 3);
            chain.append(block).unwrap();
        }
    }
    drop(chain);
    assert_eq!(nodes_left(folder.path()), nodes_of(&memory, kept(&memory)));
    let chain = open();
    let head = chain.head().header.number;
    for number in head + 1 - STATES..=head {
        let block = chain.canonical_block(number).unwrap().unwrap();
        for address in [CONTRACT, twin_of(0), twin_of(1), twin_of(2)] {
            let slots = [U256::from(5), U256::from(6)];
            let proof = chain.prove(&block, address, &slots).unwrap();
            assert_eq!(proof, memory.prove(&block, address, &slots).unwrap());
        }
    }
}

#[test]
fn witnesses_are_pruned_by_whole_segments() {
    let folder = tempdir().unwrap();
    let options = DiskOptions { segment_bytes: 20_000, ..few() };
    let mut twin = Twin::new();
    let mut chain = open(folder.path(), options.clone());
    twin.grow(40, 0, &mut [&mut chain]);
    drop(chain);
    DiskStore::open(folder.path(), options.clone()).unwrap().prune().unwrap();
    let chain = open(folder.path(), options);
    let retained = |(hash, witness): &(B256, codec::OwnedWitness)| {
        let got = chain.witness(hash).unwrap();
        assert!(got.is_none() || got.as_ref() == Some(witness));
        got.is_some()
    };
    let retained: Vec<bool> = twin.witnesses.iter().map(retained).collect();
    let dropped = retained.iter().take_while(|retained| !**retained).count();
    assert!(retained[dropped..].iter().all(|retained| *retained), "{retained:?}");
    assert!(dropped > 10 && dropped <= 40 - usize::try_from(STATES).unwrap(), "{dropped}");
    // Blocks are not pruned.
    assert!((0..=40).all(|number| chain.canonical_block(number).unwrap().is_some()));
}
