//! Nodes that no valid trie contains: each yields a typed error, next to an accepted neighbour.

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

/// Reads the key of all zeros in a trie whose root is `node`.
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
    // A single byte below 0x80 must be its own encoding.
    assert_eq!(reason(&list(&[&prefix, &[0x81, 0x07]])), "leaf value is not a string");
    // Flags of neither leaf nor extension, and a nonzero low nibble in an even prefix.
    let mut bad = prefix;
    bad[1] = 0x40;
    assert_eq!(reason(&list(&[&bad, &[7]])), "hex prefix is not canonical");
    bad[1] = 0x21;
    assert_eq!(reason(&list(&[&bad, &[7]])), "hex prefix is not canonical");
    // One nibble short of a key.
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

/// Encodes a list of these items, with a header whose length has this many bytes.
fn list_with_length_of(bytes: usize, items: &[&[u8]]) -> Vec<u8> {
    let payload = items.concat();
    let length = payload.len().to_be_bytes();
    [&[0xf7 + bytes as u8][..], &length[length.len() - bytes..], &payload].concat()
}

#[test]
fn each_length_of_a_list_has_one_form() {
    let prefix = full_leaf_prefix();
    // Payloads of 55 and 56 bytes.
    let value_of = |len: usize| [vec![0x80 + len as u8], vec![7; len]].concat();
    let (shorter, longer) = (value_of(20), value_of(21));
    assert_eq!(read_root(&list(&[&prefix, &shorter])), Ok(Some(vec![7; 20])));
    assert_eq!(reason(&list_with_length_of(1, &[&prefix, &shorter])), "not an RLP list");
    assert_eq!(read_root(&list_with_length_of(1, &[&prefix, &longer])), Ok(Some(vec![7; 21])));
    assert_eq!(reason(&list_with_length_of(2, &[&prefix, &longer])), "not an RLP list");
    // Payloads of 255 and 256 bytes.
    let value_of = |len: usize| [vec![0xb8, len as u8], vec![7; len]].concat();
    let (shorter, longer) = (value_of(219), value_of(220));
    assert_eq!(read_root(&list_with_length_of(1, &[&prefix, &shorter])), Ok(Some(vec![7; 219])));
    assert_eq!(reason(&list_with_length_of(2, &[&prefix, &shorter])), "not an RLP list");
    assert_eq!(read_root(&list_with_length_of(2, &[&prefix, &longer])), Ok(Some(vec![7; 220])));
}

#[test]
fn each_length_of_a_value_has_one_form() {
    let prefix = full_leaf_prefix();
    let with = |header: &[u8], len: usize| list(&[&prefix, header, &vec![7; len]]);
    assert_eq!(read_root(&with(&[0xb7], 55)), Ok(Some(vec![7; 55])));
    assert_eq!(reason(&with(&[0xb8, 55], 55)), "leaf value is not a string");
    assert_eq!(read_root(&with(&[0xb8, 56], 56)), Ok(Some(vec![7; 56])));
    assert_eq!(reason(&with(&[0xb9, 0, 56], 56)), "leaf value is not a string");
    assert_eq!(read_root(&with(&[0xb8, 255], 255)), Ok(Some(vec![7; 255])));
    assert_eq!(reason(&with(&[0xb9, 0, 255], 255)), "leaf value is not a string");
    for len in [256, 291, 0x1234] {
        let [high, low] = (len as u16).to_be_bytes();
        assert_eq!(read_root(&with(&[0xb9, high, low], len)), Ok(Some(vec![7; len])));
        assert_eq!(reason(&with(&[0xba, 0, high, low], len)), "leaf value is not a string");
    }
}

fn branch(children: [&[u8]; 16], value: &[u8]) -> Vec<u8> {
    let mut items = children.to_vec();
    items.push(value);
    list(&items)
}

#[test]
fn branch_rejects_value_and_impossible_children() {
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
    // 31 bytes are not a hash, and a list of 32 bytes would have to be referred to by hash.
    let short = vec![0x9f; 32];
    children[1] = &short;
    read_root(&branch(children, empty)).unwrap_err();
    let embedded = list(&[&[0x11; 31]]);
    children[1] = &embedded;
    read_root(&branch(children, empty)).unwrap_err();
}

#[test]
fn missing_child_error_has_path_and_hash() {
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
fn extension_rejects_third_item() {
    let prefix: &[u8] = &[0x82, 0x00, 0x00];
    let absent = B256::repeat_byte(9);
    let hash = [&[0xa0][..], absent.as_slice()].concat();
    let missing = read_root(&list(&[prefix, &hash])).unwrap_err();
    assert!(matches!(missing, TrieError::MissingNode { hash, .. } if hash == absent));
    let refused = "extension child is neither a hash nor an embedded node";
    assert_eq!(reason(&list(&[prefix, &[0x80]])), refused);
    assert_eq!(reason(&list(&[prefix, &hash, &[0x80]])), refused);
    assert_eq!(reason(&list(&[prefix])), "extension without a child");
}

/// An extension with this many zero nibbles, before this child item.
fn long_extension(nibbles: usize, child: &[u8]) -> Vec<u8> {
    let flag = [0x00, 0x10][nibbles % 2];
    let prefix = [&[0x81 + (nibbles / 2) as u8, flag][..], &vec![0; nibbles / 2]].concat();
    list(&[&prefix, child])
}

#[test]
fn inner_node_at_full_depth_is_rejected() {
    let empty: &[u8] = &[0x80];
    let hash = [&[0xa0][..], &[9; 32]].concat();
    // A branch at the last nibble of a key, whose child would have no nibble left.
    let leaf: &[u8] = &[0xc2, 0x20, 0x07];
    let last = |child: &[u8]| {
        let mut children = [empty; 16];
        children[0] = child;
        branch(children, empty)
    };
    assert_eq!(read_root(&long_extension(63, &last(leaf))), Ok(Some(vec![7])));
    let below = branch([empty; 16], empty);
    let mut nodes = Nodes::default();
    let parent = [&[0xa0][..], nodes.put(&last(&below)).as_slice()].concat();
    let root = nodes.put(&long_extension(63, &parent));
    match Trie::new(root).get(&nodes, &B256::ZERO) {
        Err(TrieError::Malformed { path, reason }) => {
            assert_eq!((path.len(), reason), (64, "branch below the end of a key"));
        }
        other => panic!("{other:?}"),
    }
    // The path of an extension consumes all nibbles.
    assert!(matches!(
        read_root(&long_extension(63, &hash)),
        Err(TrieError::MissingNode { path, .. }) if path.len() == 63
    ));
    let refused = "extension is empty or reaches the end of a key";
    assert_eq!(reason(&long_extension(64, &hash)), refused);
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
            assert_eq!(reason, "child of an extension is not a branch");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn extension_chain_is_bounded_by_key_length() {
    // An extension cannot refer to itself by hash, so each extension refers to the next one.
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
fn index_finds_only_its_digests_despite_prefix_collisions() {
    let digests: Vec<B256> = (0..1_030_u64)
        .map(|number| {
            let mut digest = B256::ZERO;
            digest[24..].copy_from_slice(&number.to_be_bytes());
            digest
        })
        .chain([B256::ZERO])
        .collect();
    // The last part is shorter than half of the others.
    let parts = digests.chunks(256).map(Arc::from).collect();
    let index = NodeIndex::new(parts);
    for (position, digest) in digests.iter().enumerate().take(1_030) {
        assert_eq!(index.position(digest), Some(position));
    }
    for (position, digest) in digests.iter().enumerate() {
        assert_eq!(index.digest(position), Some(digest));
    }
    assert_eq!(index.digest(digests.len()), None);
    assert_eq!(index.position(&B256::repeat_byte(1)), None);
    assert!(index.digests().eq(&digests));
    assert_eq!(NodeIndex::new(vec![]).position(&B256::ZERO), None);
}

#[test]
fn index_part_may_have_one_digest() {
    let digests: Vec<B256> = (1..=3).map(B256::repeat_byte).collect();
    let index = NodeIndex::new(digests.iter().map(|digest| Arc::from([*digest])).collect());
    for (position, digest) in digests.iter().enumerate() {
        assert_eq!(index.position(digest), Some(position));
        assert_eq!(index.digest(position), Some(digest));
    }
    assert_eq!(index.digest(3), None);
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
