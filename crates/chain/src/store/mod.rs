//! Storage of a chain: blocks with their receipts, the index of the canonical chain and its
//! transactions, trie nodes and contract code.
//!
//! [`Store`] is the interface: a chain reads single items by hash or number, and commits all
//! changes of a block in one [`Changes`], which a store applies atomically. Every method can fail
//! with a [`StoreError`], which means neither that an item is missing nor that a block is invalid.
//! [`MemoryStore`] is a store in memory; an [`Overlay`] is in memory too and falls back to another
//! store for reads.
//!
//! Over any source of trie nodes, [`walk`] visits a whole trie, [`prove`] collects the nodes that
//! prove a value, and a [`Recorder`] records the nodes that are read.
//!
//! This module does not choose the canonical chain and does not interpret nodes; see `trie` and
//! `executor`.

mod block;
mod canonical;
mod changes;
mod error;
mod live_nodes;
mod log_index;
mod memory;
mod overlay;
mod prove;
mod recorder;
mod traits;
mod transaction;
mod walk;

pub use block::{Block, ExecuteDraw, close_header};
pub use canonical::TransactionLocation;
pub use changes::{CanonicalChange, Changes, ExecutedBlock};
pub use error::StoreError;
pub use log_index::{BloomQuery, BloomRow, BloomSection, LogIndex, ROW, SECTION};
pub use memory::MemoryStore;
pub use overlay::Overlay;
pub use prove::{Proven, prove};
pub use recorder::{Measure, Recorder};
pub use traits::{Preimages, Store, StoredNodes};
pub use transaction::{ExecuteFields, Transaction};
pub use walk::{Visitor, walk};
