//! Differential tests of this project against other implementations, on the same inputs.
//!
//! An independent verifier shows whether a verdict is right, and a fast one whether a time is good.
//! `ethrex` is both: an Ethereum client with its own EVM, trie and block validation, and with the
//! current Amsterdam. Stock [`anvil`] is the reference for the devnet.
//!
//! This crate contains the adapters of these implementations, the comparison of verdicts (in its
//! tests), of times (`side-by-side`) and of JSON-RPC responses (`anvil-diff`). Each implementation
//! is a feature. Only tests depend on this crate.

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
