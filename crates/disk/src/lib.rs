//! A chain on disk that survives being killed at any moment.
//!
//! [`open_chain`] opens a chain in a folder, and [`snapshot`] writes a state to a file or makes a
//! chain of one. [`DiskStore`] is a [`store::Store`] of two parts. The block log is the truth: each
//! commit is one checksummed record at its end, synced before the commit is acknowledged. The state
//! store (an LSM tree) holds data that can be rebuilt from the log: trie nodes by location, codes,
//! blocks with receipts, the canonical chain and its transactions. A thread applies one commit
//! after another to it; until then reads find them in memory. The state store therefore lags behind
//! the log by some records; when the chain is opened, a caller that can execute blocks executes
//! those among them again ([`DiskStore::next_to_replay`]). A damaged state store is set aside when
//! the chain is opened, and made again from the log ([`DiskStore::rebuilt`]).
//!
//! Trie nodes of the states of all recent blocks are kept side by side, and deleted as blocks leave
//! that window.
//!
//! Data that a node has read elsewhere and can read again is kept in a [`RecordFile`] of the same
//! records: a damaged one is cut back, and not refused. Records that are looked up by number and
//! never all read are in a [`SlotFile`].
//!
//! This crate owns the files: their formats, the handling of damaged, torn and full ones, and the
//! retention of states. It owns neither the interface (`store`) nor the execution and choice of
//! blocks (`chain`).

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
pub use log::{Position, TornTail};
pub use open::{open_chain, open_chain_with};
pub use options::DiskOptions;
pub use record_file::{CutOff, RecordFile};
pub use repair::Rebuilt;
pub use restore::PlacedNode;
pub use slot_file::SlotFile;
