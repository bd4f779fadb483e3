//! Crash-safe storage of a chain on disk.
//!
//! [`open_chain`] opens a chain in a directory, and [`snapshot`] exports a state to a file or
//! creates a chain from one. [`DiskStore`] implements [`chain::store::Store`] in two parts. The
//! block log is a write-ahead log and the source of truth: each commit appends one checksummed
//! record, which is synced before the commit is acknowledged. The state store (an LSM tree)
//! contains data that can be rebuilt from the log: trie nodes by location, codes, blocks with
//! receipts, the canonical chain and its transactions. A background thread applies commits to it in
//! order; reads of a commit that is not applied yet are served from memory. The state store
//! therefore lags behind the log by some records. When the chain is opened, the caller executes the
//! missing blocks again ([`DiskStore::next_to_replay`]). A corrupted state store is moved away on
//! opening and rebuilt from the log ([`DiskStore::rebuilt`]).
//!
//! The state of every block in the retention window is available; nodes that only older states
//! contain are deleted.
//!
//! A [`RecordFile`] stores data that a node can download again, in the record format of the log; if
//! it is corrupted, it is truncated to its intact records. A [`SlotFile`] stores records of fixed
//! size by number.
//!
//! The storage interface is in `chain::store`. Blocks are executed and the canonical chain is
//! chosen in `chain`, not here.

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
mod log_index;
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
pub use disk_store::{DiskStore, StateGuard};
pub use error::DiskError;
pub use log::TornTail;
pub use open::{open_chain, open_chain_with};
pub use options::DiskOptions;
pub use position::Position;
pub use record_file::{CutOff, RecordFile};
pub use repair::Rebuilt;
pub use restore::PlacedNode;
pub use slot_file::SlotFile;
