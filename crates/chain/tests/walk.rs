//! The walk visits every node and every value of a trie, and nothing else.

use alloy_primitives::{B256, Bytes, hex, keccak256};
use enshrine_chain::store::{Recorder, Visitor, prove, walk};
use proptest::{
    prelude::Rng as _,
    test_runner::{RngAlgorithm, TestRng},
};
use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
};
use trie::{EMPTY_ROOT, Nibbles, NodePath, NodeSource, SourceError, Trie, TrieError, hash_tries};

const OWNER: B256 = B256::repeat_byte(0x0e);

/// Nodes by hash, with a read failure that can be injected once, at a chosen node.
#[derive(Debug, Default, Clone)]
struct Nodes {
    by_hash: BTreeMap<B256, Bytes>,
    fails_after: Cell<Option<usize>>,
}

impl NodeSource for Nodes {
    type Bytes = Bytes;

    fn node(&self, path: NodePath<'_>, hash: &B256) -> Result<Option<Bytes>, SourceError> {
        assert_eq!(path.owner, Some(&OWNER));
        match self.fails_after.get() {
            Some(0) => {
                self.fails_after.set(None);
                return Err(SourceError::new("disk on fire"));
            }
            left => self.fails_after.set(left.map(|left| left - 1)),
        }
        Ok(self.by_hash.get(hash).cloned())
    }
}

type Model = BTreeMap<B256, Vec<u8>>;

/// A random trie: some keys spread like hashes, some sharing long prefixes, some differing in their
/// last nibbles only, so that with short values nodes are embedded in others.
fn random_trie(seed: u8) -> (Model, Nodes, B256) {
    let mut random = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let mut below = |bound: u32| random.next_u32() % bound;
    let (mut model, mut trie) = (Model::new(), Trie::<Bytes>::default());
    for _ in 0..below(120) {
        let number = below(300);
        let mut key = match below(3) {
            0 => keccak256(number.to_be_bytes()),
            1 => B256::repeat_byte(0x11),
            _ => B256::repeat_byte(0x22),
        };
        key[16] ^= (number % 2) as u8;
        key[31] = number as u8;
        let len = if below(2) == 0 { 1 } else { 1 + below(100) };
        model.insert(key, (0..len).map(|_| 1 + below(255) as u8).collect());
    }
    let nothing = Nodes::default();
    for (key, value) in &model {
        trie.insert(&nothing, key, value).unwrap();
    }
    let mut nodes = Nodes::default();
    hash_tries(&mut [&mut trie], |(hash, node)| {
        nodes.by_hash.insert(hash, Bytes::copy_from_slice(node));
    });
    (model, nodes, trie.root().unwrap())
}

/// Records everything that it visits.
#[derive(Debug, Default)]
struct Seen {
    nodes: Vec<(B256, Bytes)>,
    values: Vec<(B256, Vec<u8>)>,
    missing: Vec<B256>,
    /// Skips missing nodes instead of ending the walk.
    patient: bool,
    /// Nodes whose children are not visited.
    closed: BTreeSet<B256>,
}

impl Visitor<Bytes> for Seen {
    fn node(&mut self, hash: &B256, node: &Bytes) -> bool {
        self.nodes.push((*hash, node.clone()));
        !self.closed.contains(hash)
    }

    fn value(&mut self, key: &B256, value: &[u8]) {
        self.values.push((*key, value.to_vec()));
    }

    fn missing(&mut self, path: Nibbles, hash: B256) -> Result<(), TrieError> {
        self.missing.push(hash);
        if self.patient { Ok(()) } else { Err(TrieError::MissingNode { path, hash }) }
    }
}

/// A visitor with the default handling of missing nodes.
struct Plain;

impl Visitor<Bytes> for Plain {
    fn node(&mut self, _: &B256, _: &Bytes) -> bool {
        true
    }

    fn value(&mut self, _: &B256, _: &[u8]) {}
}

fn walked(nodes: &Nodes, root: B256, mut visitor: Seen) -> (Seen, Result<(), TrieError>) {
    let result = walk(nodes, Some(&OWNER), root, &mut visitor);
    (visitor, result)
}

#[test]
fn walk_visits_each_node_once_and_values_sorted() {
    let mut embedded = 0;
    for seed in 0..60 {
        let (model, nodes, root) = random_trie(seed);
        let (visited, result) = walked(&nodes, root, Seen::default());
        assert_eq!(result, Ok(()));
        assert_eq!(visited.values, model.clone().into_iter().collect::<Vec<_>>(), "seed {seed}");
        let by_hash: BTreeMap<_, _> = visited.nodes.iter().cloned().collect();
        assert_eq!(by_hash, nodes.by_hash, "seed {seed}");
        assert!(visited.nodes.iter().all(|(hash, node)| keccak256(node) == *hash));
        // A leaf without a node of its own is embedded in another node.
        embedded += usize::from(visited.nodes.len() < model.len());
    }
    assert!(embedded > 10, "{embedded} tries with more leaves than nodes");
}

#[test]
fn empty_trie_reads_no_node() {
    let nodes = Nodes { fails_after: Cell::new(Some(0)), ..Nodes::default() };
    let (visited, result) = walked(&nodes, EMPTY_ROOT, Seen::default());
    assert_eq!(result, Ok(()));
    assert!(visited.nodes.is_empty() && visited.values.is_empty());
}

#[test]
fn missing_node_ends_walk_or_skips_its_subtree() {
    let (model, nodes, root) = random_trie(3);
    assert!(nodes.by_hash.len() > 20);
    for missing in nodes.by_hash.keys() {
        let mut fewer = nodes.clone();
        fewer.by_hash.remove(missing);
        match walk(&fewer, Some(&OWNER), root, &mut Plain) {
            Err(TrieError::MissingNode { hash, .. }) => assert_eq!(hash, *missing),
            other => panic!("without {missing}: {other:?}"),
        }
        let (visited, result) = walked(&fewer, root, Seen { patient: true, ..Seen::default() });
        assert_eq!((result, visited.missing), (Ok(()), vec![*missing]));
        // A walk that stops at the node visits the same items as one over a source without it, and
        // the node itself.
        let closed = BTreeSet::from([*missing]);
        let (stopped, result) = walked(&nodes, root, Seen { closed, ..Seen::default() });
        assert_eq!(result, Ok(()));
        assert_eq!(visited.values, stopped.values);
        assert_eq!(visited.nodes.len() + 1, stopped.nodes.len());
        assert!(visited.values.len() < model.len());
    }
}

#[test]
fn walk_returns_source_error_at_every_node() {
    let (_, nodes, root) = random_trie(3);
    let fault = TrieError::Source(SourceError::new("disk on fire"));
    for after in 0..nodes.by_hash.len() {
        nodes.fails_after.set(Some(after));
        let (visited, result) = walked(&nodes, root, Seen { patient: true, ..Seen::default() });
        assert_eq!(result, Err(fault.clone()));
        assert_eq!(visited.nodes.len(), after);
        assert!(visited.missing.is_empty(), "a failure is not an absence");
    }
    nodes.fails_after.set(Some(nodes.by_hash.len()));
    assert_eq!(walked(&nodes, root, Seen::default()).1, Ok(()));
}

#[test]
fn trie_operations_return_source_error() {
    let (model, nodes, root) = random_trie(3);
    let fault = TrieError::Source(SourceError::new("disk on fire"));
    let key = model.keys().next().unwrap();
    let (read, failed) = (Recorder::new(&nodes), |at| nodes.fails_after.set(Some(at)));
    prove(&read, Trie::storage(OWNER, root), key).unwrap();
    let depth = read.into_read().len();
    assert!(depth > 1);
    for at in 0..depth {
        failed(at);
        let proven = prove(&nodes, Trie::storage(OWNER, root), key);
        assert_eq!(proven, Err(fault.clone()));
        let mut trie = Trie::<Bytes>::storage(OWNER, root);
        failed(at);
        assert_eq!(trie.get(&nodes, key), Err(fault.clone()));
        let mut trie = Trie::<Bytes>::storage(OWNER, root);
        failed(at);
        assert_eq!(trie.insert(&nodes, key, &[7]).map(|_| ()), Err(fault.clone()));
        // A failed operation changes nothing, and succeeds once the source recovers.
        assert_eq!(trie.hash(), root);
        assert_eq!(trie.get(&nodes, key).unwrap(), model.get(key).map(Vec::as_slice));
        let mut trie = Trie::<Bytes>::storage(OWNER, root);
        failed(at);
        assert_eq!(trie.remove(&nodes, key), Err(fault.clone()));
        assert_eq!(trie.remove(&nodes, key), Ok(true));
    }
}

#[test]
fn malformed_node_ends_walk_with_error() {
    let good = hex!("c22001");
    for bytes in [&b""[..], &hex!("81ff"), &hex!("c0"), &hex!("c3200101"), &good, &[0xc1, 0x80]] {
        let hash = keccak256(bytes);
        let nodes = Nodes {
            by_hash: BTreeMap::from([(hash, Bytes::copy_from_slice(bytes))]),
            ..Nodes::default()
        };
        let result = walk(&nodes, Some(&OWNER), hash, &mut Plain);
        assert!(matches!(result, Err(TrieError::Malformed { .. })), "{bytes:?}: {result:?}");
    }
    // A valid counterpart: a leaf of the right depth.
    let leaf = [&hex!("e3a120")[..], &[0; 32], &hex!("01")].concat();
    let hash = keccak256(&leaf);
    let nodes = Nodes { by_hash: BTreeMap::from([(hash, leaf.into())]), ..Nodes::default() };
    let (visited, result) = walked(&nodes, hash, Seen::default());
    assert_eq!((result, visited.values), (Ok(()), vec![(B256::ZERO, vec![1])]));
}
