//! Derivation of an L2 from L1.
//!
//! [`derive()`] is a pure function of an L1 block, its verified logs, and a [`DataAvailability`]
//! with data that was fetched before. If some data is missing, it returns a [`RequiredData`]; the caller
//! fetches the data and derives the block again. The derived inputs and messages therefore depend
//! only on the L1 chain, not on how it was read, e.g. at once or block by block, with or without
//! intermediate reorgs, before or after a restart.
//!
//! This crate has no clock, no I/O and no threads. The `rollup` crate reads and verifies headers
//! and logs, fetches data, and executes the derived inputs.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod data;
mod derivation;
mod events;
mod l1;

pub use data::{DataAvailability, FetchedData, RequiredData};
pub use derivation::{DataMissing, Derived, assembled, derive, hashes_in};
pub use events::{
    ClaimedMessage, Events, ForcedDischarge, ForcedEntry, L1Cost, PostedBlock, SentMessage,
};
pub use l1::{L1Header, L1Transaction};
