//! A sparse Merkle-Patricia trie.
//!
//! The verifier and the chain use the same trie. It is an arena of the nodes that have been walked;
//! all other nodes remain in a [`NodeSource`] (a witness, a database) and are loaded by hash when a
//! path leads to them. Loaded nodes remain slices of their source's bytes. Only changed nodes are
//! encoded and hashed again, level by level, in batches over many tries.
//!
//! This crate owns node encoding, reading, changing and hashing, and the [expansion](Expansion) of
//! nodes from the parts that cannot be derived. It knows nothing of accounts or storage: keys are
//! 32-byte hashes, values are bytes. `chain::store` records, proves and visits whole tries. No
//! node is trusted: for any bytes, a walk ends in a value, an absence or a [`TrieError`], never in
//! a panic, in unbounded recursion or in a root that the nodes do not prove. An error of the source
//! is returned as [`TrieError::Source`].
//!
//! Apply removals after insertions and updates, or use [`Trie::apply`], which does so: a removal
//! that collapses a branch must read the remaining sibling, and a witness contains that sibling
//! only if the branch is really collapsed.

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
