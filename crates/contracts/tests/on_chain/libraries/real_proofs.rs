//! `StateProof` on accounts and slots of real networks, from the witnesses of blocks.

use super::evm::{Harness, Refused, call};
use alloy_consensus::{Header, Transaction as _, transaction::SignerRecoverable};
use alloy_eips::eip2718::Decodable2718;
use alloy_primitives::{Address, B256, Bytes, U256, keccak256, map::B256Map};
use alloy_rlp::Decodable;
use alloy_trie::{
    EMPTY_ROOT_HASH, TrieAccount,
    nodes::{RlpNode, TrieNode},
    proof::verify_proof,
};
use codec::RawBlock;
use eyre::{OptionExt, Result, ensure};
use nybbles::Nibbles;
use std::collections::BTreeSet;
use testkit::Transaction;

/// Nodes of a witness, by hash.
struct Witness(B256Map<Bytes>);

/// A value, or `None` for its absence, and the nodes that prove it.
type Shown = (Option<Vec<u8>>, Vec<Bytes>);

impl Witness {
    /// Follows a key from a root; `None` if the witness lacks a node of the path.
    fn prove(&self, root: B256, key: B256) -> Option<Shown> {
        if root == EMPTY_ROOT_HASH {
            return Some((None, vec![]));
        }
        let path = Nibbles::unpack(key);
        let mut depth = 0;
        let mut nodes = Vec::new();
        let mut next = RlpNode::word_rlp(&root);
        loop {
            let node = match next.as_hash() {
                Some(hash) => {
                    let node = self.0.get(&hash)?;
                    nodes.push(node.clone());
                    TrieNode::decode(&mut &node[..]).ok()?
                }
                None => TrieNode::decode(&mut next.as_slice()).ok()?,
            };
            let rest = path.slice(depth..);
            match node {
                TrieNode::EmptyRoot => return None,
                TrieNode::Leaf(leaf) => {
                    return Some(((leaf.key == rest).then_some(leaf.value), nodes));
                }
                TrieNode::Extension(extension) => {
                    if !rest.starts_with(&extension.key) {
                        return Some((None, nodes));
                    }
                    depth += extension.key.len();
                    next = extension.child;
                }
                TrieNode::Branch(branch) => {
                    let nibble = rest.first()?;
                    if !branch.state_mask.is_bit_set(nibble) {
                        return Some((None, nodes));
                    }
                    let place = (0..nibble).filter(|n| branch.state_mask.is_bit_set(*n)).count();
                    next = branch.stack.get(place)?.clone();
                    depth += 1;
                }
            }
        }
    }
}

/// Storage slots with their accounts.
type Slots = BTreeSet<(Address, B256)>;

/// Numbers of proven items.
#[derive(Debug, Default)]
struct Tally {
    accounts: usize,
    absent: usize,
    slots: usize,
    empty: usize,
    deepest: usize,
}

fn node_mismatch(refused: &Refused, index: usize) -> bool {
    matches!(refused, Refused::NodeHashMismatch(e) if e.index == U256::from(index))
}

/// Checks a proof against alloy's verifier, and that modified proofs are rejected.
fn check_account(root: B256, target: Address, proof: &Shown) -> Result<Option<TrieAccount>> {
    let (value, nodes) = proof;
    verify_proof(root, Nibbles::unpack(keccak256(target)), value.clone(), nodes)?;
    let ask = |nodes: Vec<Bytes>| call(&Harness::accountCall { stateRoot: root, target, nodes });
    let got = ask(nodes.clone()).map_err(|e| eyre::eyre!("{e:?}"))?;
    let expected = value.as_ref().map(alloy_rlp::decode_exact::<TrieAccount>).transpose()?;
    assert_eq!(got.exists, expected.is_some());
    let account = expected.unwrap_or_default();
    assert_eq!((got.result.nonce, got.result.balance), (account.nonce, account.balance));
    assert_eq!(got.result.storageRoot, account.storage_root);
    assert_eq!(got.result.codeHash, account.code_hash);

    // One flipped bit, in a node that depends on the account.
    let at = target[0] as usize % nodes.len();
    let mut changed = nodes.clone();
    let mut bytes = changed[at].to_vec();
    let byte = usize::from(target[1]) % bytes.len();
    bytes[byte] ^= 1 << (target[2] % 8);
    changed[at] = bytes.into();
    assert!(node_mismatch(&ask(changed).err().ok_or_eyre("changed")?, at));
    let shorter = nodes[..nodes.len() - 1].to_vec();
    assert!(matches!(ask(shorter), Err(Refused::ProofIncomplete(_))));
    let longer = [&nodes[..], &nodes[..1]].concat();
    assert!(matches!(ask(longer), Err(Refused::ProofTooLong(_))));
    Ok(expected)
}

fn check_slot(root: B256, slot: B256, proof: &Shown) -> Result<U256> {
    let (value, nodes) = proof;
    verify_proof(root, Nibbles::unpack(keccak256(slot)), value.clone(), nodes)?;
    let ask =
        |nodes: Vec<Bytes>| call(&Harness::slotCall { storageRoot: root, position: slot, nodes });
    let expected = value.as_ref().map(alloy_rlp::decode_exact::<U256>).transpose()?;
    let got = ask(nodes.clone()).map_err(|e| eyre::eyre!("{e:?}"))?;
    assert_eq!(got, expected.unwrap_or_default());
    if !nodes.is_empty() {
        let at = usize::from(root[0]) % nodes.len();
        let mut changed = nodes.clone();
        let mut bytes = changed[at].to_vec();
        let byte = usize::from(root[1]) % bytes.len();
        bytes[byte] ^= 1 << (root[2] % 8);
        changed[at] = bytes.into();
        assert!(node_mismatch(&ask(changed).expect_err("changed"), at));
    }
    Ok(got)
}

/// Returns the accounts that a block names: senders, targets, access list entries, fee and
/// withdrawal recipients.
fn accounts(block: &RawBlock) -> Result<(BTreeSet<Address>, Slots)> {
    let mut accounts = BTreeSet::from([block.header.beneficiary]);
    let mut slots = Slots::new();
    for raw in &block.transactions {
        let transaction = Transaction::decode_2718_exact(raw)?;
        accounts.insert(transaction.recover_signer()?);
        accounts.extend(transaction.to());
        for item in transaction.access_list().into_iter().flat_map(|list| list.iter()) {
            accounts.insert(item.address);
            slots.extend(item.storage_keys.iter().map(|key| (item.address, *key)));
        }
    }
    // Low slots, which most contracts use.
    for account in &accounts {
        slots.extend((0..12_u64).map(|n| (*account, B256::from(U256::from(n)))));
    }
    Ok((accounts, slots))
}

#[test]
fn real_accounts_and_slots_are_proven() -> Result<()> {
    let blocks = testkit::vectors::blocks("blocks", "proofs of real accounts")?;
    if blocks.is_empty() {
        return Ok(());
    }
    let mut tally = Tally::default();
    for block in blocks {
        let raw = RawBlock::decode(&block.bundle.block)?;
        let witness = &block.bundle.witness;
        let parent = witness.headers.last().ok_or_eyre("a witness holds the parent")?;
        let root = Header::decode(&mut &parent[..])?.state_root;
        let by_hash = witness.state.iter().map(|node| (keccak256(node), node.clone())).collect();
        let witness = Witness(by_hash);
        let (accounts, slots) = accounts(&raw)?;
        let mut roots = std::collections::BTreeMap::new();
        for target in accounts {
            let Some(shown) = witness.prove(root, keccak256(target)) else { continue };
            match check_account(root, target, &shown)? {
                Some(account) => {
                    tally.accounts += 1;
                    roots.insert(target, account.storage_root);
                }
                None => tally.absent += 1,
            }
            tally.deepest = tally.deepest.max(shown.1.len());
        }
        for (account, slot) in slots {
            let Some(root) = roots.get(&account) else { continue };
            let Some(shown) = witness.prove(*root, keccak256(slot)) else { continue };
            // Most accounts have no storage; a sample of them suffices.
            if *root == EMPTY_ROOT_HASH && tally.empty > 100 {
                continue;
            }
            if check_slot(*root, slot, &shown)?.is_zero() {
                tally.empty += 1;
            } else {
                tally.slots += 1;
            }
        }
    }
    println!("{tally:?}");
    ensure!(tally.accounts > 500 && tally.absent > 10, "{tally:?}");
    ensure!(tally.slots > 200 && tally.empty > 100 && tally.deepest > 7, "{tally:?}");
    Ok(())
}
