//! Forgetting states that nobody asks for any more.

use crate::{Chain, Store};
use alloy_primitives::{
    B256, Bytes,
    map::{B256Map, B256Set},
};
use alloy_rlp::Decodable;
use alloy_trie::{
    TrieAccount,
    nodes::{RlpNode, TrieNode},
};
use std::sync::Arc;

/// States that are kept below the head in any case: who reads the newest state while blocks are
/// made is done before it goes.
const LEAST: u64 = 16;

/// Nodes that may pile up before it is looked at which are still needed; as many again as were
/// needed last time are waited for too, so that looking costs little for each.
const SLACK: usize = 2_048;

/// Which tries a node is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Accounts,
    Storage,
}

/// What the states that are kept need.
#[derive(Debug, Default)]
pub(crate) struct Needed {
    pub(crate) nodes: B256Set,
    pub(crate) codes: B256Set,
    open: Vec<(B256, Kind)>,
}

impl Needed {
    /// All that is reached from these state roots.
    pub(crate) fn by(roots: impl IntoIterator<Item = B256>, nodes: &B256Map<Bytes>) -> Self {
        let mut needed = Self::default();
        needed.open.extend(roots.into_iter().map(|root| (root, Kind::Accounts)));
        while let Some((hash, kind)) = needed.open.pop() {
            // What is not there is kept below this store or elsewhere.
            let Some(node) = nodes.get(&hash) else { continue };
            if needed.nodes.insert(hash) {
                needed.node(node, kind);
            }
        }
        needed
    }

    fn node(&mut self, mut encoded: &[u8], kind: Kind) {
        // The store holds nothing but nodes that were encoded here or checked on import.
        match TrieNode::decode(&mut encoded) {
            Ok(TrieNode::Branch(branch)) => {
                branch.stack.iter().for_each(|child| self.child(child, kind));
            }
            Ok(TrieNode::Extension(extension)) => self.child(&extension.child, kind),
            Ok(TrieNode::Leaf(leaf)) if kind == Kind::Accounts => {
                if let Ok(account) = TrieAccount::decode(&mut leaf.value.as_slice()) {
                    self.codes.insert(account.code_hash);
                    self.open.push((account.storage_root, Kind::Storage));
                }
            }
            Ok(TrieNode::Leaf(_) | TrieNode::EmptyRoot) | Err(_) => {}
        }
    }

    fn child(&mut self, child: &RlpNode, kind: Kind) {
        match child.as_hash() {
            Some(hash) => self.open.push((hash, kind)),
            // A small node stands in its parent.
            None => self.node(child, kind),
        }
    }
}

/// How much of its history a chain keeps.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pruning {
    /// Nodes that were needed when it was last looked at.
    needed: usize,
    /// Number of the first block whose transactions may be there.
    bodies: u64,
}

impl Chain {
    /// Forgets states of blocks more than `states` below the head, but for those with the roots
    /// `also`; blocks stay. To be called after each block, by who alone writes: it does something
    /// only if enough has piled up.
    pub fn prune(&mut self, states: u64, also: impl IntoIterator<Item = B256>) {
        let store: &Store = self.store();
        if store.node_count() < 2 * self.pruning.needed + SLACK {
            return;
        }
        let head = self.head().header.number;
        let oldest = head.saturating_sub(states.max(LEAST)).max(self.first_number());
        let kept = (oldest..=head).filter_map(|number| self.canonical_block(number));
        let roots = kept.flat_map(|block| [self.state_after(&block).root(), block.pre_state_root]);
        store.keep_only(roots.chain(also));
        self.pruning.needed = store.node_count();
    }

    /// Forgets transactions and receipts of all canonical blocks but the newest `blocks`, of which
    /// the head is one; headers stay. To be called after each block. Hashes of the transactions that
    /// are gone.
    pub fn forget_bodies(&mut self, blocks: u64) -> Vec<B256> {
        let bound = (self.head().header.number + 1).saturating_sub(blocks.max(1));
        let from = self.pruning.bodies.max(self.first_number());
        // Also if that is less than before: the head has gone back then, and other blocks will stand
        // where some were forgotten.
        self.pruning.bodies = bound;
        let mut gone = Vec::new();
        for number in from..bound {
            let block = self.canonical_block(number);
            let Some(block) = block.filter(|block| !block.transactions.is_empty()) else {
                continue;
            };
            gone.extend(block.transactions.iter().map(|transaction| *transaction.hash()));
            self.canonical.forget(&block);
            self.store().put_block(Arc::new(block.without_body()));
        }
        gone
    }
}
