//! Other verifiers on the inputs of EXECUTE.
//!
//! One that shares no code with this project says whether a verdict is right, and one that is known
//! to be fast says whether a time is good. [`ethrex`] is both: an Ethereum client with an EVM, a
//! trie and a block validation of its own, and with today's Amsterdam.
//!
//! This crate owns how such a peer is asked, the comparison of verdicts (its tests) and the
//! comparison of times (`side-by-side`). Nothing else depends on it.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod blocks;
pub mod ethrex;

pub use blocks::{RealBlock, real_blocks};
