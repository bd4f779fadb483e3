//! An expansion contains the nodes of the announced trie, and never more bytes than declared.

mod support;

use alloy_primitives::{B256, keccak256};
use enshrine_trie::{
    EMPTY_ROOT, ExpandedNodes, Expansion, ExpansionTooLong, NodePath, NodeSource, SourceError,
    Trie, hash_tries,
};
use std::collections::BTreeMap;
use support::Rng;

const HASH: [u8; 32] = [7; 32];

/// Two leaves below a branch below an extension, with a limit of `bytes`. The branch, the extension
/// and the leaf that is not embedded are separate nodes.
fn expanded(bytes: usize) -> Result<Vec<usize>, ExpansionTooLong> {
    let mut expansion = Expansion::within(4, bytes)?;
    expansion.extension(2, &[0x12], None);
    expansion.branch(0b11, 0b100, std::slice::from_ref(&HASH));
    expansion.leaf(1, &[0x03], &[9; 60]);
    expansion.leaf(1, &[0x04], &[1]);
    let nodes = expansion.finish()?;
    Ok((0..nodes.len()).map(|at| nodes.get(at).map_or(0, <[u8]>::len)).collect())
}

#[test]
fn expansion_stops_at_byte_limit() {
    let lengths = expanded(1_000).expect("there is room");
    assert_eq!(lengths.len(), 3);
    let all: usize = lengths.iter().sum();
    assert_eq!(expanded(all).as_ref(), Ok(&lengths));
    for limit in 0..all {
        let refused = expanded(limit).expect_err("there is none");
        assert_eq!(refused.limit, limit);
        assert!((limit + 1..=all).contains(&refused.got), "{refused}");
    }
    // The error contains the first node beyond the limit, even if later ones would fit.
    assert_eq!(expanded(lengths[0] - 1).expect_err("no room").got, lengths[0]);
}

#[test]
fn expansion_limit_is_below_4_gib() {
    let got = Expansion::MAX_LEN + 1;
    let refused = Expansion::within(1, got).expect_err("too long");
    assert_eq!(refused, ExpansionTooLong { got, limit: Expansion::MAX_LEN });
    assert!(Expansion::within(1, 64).is_ok());
}

/// Keys and values of a trie.
type Entries = BTreeMap<B256, Vec<u8>>;
/// Nodes by their hashes.
type Nodes = BTreeMap<B256, Vec<u8>>;

/// A source without nodes, for tries that are built here.
struct Nothing;

impl NodeSource for Nothing {
    type Bytes = &'static [u8];

    fn node(&self, _: NodePath<'_>, _: &B256) -> Result<Option<&'static [u8]>, SourceError> {
        Ok(None)
    }
}

/// Returns the root and the nodes of a trie.
fn trie(entries: &Entries) -> (B256, Nodes) {
    let (mut trie, mut nodes) = (Trie::default(), Nodes::new());
    for (key, value) in entries {
        trie.insert(&Nothing, key, value).unwrap();
    }
    hash_tries(&mut [&mut trie], |(hash, node)| _ = nodes.insert(hash, node.to_vec()));
    (trie.root().unwrap(), nodes)
}

fn packed(nibbles: &[u8]) -> Vec<u8> {
    let (odd, even) = nibbles.split_at(nibbles.len() % 2);
    odd.iter().copied().chain(even.chunks(2).map(|pair| pair[0] << 4 | pair[1])).collect()
}

/// Announces a trie; `leaf` announces the leaf of a key.
fn announce<'s>(
    expansion: &mut Expansion<'s>,
    keys: &[B256],
    leaf: &mut impl FnMut(&mut Expansion<'s>, &B256, usize, &[u8]),
) {
    let nibbles = |key: &B256| key.iter().flat_map(|byte| [byte >> 4, byte & 15]).collect();
    let keys: Vec<(Vec<u8>, &B256)> = keys.iter().map(|key| (nibbles(key), key)).collect();
    below(expansion, &keys, 0, leaf);
}

fn below<'s>(
    expansion: &mut Expansion<'s>,
    keys: &[(Vec<u8>, &B256)],
    depth: usize,
    leaf: &mut impl FnMut(&mut Expansion<'s>, &B256, usize, &[u8]),
) {
    match keys {
        [] => {}
        [(nibbles, key)] => leaf(expansion, key, 64 - depth, &packed(&nibbles[depth..])),
        [(first, _), .., (last, _)] => {
            let shared = (depth..64).take_while(|at| first[*at] == last[*at]).count();
            if shared > 0 {
                expansion.extension(shared, &packed(&first[depth..depth + shared]), None);
            }
            let depth = depth + shared;
            let mask = keys.iter().fold(0, |mask, (nibbles, _)| mask | 1 << nibbles[depth]);
            expansion.branch(mask, 0, &[]);
            for child in keys.chunk_by(|a, b| a.0[depth] == b.0[depth]) {
                below(expansion, child, depth + 1, leaf);
            }
        }
    }
}

fn announce_all(expansion: &mut Expansion<'_>, entries: &Entries) {
    let keys: Vec<B256> = entries.keys().copied().collect();
    announce(expansion, &keys, &mut |expansion, key, nibbles, packed| {
        expansion.leaf(nibbles, packed, &entries[key]);
    });
}

/// Asserts that an expansion contains exactly the expected nodes; equal nodes may occur several
/// times.
fn assert_nodes(nodes: &ExpandedNodes, expected: &Nodes, root: B256) {
    let mut seen = Nodes::new();
    for (at, digest) in nodes.digests().iter().enumerate() {
        let node = nodes.get(at).unwrap();
        assert_eq!(keccak256(node), *digest);
        seen.insert(*digest, node.to_vec());
    }
    assert_eq!(&seen, expected);
    assert_eq!(nodes.digests().last(), Some(&root));
    assert_eq!(nodes.len(), nodes.digests().len());
    assert!(!nodes.is_empty());
    assert_eq!(nodes.get(nodes.len()), None);
}

/// Keys that are spread, that share a prefix, or that differ only at their ends, where nodes
/// are embedded.
fn entries(rng: &mut Rng) -> Entries {
    let count = 1 + rng.below(40);
    (0..count)
        .map(|_| {
            let number = rng.below(300) as u16;
            let mut key = B256::repeat_byte(0x11);
            match rng.below(4) {
                0 => key = keccak256(number.to_be_bytes()),
                1 => key[16] = number as u8,
                _ => key[30..].copy_from_slice(&number.to_be_bytes()),
            }
            let longest = [1, 32, 110][rng.below(3) as usize];
            (key, vec![1 + number as u8 % 99; 1 + rng.below(longest) as usize])
        })
        .collect()
}

#[test]
fn announced_trie_yields_nodes_with_hashes() {
    let mut random = Rng::new(1);
    for _ in 0..200 {
        let entries = entries(&mut random);
        let (root, expected) = trie(&entries);
        let mut expansion = Expansion::within(0, 100_000).unwrap();
        announce_all(&mut expansion, &entries);
        assert_nodes(&expansion.finish().unwrap(), &expected, root);
    }
}

#[test]
fn nested_trie_sets_root_of_its_leaf() {
    let mut random = Rng::new(2);
    for _ in 0..50 {
        let (before, behind) = (vec![1; random.below(40) as usize], vec![2; 33]);
        let accounts: BTreeMap<B256, Entries> = (0..1 + random.below(8))
            .map(|n| (keccak256([n as u8]), entries(&mut random)))
            .collect();
        let (mut expected, mut values) = (Nodes::new(), Entries::new());
        for (key, storage) in &accounts {
            let (root, nodes) = trie(storage);
            expected.extend(nodes);
            values.insert(*key, [&before[..], &[0xa0], root.as_slice(), &behind].concat());
        }
        let (root, nodes) = trie(&values);
        expected.extend(nodes);
        let mut expansion = Expansion::within(0, 1_000_000).unwrap();
        let keys: Vec<B256> = accounts.keys().copied().collect();
        announce(&mut expansion, &keys, &mut |expansion, key, nibbles, packed| {
            expansion.leaf_above(nibbles, packed, &before, &behind);
            announce_all(expansion, &accounts[key]);
        });
        assert_nodes(&expansion.finish().unwrap(), &expected, root);
    }
}

#[test]
fn hashed_children_follow_their_masks() {
    let link = |hash: &[u8; 32]| [&[0xa0][..], hash].concat();
    let leaf = [&[0xd6, 0x20, 0x94][..], &[7; 20]].concat();
    let empty: &[u8] = &[0x80];
    let mut items = [empty; 17];
    let hashes = [[1; 32], [2; 32]];
    let (one, two) = (link(&hashes[0]), link(&hashes[1]));
    (items[0], items[5], items[15]) = (&one, &leaf, &two);
    let branch = [&[0xf8, 103][..], &items.concat()].concat();
    let extension = [&[0xe4, 0x82, 0x00, 0x11][..], &link(&HASH)].concat();

    let mut expansion = Expansion::within(2, 1_000).unwrap();
    expansion.branch(1 << 5, 1 | 1 << 15, &hashes);
    expansion.leaf(0, &[], &[7; 20]);
    let nodes = expansion.finish().unwrap();
    assert_eq!((nodes.len(), nodes.get(0)), (1, Some(&*branch)));
    let mut expansion = Expansion::within(1, 1_000).unwrap();
    expansion.extension(2, &[0x11], Some(&HASH));
    let nodes = expansion.finish().unwrap();
    assert_eq!((nodes.len(), nodes.get(0)), (1, Some(&*extension)));
}

#[test]
fn node_shorter_than_hash_is_embedded() {
    for (value, lone_nodes) in [(28, 1), (29, 2)] {
        let mut expansion = Expansion::within(2, 1_000).unwrap();
        expansion.branch(0b1, 0b10, std::slice::from_ref(&HASH));
        // Headers of list and value, and a path of one byte.
        expansion.leaf(0, &[], &vec![7; value]);
        assert_eq!(expansion.finish().unwrap().len(), lone_nodes, "{} bytes", value + 3);
    }
}

#[test]
fn node_bytes_include_headers_of_each_length() {
    // A leaf with this value, after a path of one byte and the header of the value.
    for (value, header) in [(53, 1), (54, 2), (55, 2), (252, 2), (253, 3), (600, 3), (65_535, 4)] {
        let payload = match value {
            0..=55 => 2 + value,
            56..=255 => 3 + value,
            256..=65_535 => 4 + value,
            _ => unreachable!("no value is longer"),
        };
        let of = |limit| {
            let mut expansion = Expansion::within(1, limit).unwrap();
            expansion.leaf(0, &[], &vec![7; value]);
            expansion.finish().map(|nodes| nodes.get(0).map(<[u8]>::len))
        };
        let all = header + payload;
        assert_eq!(of(all), Ok(Some(all)));
        assert_eq!(of(all - 1), Err(ExpansionTooLong { got: all, limit: all - 1 }));
    }
}

#[test]
fn empty_expansion_has_no_nodes() {
    let nodes = Expansion::within(0, 0).unwrap().finish().unwrap();
    assert!(nodes.is_empty());
    assert_eq!((nodes.len(), nodes.get(0)), (0, None));
    assert_eq!(trie(&Entries::new()), (EMPTY_ROOT, Nodes::new()));
}
