//! The state of one block out of a store that holds those of many.

use alloy_primitives::{B256, Bytes, KECCAK256_EMPTY};
use alloy_rlp::Decodable;
use alloy_trie::{EMPTY_ROOT_HASH, TrieAccount, nodes::TrieNode};
use chain::Store;
use std::collections::BTreeMap;
use trie::NodeSource;

/// The nodes and codes of a state, in the order of their hashes.
#[derive(Debug, Default)]
pub(super) struct Whole {
    nodes: BTreeMap<B256, Bytes>,
    codes: BTreeMap<B256, Bytes>,
}

impl Whole {
    /// The state with this root; `None` if the store lacks a part of it.
    pub(super) fn collect(store: &Store, root: B256) -> Option<Self> {
        let mut whole = Self::default();
        let mut accounts = Vec::new();
        whole.trie(store, root, &mut |value| accounts.push(value))?;
        for account in accounts {
            let account: TrieAccount = alloy_rlp::decode_exact(&account).ok()?;
            whole.trie(store, account.storage_root, &mut |_| {})?;
            if account.code_hash != KECCAK256_EMPTY {
                let code = store.code(&account.code_hash)?.original_bytes();
                whole.codes.insert(account.code_hash, code);
            }
        }
        Some(whole)
    }

    pub(super) fn into_parts(self) -> (Vec<Bytes>, Vec<Bytes>) {
        (self.nodes.into_values().collect(), self.codes.into_values().collect())
    }

    /// Collects the nodes of a trie and shows its values.
    fn trie(&mut self, store: &Store, root: B256, value: &mut dyn FnMut(Vec<u8>)) -> Option<()> {
        let mut open = vec![root];
        while let Some(hash) = open.pop() {
            if hash == EMPTY_ROOT_HASH {
                continue;
            }
            let node = store.node(&hash)?;
            visit(&node, &mut open, value)?;
            self.nodes.insert(hash, node);
        }
        Some(())
    }
}

/// Notes the children of a node; those that are part of it are visited at once.
fn visit(node: &[u8], open: &mut Vec<B256>, value: &mut dyn FnMut(Vec<u8>)) -> Option<()> {
    match TrieNode::decode(&mut &*node).ok()? {
        TrieNode::EmptyRoot => {}
        TrieNode::Leaf(leaf) => value(leaf.value),
        TrieNode::Extension(extension) => child(&extension.child, open, value)?,
        TrieNode::Branch(branch) => {
            for pointer in &branch.stack {
                child(pointer, open, value)?;
            }
        }
    }
    Some(())
}

fn child(
    pointer: &alloy_trie::nodes::RlpNode,
    open: &mut Vec<B256>,
    value: &mut dyn FnMut(Vec<u8>),
) -> Option<()> {
    match pointer.as_hash() {
        Some(hash) => {
            open.push(hash);
            Some(())
        }
        None => visit(pointer, open, value),
    }
}
