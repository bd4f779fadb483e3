//! Others side by side with this project, on the same inputs.
//!
//! A verifier that shares no code with this project says whether a verdict is right, and one that
//! is known to be fast says whether a time is good. `ethrex` is both: an Ethereum client with an
//! EVM, a trie and a block validation of its own, and with today's Amsterdam. Stock [`anvil`] is
//! the model of the devnet.
//!
//! This crate owns how such a peer is asked, the comparison of verdicts (its tests), the comparison
//! of times (`side-by-side`) and that of JSON-RPC answers (`anvil-diff`). Each peer is a feature.
//! Only tests depend on this crate.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

#[cfg(feature = "anvil")]
pub mod anvil;
#[cfg(feature = "ethrex")]
mod blocks;
#[cfg(feature = "ethrex")]
pub mod ethrex;
#[cfg(feature = "ethrex")]
mod heavy;

#[cfg(feature = "ethrex")]
pub use blocks::{RealBlock, real_blocks};
#[cfg(feature = "ethrex")]
pub use heavy::{Batch, batches, heavy_blocks};
