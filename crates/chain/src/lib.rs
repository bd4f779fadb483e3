//! An Ethereum chain on revm that records the witness of every block.
//!
//! The chain lives on the same trie and the same block execution as the verifier, over a store that
//! holds every node: what a block reads from the store *is* its witness. Since state is found by
//! hash, the state of every block stays readable.
//!
//! This crate owns the store, genesis, building and importing blocks, and proofs of state. It does
//! not own validity (`stateless`), what EXECUTE adds to an L1 (`execute`; a chain only has it
//! installed), transaction pools, networks or files.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod block;
mod build;
mod call;
mod chain;
mod error;
mod genesis;
mod import;
mod proof;
mod record;
mod store;

pub use block::{Block, NewBlock};
pub use build::BlockAttributes;
pub use call::{Call, CallBlock, CallOutcome};
pub use chain::{Chain, ChainConfig};
pub use error::ChainError;
pub use genesis::{empty_genesis, genesis_header};
pub use proof::{AccountProof, SlotProof};
pub use store::Store;
