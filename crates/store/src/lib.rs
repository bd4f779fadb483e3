//! Storage of a chain: blocks with their receipts, the canonical chain and its transactions, trie
//! nodes and codes.
//!
//! [`Store`] is the interface: a chain reads single items by hash or number, and passes all changes
//! of a block in one [`Changes`], which a store applies as a whole or not at all. Every method can
//! fail, and a failure is a [`StoreError`]: never an absence, never a verdict on a block.
//! [`MemoryStore`] keeps everything in memory; an [`Overlay`] reads from another store and keeps
//! its own additions.
//!
//! Over any source of trie nodes, [`walk`] visits a whole trie, [`prove`] finds the nodes that
//! prove a value, and a [`Recorder`] keeps the nodes that are read.
//!
//! This crate owns the interface, the form of an executed block, and the store in memory. It owns
//! neither the choice of blocks and of the canonical chain (`chain`) nor the meaning of a node
//! (`trie`, `executor`).

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod block;
mod canonical;
mod changes;
mod error;
mod live_nodes;
mod memory;
mod overlay;
mod prove;
mod recorder;
mod store;
mod transaction;
mod walk;

pub use block::{Block, ExecuteDraw, close_header};
pub use canonical::TransactionLocation;
pub use changes::{CanonicalChange, Changes, ExecutedBlock};
pub use error::StoreError;
pub use memory::MemoryStore;
pub use overlay::Overlay;
pub use prove::{Proven, prove};
pub use recorder::{Measure, Recorder};
pub use store::{Preimages, Store, StoredNodes};
pub use transaction::{ExecuteFields, Transaction};
pub use walk::{Visitor, walk};
