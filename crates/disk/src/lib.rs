//! A chain on disk that survives being killed at any moment.
//!
//! [`DiskStore`] is a [`store::Store`] of two parts. The block log is the truth: each commit is one
//! checksummed record at its end, synced before anybody is told of it. The state store (an LSM tree)
//! holds what can be made from the log again: trie nodes by place, codes, blocks with receipts, the
//! canonical chain and its transactions. A thread takes one commit after another into it, and until then
//! they are found in memory. So it lags behind the log by some records; blocks among them are executed
//! again when the chain is opened, which is up to whoever can execute ([`DiskStore::next_to_replay`]).
//!
//! Trie nodes are kept side by side for all states of the newest blocks, and forgotten as blocks leave
//! that window.
//!
//! What a node has read elsewhere and can read again is kept in a [`RecordFile`] of the same records: one that
//! is damaged is cut back, and not refused.
//!
//! This crate owns the files: their formats, what is done when one is damaged, torn or full, and which
//! states are still there. It does not own the seam (`store`), executing blocks or which of them are
//! canonical (`chain`).

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod block;
mod bytes;
mod cache;
mod canonical;
mod commit;
mod difference;
mod disk_store;
mod error;
mod frame;
mod log;
mod options;
mod pending;
mod place;
mod prune;
mod read;
mod record;
mod record_file;
mod replay;
mod state;
mod value;
mod write;

pub use bytes::{Reader, Writer};
pub use disk_store::{DiskStore, Held};
pub use error::DiskError;
pub use log::{Position, TornTail};
pub use options::DiskOptions;
pub use record_file::{CutOff, RecordFile};
