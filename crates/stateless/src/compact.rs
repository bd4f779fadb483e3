//! The state of a batch's witness, expanded into trie nodes.

use trie::{ExpandedNodes, Expansion, NodeIndex};
use wire::{
    DecodeError,
    compact::{Child, CompactState, Node},
};

/// Writes the nodes of a state as RLP and hashes them. `codes` has the hashes of the witness's codes.
///
/// # Errors
///
/// [`DecodeError`] if the state names a code that is not there.
pub fn expand(state: &CompactState<'_>, codes: &NodeIndex) -> Result<ExpandedNodes, DecodeError> {
    let mut nodes = state.nodes(codes.digests().count());
    let mut expansion = Expansion::with_capacity(state.len(), state.expanded_len());
    let mut value = Vec::new();
    while let Some(node) = nodes.next_node()? {
        match node {
            Node::Branch(branch) => {
                expansion.branch(branch.carried, branch.hashed, branch.hashes);
            }
            Node::Extension { path, child } => {
                let child = if let Child::Hash(hash) = child { Some(hash) } else { None };
                expansion.extension(path.nibbles, path.packed, child);
            }
            Node::Slot { path, value } => expansion.leaf(path.nibbles, path.packed, value),
            Node::Account { path, account } => {
                value.clear();
                let root = account.encode(|code| codes.digest(code).copied(), &mut value);
                match root {
                    None => expansion.leaf(path.nibbles, path.packed, &value),
                    Some(at) => {
                        let (before, behind) = value.split_at(at);
                        expansion.leaf_above(path.nibbles, path.packed, before, behind);
                    }
                }
            }
        }
    }
    Ok(expansion.finish())
}
