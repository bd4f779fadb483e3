//! Guarantees of every store, tested on the in-memory store and on overlays over it.

mod suite;

use alloy_consensus::constants::KECCAK_EMPTY;
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_trie::{EMPTY_ROOT_HASH, TrieAccount};
// Named so that the suite finds it in every crate that includes it.
use enshrine_chain::store as seam;
use seam::{Block, CanonicalChange, Changes, MemoryStore, Overlay, Store};
use std::{collections::BTreeSet, sync::Arc};
use suite::{advance, at, child, first, found, hashes, move_to, transaction};
use trie::{NewNode, Nibbles, NodePath, NodeSource, SourceError, Trie, hash_tries};

#[test]
fn memory_store_and_overlay_pass_the_suite() {
    suite::passes(|test| test(&MemoryStore::default()));
    suite::passes(|test| test(&Overlay::new(Arc::new(MemoryStore::default()))));
}

/// A store of three blocks with a transaction each, and an overlay on it.
fn with_overlay() -> ([Arc<Block>; 3], Arc<MemoryStore>, Overlay) {
    let genesis = first(0);
    let one = child(&genesis, 1, &[1]);
    let two = child(&one, 1, &[2]);
    let below = Arc::new(MemoryStore::default());
    advance(&*below, &[&genesis, &one, &two]);
    let overlay = Overlay::new(Arc::clone(&below) as Arc<dyn Store>);
    ([genesis, one, two], below, overlay)
}

#[test]
fn overlay_reads_below_and_holds_its_own_changes() {
    let ([genesis, one, two], below, overlay) = with_overlay();
    assert_eq!(overlay.first_number().unwrap(), Some(0));
    assert_eq!(hashes(&overlay, 0..4), hashes(&*below, 0..4));
    assert_eq!(found(&overlay, 2), at(&two, 0));
    let three = child(&two, 1, &[3]);
    let changes = Changes {
        nodes: vec![(B256::repeat_byte(9), Bytes::from_static(b"node"))],
        preimages: vec![(Address::repeat_byte(9), vec![U256::ONE])],
        blocks: vec![Arc::clone(&three)],
        canonical: Some(CanonicalChange { from: 3, blocks: vec![Arc::clone(&three)] }),
        ..Changes::default()
    };
    overlay.commit(changes).unwrap();
    let all = [Some(genesis.hash), Some(one.hash), Some(two.hash), Some(three.hash)];
    assert_eq!(hashes(&overlay, 0..4), all);
    assert_eq!([1, 2, 3].map(|tx| found(&overlay, tx)), [at(&one, 0), at(&two, 0), at(&three, 0)]);
    assert_eq!(overlay.everything().unwrap().nodes.len(), 1);
    assert_eq!(overlay.preimages().unwrap().len(), 1);
    // The store below is unchanged.
    assert_eq!(hashes(&*below, 0..4), [all[0], all[1], all[2], None]);
    assert_eq!(found(&*below, 3), None);
    assert!(below.block(&three.hash).unwrap().is_none());
    assert!(below.everything().unwrap().nodes.is_empty());
    assert!(below.preimages().unwrap().is_empty());
}

#[test]
fn overlay_reorg_hides_replaced_blocks_below_and_above() {
    let ([genesis, one, two], below, overlay) = with_overlay();
    // Extend the chain of the store below first, then reorg into it.
    let three = child(&two, 1, &[3]);
    advance(&overlay, &[&three]);
    let (other, longer) = (child(&genesis, 2, &[2]), child(&child(&genesis, 2, &[2]), 2, &[4]));
    advance(&overlay, &[&other, &longer]);
    let reorged = [Some(genesis.hash), Some(other.hash), Some(longer.hash), None];
    assert_eq!(hashes(&overlay, 0..4), reorged);
    let expected = [None, at(&other, 0), None, at(&longer, 0)];
    assert_eq!([1, 2, 3, 4].map(|tx| found(&overlay, tx)), expected);
    // Reorg back to the branch below, whose blocks the overlay received only as canonical.
    move_to(&overlay, 1, &[Arc::clone(&one), Arc::clone(&two)], &[]);
    assert_eq!(hashes(&overlay, 0..4), hashes(&*below, 0..4));
    let expected = [at(&one, 0), at(&two, 0), None, None];
    assert_eq!([1, 2, 3, 4].map(|tx| found(&overlay, tx)), expected);
    // Reorg away from it again.
    move_to(&overlay, 1, &[Arc::clone(&other)], &[]);
    assert_eq!([1, 2].map(|tx| found(&overlay, tx)), [None, at(&other, 0)]);
    // The chain is now shorter than that of the store below, whose higher blocks must stay hidden.
    assert_eq!(hashes(&overlay, 0..4), [Some(genesis.hash), Some(other.hash), None, None]);
    assert_eq!([1, 2].map(|tx| found(&*below, tx)), [at(&one, 0), at(&two, 0)]);
}

#[test]
fn overlay_rejects_gap_to_store_below() {
    let ([_, _, two], below, overlay) = with_overlay();
    let three = child(&two, 1, &[]);
    let four = child(&three, 1, &[]);
    let change = CanonicalChange { from: 4, blocks: vec![four] };
    let refused = overlay.commit(Changes { canonical: Some(change), ..Changes::default() });
    assert!(refused.is_err());
    assert_eq!(hashes(&overlay, 0..6), hashes(&*below, 0..6));
    advance(&overlay, &[&three]);
}

#[test]
fn overlay_hides_bodies_that_it_has_dropped() {
    let ([_, one, _], below, overlay) = with_overlay();
    let changes = Changes {
        blocks: vec![Arc::new(one.without_body())],
        forgotten: vec![*transaction(1).hash()],
        ..Changes::default()
    };
    overlay.commit(changes).unwrap();
    assert_eq!((found(&overlay, 1), found(&*below, 1)), (None, at(&one, 0)));
    assert!(found(&overlay, 2).is_some());
}

struct Nothing;

impl NodeSource for Nothing {
    type Bytes = Bytes;

    fn node(&self, _: NodePath<'_>, _: &B256) -> Result<Option<Bytes>, SourceError> {
        Ok(None)
    }
}

/// A state of some accounts, one of which has storage and a code of its own.
struct SampleState {
    root: B256,
    nodes: BTreeSet<B256>,
    code: B256,
    changes: Changes,
}

fn sample(seed: u64) -> SampleState {
    let mut changes = Changes::default();
    let mut storage = Trie::<Bytes>::default();
    for slot in 0..40_u64 {
        let key = keccak256(B256::from(U256::from(slot)));
        storage.insert(&Nothing, &key, &alloy_rlp::encode(U256::from(seed + slot + 1))).unwrap();
    }
    let put = |(hash, node): NewNode<'_>| (hash, Bytes::copy_from_slice(node));
    hash_tries(&mut [&mut storage], |node| changes.nodes.push(put(node)));
    let code = changes.put_code(Bytes::from(format!("code {seed}").into_bytes()));
    let mut state = Trie::<Bytes>::default();
    for number in 0..60_u64 {
        let with_storage = number == 0;
        let account = TrieAccount {
            nonce: number,
            // Most accounts are the same in all samples.
            balance: U256::from(if number < 5 { seed } else { 0 }),
            storage_root: if with_storage { storage.root().unwrap() } else { EMPTY_ROOT_HASH },
            code_hash: if with_storage { code } else { KECCAK_EMPTY },
        };
        let key = keccak256(number.to_be_bytes());
        state.insert(&Nothing, &key, &alloy_rlp::encode(account)).unwrap();
    }
    hash_tries(&mut [&mut state], |node| changes.nodes.push(put(node)));
    let nodes = changes.nodes.iter().map(|(hash, _)| *hash).collect();
    SampleState { root: state.root().unwrap(), nodes, code, changes }
}

fn kept(store: &dyn Store, hashes: &BTreeSet<B256>) -> BTreeSet<B256> {
    let path = NodePath { owner: None, nibbles: &Nibbles::new() };
    hashes.iter().filter(|hash| store.node(path, hash).unwrap().is_some()).copied().collect()
}

#[test]
fn retain_keeps_exactly_the_reachable_nodes() {
    let samples: Vec<_> = (1..4).map(|seed| sample(seed * 1_000)).collect();
    let all: BTreeSet<B256> = samples.iter().flat_map(|sample| sample.nodes.clone()).collect();
    let shared: BTreeSet<B256> =
        samples[0].nodes.intersection(&samples[1].nodes).copied().collect();
    assert!(shared.len() > 5 && shared.len() < samples[0].nodes.len() - 20, "{}", shared.len());
    for roots in [vec![], vec![0], vec![2], vec![0, 2], vec![0, 1, 2], vec![1, 1]] {
        let store = MemoryStore::default();
        for sample in &samples {
            store.commit(sample.changes.clone()).unwrap();
        }
        assert_eq!(kept(&store, &all), all);
        let chosen: Vec<_> = roots.iter().map(|index| &samples[*index]).collect();
        store.retain(&chosen.iter().map(|sample| sample.root).collect::<Vec<_>>()).unwrap();
        let expected: BTreeSet<B256> =
            chosen.iter().flat_map(|sample| sample.nodes.clone()).collect();
        assert_eq!(kept(&store, &all), expected, "{roots:?}");
        assert_eq!(store.node_count(), expected.len());
        for (index, sample) in samples.iter().enumerate() {
            let has_code = store.code(&sample.code).unwrap().is_some();
            assert_eq!(has_code, roots.contains(&index), "{roots:?}: code of {index}");
        }
    }
}

#[test]
fn store_wants_pruning_after_doubling() {
    let store = MemoryStore::default();
    let put = |from: u64, count: u64| {
        let node = |number: u64| (keccak256(number.to_be_bytes()), Bytes::from_static(b"node"));
        let nodes = (from..from + count).map(node).collect();
        store.commit(Changes { nodes, ..Changes::default() }).unwrap();
    };
    let sample = sample(1);
    store.commit(sample.changes.clone()).unwrap();
    let needed = store.node_count() as u64;
    put(0, 2_047 - needed);
    assert!(!store.wants_pruning());
    put(10_000, 1);
    assert!(store.wants_pruning());
    store.retain(&[sample.root]).unwrap();
    assert_eq!(store.node_count() as u64, needed);
    put(0, needed + 2_047);
    assert!(!store.wants_pruning());
    put(10_000, 1);
    assert!(store.wants_pruning());
}
