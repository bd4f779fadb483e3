//! Derivation of a rollup's L2 from L1.
//!
//! [`derive()`] is a pure function of an L1 block, the logs that its header commits to, and a
//! [`DataAvailability`] with data that was fetched before. If data is missing, it returns which
//! ([`Need`]); the caller fetches them and derives the block again. So a history of L1 gives the
//! same inputs and messages however it was read: at once or block by block, with or without reorgs
//! in between, before or after a restart.
//!
//! This crate owns what L1 blocks mean for the L2. It has no clock, no I/O and no threads: reading
//! and verifying headers and logs, fetching data, and executing the inputs is up to the `rollup`
//! crate.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod data;
mod derivation;
mod events;
mod l1;
mod within;

pub use data::{DataAvailability, FetchedData, Need};
pub use derivation::{DataMissing, Derived, assembled, derive, hashes_in};
pub use events::{Advanced, Events, ForcedEntry, L1Cost, SentMessage};
pub use l1::{L1Header, L1Transaction};
