//! Nodes that no honest trie holds: each ends in a typed error, beside an accepted neighbour.

use alloy_primitives::{B256, Bytes, hex, keccak256};
use enshrine_trie::{NodeIndex, NodePath, NodeSource, SourceError, Trie, TrieError};
use proptest::prelude::*;
use std::{collections::HashMap, sync::Arc};

#[derive(Default)]
struct Nodes(HashMap<B256, Bytes>);

impl NodeSource for Nodes {
    type Bytes = Bytes;

    fn node(&self, _: NodePath<'_>, hash: &B256) -> Result<Option<Bytes>, SourceError> {
        Ok(self.0.get(hash).cloned())
    }
}

impl Nodes {
    fn put(&mut self, node: &[u8]) -> B256 {
        let hash = keccak256(node);
        self.0.insert(hash, Bytes::copy_from_slice(node));
        hash
    }
}

/// A trie whose root is `node`, asked for the key of all zeros.
fn read_root(node: &[u8]) -> Result<Option<Vec<u8>>, TrieError> {
    let mut nodes = Nodes::default();
    let root = nodes.put(node);
    Ok(Trie::new(root).get(&nodes, &B256::ZERO)?.map(<[u8]>::to_vec))
}

fn reason(node: &[u8]) -> &'static str {
    match read_root(node) {
        Err(TrieError::Malformed { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

fn list(items: &[&[u8]]) -> Vec<u8> {
    let payload = items.concat();
    let mut out = match payload.len() {
        len @ 0..=55 => vec![0xc0 + len as u8],
        len @ 56..=255 => vec![0xf8, len as u8],
        len => vec![0xf9, (len >> 8) as u8, len as u8],
    };
    out.extend(payload);
    out
}

/// Hex prefix of a leaf with 64 zero nibbles, as an RLP string.
fn full_leaf_prefix() -> Vec<u8> {
    let mut prefix = vec![0xa1, 0x20];
    prefix.extend([0; 32]);
    prefix
}

#[test]
fn leaves_are_read_strictly() {
    let prefix = full_leaf_prefix();
    assert_eq!(read_root(&list(&[&prefix, &[0x07]])), Ok(Some(vec![7])));
    assert_eq!(reason(&list(&[&prefix, &[0x80]])), "leaf without a value");
    assert_eq!(reason(&list(&[&prefix, &[0xc0]])), "leaf value is not a string");
    assert_eq!(reason(&list(&[&prefix, &[7], &[7]])), "neither two nor seventeen items");
    // A single byte below 0x80 must stand for itself.
    assert_eq!(reason(&list(&[&prefix, &[0x81, 0x07]])), "leaf value is not a string");
    // Flags of neither leaf nor extension; a low nibble in an even prefix.
    let mut bad = prefix;
    bad[1] = 0x40;
    assert_eq!(reason(&list(&[&bad, &[7]])), "hex prefix is not canonical");
    bad[1] = 0x21;
    assert_eq!(reason(&list(&[&bad, &[7]])), "hex prefix is not canonical");
    // One nibble too few for a key.
    let mut short = vec![0xa0, 0x30];
    short.extend([0; 31]);
    assert_eq!(reason(&list(&[&short, &[7]])), "leaf does not end at the end of a key");
}

#[test]
fn list_headers_must_be_canonical_and_exact() {
    let good = list(&[&full_leaf_prefix(), &[7]]);
    assert!(read_root(&good).is_ok());
    let mut long = vec![0xf8, good[0] - 0xc0];
    long.extend(&good[1..]);
    assert_eq!(reason(&long), "not an RLP list");
    assert_eq!(reason(&[&good[..], &[0]].concat()), "list length does not match");
    assert_eq!(reason(&good[..good.len() - 1]), "list length does not match");
    for junk in [&[][..], &[0x81, 0x80], &[0xff; 40], &[0xb8, 0x40]] {
        assert_eq!(reason(junk), "not an RLP list");
    }
}

fn branch(children: [&[u8]; 16], value: &[u8]) -> Vec<u8> {
    let mut items = children.to_vec();
    items.push(value);
    list(&items)
}

#[test]
fn branches_have_no_value_and_only_children_that_can_be_nodes() {
    let mut hash = vec![0xa0];
    hash.extend([9; 32]);
    let empty: &[u8] = &[0x80];
    let mut children = [empty; 16];
    children[1] = &hash;
    assert_eq!(read_root(&branch(children, empty)), Ok(None));
    assert!(matches!(
        reason(&branch(children, &[0x07])),
        "first item is not a string" | "hex prefix is not canonical"
    ));
    // 31 bytes is no hash; a list of 32 bytes would have to be referred to by hash.
    let short = vec![0x9f; 32];
    children[1] = &short;
    read_root(&branch(children, empty)).unwrap_err();
    let embedded = list(&[&[0x11; 31]]);
    children[1] = &embedded;
    read_root(&branch(children, empty)).unwrap_err();
}

#[test]
fn a_missing_child_is_named_by_path_and_hash() {
    let absent = B256::repeat_byte(9);
    let mut hash = vec![0xa0];
    hash.extend(absent);
    let mut children = [&[0x80][..]; 16];
    children[0] = &hash;
    match read_root(&branch(children, &[0x80])) {
        Err(TrieError::MissingNode { path, hash }) => {
            assert_eq!((path.to_vec(), hash), (vec![0], absent));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn extensions_do_not_follow_extensions() {
    let mut nodes = Nodes::default();
    let leaf_hash = B256::repeat_byte(3);
    let mut link = vec![0xa0];
    link.extend(leaf_hash);
    let empty: &[u8] = &[0x80];
    let mut children = [empty; 16];
    children[5] = &link;
    let below = nodes.put(&branch(children, empty));
    let extension = |target: B256| {
        let mut item = vec![0xa0];
        item.extend(target);
        list(&[&[0x82, 0x00, 0x00], &item])
    };
    let single = nodes.put(&extension(below));
    assert_eq!(Trie::new(single).get(&nodes, &B256::ZERO), Ok(None));
    let double = nodes.put(&extension(single));
    match Trie::new(double).get(&nodes, &B256::ZERO) {
        Err(TrieError::Malformed { reason, .. }) => {
            assert_eq!(reason, "child of an extension is no branch");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_chain_of_extensions_ends_at_the_length_of_a_key() {
    // Each extension refers to itself by hash in no honest trie; here each refers to the next.
    let mut nodes = Nodes::default();
    let mut target = B256::repeat_byte(1);
    for _ in 0..200 {
        let mut item = vec![0xa0];
        item.extend(target);
        target = nodes.put(&list(&[&[0x10], &item]));
    }
    assert!(Trie::new(target).get(&nodes, &B256::ZERO).is_err());
}

#[test]
fn the_index_finds_every_digest_and_nothing_else_even_when_prefixes_collide() {
    let digests: Vec<B256> = (0..1_000_u64)
        .map(|number| {
            let mut digest = B256::ZERO;
            digest[24..].copy_from_slice(&number.to_be_bytes());
            digest
        })
        .chain([B256::ZERO])
        .collect();
    let parts = digests.chunks(256).map(Arc::from).collect();
    let index = NodeIndex::new(parts);
    for (position, digest) in digests.iter().enumerate().take(1_000) {
        assert_eq!(index.position(digest), Some(position));
    }
    assert_eq!(index.position(&B256::repeat_byte(1)), None);
    assert!(index.digests().eq(&digests));
    assert_eq!(NodeIndex::new(vec![]).position(&B256::ZERO), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn no_bytes_make_the_trie_panic(
        mut node in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..600),
            Just(hex!("f90211a0").repeat(133)),
            prop::collection::vec(prop_oneof![Just(0x80_u8), Just(0xa0), Just(0xc1), any::<u8>()], 0..600),
        ],
        fix_header in any::<bool>(),
        key in any::<[u8; 32]>(),
    ) {
        if fix_header && node.len() > 3 {
            let len = node.len() - 3;
            node[..3].copy_from_slice(&[0xf9, (len >> 8) as u8, len as u8]);
        }
        let mut nodes = Nodes::default();
        let root = nodes.put(&node);
        let key = B256::new(key);
        let mut trie = Trie::new(root);
        let read = trie.get(&nodes, &key).map(|value| value.map(<[u8]>::to_vec));
        let written = trie.insert(&nodes, &key, &[1]);
        prop_assert_eq!(read.is_err(), written.is_err());
        if written.is_ok() {
            prop_assert_eq!(trie.get(&nodes, &key).unwrap(), Some(&[1][..]));
            let _ = trie.remove(&nodes, &key);
            trie.hash();
        }
    }
}
