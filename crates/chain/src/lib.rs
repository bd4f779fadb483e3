//! An Ethereum chain on revm that can record the witness of every block.
//!
//! The chain lives on the same trie and the same block execution as the verifier, over a store that
//! holds every node: what a block reads from the store *is* its witness. Since state is found by
//! hash, the state of every block stays readable until somebody prunes the chain, and a [`State`] may
//! be kept and read while the chain moves on.
//!
//! This crate owns the store, genesis, building and importing blocks (of all forks since Frontier;
//! seals of proof of work are not checked), which blocks are canonical, and proofs of state. It does
//! not own validity (`stateless`), what EXECUTE adds to an L1 (`execute`; a chain only has it
//! installed), transaction pools and clocks (`node`), networks or files.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod block;
mod build;
mod call;
mod chain;
mod config;
mod error;
mod genesis;
mod header;
mod import;
mod index;
mod proof;
mod prune;
mod record;
mod signatures;
mod state;
mod store;

pub use block::{Block, ExecutedBlock, BlockWithWitness};
pub use build::{BlockAttributes, RecoveredTransaction, Rejection};
pub use call::{Call, CallBlock, CallOutcome};
pub use chain::Chain;
pub use config::{ChainConfig, Limits, spec_of};
pub use error::ChainError;
pub use genesis::{empty_genesis, genesis_header};
pub use index::TransactionLocation;
pub use proof::{AccountProof, SlotProof};
pub use signatures::Signatures;
pub use state::State;
pub use store::{Changes, Store};
