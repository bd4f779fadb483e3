//! Malformed nodes with a correct hash, each next to a well-formed neighbour.

use alloy_primitives::{B256, Bytes, keccak256};
use enshrine_trie::{NodePath, NodeSource, SourceError, Trie, TrieError};
use std::collections::HashMap;

/// Nodes by the hash of their bytes, well-formed or not.
#[derive(Default)]
struct Nodes(HashMap<B256, Bytes>);

impl Nodes {
    fn put(&mut self, node: Vec<u8>) -> B256 {
        let hash = keccak256(&node);
        self.0.insert(hash, node.into());
        hash
    }
}

impl NodeSource for Nodes {
    type Bytes = Bytes;

    fn node(&self, _: NodePath<'_>, hash: &B256) -> Result<Option<Bytes>, SourceError> {
        Ok(self.0.get(hash).cloned())
    }
}

fn list(items: &[Vec<u8>]) -> Vec<u8> {
    let payload = items.concat();
    let header = alloy_rlp::Header { list: true, payload_length: payload.len() };
    let mut out = Vec::new();
    header.encode(&mut out);
    out.extend(payload);
    out
}

fn string(bytes: &[u8]) -> Vec<u8> {
    alloy_rlp::encode(bytes)
}

/// Returns the nibbles of a key from `from` on, in hex prefix form.
fn path(key: &B256, from: usize, leaf: bool) -> Vec<u8> {
    let nibbles: Vec<u8> = key.iter().flat_map(|byte| [byte >> 4, byte & 15]).skip(from).collect();
    hex_prefix(&nibbles, leaf)
}

fn hex_prefix(nibbles: &[u8], leaf: bool) -> Vec<u8> {
    let flag = if leaf { 0x20 } else { 0 };
    let (first, rest) = match nibbles.len() % 2 {
        0 => (flag, nibbles),
        _ => (flag | 0x10 | nibbles[0], &nibbles[1..]),
    };
    let pairs = rest.chunks(2).map(|pair| pair[0] << 4 | pair[1]);
    string(&core::iter::once(first).chain(pairs).collect::<Vec<_>>())
}

/// Encodes a branch with these children, and with `more` items after its value.
fn branch(children: [(usize, B256); 2], more: usize) -> Vec<u8> {
    let mut items = vec![vec![0x80]; 17 + more];
    for (index, hash) in children {
        items[index] = string(&hash[..]);
    }
    list(&items)
}

const KEY: B256 = B256::repeat_byte(0x11);
const OTHER: B256 = B256::repeat_byte(0x22);

fn get(nodes: &Nodes, root: B256) -> Result<Option<Vec<u8>>, TrieError> {
    Trie::new(root).get(nodes, &KEY).map(|value| value.map(<[u8]>::to_vec))
}

#[track_caller]
fn assert_malformed(outcome: Result<Option<Vec<u8>>, TrieError>, why: &str) {
    match outcome {
        Err(TrieError::Malformed { reason, .. }) => assert!(reason.contains(why), "{reason}"),
        other => panic!("{other:?}"),
    }
}

/// Adds two leaves below a branch at the root, with `more` surplus items in the branch.
fn forked(nodes: &mut Nodes, more: usize) -> B256 {
    let mut leaf = |key: &B256| {
        let node = list(&[path(key, 1, true), string(&[7; 40])]);
        (usize::from(key[0] >> 4), nodes.put(node))
    };
    let children = [leaf(&KEY), leaf(&OTHER)];
    nodes.put(branch(children, more))
}

#[test]
fn branch_must_have_seventeen_items() {
    let mut nodes = Nodes::default();
    let root = forked(&mut nodes, 0);
    assert_eq!(get(&nodes, root), Ok(Some(vec![7; 40])));
    for more in [1, 2] {
        let root = forked(&mut nodes, more);
        assert!(matches!(get(&nodes, root), Err(TrieError::Malformed { .. })), "{more} more");
    }
}

#[test]
fn extension_must_have_nibbles() {
    // Keys that share their first nibble, below an extension.
    let mut nodes = Nodes::default();
    let other = {
        let mut other = KEY;
        other[0] = 0x12;
        other
    };
    let below = |nodes: &mut Nodes, from: usize| {
        let mut leaf = |key: &B256, index: usize| {
            let node = list(&[path(key, from + 1, true), string(&[7; 40])]);
            (index, nodes.put(node))
        };
        let children = [leaf(&KEY, 1), leaf(&other, 2)];
        nodes.put(branch(children, 0))
    };
    let child = below(&mut nodes, 1);
    let root = nodes.put(list(&[hex_prefix(&[1], false), string(&child[..])]));
    assert_eq!(get(&nodes, root), Ok(Some(vec![7; 40])));
    // The same branch one nibble higher, below an extension without nibbles.
    let child = forked(&mut nodes, 0);
    let root = nodes.put(list(&[hex_prefix(&[], false), string(&child[..])]));
    assert_malformed(get(&nodes, root), "extension is empty");
}

#[test]
fn path_longer_than_key_is_rejected() {
    let read = |nibbles: usize| {
        let mut nodes = Nodes::default();
        let root = nodes.put(list(&[hex_prefix(&vec![1; nibbles], true), string(b"value")]));
        get(&nodes, root)
    };
    assert_eq!(read(64), Ok(Some(b"value".to_vec())));
    for nibbles in [65, 66, 67] {
        assert_malformed(read(nibbles), "hex prefix is not canonical");
    }
}

#[test]
fn hashed_node_shorter_than_hash_is_rejected() {
    // A leaf at a depth of 62 nibbles is short: with a short value it must be embedded in its
    // parent.
    let short_of = |value: &[u8]| {
        let mut nodes = Nodes::default();
        let other = {
            let mut other = KEY;
            other[31] = 0x21;
            other
        };
        let leaf = |key: &B256| list(&[path(key, 63, true), string(value)]);
        let children = [(1, nodes.put(leaf(&KEY))), (2, nodes.put(leaf(&other)))];
        let branch = nodes.put(branch(children, 0));
        let above: Vec<u8> = KEY.iter().flat_map(|byte| [byte >> 4, byte & 15]).take(62).collect();
        let root = nodes.put(list(&[hex_prefix(&above, false), string(&branch[..])]));
        get(&nodes, root)
    };
    assert_eq!(short_of(&[7; 40]), Ok(Some(vec![7; 40])));
    // 31 bytes in total, and 32.
    assert_eq!(short_of(&[7; 29]).map(|value| value.map(|value| value.len())), Ok(Some(29)));
    assert_malformed(short_of(&[7; 28]), "shorter than the hash");
    assert_malformed(short_of(&[7]), "shorter than the hash");
}
