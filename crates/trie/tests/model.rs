//! The trie compared with a model: an ordered map, whose root `alloy-trie` computes.

mod support;

use alloy_primitives::{B256, Bytes, keccak256};
use alloy_trie::{HashBuilder, proof::verify_proof};
use chain::store::{Recorder, prove};
use enshrine_trie::{
    EMPTY_ROOT, Nibbles, NodePath, NodeSource, SourceError, Trie, TrieError, hash_tries,
};
use std::collections::{BTreeMap, HashMap};
use support::Rng;

/// Nodes by hash, as a test database.
#[derive(Debug, Default, Clone)]
struct Nodes(HashMap<B256, Bytes>);

impl NodeSource for Nodes {
    type Bytes = Bytes;

    fn node(&self, _: NodePath<'_>, hash: &B256) -> Result<Option<Bytes>, SourceError> {
        Ok(self.0.get(hash).cloned())
    }
}

type Model = BTreeMap<B256, Vec<u8>>;

fn model_root(model: &Model) -> B256 {
    let mut builder = HashBuilder::default();
    for (key, value) in model {
        builder.add_leaf(Nibbles::unpack(key), value);
    }
    builder.root()
}

/// Keys of three kinds: spread like hashes, with long common prefixes (extensions deep in the
/// trie), and differing only at their ends (embedded nodes).
fn key(rng: &mut Rng) -> B256 {
    let number = rng.below(200);
    match rng.below(3) {
        0 => keccak256(number.to_be_bytes()),
        1 => {
            let mut key = B256::repeat_byte(0x11);
            key[16] = (number % 3) as u8;
            key[24] = (number % 5) as u8;
            key[31] = (number % 40) as u8;
            key
        }
        _ => {
            let mut key = B256::repeat_byte(0x22);
            key[30] = (number % 4) as u8;
            key[31] = number as u8;
            key
        }
    }
}

/// Values from one byte (so that leaves are embedded) to more than an account.
fn value(rng: &mut Rng) -> Vec<u8> {
    let len = match rng.below(4) {
        0 | 1 => 1,
        2 => 1 + rng.below(33),
        _ => 1 + rng.below(150),
    };
    (0..len).map(|_| 1 + rng.below(255) as u8).collect()
}

/// A batch of changes, at most one per key. Half of them remove keys that are likely to exist.
fn changes(rng: &mut Rng, model: &Model, count: u32) -> BTreeMap<B256, Option<Vec<u8>>> {
    (0..count)
        .map(|_| {
            if rng.below(2) == 0 && !model.is_empty() {
                let nth = rng.below(model.len() as u32) as usize;
                (*model.keys().nth(nth).expect("within the model"), None)
            } else if rng.below(8) == 0 {
                (key(rng), None)
            } else {
                (key(rng), Some(value(rng)))
            }
        })
        .collect()
}

fn apply_to_model(model: &mut Model, changes: &BTreeMap<B256, Option<Vec<u8>>>) {
    for (key, value) in changes {
        match value {
            Some(value) => model.insert(*key, value.clone()),
            None => model.remove(key),
        };
    }
}

fn apply<S: NodeSource<Bytes = Bytes>>(
    trie: &mut Trie<Bytes>,
    source: &S,
    changes: &BTreeMap<B256, Option<Vec<u8>>>,
) -> Result<(), TrieError> {
    trie.apply(source, changes.iter().map(|(key, value)| (*key, value.as_deref())))
}

fn commit(trie: &mut Trie<Bytes>, nodes: &mut Nodes) -> B256 {
    hash_tries(&mut [trie], |(hash, node)| {
        nodes.0.insert(hash, Bytes::copy_from_slice(node));
    });
    trie.root().expect("just hashed")
}

/// Number of times that each path of the trie's code was taken, to prove that the test reaches all
/// of them.
#[derive(Default, Debug)]
struct Reached {
    operations: usize,
    removals_that_need_a_sibling: usize,
    embedded_nodes: usize,
    emptied: usize,
    dropped_nodes: usize,
}

/// Applies random batches to a trie in memory and to one that is loaded from the database again for
/// each batch, and compares both with the model. Then repeats each batch with only the recorded
/// nodes, and with each of them missing.
fn play(seed: u8, batches: usize, per_batch: u32, drop_nodes: bool, reached: &mut Reached) {
    let mut rng = Rng::new(seed);
    let mut model = Model::new();
    let mut nodes = Nodes::default();
    let mut resident = Trie::<Bytes>::default();
    let mut root = EMPTY_ROOT;
    for _ in 0..batches {
        let emptying = rng.below(25) == 0;
        let changes = if emptying {
            model.keys().map(|key| (*key, None)).collect()
        } else {
            changes(&mut rng, &model, per_batch)
        };
        let reads: Vec<B256> = (0..4).map(|_| key(&mut rng)).collect();
        let before = model.clone();
        apply_to_model(&mut model, &changes);
        let expected = model_root(&model);
        reached.operations += changes.len() + reads.len();
        reached.emptied += usize::from(model.is_empty() && !before.is_empty());

        apply(&mut resident, &Nodes::default(), &changes).expect("all nodes are in the arena");
        assert_eq!(resident.hash(), expected, "resident trie");

        let recorder = Recorder::new(&nodes);
        let mut partial = Trie::new(root);
        for key in &reads {
            let value = partial.get(&recorder, key).expect("the database is complete");
            assert_eq!(value, before.get(key).map(Vec::as_slice));
        }
        apply(&mut partial, &recorder, &changes).expect("the database is complete");
        let witness: HashMap<B256, Bytes> = recorder.into_read().into_iter().collect();

        let rerun = |witness: &Nodes| -> Result<B256, TrieError> {
            let mut trie = Trie::new(root);
            for key in &reads {
                let value = trie.get(witness, key)?;
                assert_eq!(value, before.get(key).map(Vec::as_slice), "never a wrong value");
            }
            apply(&mut trie, witness, &changes)?;
            Ok(trie.hash())
        };
        assert_eq!(rerun(&Nodes(witness.clone())), Ok(expected), "witness alone");
        if drop_nodes {
            for dropped in witness.keys() {
                let mut fewer = witness.clone();
                fewer.remove(dropped);
                match rerun(&Nodes(fewer)) {
                    Err(TrieError::MissingNode { hash, .. }) => assert_eq!(hash, *dropped),
                    other => panic!("without {dropped}: {other:?}"),
                }
                reached.dropped_nodes += 1;
            }
        }
        reached.embedded_nodes += witness.values().filter(|node| holds_embedded_node(node)).count();
        reached.removals_that_need_a_sibling += usize::from(
            changes.values().any(Option::is_none)
                && witness.len() > nodes_on_paths(&nodes, root, changes.keys().chain(&reads)),
        );
        root = commit(&mut partial, &mut nodes);
        assert_eq!(root, expected, "trie loaded from the database");
    }
}

/// Returns the number of distinct nodes on the paths to the keys.
fn nodes_on_paths<'k>(nodes: &Nodes, root: B256, keys: impl Iterator<Item = &'k B256>) -> usize {
    let mut seen = std::collections::HashSet::new();
    for key in keys {
        seen.extend(prove(nodes, Trie::new(root), key).expect("complete").1);
    }
    seen.len()
}

/// Returns `true` if a branch or extension has a list among its items.
fn holds_embedded_node(node: &[u8]) -> bool {
    let mut rest = node;
    match alloy_rlp_items(&mut rest) {
        Some(items) => items.iter().any(|item| item.first().is_some_and(|byte| *byte >= 0xc0)),
        None => false,
    }
}

fn alloy_rlp_items<'a>(node: &mut &'a [u8]) -> Option<Vec<&'a [u8]>> {
    match alloy_rlp::Header::decode_raw(node).ok()? {
        alloy_rlp::PayloadView::List(items) => Some(items),
        alloy_rlp::PayloadView::String(_) => None,
    }
}

#[test]
fn random_operations_match_model_root() {
    let mut reached = Reached::default();
    for seed in 0..8 {
        play(seed, 240, 60, false, &mut reached);
    }
    assert!(reached.operations >= 100_000, "{reached:?}");
    assert!(reached.emptied > 10, "{reached:?}");
    assert!(reached.removals_that_need_a_sibling > 100, "{reached:?}");
    assert!(reached.embedded_nodes > 1_000, "{reached:?}");
}

#[test]
fn each_missing_recorded_node_is_reported() {
    let mut reached = Reached::default();
    for seed in 100..108 {
        play(seed, 120, 12, true, &mut reached);
    }
    assert!(reached.dropped_nodes > 5_000, "{reached:?}");
}

#[test]
fn proofs_pass_independent_verifier() {
    let mut rng = Rng::new(7);
    let (mut nodes, mut trie, mut model) = (Nodes::default(), Trie::default(), Model::new());
    let changes = changes(&mut rng, &model, 300);
    apply_to_model(&mut model, &changes);
    apply(&mut trie, &nodes, &changes).unwrap();
    let root = commit(&mut trie, &mut nodes);
    let absent = (0..100_u32).map(|number| keccak256((number + 1_000).to_be_bytes()));
    let (mut present_count, mut absent_count) = (0, 0);
    for key in model.keys().copied().collect::<Vec<_>>().into_iter().chain(absent) {
        let (proven, proof) = prove(&nodes, Trie::new(root), &key).unwrap();
        let value = model.get(&key).cloned();
        assert_eq!(proven, value);
        verify_proof(root, Nibbles::unpack(key), value.clone(), &proof).unwrap();
        let wrong = value.map_or(Some(vec![1]), |_| None);
        assert!(verify_proof(root, Nibbles::unpack(key), wrong.clone(), &proof).is_err());
        if wrong.is_none() { present_count += 1 } else { absent_count += 1 }
    }
    assert!(present_count > 50 && absent_count > 50);
}

#[test]
fn tries_hashed_together_keep_their_roots() {
    let mut rng = Rng::new(9);
    let mut tries = Vec::new();
    let mut models = Vec::new();
    for size in 0..40 {
        let mut model = Model::new();
        let changes = changes(&mut rng, &model, size * 3);
        apply_to_model(&mut model, &changes);
        let mut trie = Trie::default();
        apply(&mut trie, &Nodes::default(), &changes).unwrap();
        tries.push(trie);
        models.push(model);
    }
    hash_tries(&mut tries.iter_mut().collect::<Vec<_>>(), |_| {});
    for (trie, model) in tries.iter().zip(&models) {
        assert_eq!(trie.root(), Some(model_root(model)));
    }
}

#[test]
fn failed_change_leaves_trie_unchanged() {
    let mut rng = Rng::new(11);
    let (mut nodes, mut model) = (Nodes::default(), Model::new());
    let mut trie = Trie::default();
    let changes = changes(&mut rng, &model, 200);
    apply_to_model(&mut model, &changes);
    apply(&mut trie, &nodes, &changes).unwrap();
    let root = commit(&mut trie, &mut nodes);
    let mut failures = 0;
    for key in model.keys() {
        // Only the path to the key itself is known, so a removal that collapses a branch must fail.
        let (_, proof) = prove(&nodes, Trie::new(root), key).unwrap();
        let known = Nodes(proof.into_iter().map(|node| (keccak256(&node), node)).collect());
        let mut partial = Trie::new(root);
        let removed = partial.remove(&known, key);
        if removed.is_err() {
            failures += 1;
            assert_eq!(partial.hash(), root);
            assert_eq!(partial.get(&known, key).unwrap(), model.get(key).map(Vec::as_slice));
        }
        let mut without = model.clone();
        without.remove(key);
        assert_eq!(partial.remove(&nodes, key), Ok(removed.is_err()));
        assert_eq!(partial.hash(), model_root(&without));
    }
    assert!(failures > 3, "{failures} collapses");
}

#[test]
fn values_of_all_rlp_lengths_match_model() {
    let mut model = Model::new();
    for len in [1, 2, 55, 56, 57, 255, 256, 257, 65_535, 65_536, 70_000, 1 << 24] {
        let (mut trie, key) = (Trie::default(), keccak256([7]));
        model.insert(key, vec![7; len]);
        trie.insert(&Nodes::default(), &key, &model[&key]).unwrap();
        assert_eq!(trie.hash(), model_root(&model), "{len} bytes");
    }
}

#[test]
fn trie_is_empty_before_insert_and_after_removal() {
    let (nodes, key) = (Nodes::default(), keccak256([7]));
    let mut trie = Trie::<Bytes>::new(EMPTY_ROOT);
    assert!(trie.is_empty());
    assert_eq!(trie.remove(&nodes, &key), Ok(false));
    trie.insert(&nodes, &key, &[1]).unwrap();
    assert!(!trie.is_empty());
    assert_eq!(trie.remove(&nodes, &key), Ok(true));
    assert!(trie.is_empty());
    assert_eq!(trie.hash(), EMPTY_ROOT);
}
