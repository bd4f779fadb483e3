//! A rollup on this machine: an L1, a sequencer and followers as processes, and the report of a run
//! over them.
//!
//! [`processes`] starts the nodes, [`requests`] asks them, [`scripts`] runs the scripts of the
//! checkout, [`bridge`] has a token on both sides. A run prints its steps through a
//! [`Report`](report::Report), which [`page`] writes as HTML.
//!
//! The end-to-end run and the simulations use this crate; nothing that is shipped links it.

pub mod bridge;
pub mod budget;
pub mod devnet;
pub mod output;
pub mod page;
pub mod processes;
mod progress;
pub mod report;
pub mod requests;
pub mod scripts;
pub mod units;
