//! Crash-safe storage of a chain on disk.
//!
//! [`open_chain`] opens a chain in a folder, and [`snapshot`] exports a state to a file or creates
//! a chain from one. [`DiskStore`] implements [`chain::store::Store`] in two parts. The block log
//! is the source of truth: each commit is one checksummed record at its end, synced before the
//! commit is acknowledged. The state store (an LSM tree) contains data that can be rebuilt from the
//! log: trie nodes by location, codes, blocks with receipts, the canonical chain and its
//! transactions. A thread applies commits to it in order; until a commit is applied, reads find it
//! in memory. The state store therefore lags behind the log by some records. When the chain is
//! opened, a caller that can execute blocks executes the missing ones again
//! ([`DiskStore::next_to_replay`]). A damaged state store is moved away on opening and rebuilt from
//! the log ([`DiskStore::rebuilt`]).
//!
//! Trie nodes of the states of all recent blocks coexist, and are deleted as blocks leave the
//! retention window.
//!
//! A [`RecordFile`] stores data that a node can fetch again, in the record format of the log; a
//! damaged file is truncated instead of rejected. A [`SlotFile`] stores records that are looked up
//! by number.
//!
//! This crate contains the file formats, the handling of damaged, torn and full files, and the
//! retention of states. The interface is `chain::store`; the execution and choice of blocks are in
//! `chain` too.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod block;
mod bytes;
mod cache;
mod canonical;
mod commit;
mod contents;
mod difference;
mod disk_store;
mod error;
mod frame;
mod log;
mod node_location;
mod open;
mod options;
mod pending;
mod position;
mod prune;
mod read;
mod record;
mod record_file;
mod repair;
mod replay;
mod restore;
mod slot_file;
pub mod snapshot;
mod stamps;
mod state;
mod value;
mod write;

pub use bytes::{Reader, Writer};
pub use disk_store::{DiskStore, Held};
pub use error::DiskError;
pub use log::TornTail;
pub use open::{open_chain, open_chain_with};
pub use options::DiskOptions;
pub use position::Position;
pub use record_file::{CutOff, RecordFile};
pub use repair::Rebuilt;
pub use restore::PlacedNode;
pub use slot_file::SlotFile;
