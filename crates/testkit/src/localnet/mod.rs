//! A rollup on this machine: an L1, a sequencer and followers as processes, and the report of a run
//! with them.
//!
//! [`processes`] starts the nodes, [`requests`] sends requests to them, [`scripts`] runs the
//! checkout's forge scripts, and [`bridge`] bridges a token. A run prints its steps through a
//! [`Report`](report::Report), which [`page`] renders as HTML.
//!
//! The end-to-end run and the simulations use this module.

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

pub use crate::say;
