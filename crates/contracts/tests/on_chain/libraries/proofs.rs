//! `StateProof` compared with tries that alloy-trie builds.

use super::{
    cases,
    evm::{Harness, Refused, call},
};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_trie::{EMPTY_ROOT_HASH, HashBuilder, TrieAccount, proof::ProofRetainer};
use nybbles::Nibbles;
use proptest::{array::uniform32, collection::vec, prelude::*, sample::Index};
use std::collections::BTreeMap;

/// A trie with 32-byte keys.
pub(crate) type Trie = BTreeMap<B256, Vec<u8>>;

/// Returns the root of a trie and the nodes on the path to a key, as in `eth_getProof`: without
/// embedded nodes.
fn prove(trie: &Trie, key: B256) -> (B256, Vec<Bytes>) {
    if trie.is_empty() {
        return (EMPTY_ROOT_HASH, vec![]);
    }
    let path = Nibbles::unpack(key);
    let mut builder = HashBuilder::default().with_proof_retainer(ProofRetainer::new(vec![path]));
    for (key, value) in trie {
        builder.add_leaf(Nibbles::unpack(key), value);
    }
    let root = builder.root();
    let nodes = builder.take_proof_nodes().matching_nodes_sorted(&path);
    let whole = |(i, node): (usize, Bytes)| (i == 0 || node.len() >= 32).then_some(node);
    (root, nodes.into_iter().map(|(_, node)| node).enumerate().filter_map(whole).collect())
}

/// Keys that share prefixes of all lengths, so that all kinds of nodes occur at all depths.
fn key() -> impl Strategy<Value = B256> {
    let near = (0..=64_usize, uniform32(any::<u8>())).prop_map(|(shared, tail)| {
        let nibble = |i: usize| {
            let byte = tail[i / 2];
            let own = if i.is_multiple_of(2) { byte >> 4 } else { byte & 0xf };
            if i < shared { 7 } else { own }
        };
        B256::from_slice(
            &(0..32).map(|i| nibble(2 * i) << 4 | nibble(2 * i + 1)).collect::<Vec<_>>(),
        )
    });
    // Leaves whose keys differ only at the end are embedded in their parents.
    let deep = any::<[u8; 2]>().prop_map(|tail| {
        let mut key = [0x77; 32];
        key[30..].copy_from_slice(&tail.map(|byte| byte & 0x13));
        B256::from(key)
    });
    prop_oneof![near, deep, uniform32(any::<u8>()).prop_map(B256::from)]
}

fn trie() -> impl Strategy<Value = Trie> {
    // One byte is short enough for leaves to be embedded.
    let value = prop_oneof![(1..0x80_u8).prop_map(|byte| vec![byte]), vec(any::<u8>(), 1..110),];
    prop::collection::btree_map(key(), value, 0..60)
}

/// Returns a key of the trie, or one that most likely is not in it.
fn target(trie: &Trie, of: Index, other: B256, present: bool) -> B256 {
    if present && !trie.is_empty() {
        *of.get(&trie.keys().copied().collect::<Vec<_>>())
    } else {
        other
    }
}

fn get(root: B256, key: B256, nodes: Vec<Bytes>) -> Result<Vec<u8>, Refused> {
    call(&Harness::getCall { root, key, nodes }).map(|value| value.to_vec())
}

proptest! {
    #![proptest_config(cases(3_000))]

    #[test]
    fn proof_yields_value_in_trie(
        trie in trie(), of in any::<Index>(), other in key(), present in any::<bool>(),
    ) {
        let key = target(&trie, of, other, present);
        let (root, nodes) = prove(&trie, key);
        let expected = trie.get(&key).cloned().unwrap_or_default();
        prop_assert_eq!(get(root, key, nodes), Ok(expected));
    }

    #[test]
    fn modified_node_is_rejected(
        trie in trie(), of in any::<Index>(), at in any::<Index>(), byte in any::<Index>(), bit in 0..8_u8,
    ) {
        let key = target(&trie, of, B256::ZERO, true);
        let (root, mut nodes) = prove(&trie, key);
        prop_assume!(!nodes.is_empty());
        let at = at.index(nodes.len());
        let mut changed = nodes[at].to_vec();
        let byte = byte.index(changed.len());
        changed[byte] ^= 1 << bit;
        nodes[at] = changed.into();
        let refused = get(root, key, nodes).expect_err("the node is another");
        let is_mismatch =
            matches!(&refused, Refused::NodeHashMismatch(e) if e.index == U256::from(at));
        prop_assert!(is_mismatch, "{:?}", refused);
    }

    #[test]
    fn missing_or_surplus_nodes_are_rejected(
        trie in trie(), of in any::<Index>(), other in key(), present in any::<bool>(),
        at in any::<Index>(), more in vec(any::<u8>(), 0..100),
    ) {
        let key = target(&trie, of, other, present);
        let (root, nodes) = prove(&trie, key);
        let mut longer = nodes.clone();
        longer.push(more.into());
        prop_assert!(matches!(get(root, key, longer), Err(Refused::ProofTooLong(_))));
        prop_assume!(!nodes.is_empty());
        let shorter = nodes[..nodes.len() - 1].to_vec();
        prop_assert!(matches!(get(root, key, shorter), Err(Refused::ProofIncomplete(_))));
        let mut without = nodes.clone();
        without.remove(at.index(nodes.len()));
        prop_assert!(get(root, key, without).is_err());
        let mut swapped = nodes.clone();
        swapped.reverse();
        prop_assert_eq!(get(root, key, swapped).is_ok(), nodes.len() == 1);
    }

    #[test]
    fn proof_is_valid_only_for_root_and_key(
        trie in trie(), of in any::<Index>(), other in key(), root in uniform32(any::<u8>()),
    ) {
        let key = target(&trie, of, other, true);
        let (right, nodes) = prove(&trie, key);
        prop_assume!(!nodes.is_empty());
        prop_assert!(matches!(
            get(B256::from(root), key, nodes.clone()),
            Err(Refused::NodeHashMismatch(_))
        ));
        // The nodes may also be a proof for the other key, and must then yield its value.
        if let Ok(value) = get(right, other, nodes) {
            prop_assert_eq!(value, trie.get(&other).cloned().unwrap_or_default());
        }
    }

    #[test]
    fn accounts_are_decoded(
        others in vec(any::<[u8; 20]>(), 0..30), target in any::<[u8; 20]>(), exists in any::<bool>(),
        nonce in any::<u64>(), shift in 0..64_u32, balance in uniform32(any::<u8>()), cut in 0..256_usize,
        roots in any::<[[u8; 32]; 2]>(),
    ) {
        let address = Address::from(target);
        let balance = U256::from_be_bytes(balance) >> cut;
        let [storage_root, code_hash] = roots.map(B256::from);
        let account = TrieAccount::new(nonce >> shift, balance, storage_root, code_hash);
        let encode = |account: &TrieAccount| alloy_rlp::encode(account);
        let mut trie: Trie = others
            .iter()
            .map(|other| (keccak256(other), encode(&TrieAccount::default())))
            .collect();
        let key = keccak256(target);
        if exists { trie.insert(key, encode(&account)); } else { trie.remove(&key); }
        let (root, nodes) = prove(&trie, key);
        let got = call(&Harness::accountCall { stateRoot: root, target: address, nodes })
            .map_err(|e| TestCaseError::fail(format!("{e:?}")))?;
        prop_assert_eq!(got.exists, exists);
        let expected = if exists { account } else { TrieAccount::default() };
        let got = got.result;
        prop_assert_eq!(
            (got.nonce, got.balance, got.storageRoot, got.codeHash),
            (expected.nonce, expected.balance, expected.storage_root, expected.code_hash)
        );
    }

    #[test]
    fn slots_are_decoded(
        others in vec(any::<u64>(), 0..30), slot in uniform32(any::<u8>()),
        value in uniform32(any::<u8>()), cut in 0..=256_usize,
    ) {
        let value = U256::from_be_bytes(value).checked_shr(cut).unwrap_or_default();
        let mut trie: Trie = others
            .iter()
            .map(|n| (keccak256(B256::from(U256::from(*n))), alloy_rlp::encode(*n | 1)))
            .collect();
        let key = keccak256(slot);
        trie.remove(&key);
        if !value.is_zero() { trie.insert(key, alloy_rlp::encode(value)); }
        let (storage_root, nodes) = prove(&trie, key);
        let got = call(&Harness::slotCall { storageRoot: storage_root, position: slot.into(), nodes });
        prop_assert_eq!(got, Ok(value));
    }

    #[test]
    fn malformed_accounts_and_slots_are_rejected(
        value in vec(any::<u8>(), 1..120), slot in uniform32(any::<u8>()), target in any::<[u8; 20]>(),
    ) {
        let trie: Trie = [(keccak256(slot), value.clone())].into();
        let (root, nodes) = prove(&trie, keccak256(slot));
        let expected = alloy_rlp::decode_exact::<U256>(&value).ok();
        let got = call(&Harness::slotCall { storageRoot: root, position: slot.into(), nodes });
        prop_assert_eq!(got.ok(), expected);

        let trie: Trie = [(keccak256(target), value.clone())].into();
        let (root, nodes) = prove(&trie, keccak256(target));
        let expected = alloy_rlp::decode_exact::<TrieAccount>(&value).is_ok();
        let got = call(&Harness::accountCall { stateRoot: root, target: target.into(), nodes });
        prop_assert_eq!(got.is_ok(), expected);
    }
}

#[test]
fn sampled_tries_have_all_node_kinds() {
    // Otherwise the properties above would be vacuous for some kinds of nodes.
    let embedded = |nodes: &[Bytes], path: usize| path > nodes.len();
    let mut trie: Trie = BTreeMap::new();
    for tail in [0x00_u8, 0x01, 0x10, 0x11] {
        let mut key = [0x77; 32];
        key[31] = tail;
        trie.insert(B256::from(key), vec![tail + 1]);
    }
    let mut key = [0x77; 32];
    key[31] = 0x11;
    let (root, nodes) = prove(&trie, B256::from(key));
    // An extension, a branch, then an embedded branch and an embedded leaf.
    assert!(embedded(&nodes, 4), "{nodes:?}");
    assert_eq!(get(root, B256::from(key), nodes.clone()), Ok(vec![0x12]));
    // No value where the embedded branch has no child, and where the extension diverges.
    key[31] = 0x12;
    assert_eq!(get(root, B256::from(key), nodes.clone()), Ok(vec![]));
    key[0] = 0x78;
    assert_eq!(get(root, B256::from(key), nodes[..1].to_vec()), Ok(vec![]));
    assert!(matches!(get(root, B256::from(key), nodes), Err(Refused::ProofTooLong(_))));
}
