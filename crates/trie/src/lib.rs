//! A sparse Merkle-Patricia trie.
//!
//! The verifier and the chain use the same trie. It is an arena of the nodes that have been loaded;
//! all other nodes are in a [`NodeSource`] (a witness or a database) and are loaded by hash when a
//! path leads to them. Loaded nodes are slices of the source's bytes. Only changed nodes are
//! encoded and hashed again, level by level, in batches over many tries.
//!
//! Keys are 32-byte hashes and values are bytes; accounts and storage are interpreted by callers.
//! `chain::store` records, proves and traverses tries. The crate also contains the
//! [expansion](Expansion) of compact witnesses into nodes. Nodes are untrusted: for any bytes, a
//! walk returns a value, its absence or a [`TrieError`], and never panics, recurses without bound
//! or yields a root that the nodes do not prove. An error of the source is returned as
//! [`TrieError::Source`].
//!
//! Apply removals after insertions and updates, or use [`Trie::apply`], which does so. A removal
//! that collapses a branch reads the remaining sibling, and a witness contains that sibling only if
//! the branch is still collapsed after all changes.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]
#![cfg_attr(not(test), no_std)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod change;
mod encode;
mod error;
mod expand;
mod node;
mod root;
mod source;
mod trie;

pub use error::{SourceError, TrieError};
pub use expand::{ExpandedNodes, Expansion, ExpansionTooLong};
pub use node::{
    Child, ChildItem, Decoded, NodeBytes, NodeId, Value, branch_item, child_item, decode,
};
pub use nybbles::Nibbles;
pub use root::{NewNode, hash_tries};
pub use source::{NodeIndex, NodePath, NodeSource};
pub use trie::{EMPTY_ROOT, Trie};
