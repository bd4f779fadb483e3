//! The trie compared with `alloy-trie`.

use crate::{
    Outcome,
    choices::Choices,
    nodes::{Nodes, replace},
};
use alloy_primitives::{B256, Bytes, keccak256};
use alloy_rlp::Decodable as _;
use alloy_trie::{HashBuilder, nodes::TrieNode, proof::verify_proof};
use chain::store::{Recorder, prove};
use std::{collections::BTreeMap, sync::LazyLock};
use trie::{EMPTY_ROOT, Nibbles, NodePath, NodeSource, SourceError, Trie, TrieError, hash_tries};

/// Maximum number of batches of changes in one run.
const MAX_BATCHES: usize = 16;
/// Maximum number of changes in a batch.
const MAX_CHANGES: usize = 32;

/// Keys that are distributed like hashes.
static SPREAD: LazyLock<[B256; 256]> =
    LazyLock::new(|| core::array::from_fn(|number| keccak256([number as u8])));

type Model = BTreeMap<B256, Vec<u8>>;
type Changes = BTreeMap<B256, Option<Vec<u8>>>;

/// The model as it was before a batch of changes.
struct Before<'m> {
    model: &'m Model,
    /// Previous values of the keys that the batch changed; `None` for added keys.
    replaced: Changes,
}

impl<'m> Before<'m> {
    /// Applies the changes to the model.
    fn apply(model: &'m mut Model, changes: &Changes) -> Self {
        let mut replaced = Changes::new();
        for (key, value) in changes {
            let old = match value {
                Some(value) => model.insert(*key, value.clone()),
                None => model.remove(key),
            };
            replaced.insert(*key, old);
        }
        Self { model, replaced }
    }

    fn get(&self, key: &B256) -> Option<&[u8]> {
        self.replaced
            .get(key)
            .map_or_else(|| self.model.get(key), Option::as_ref)
            .map(Vec::as_slice)
    }
}

/// Nodes except the one with this hash.
struct Without<'n>(&'n Nodes, B256);

impl NodeSource for Without<'_> {
    type Bytes = Bytes;

    fn node(&self, path: NodePath<'_>, hash: &B256) -> Result<Option<Bytes>, SourceError> {
        if *hash == self.1 { Ok(None) } else { self.0.node(path, hash) }
    }
}

/// Compares the trie with an ordered map, whose root `alloy-trie` computes.
///
/// The bytes are batches of insertions, updates and removals. A trie in memory, and one that loads
/// its nodes for each batch, have the same root as the map. The nodes that a batch has read suffice
/// to compute this root; without one of them the batch fails and names the node; and with a forged
/// node, under a root that refers to it, each value read is one that `alloy-trie` also proves.
pub fn trie(data: &[u8]) -> Outcome {
    let mut choices = Choices::new(data);
    let (mut model, mut nodes) = (Model::new(), Nodes::default());
    let mut resident = Trie::<Bytes>::default();
    let mut root = EMPTY_ROOT;
    for _ in 0..MAX_BATCHES {
        if choices.is_over() {
            break;
        }
        let changes = changes(&mut choices);
        let before = Before::apply(&mut model, &changes);
        let expected = root_of(before.model);
        one_by_one(&mut resident, &before, &changes, choices.flag());
        assert_eq!(resident.hash(), expected, "the trie in memory");

        let reads = [key(&mut choices), key(&mut choices)];
        let recorder = Recorder::new(&nodes);
        let rerun = run(&recorder, root, &before, &reads, &changes);
        let mut partial = rerun.expect("no node is missing");
        let read = Nodes(recorder.into_read());
        let alone = run(&read, root, &before, &reads, &changes).map(|mut trie| trie.hash());
        assert_eq!(alone, Ok(expected), "the recorded nodes alone");
        drop_one(&read, root, &before, &reads, &changes, &mut choices);
        hash_tries(&mut [&mut partial], |(hash, node)| {
            nodes.0.insert(hash, Bytes::copy_from_slice(node));
        });
        root = partial.root().expect("it has just been hashed");
        assert_eq!(root, expected, "the trie over a source");
        check_proof(&nodes, root, &model, &mut choices);
    }
    if model.is_empty() { Outcome::Refused } else { Outcome::Accepted }
}

/// Returns the root that `alloy-trie` computes.
fn root_of(model: &Model) -> B256 {
    let mut builder = HashBuilder::default();
    for (key, value) in model {
        builder.add_leaf(Nibbles::unpack(key), value);
    }
    builder.root()
}

/// Chooses a key of one of three kinds: distributed like hashes; with a long common prefix, for
/// extensions deep in the trie; different only at the end, for embedded nodes.
fn key(choices: &mut Choices<'_>) -> B256 {
    let (shape, number) = (choices.byte(), choices.byte());
    match shape % 3 {
        0 => SPREAD[usize::from(number)],
        1 => {
            let mut key = B256::repeat_byte(0x11);
            key[8 + usize::from(shape) / 3 % 24] = number;
            key
        }
        _ => {
            let mut key = B256::repeat_byte(0x22);
            (key[30], key[31]) = (shape / 3 % 4, number);
            key
        }
    }
}

/// Chooses changes, at most one for each key.
fn changes(choices: &mut Choices<'_>) -> Changes {
    let count = 1 + choices.index(MAX_CHANGES);
    let mut changes = Changes::new();
    for _ in 0..count {
        if choices.is_over() {
            break;
        }
        let key = key(choices);
        let length = match choices.byte() {
            length @ 0..0x80 => usize::from(length) % 40,
            length => usize::from(length),
        };
        // A value has the chosen length even past the end of the bytes, because a length of zero is
        // a removal.
        let mut value = choices.bytes(length.min(4)).to_vec();
        value.resize(length, 0x5b);
        changes.insert(key, (!value.is_empty()).then_some(value));
    }
    changes
}

/// Applies changes to a trie in memory, one by one in the order of keys or with [`Trie::apply`].
fn one_by_one(resident: &mut Trie<Bytes>, before: &Before<'_>, changes: &Changes, ordered: bool) {
    let none = Nodes::default();
    if !ordered {
        let all = changes.iter().map(|(key, value)| (*key, value.as_deref()));
        return resident.apply(&none, all).expect("all nodes are in memory");
    }
    for (key, value) in changes {
        match value {
            Some(value) => {
                resident.insert(&none, key, value).expect("all nodes are in memory");
                assert_eq!(resident.get(&none, key), Ok(Some(&value[..])));
            }
            None => {
                let removed = resident.remove(&none, key).expect("all nodes are in memory");
                assert_eq!(removed, before.get(key).is_some());
                assert_eq!(resident.get(&none, key), Ok(None));
            }
        }
    }
}

/// Reads the keys and applies the changes over a source of nodes, and checks every value read.
fn run<S: NodeSource<Bytes = Bytes>>(
    source: &S,
    root: B256,
    before: &Before<'_>,
    reads: &[B256],
    changes: &Changes,
) -> Result<Trie<Bytes>, TrieError> {
    let mut trie = Trie::new(root);
    for key in reads {
        assert_eq!(trie.get(source, key)?, before.get(key));
    }
    trie.apply(source, changes.iter().map(|(key, value)| (*key, value.as_deref())))?;
    Ok(trie)
}

/// Repeats a batch without one of the nodes that it has read.
fn drop_one(
    read: &Nodes,
    root: B256,
    before: &Before<'_>,
    reads: &[B256],
    changes: &Changes,
    choices: &mut Choices<'_>,
) {
    let Some(dropped) = read.0.keys().nth(choices.index(read.0.len())).copied() else { return };
    match run(&Without(read, dropped), root, before, reads, changes) {
        Err(TrieError::MissingNode { hash, .. }) => assert_eq!(hash, dropped),
        other => panic!("without {dropped}: {other:?}"),
    }
}

/// Proves a key, and then forges a node of the proof. The hashes above it are repaired, so that the
/// root refers to it.
fn check_proof(nodes: &Nodes, root: B256, model: &Model, choices: &mut Choices<'_>) {
    let key = match choices.flag() {
        true => key(choices),
        false => model.keys().nth(choices.index(model.len())).copied().unwrap_or_default(),
    };
    let (value, mut proof) = prove(nodes, Trie::new(root), &key).expect("no node is missing");
    assert_eq!(value.as_ref(), model.get(&key), "the proven value");
    verify_proof(root, Nibbles::unpack(key), value, &proof).expect("a proof of alloy-trie");
    if proof.is_empty() {
        return;
    }
    let at = choices.index(proof.len());
    let mut forged = proof[at].to_vec();
    choices.edit(&mut forged, 3);
    let forged_root = replace(&mut proof, at, forged, root);
    let source: Nodes = proof.into_iter().collect();
    // A forged node is rejected, or read with the same result as by alloy-trie.
    if let Ok((value, proof)) = prove(&source, Trie::new(forged_root), &key)
        && !(value.is_none() && leaves_in_extension(&proof, &key))
    {
        let agreed = verify_proof(forged_root, Nibbles::unpack(key), value.clone(), &proof);
        assert!(agreed.is_ok(), "{value:?} is proven here alone: {agreed:?}");
    }
    let mut trie = Trie::new(forged_root);
    if trie.insert(&source, &key, &[1]).is_ok() {
        assert_eq!(trie.get(&source, &key), Ok(Some(&[1][..])));
        if trie.remove(&source, &key).is_ok() {
            assert_eq!(trie.get(&source, &key), Ok(None));
        }
        trie.hash();
    }
}

/// Returns `true` if the path of a key diverges from the proof within an extension, so that the key
/// has no value, whichever node the extension embeds. `verify_proof` of `alloy-trie` still reads
/// the embedded node: it rejects a malformed one, and panics at a path that is longer than a key.
fn leaves_in_extension(proof: &[Bytes], key: &B256) -> bool {
    let mut rest = Nibbles::unpack(key);
    let mut hashed = proof.iter().map(|node| node.to_vec());
    let mut node = hashed.next();
    while let Some(decoded) = node.and_then(|node| TrieNode::decode(&mut &node[..]).ok()) {
        let child = match decoded {
            TrieNode::Extension(extension) if !rest.starts_with(&extension.key) => return true,
            TrieNode::Extension(extension) => {
                rest = rest.slice(extension.key.len()..);
                Some(extension.child)
            }
            TrieNode::Branch(branch) => {
                let index = rest.first();
                rest = rest.slice(1.min(rest.len())..);
                branch
                    .as_ref()
                    .children()
                    .find(|(at, _)| Some(*at) == index)
                    .and_then(|entry| entry.1.cloned())
            }
            TrieNode::Leaf(_) | TrieNode::EmptyRoot => None,
        };
        node = child.and_then(|child| match child.is_hash() {
            true => hashed.next(),
            false => Some(child.as_slice().to_vec()),
        });
    }
    false
}
