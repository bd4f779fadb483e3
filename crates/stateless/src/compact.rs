//! Expansion of the state of a batch's witness into trie nodes.

use alloc::vec::Vec;
use trie::{ExpandedNodes, Expansion, ExpansionTooLong, NodeIndex};
use wire::{
    DecodeError,
    compact::{Child, CompactState, StreamNode},
};

/// Writes the nodes of a state as RLP and hashes them. `codes` is the index of the codes in the
/// witness.
///
/// # Errors
///
/// [`DecodeError`] if the state refers to a missing code, or if its nodes have 4 GiB or more, which
/// an input of half a gigabyte can declare.
pub fn expand(state: &CompactState<'_>, codes: &NodeIndex) -> Result<ExpandedNodes, DecodeError> {
    expand_within(state, codes, Expansion::MAX_LEN)
}

/// Expands a state whose nodes have at most `limit` bytes, as [`CompactState::expanded_len`] counts
/// them.
///
/// # Errors
///
/// See [`expand`].
pub fn expand_within(
    state: &CompactState<'_>,
    codes: &NodeIndex,
    limit: usize,
) -> Result<ExpandedNodes, DecodeError> {
    let too_long = |ExpansionTooLong { got, limit }| DecodeError::TooLong {
        what: "nodes of the state of the batch",
        index: 0,
        got,
        limit,
    };
    // The bound is known from decoding, so an oversized state is rejected before memory is
    // reserved.
    let bytes = state.expanded_len();
    if bytes > limit {
        return Err(too_long(ExpansionTooLong { got: bytes, limit }));
    }
    let mut nodes = state.nodes(codes.digests().count());
    let mut expansion = Expansion::within(state.len(), bytes).map_err(too_long)?;
    let mut value = Vec::new();
    while let Some(node) = nodes.next_node()? {
        match node {
            StreamNode::Branch(branch) => {
                expansion.branch(branch.carried, branch.hashed, branch.hashes);
            }
            StreamNode::Extension { path, child } => {
                let child = if let Child::Hash(hash) = child { Some(hash) } else { None };
                expansion.extension(path.nibbles, path.packed, child);
            }
            StreamNode::Slot { path, value } => expansion.leaf(path.nibbles, path.packed, value),
            StreamNode::Account { path, account } => {
                value.clear();
                // A missing code was rejected when the stream was decoded; the hash of zeros is
                // never used.
                let root = account.encode(|code| codes.digest(code).copied(), &mut value);
                match root {
                    None => expansion.leaf(path.nibbles, path.packed, &value),
                    // The root of a carried storage trie is known only after the trie, so the leaf
                    // is written in two parts.
                    Some(at) => {
                        let (before, behind) = value.split_at(at);
                        expansion.leaf_above(path.nibbles, path.packed, before, behind);
                    }
                }
            }
        }
    }
    expansion.finish().map_err(too_long)
}
