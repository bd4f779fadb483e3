//! Storage of a chain: blocks with their receipts, the canonical chain and its transactions, trie nodes and
//! codes.
//!
//! [`Store`] is the seam: a chain asks it for single things by hash or number, and hands it all that a
//! block changes in one [`Changes`], which a store keeps as a whole or not at all. Every method can
//! fail, and a failure is a [`StoreError`]: never an absence, never a verdict on a block.
//! [`MemoryStore`] keeps everything in memory; an [`Overlay`] lies on another store and keeps what is
//! added to itself.
//!
//! This crate owns the seam, what a block is once it has been executed, and the store in memory. It
//! does not own which blocks there are and which of them are canonical (`chain`), nor what a node
//! means (`trie`, `executor`).

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod block;
mod canonical;
mod changes;
mod error;
mod memory;
mod overlay;
mod reach;
mod store;

pub use block::Block;
pub use canonical::TransactionLocation;
pub use changes::{CanonicalChange, Changes, ExecutedBlock};
pub use error::StoreError;
pub use memory::MemoryStore;
pub use overlay::Overlay;
pub use store::{Preimages, Store, StoredNodes};
